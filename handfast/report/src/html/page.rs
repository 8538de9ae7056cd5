//! The whole file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use handfast_scenario::event::Outcome;
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::VerdictKind;

use super::detail::Detail;
use super::text::Plain;
use super::{grid, unit};
use crate::book::{Book, SuitePage, UnitPage};
use crate::quantity::time;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page of a run. `kept` are the stories of what failed, `stubs` the peers that say they are one.
pub(super) fn page(
    book: &Book,
    kept: &BTreeMap<UnitId, Detail>,
    stubs: &BTreeMap<String, String>,
) -> String {
    let mut html = String::new();
    let run = book.run();
    let name = run.map_or("a run", |run| run.run.as_str());
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}: {}</title>\n<style>\n{STYLE}</style></head>\n<body>\n",
        Plain(&closing(book)),
        Plain(name)
    );
    head(&mut html, book, stubs);
    grid::grid(&mut html, book.grid());
    if book.grid().is_empty() {
        units(&mut html, book.units());
    }
    suites(&mut html, book.suites());
    unit::stories(&mut html, book, kept);
    unit::passed_accounts(&mut html, book);
    let _ = write!(html, "<script>\n{SCRIPT}</script>\n</body></html>\n");
    html
}

/// The line a run ends with.
fn closing(book: &Book) -> String {
    let totals = book.totals();
    format!("{} passed, {} failed", totals.passed, totals.failed)
}

fn head(html: &mut String, book: &Book, stubs: &BTreeMap<String, String>) {
    let totals = book.totals();
    let class = match (book.end(), totals.failed) {
        (None, _) => "doubtful",
        (Some(end), 0) if end.exit.number() == 0 => "good",
        (Some(_), _) => "bad",
    };
    let _ = writeln!(html, "<header><h1 class=\"{class}\">{}</h1>", Plain(&closing(book)));
    if let Some(run) = book.run() {
        let started = jiff::Timestamp::from_microsecond(run.started_unix_us).unwrap_or_default();
        let took = book.end().map_or_else(
            || "did not end: it was killed, or is still going on".to_owned(),
            |end| format!("{}, exit code {}", time(end.duration_us), end.exit.number()),
        );
        let _ = writeln!(
            html,
            "<p>run <b>{}</b>, {}, {took}</p><p><code>{}</code></p>",
            Plain(&run.run),
            started.strftime("%Y-%m-%d %H:%M:%S UTC"),
            Plain(&run.command.join(" "))
        );
    }
    for fault in book.shard_faults() {
        let _ = writeln!(html, "<p class=\"bad\">{}</p>", Plain(fault));
    }
    for (peer, of) in stubs {
        let text = format!(
            "{peer} is a {of}: it plays recorded conversations. What passes with it is proved of the other side only."
        );
        let _ = writeln!(html, "<p class=\"doubtful\">{}</p>", Plain(&text));
    }
    html.push_str(
        "<p class=\"tools\"><input id=\"filter\" type=\"search\" placeholder=\"filter by name, peer or file\" \
         aria-label=\"filter\"> <label><input id=\"only\" type=\"checkbox\"> only what did not pass</label></p>\
         </header>\n",
    );
}

fn units(html: &mut String, units: &[UnitPage]) {
    if units.is_empty() {
        return;
    }
    html.push_str(
        "<section id=\"units\"><h2>Scenarios</h2><table class=\"list\"><thead><tr><th></th>\
         <th>scenario</th><th>category</th><th>peers</th><th>time</th></tr></thead><tbody>\n",
    );
    for page in units {
        let (class, word) = verdict(page.kind());
        let name = if unit::failed(page) {
            format!("<a href=\"#{}\">{}</a>", super::text::anchor(&page.unit), Plain(&page.label()))
        } else {
            Plain(&page.label()).to_string()
        };
        let took = page.end.as_ref().map(|end| time(end.duration_us)).unwrap_or_default();
        let _ = writeln!(
            html,
            "<tr class=\"row\"><td><b class=\"{class}\">{word}</b></td><td title=\"{}\">{name}</td><td>{}</td><td>{}</td><td class=\"number\">{took}</td></tr>",
            Plain(&page.file),
            Plain(page.category.as_str()),
            Plain(&page.cast())
        );
    }
    html.push_str("</tbody></table></section>\n");
}

fn verdict(kind: Option<VerdictKind>) -> (&'static str, String) {
    match kind {
        Some(VerdictKind::Passed) => ("good", "passed".to_owned()),
        Some(kind @ (VerdictKind::Failed | VerdictKind::TimedOut)) => ("bad", kind.to_string()),
        Some(
            kind @ (VerdictKind::Infra
            | VerdictKind::Unsupported
            | VerdictKind::Absent
            | VerdictKind::DidNotFit),
        ) => ("doubtful", kind.to_string()),
        None => ("doubtful", "not over".to_owned()),
    }
}

fn suites(html: &mut String, suites: &[SuitePage]) {
    if suites.is_empty() {
        return;
    }
    html.push_str("<section id=\"suites\"><h2>Test suites</h2>\n");
    for page in suites {
        let Some(end) = &page.end else { continue };
        let class = if end.outcome == Outcome::Passed { "good" } else { "bad" };
        let _ = writeln!(
            html,
            "<p class=\"row\"><b class=\"{class}\">{}</b>: {} passed, {} failed, {} <code>{}</code></p>",
            Plain(page.suite.as_str()),
            end.passed,
            end.failed,
            time(end.duration_us),
            Plain(&page.command.join(" "))
        );
        if let Outcome::Failed { reason } = &end.outcome {
            let _ = writeln!(html, "<pre class=\"reason\">{}</pre>", Plain(reason));
        }
        for test in &page.tests {
            if let Outcome::Failed { reason } = &test.outcome {
                let _ = writeln!(
                    html,
                    "<details class=\"unit row\"><summary><b class=\"bad\">failed</b> {}</summary><pre>{}</pre></details>",
                    Plain(&test.name),
                    Plain(reason)
                );
            }
        }
    }
    html.push_str("</section>\n");
}
