//! The summary of a job in Markdown.

use std::fmt::Write as _;

use super::failing::{Failing, failing};
use crate::book::{Book, UnitPage};
use crate::matrix::markdown::{escaped, markdown};
use crate::quantity::{clipped, tame, time};
use crate::table::closing_line;

/// Bytes that GitHub takes of all summaries of one step; of one that is longer it shows nothing
/// (<https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions#step-isolation-and-limits>).
pub const PAGE_LEN_MAX: usize = 1024 * 1024;

/// Rows of scenarios that are listed; the rest is counted.
const ROWS_MAX: usize = 500;

/// Characters of what led to a failure; the record has all of it.
const STORY_CHARS_MAX: usize = 8_000;

/// Kept free for what says how much is not shown.
const RESERVE: usize = 300;

/// The page: what came out, the failures with their reasons, the matrix, shards and scenarios; at most `len_max` bytes, and in words what is not on it.
/// Nothing at all where not even its beginning fits.
pub fn page(book: &Book, len_max: usize) -> String {
    let len_max = len_max.saturating_sub(RESERVE);
    let mut text = head(book);
    if text.len() > len_max {
        return String::new();
    }
    let failing = failing(book);
    let mut told = 0;
    if !failing.is_empty() {
        text.push_str("### Failures\n\n");
    }
    for one in &failing {
        let (long, short) = (failure(one, true), failure(one, false));
        // The first come with all that led to them; half of the page is for that.
        let item = if text.len() + long.len() <= len_max / 2 { long } else { short };
        if text.len() + item.len() > len_max {
            break;
        }
        text.push_str(&item);
        told += 1;
    }
    let mut left_out = Vec::new();
    if told < failing.len() {
        left_out.push(format!("{} further failures", failing.len() - told));
    }
    for (what, section) in sections(book) {
        if text.len() + section.len() <= len_max {
            text.push_str(&section);
        } else if !section.is_empty() {
            left_out.push(what.to_owned());
        }
    }
    if !left_out.is_empty() {
        // Writing to a text cannot fail.
        writeln!(
            text,
            "\nThe page is full; not on it: {}. `report.html` of the record has everything.",
            left_out.join(", ")
        )
        .unwrap_or_default();
    }
    text
}

fn head(book: &Book) -> String {
    let exit = book.end().map(|end| end.exit.number());
    let mark = if exit == Some(0) { "✓" } else { "✗" };
    let mut text = format!("## {mark} {}\n\n", closing_line(book));
    let mut facts = Vec::new();
    if let Some(run) = book.run() {
        facts.push(format!("run {}", code(&run.run)));
        facts.extend(run.shard.as_ref().map(|mark| format!("shard {}", mark.shard)));
        facts.push(code(&clipped(&run.command.join(" "), 300)));
    }
    match book.end() {
        Some(end) => {
            facts.push(format!("exit code {}", end.exit.number()));
            facts.push(format!("took {}", time(end.duration_us)));
            facts.extend(
                (end.summary.not_run > 0).then(|| format!("not run: {}", end.summary.not_run)),
            );
            let unsupported = end.summary.unsupported;
            facts.extend((unsupported > 0).then(|| format!("unsupported: {unsupported}")));
        }
        None => facts.push("it did not end".to_owned()),
    }
    // Writing to a text cannot fail.
    writeln!(text, "{}\n", facts.join(" · ")).unwrap_or_default();
    text
}

fn failure(one: &Failing, with_story: bool) -> String {
    let place = one.file.as_ref().map(|file| {
        let line = one.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!(" {}", code(&format!("{file}{line}")))
    });
    let mut text = format!(
        "**{}**{}\n\n{}",
        escaped(&clipped(&one.title, 300)),
        place.unwrap_or_default(),
        fenced(&clipped(&one.reason, 1_000))
    );
    if let Some(again) = &one.again {
        // Writing to a text cannot fail.
        writeln!(text, "again: {}\n", code(again)).unwrap_or_default();
    }
    if with_story && !one.story.is_empty() {
        let story = fenced(&clipped(&one.story, STORY_CHARS_MAX));
        writeln!(text, "<details><summary>what led to it</summary>\n\n{story}</details>\n")
            .unwrap_or_default();
    }
    text
}

fn sections(book: &Book) -> Vec<(&'static str, String)> {
    let mut sections = vec![("the parts of the merged record", shards(book))];
    if !book.grid().is_empty() {
        sections.push(("the matrix", format!("### Matrix\n\n{}\n", markdown(book.grid()))));
    }
    sections.push(("the suites", suites(book)));
    sections.push(("the list of scenarios", scenarios(book)));
    sections
}

fn shards(book: &Book) -> String {
    let Some(merged) = book.merged() else { return String::new() };
    let mut text = String::from(
        "### Shards\n\n| shard | run | scenarios | suites | took | ended |\n|---|---|---|---|---|---|\n",
    );
    for line in &merged.shards {
        let shard = line.shard.map_or_else(|| "whole".to_owned(), |shard| shard.to_string());
        let ended = line.exit.map_or_else(|| "killed".to_owned(), |exit| exit.number().to_string());
        // Writing to a text cannot fail.
        writeln!(
            text,
            "| {shard} | {} | {} | {} | {} | {ended} |",
            escaped(&line.run),
            line.units,
            line.suites,
            time(line.duration_us)
        )
        .unwrap_or_default();
    }
    for note in &merged.notes {
        writeln!(text, "\nwarning: {}", escaped(note)).unwrap_or_default();
    }
    text + "\n"
}

fn suites(book: &Book) -> String {
    if book.suites().is_empty() {
        return String::new();
    }
    let mut text =
        String::from("### Suites\n\n| suite | passed | failed | took |\n|---|---|---|---|\n");
    for page in book.suites() {
        let name = escaped(page.suite.as_str());
        let row = match &page.end {
            Some(end) => {
                format!("| {name} | {} | {} | {} |", end.passed, end.failed, time(end.duration_us))
            }
            None => format!("| {name} | | did not end | |"),
        };
        text.push_str(&row);
        text.push('\n');
    }
    text + "\n"
}

/// Scenarios outside the matrix, folded.
fn scenarios(book: &Book) -> String {
    let outside = |page: &&UnitPage| book.grid().cell(&page.unit).is_none();
    let pages: Vec<&UnitPage> = book.units().iter().filter(outside).collect();
    if pages.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "<details><summary>{} scenarios</summary>\n\n| | scenario | category | took |\n|---|---|---|---|\n",
        pages.len()
    );
    for page in pages.iter().take(ROWS_MAX) {
        let kind = page.kind().map_or_else(|| "not ended".to_owned(), |kind| kind.to_string());
        let took = page.end.as_ref().map(|end| time(end.duration_us)).unwrap_or_default();
        // Writing to a text cannot fail.
        writeln!(
            text,
            "| {kind} | {} | {} | {took} |",
            escaped(&clipped(&page.title(), 300)),
            escaped(page.category.as_str())
        )
        .unwrap_or_default();
    }
    if pages.len() > ROWS_MAX {
        writeln!(text, "\nand {} more", pages.len() - ROWS_MAX).unwrap_or_default();
    }
    text + "\n</details>\n\n"
}

/// Text in a line of code: nothing in it is Markdown, whatever backticks it has.
pub(super) fn code(text: &str) -> String {
    let text = tame(&text.replace(['\n', '\r'], " "));
    let fence = "`".repeat(longest_run(&text) + 1);
    if fence.len() == 1 && !text.is_empty() {
        return format!("`{text}`");
    }
    format!("{fence} {text} {fence}")
}

/// Text as a block of code, which ends where it should whatever is in it.
pub(super) fn fenced(text: &str) -> String {
    let fence = "`".repeat((longest_run(text) + 1).max(3));
    let lines: String = text.lines().map(|line| tame(line) + "\n").collect();
    format!("{fence}text\n{lines}{fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}
