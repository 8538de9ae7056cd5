//! The run in the Common Test Report Format (<https://ctrf.io>), JSON that many CI tools read.
//!
//! CTRF knows five statuses, and this is what becomes of ours; `rawStatus` has our own word. Whatever makes a run fail is `failed`, a machine that
//! could not carry out a scenario too: a reader that counts `failed` must not see fewer than the exit code does.
//!
//! | here | CTRF |
//! |---|---|
//! | passed; taken over from an earlier run | `passed` |
//! | failed, timed out, infra, absent, without an end, passed unexpectedly, a fault of shards or expectations | `failed` |
//! | failed exactly as expected, as a known issue says, or in quarantine | `other` |
//! | unsupported, absent and allowed to be, skipped by a suite | `skipped` |
//! | a cell that was not begun | `pending` |

use std::collections::BTreeMap;

use handfast_matrix::Digest;
use handfast_matrix::expected::Comparison;
use handfast_matrix::grid::{Square, State};
use handfast_scenario::event::{Outcome, Standing};
use handfast_scenario::verdict::{Verdict, VerdictKind};
use serde::Serialize;
use serde_json::{Value, json};

use crate::book::{Book, Failure, SuitePage, UnitPage};
use crate::failure;
use crate::palette::Palette;
use crate::quantity::clipped;

/// Version of the format.
const SPEC_VERSION: &str = "0.0.0";

/// Characters of a test's `message`; `trace` has more.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// Characters of a test's `trace`; the record has all of it.
const TRACE_CHARS_MAX: usize = 100_000;

/// A report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the format's own names")]
pub struct Report {
    report_format: &'static str,
    spec_version: &'static str,
    report_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    generated_by: String,
    results: Results,
}

#[derive(Debug, Serialize)]
struct Results {
    tool: Value,
    summary: Summary,
    tests: Vec<Test>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Value>,
    extra: Value,
}

#[derive(Debug, Default, Serialize)]
struct Summary {
    tests: u64,
    passed: u64,
    failed: u64,
    skipped: u64,
    pending: u64,
    other: u64,
    flaky: u64,
    suites: u64,
    start: i64,
    stop: i64,
    duration: u64,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    id: String,
    name: String,
    status: &'static str,
    duration: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<i64>,
    suite: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    trace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    raw_status: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    file_path: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<Value>,
}

/// The whole run.
pub fn report(book: &Book) -> Report {
    let run = book.run();
    let started_us = run.map_or(0, |run| run.started_unix_us);
    let took_us = book.end().map_or(book.now_us(), |end| end.duration_us);
    let stop_us = after(started_us, took_us);
    let tests = tests(book, started_us);
    let mut summary = Summary {
        tests: count(tests.len()),
        flaky: book.end().map_or(0, |end| end.summary.flaky),
        suites: count(book.suites().len()),
        start: started_us / 1_000,
        stop: stop_us / 1_000,
        duration: took_us / 1_000,
        ..Summary::default()
    };
    for test in &tests {
        *match test.status {
            "passed" => &mut summary.passed,
            "failed" => &mut summary.failed,
            "skipped" => &mut summary.skipped,
            "pending" => &mut summary.pending,
            _ => &mut summary.other,
        } += 1;
    }
    let id = run.map(|run| run.run.clone()).unwrap_or_default();
    let version = run.map(|run| run.handfast.clone()).unwrap_or_default();
    let at = jiff::Timestamp::from_microsecond(stop_us).ok();
    let shard = run.and_then(|run| run.shard.as_ref());
    Report {
        report_format: "CTRF",
        spec_version: SPEC_VERSION,
        report_id: uuid(&["run", &id]),
        timestamp: at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        generated_by: format!("handfast {version}"),
        results: Results {
            tool: json!({ "name": "handfast", "version": version }),
            summary,
            tests,
            environment: shard.map(|mark| json!({ "shardId": mark.shard.to_string() })),
            extra: json!({
                "run": id,
                "exit": book.end().map(|end| end.exit),
                "counts": book.end().map(|end| end.summary),
            }),
        },
    }
}

/// The whole run as text, with its last line feed.
///
/// # Errors
///
/// What the JSON encoder says; it has nothing to refuse here.
pub fn text(book: &Book) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&report(book))? + "\n")
}

fn tests(book: &Book, started_us: i64) -> Vec<Test> {
    let command = book.run().map(|run| run.command.as_slice()).unwrap_or_default();
    let mut tests: Vec<Test> = Vec::new();
    tests.extend(book.shard_faults().iter().map(|fault| own("shards", fault)));
    tests.extend(book.grid().faults().iter().map(|fault| own("expectations", fault)));
    for page in book.units() {
        let cell = book.grid().cell(&page.unit);
        tests.push(unit(page, cell, command, started_us));
    }
    for square in book.grid().cells() {
        if book.unit(&square.line.unit).is_none() {
            tests.extend(cell(square, book.end().is_some()));
        }
    }
    for page in book.suites() {
        suite(page, started_us, &mut tests);
    }
    tests
}

/// Something that makes the run fail and belongs to no scenario.
fn own(what: &str, fault: &str) -> Test {
    Test {
        id: uuid(&[what, fault]),
        name: named(fault),
        status: "failed",
        suite: vec![what.to_owned()],
        message: clipped(fault, MESSAGE_CHARS_MAX),
        raw_status: "fault".to_owned(),
        ..Test::default()
    }
}

fn unit(page: &UnitPage, cell: Option<&Square>, command: &[String], started_us: i64) -> Test {
    let end = page.end.as_ref();
    let (status, raw) = match end {
        Some(_) if page.is_set_aside() => match page.set_aside {
            Some(Standing::Quarantined) => ("other", "failed in quarantine"),
            Some(Standing::Known | Standing::Skipped | Standing::Decides) | None => {
                ("other", "failed as known")
            }
        },
        Some(end) => status(&end.verdict, cell.and_then(Square::comparison)),
        None => ("failed", "not ended"),
    };
    let began_us = after(started_us, page.started_us);
    let reason =
        end.map_or_else(|| "the run ended before it did".to_owned(), |end| end.verdict.reason());
    let line = page.failures.iter().find_map(|failure| match failure {
        Failure::Step { at, .. } => (at.line > 0).then_some(at.line),
        Failure::Check { .. } => None,
    });
    let again = failure::repeat_command(page, command);
    let mut extra = json!({ "unit": page.unit, "again": again });
    if !page.accounts.is_empty() {
        extra["disturbed"] = json!(page.accounts);
    }
    Test {
        id: uuid(&["unit", page.unit.as_str()]),
        name: named(&page.title()),
        status,
        duration: end.map_or(0, |end| end.duration_us / 1_000),
        start: Some(began_us / 1_000),
        stop: end.map(|end| after(began_us, end.duration_us) / 1_000),
        suite: vec!["scenarios".to_owned(), page.category.to_string()],
        message: clipped(&reason, MESSAGE_CHARS_MAX),
        trace: clipped(&failure::block(page, command, Palette::Plain), TRACE_CHARS_MAX),
        line,
        raw_status: raw.to_owned(),
        tags: page.proves.clone(),
        kind: page.category.to_string(),
        file_path: page.file.clone(),
        parameters: page
            .peers
            .iter()
            .map(|(role, peer)| (role.to_string(), peer.to_string()))
            .collect(),
        extra: Some(extra),
    }
}

/// A cell that this run has not played: its verdict is taken over, or it was never begun.
fn cell(square: &Square, is_over: bool) -> Option<Test> {
    let line = &square.line;
    let (status, raw, message, took_us, from) = match &square.state {
        State::Judged(judged) => {
            let (status, raw) = status(&judged.verdict, square.comparison());
            let raw = if status == "passed" { "recalled" } else { raw };
            (status, raw, judged.verdict.reason(), judged.duration_us, judged.from.clone())
        }
        State::Waiting | State::Running if is_over => {
            ("pending", "not run", "it was not begun".to_owned(), 0, None)
        }
        State::Waiting | State::Running => return None,
    };
    let cast: Vec<String> =
        line.peers.iter().map(|(role, peer)| format!("{role}={peer}")).collect();
    Some(Test {
        id: uuid(&["unit", line.unit.as_str()]),
        name: named(&format!("{} ({})", line.name, cast.join(" "))),
        status,
        duration: took_us / 1_000,
        suite: vec!["scenarios".to_owned(), line.category.to_string()],
        message: clipped(&message, MESSAGE_CHARS_MAX),
        raw_status: raw.to_owned(),
        kind: line.category.to_string(),
        file_path: line.file.clone(),
        parameters: line
            .peers
            .iter()
            .map(|(role, peer)| (role.to_string(), peer.to_string()))
            .collect(),
        extra: Some(json!({ "unit": line.unit, "fromRun": from })),
        ..Test::default()
    })
}

fn suite(page: &SuitePage, started_us: i64, tests: &mut Vec<Test>) {
    let test = |name: &str, outcome: &Outcome, duration_us: u64| {
        let (status, raw, reason) = match outcome {
            Outcome::Passed => ("passed", "passed", ""),
            Outcome::Failed { reason } => ("failed", "failed", reason.as_str()),
            Outcome::Skipped { reason } => ("skipped", "skipped", reason.as_str()),
        };
        let first = reason.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        Test {
            id: uuid(&["suite", page.suite.as_str(), name]),
            name: named(name),
            status,
            duration: duration_us / 1_000,
            suite: vec!["suites".to_owned(), page.suite.to_string()],
            message: clipped(first, MESSAGE_CHARS_MAX),
            trace: clipped(reason, TRACE_CHARS_MAX),
            raw_status: raw.to_owned(),
            kind: page.category.to_string(),
            ..Test::default()
        }
    };
    tests.extend(page.tests.iter().map(|one| test(&one.name, &one.outcome, one.duration_us)));
    // A suite that failed as a whole (it did not build, it ran nothing) must not look green.
    let whole = match page.end.as_ref() {
        Some(end) if page.failures().next().is_none() => {
            matches!(end.outcome, Outcome::Failed { .. }).then(|| end.outcome.clone())
        }
        Some(_) => None,
        None => Some(Outcome::Failed { reason: "the run ended before it did".to_owned() }),
    };
    if let Some(outcome) = whole {
        let mut test = test("the suite as a whole", &outcome, 0);
        test.start = Some(after(started_us, page.started_us) / 1_000);
        tests.push(test);
    }
}

/// Its status in CTRF, and our own word.
fn status(verdict: &Verdict, comparison: Option<Comparison>) -> (&'static str, &'static str) {
    match (comparison, verdict) {
        (Some(Comparison::UnexpectedPass), _) => return ("failed", "passed unexpectedly"),
        (Some(Comparison::AsExpected), Verdict::Failed { .. }) => {
            return ("other", "failed as expected");
        }
        (Some(Comparison::AsExpected), Verdict::TimedOut { .. }) => {
            return ("other", "timed out as expected");
        }
        (Some(Comparison::AsExpected | Comparison::Plain | Comparison::Otherwise) | None, _) => {}
    }
    let status = match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed { .. }
        | Verdict::TimedOut { .. }
        | Verdict::Infra { .. }
        | Verdict::Absent { allowed: false, .. } => "failed",
        Verdict::Unsupported { .. }
        | Verdict::Absent { allowed: true, .. }
        | Verdict::DidNotFit { .. } => "skipped",
    };
    (status, VerdictKind::as_str(verdict.kind()))
}

/// A name is never empty.
fn named(name: &str) -> String {
    if name.is_empty() { "(without a name)".to_owned() } else { name.to_owned() }
}

fn after(start_us: i64, later_us: u64) -> i64 {
    start_us.saturating_add(i64::try_from(later_us).unwrap_or(i64::MAX))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A UUID that follows from these words, of version 8 (RFC 9562): the same test has the same one in every run.
fn uuid(words: &[&str]) -> String {
    let digest = Digest::of(json!(words).to_string().as_bytes()).to_string();
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

#[cfg(test)]
#[path = "ctrf_tests.rs"]
mod tests_of_ctrf;
