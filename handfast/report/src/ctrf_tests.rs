use handfast_scenario::RunEvent;
use handfast_scenario::name::PeerName;

use super::*;
use crate::sample;

const SCHEMA: &str = include_str!("../tests/data/ctrf/ctrf-schema-0.0.json");

/// The report of a run, held against the format's own schema and against the run's own closing line.
#[track_caller]
fn check(book: &Book, expected: &[(&str, &str)]) -> Value {
    let report: Value = serde_json::from_str(&text(book).unwrap()).unwrap();
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?} in {report:#}");
    let word = |test: &Value, field: &str| test[field].as_str().unwrap().to_owned();
    let tests = report["results"]["tests"].as_array().unwrap();
    let found: Vec<(String, String)> =
        tests.iter().map(|test| (word(test, "status"), word(test, "rawStatus"))).collect();
    let expected: Vec<(String, String)> =
        expected.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect();
    assert_eq!(found, expected, "{report:#}");
    let summary = &report["results"]["summary"];
    let sum: u64 = ["passed", "failed", "skipped", "pending", "other"]
        .iter()
        .map(|status| summary[status].as_u64().unwrap())
        .sum();
    assert_eq!(summary["tests"], sum);
    if book.end().is_some() {
        assert_eq!(summary["failed"], book.totals().failed, "{report:#}");
    }
    report
}

fn ended_with(verdict: Verdict) -> Book {
    let mut book = Book::new();
    for mut recorded in sample::failed_events() {
        if let RunEvent::UnitEnded { verdict: said, .. } = &mut recorded.event {
            *said = verdict.clone();
        }
        book.read(&recorded);
    }
    book
}

#[test]
fn every_verdict_has_a_status_and_none_is_kinder() {
    let reason = || "r".to_owned();
    let peer = || PeerName::new("python").unwrap();
    let method = || handfast_scenario::name::MethodName::new("x").unwrap();
    for (verdict, status, raw) in [
        (Verdict::Passed, "passed", "passed"),
        (Verdict::Failed { reason: reason() }, "failed", "failed"),
        (Verdict::TimedOut { after_us: 1, during: reason() }, "failed", "timed out"),
        (Verdict::Infra { reason: reason() }, "failed", "infra"),
        (Verdict::Absent { peer: peer(), reason: reason(), allowed: false }, "failed", "absent"),
        (Verdict::Absent { peer: peer(), reason: reason(), allowed: true }, "skipped", "absent"),
        (
            Verdict::Unsupported { role: sample::role("a"), method: method() },
            "skipped",
            "unsupported",
        ),
    ] {
        check(&ended_with(verdict), &[(status, raw)]);
    }
}

#[test]
fn a_failed_unit_says_where_why_and_how_to_see_it_again() {
    let report = check(&sample::failed_run(), &[("failed", "failed")]);
    let test = &report["results"]["tests"][0];
    assert_eq!((&test["filePath"], &test["line"]), (&json!("scenarios/x.toml"), &json!(7)));
    assert_eq!((&test["type"], &test["tags"]), (&json!("integration"), &json!(["ab.handshake"])));
    assert!(test["message"].as_str().unwrap().starts_with("expected ready"));
    assert!(test["trace"].as_str().unwrap().contains("end of the log of a"));
    assert_eq!(test["extra"]["again"], "handfast run u1 --peer a=entity --peer b=entity");
    assert_eq!((&test["start"], &test["stop"]), (&json!(1_001), &json!(1_041)));
    let summary = &report["results"]["summary"];
    assert_eq!((&summary["start"], &summary["stop"]), (&json!(1_000), &json!(1_050)));
    assert_eq!(report["results"]["extra"]["exit"], "product_failure");
}

#[test]
fn suites_are_their_tests_and_one_that_failed_as_a_whole_is_not_green() {
    check(&sample::suite_run(0, 0, false), &[("failed", "failed")]);
    let mut book = Book::new();
    for event in sample::suite_events_with("\nthe first line\nmore") {
        book.read(&event);
    }
    let report = check(&book, &[("failed", "failed")]);
    assert_eq!(report["results"]["tests"][0]["message"], "the first line");
    assert_eq!(report["results"]["tests"][0]["suite"], json!(["suites", "cargo"]));
}

#[test]
fn a_unit_cut_off_by_the_end_of_the_run_has_failed() {
    let mut book = Book::new();
    for event in sample::failed_events().iter().take(3) {
        book.read(event);
    }
    check(&book, &[("failed", "not ended")]);
}

#[test]
fn a_fault_of_the_shards_is_a_test_that_failed() {
    let mut book = sample::passed_run();
    let faults = vec!["shard 2/2 is missing".to_owned()];
    let event = RunEvent::ShardsMerged { shards: Vec::new(), faults, notes: Vec::new() };
    book.read(&sample::at(60_000, event));
    check(&book, &[("failed", "fault"), ("passed", "passed")]);
}

#[test]
fn a_run_of_nothing_is_a_report_too() {
    let mut book = Book::new();
    for event in sample::empty_events() {
        book.read(&event);
    }
    check(&book, &[]);
    check(&Book::new(), &[]);
}

#[test]
fn a_test_has_the_same_id_in_every_run() {
    let id = uuid(&["unit", "u1"]);
    assert_eq!(id, uuid(&["unit", "u1"]));
    assert_ne!(id, uuid(&["unit", "u2"]));
    assert_ne!(uuid(&["a", "bc"]), uuid(&["ab", "c"]));
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert!(id[14..].starts_with('8') && id[19..].starts_with('a'), "{id}");
}
