//! `[[schedule]]`.

use std::ops::Range;
use std::time::Duration;

use handfast_schedule::job::{CATCH_UP_WITHIN, CATCH_UP_WITHIN_MAX, JOBS_MAX, WORDS_MAX};
use handfast_schedule::{Calendar, CatchUp, Cron, Job, JobName, Zone};

use super::fields::{Fields, boolean, duration, list, text};
use super::{Sink, project};
use crate::document::Node;
use crate::span::Span;
use crate::suggestion::nearest;

const KNOWN: [&str; 7] =
    ["name", "cron", "zone", "command", "jitter", "catch_up", "catch_up_within"];

/// First words of a command that would wait for ever, or for itself.
const REFUSED: [&str; 2] = ["schedule", "stub"];

pub(super) fn schedule(fields: &Fields<'_>, sink: &mut Sink) -> Vec<Job> {
    let Some(node) = fields.node("schedule") else { return Vec::new() };
    let Some(items) = list(node, "schedule", sink) else { return Vec::new() };
    if items.len() > JOBS_MAX {
        let message = format!("a project has at most {JOBS_MAX} jobs, not {}", items.len());
        sink.note(node.span, message, "too many", "let one job do more".to_owned());
    }
    let mut jobs: Vec<Job> = Vec::new();
    for item in items.iter().take(JOBS_MAX) {
        let Some(job) = job(item, sink) else { continue };
        if jobs.iter().any(|other| other.name == job.name) {
            let message = format!("two jobs have the name {}", job.name);
            sink.note(item.span, message, "the second", "give it another name".to_owned());
        }
        jobs.push(job);
    }
    jobs
}

fn job(node: &Node, sink: &mut Sink) -> Option<Job> {
    let fields = Fields::open(node, "a scheduled job", &KNOWN, sink)?;
    let name = fields.required("name", "\"daily\"", sink).and_then(|node| name(node, sink));
    let cron = fields.required("cron", "\"0 2 * * *\"", sink).and_then(|node| cron(node, sink));
    let zone = match fields.node("zone") {
        None => Some(Zone::utc()),
        Some(node) => zone(node, sink),
    };
    let command = command(&fields, sink);
    let jitter = fields.duration("jitter", sink).unwrap_or_default();
    let catch_up = catch_up(&fields, sink);
    let calendar = Calendar { cron: cron?, zone: zone? };
    Some(Job { name: name?, calendar, command: command?, jitter, catch_up })
}

fn name(node: &Node, sink: &mut Sink) -> Option<JobName> {
    let written = text(node, "name", sink)?;
    let name = JobName::new(written);
    if let Err(error) = &name {
        sink.note(node.span, error.to_string(), "not a name", "write such as \"daily\"".to_owned());
    }
    name.ok()
}

fn cron(node: &Node, sink: &mut Sink) -> Option<Cron> {
    let written = text(node, "cron", sink)?;
    let cron = Cron::parse(written);
    if let Err(error) = &cron {
        let span = inside(node.span, written, &error.place);
        let what = match error.field {
            Some(field) => format!("`cron`: {} (field {field})", error.what),
            None => format!("`cron`: {}", error.what),
        };
        sink.note(span, what, "here", error.fix.clone());
    }
    cron.ok()
}

/// A part of a text in quotes; all of it where letters are escaped, so that they cannot be counted.
fn inside(span: Span, written: &str, place: &Range<usize>) -> Span {
    let is_plain = span.end - span.start == written.len() + 2 && written.is_ascii();
    if !is_plain {
        return span;
    }
    let (start, end) = (span.start + 1 + place.start, span.start + 1 + place.end);
    Span { start, end, line: span.line, column: span.column + 1 + place.start }
}

fn zone(node: &Node, sink: &mut Sink) -> Option<Zone> {
    let written = text(node, "zone", sink)?;
    let zone = Zone::named(written);
    if let Err(error) = &zone {
        let names = Zone::names();
        let help = match nearest(written, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "write an IANA name such as \"Europe/Berlin\", or \"UTC\"".to_owned(),
        };
        sink.note(node.span, format!("`zone`: {error}"), "not a time zone", help);
    }
    zone.ok()
}

/// Words after `handfast`.
fn command(fields: &Fields<'_>, sink: &mut Sink) -> Option<Vec<String>> {
    let example = "[\"run\", \"--all\"]";
    let node = fields.required("command", example, sink)?;
    let words = project::command(node, "command", sink)?.words().to_vec();
    let help = format!("write the words after `handfast`, such as {example}");
    let wrong = match words.first().map(String::as_str) {
        None => "`command` has no words",
        Some("handfast") => "`command` is what stands after `handfast`",
        Some(word) if word.starts_with("__") || REFUSED.contains(&word) => {
            "`command` has no end: it cannot be scheduled"
        }
        Some(word) if word.contains(' ') => "the first word of `command` has a blank in it",
        Some(_) if words.len() > WORDS_MAX => "`command` has too many words",
        Some(_) => return Some(words),
    };
    sink.note(node.span, wrong.to_owned(), "here", help);
    None
}

fn catch_up(fields: &Fields<'_>, sink: &mut Sink) -> CatchUp {
    let is_on = fields.node("catch_up").and_then(|node| boolean(node, "catch_up", sink));
    let within = fields.node("catch_up_within").and_then(|node| days(node, sink));
    if is_on == Some(false) {
        if let Some(entry) = fields.entry("catch_up_within") {
            let message = "`catch_up_within` means nothing beside `catch_up = false`".to_owned();
            sink.note(entry.key_span, message, "without effect", "leave it out".to_owned());
        }
        return CatchUp::Never;
    }
    CatchUp::Within(within.unwrap_or(CATCH_UP_WITHIN))
}

/// `7d`, beside what every duration can be.
fn days(node: &Node, sink: &mut Sink) -> Option<Duration> {
    let what = "catch_up_within";
    let written = text(node, what, sink)?;
    let Some(number) = written.trim().strip_suffix('d') else { return duration(node, what, sink) };
    let hours = number.trim().parse::<u64>().ok().and_then(|days| days.checked_mul(24));
    match hours.map(Duration::from_hours) {
        Some(length) if length <= CATCH_UP_WITHIN_MAX => Some(length),
        Some(_) | None => {
            let message = format!("`{what}` is {written:?}");
            let help = "write a duration up to a year, such as \"12h\" or \"7d\"".to_owned();
            sink.note(node.span, message, "not such a duration", help);
            None
        }
    }
}
