//! The summary of a run as JSON, for `--json` and the record.

use std::collections::BTreeMap;

use handfast_scenario::ExitCode;
use handfast_scenario::event::{Outcome, ShardLine, ShardMark, Standing, Summary};
use handfast_scenario::verdict::VerdictKind;
use serde::Serialize;

use crate::accounts::Accounts;
use crate::book::{Book, MergedPage, NeverExercised, SkippedUnit, SuitePage, UnitPage};
use crate::matrix::json::{self, MatrixSummary};
use crate::quantity::median;

/// Version of the summary's shape; it rises when a reader of the earlier one would misread it.
pub const FORMAT: u32 = 1;

/// A run in one JSON object.
#[derive(Debug, Serialize)]
pub struct RunSummary {
    /// [`FORMAT`].
    pub format: u32,
    /// Id of the run.
    pub run: String,
    /// When it started, microseconds since the Unix epoch.
    pub started_unix_us: i64,
    /// How long it took.
    pub duration_us: u64,
    /// Units and tests that passed.
    pub passed: u64,
    /// Units and tests that did not.
    pub failed: u64,
    /// The counts, apart; `null` for a run that did not end.
    pub counts: Option<Summary>,
    /// The exit code's name; `null` for a run that did not end.
    pub exit: Option<ExitCode>,
    /// Median time of a passed unit outside its steps.
    pub cell_overhead_p50_us: Option<u64>,
    /// The units in the order they started.
    pub units: Vec<UnitSummary>,
    /// The suites in the order they started.
    pub suites: Vec<SuiteSummary>,
    /// The matrix; `null` for a run without one.
    pub matrix: Option<MatrixSummary>,
    /// Which part of a whole the run is; `null` for a whole.
    pub shard: Option<ShardMark>,
    /// What the run was to reach and did not; `null` where it reached all, or nothing was asked.
    pub never_exercised: Option<NeverExercised>,
    /// The units that known issues kept from being run; not there where none did.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub skipped: Vec<SkippedUnit>,
    /// The parts that a merged record was made of; `null` for the record of one run.
    pub merged: Option<MergedSummary>,
}

/// Of which parts a record was made.
#[derive(Debug, Serialize)]
pub struct MergedSummary {
    /// The parts.
    pub shards: Vec<ShardLine>,
    /// Why they are not the whole.
    pub faults: Vec<String>,
    /// What is odd about them.
    pub notes: Vec<String>,
}

/// One unit.
#[derive(Debug, Serialize)]
pub struct UnitSummary {
    /// Its id.
    pub unit: String,
    /// The scenario's name.
    pub name: String,
    /// The scenario file.
    pub file: String,
    /// Its category.
    pub category: String,
    /// Ids of what it proves.
    pub proves: Vec<String>,
    /// Who plays which role.
    pub peers: BTreeMap<String, String>,
    /// The verdict's word; `null` for a unit that did not end.
    pub verdict: Option<&'static str>,
    /// Why it did not pass; empty if it did.
    pub reason: String,
    /// How long it took.
    pub duration_us: u64,
    /// The part of it outside its steps.
    pub overhead_us: u64,
    /// Checks that could not look at anything.
    pub warnings: Vec<String>,
    /// What its failure means for the result, where it decides nothing: `known` or `quarantined`; not there otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<Standing>,
    /// What its network and its disturbances were asked and did; not there where nothing was asked.
    #[serde(skip_serializing_if = "Accounts::is_empty")]
    pub disturbed: Accounts,
}

/// One foreign suite.
#[derive(Debug, Serialize)]
pub struct SuiteSummary {
    /// Its name.
    pub suite: String,
    /// Its category.
    pub category: String,
    /// Whether it passed; `null` for one that did not end.
    pub passed: Option<bool>,
    /// How many tests passed.
    pub tests_passed: u64,
    /// How many failed.
    pub tests_failed: u64,
    /// How long it took.
    pub duration_us: u64,
}

/// Sums up what the book holds.
pub fn summary(book: &Book) -> RunSummary {
    let totals = book.totals();
    RunSummary {
        format: FORMAT,
        run: book.run().map(|run| run.run.clone()).unwrap_or_default(),
        started_unix_us: book.run().map(|run| run.started_unix_us).unwrap_or_default(),
        duration_us: book.end().map_or(book.now_us(), |end| end.duration_us),
        passed: totals.passed,
        failed: totals.failed,
        counts: book.end().map(|end| end.summary),
        exit: book.end().map(|end| end.exit),
        cell_overhead_p50_us: median(&book.overheads_us()),
        units: book.units().iter().map(unit).collect(),
        suites: book.suites().iter().map(suite).collect(),
        matrix: json::summary(book),
        shard: book.run().and_then(|run| run.shard.clone()),
        never_exercised: book.never_exercised().cloned(),
        skipped: book.skipped().to_vec(),
        merged: book.merged().map(merged),
    }
}

fn merged(page: &MergedPage) -> MergedSummary {
    MergedSummary {
        shards: page.shards.clone(),
        faults: page.faults.clone(),
        notes: page.notes.clone(),
    }
}

fn unit(page: &UnitPage) -> UnitSummary {
    UnitSummary {
        unit: page.unit.to_string(),
        name: page.name.clone(),
        file: page.file.clone(),
        category: page.category.to_string(),
        proves: page.proves.clone(),
        peers: page.peers.iter().map(|(role, peer)| (role.to_string(), peer.to_string())).collect(),
        verdict: page.kind().map(VerdictKind::as_str),
        reason: page.end.as_ref().map(|end| end.verdict.reason()).unwrap_or_default(),
        duration_us: page.end.as_ref().map_or(0, |end| end.duration_us),
        overhead_us: page.end.as_ref().map_or(0, |end| end.overhead_us),
        warnings: page.warnings.clone(),
        set_aside: page.set_aside.filter(|_| page.is_set_aside()),
        disturbed: page.accounts.clone(),
    }
}

fn suite(page: &SuitePage) -> SuiteSummary {
    let end = page.end.as_ref();
    SuiteSummary {
        suite: page.suite.to_string(),
        category: page.category.to_string(),
        passed: end.map(|end| end.outcome == Outcome::Passed),
        tests_passed: end.map_or(0, |end| end.passed),
        tests_failed: end.map_or(0, |end| end.failed),
        duration_us: end.map_or(0, |end| end.duration_us),
    }
}

#[cfg(test)]
mod tests {
    use handfast_scenario::{Recorded, RunEvent};

    use super::*;
    use crate::sample;

    #[test]
    fn the_summary_says_what_the_console_says() {
        let summary = summary(&sample::failed_run());
        assert_eq!((summary.passed, summary.failed), (0, 1));
        assert_eq!(summary.exit, Some(ExitCode::ProductFailure));
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["units"][0]["verdict"], "failed");
        assert_eq!(json["units"][0]["peers"]["b"], "entity");
        assert_eq!(json["exit"], "product_failure");
    }

    #[test]
    fn only_a_unit_that_was_disturbed_says_what_was_asked_and_measured() {
        let json = |book| serde_json::to_value(summary(&book)).unwrap();
        assert!(json(sample::passed_run())["units"][0].get("disturbed").is_none());
        let line = &json(sample::disturbed_run())["units"][0]["disturbed"]["accounts"][0];
        assert_eq!(line["subject"], "a -> b");
        assert_eq!(line["lines"][0]["verdict"], "held");
    }

    #[test]
    fn what_was_never_exercised_is_named() {
        let mut book = sample::failed_run();
        assert!(serde_json::to_value(summary(&book)).unwrap()["never_exercised"].is_null());
        let event =
            RunEvent::NeverExercised { messages: Vec::new(), faults: vec!["mtu".to_owned()] };
        book.read(&Recorded { at_us: 9, event });
        let json = serde_json::to_value(summary(&book)).unwrap();
        assert_eq!(
            json["never_exercised"],
            serde_json::json!({ "messages": [], "faults": ["mtu"] })
        );
    }

    #[test]
    fn a_run_that_did_not_end_has_no_exit() {
        let mut book = Book::new();
        book.read(&sample::failed_events()[0]);
        let json = serde_json::to_value(summary(&book)).unwrap();
        assert!(json["exit"].is_null() && json["counts"].is_null());
    }
}
