use std::collections::BTreeMap;

use handfast_history::questions::Seen;
use handfast_history::{History, Questions as _, TestName};
use handfast_scenario::event::{FORMAT, Outcome};
use handfast_scenario::name::{CategoryName, PeerName, SuiteName};
use handfast_scenario::verdict::Verdict;

use super::*;

fn cell(unit: &str) -> CellLine {
    let peer = PeerName::new("py").unwrap();
    CellLine {
        unit: UnitId::new(unit),
        scenario: unit.to_owned(),
        name: unit.to_owned(),
        file: "x.toml".to_owned(),
        category: CategoryName::new("unit").unwrap(),
        column: [peer.clone(), peer],
        peers: BTreeMap::new(),
        protocols: BTreeMap::new(),
        network: "none".to_owned(),
        key: Some(format!("key of {unit}")),
        expected: None,
    }
}

/// A run with two cells that pass, one of them by luck, and a suite with three tests, one of them told twice.
fn events() -> Vec<Recorded> {
    let ended = |unit: &str| RunEvent::UnitEnded {
        unit: UnitId::new(unit),
        verdict: Verdict::Passed,
        duration_us: 5,
        cpu_us: 1,
    };
    let suite = SuiteName::new("cargo").unwrap();
    let test = |test: &str, outcome: Outcome| RunEvent::SuiteTest {
        suite: SuiteName::new("cargo").unwrap(),
        test: test.to_owned(),
        outcome,
        duration_us: 7,
    };
    let reason = || "no session".to_owned();
    let events = [
        RunEvent::RunStarted {
            format: FORMAT,
            run: "r1".to_owned(),
            handfast: "0.1.0".to_owned(),
            command: vec!["handfast".to_owned()],
            seed: 7,
            started_unix_us: 1_000,
            units: 2,
            suites: 1,
            shard: None,
        },
        RunEvent::MatrixStarted {
            peers: Vec::new(),
            builds: BTreeMap::new(),
            cells: vec![cell("sure"), cell("lucky")],
            faults: Vec::new(),
        },
        ended("sure"),
        RunEvent::UnitFlaky {
            unit: UnitId::new("lucky"),
            verdict: Verdict::Failed { reason: reason() },
        },
        ended("lucky"),
        test("one", Outcome::Passed),
        RunEvent::SuiteTestFlaky { suite: suite.clone(), test: "two".to_owned(), reason: reason() },
        test("two", Outcome::Passed),
        test("one", Outcome::Failed { reason: reason() }),
        RunEvent::SuiteEnded {
            suite,
            outcome: Outcome::Passed,
            passed: 2,
            failed: 1,
            duration_us: 9,
        },
    ];
    (0..).zip(events).map(|(at_us, event)| Recorded { at_us, event }).collect()
}

fn written(folder: &tempfile::TempDir, events: &[Recorded]) -> History {
    let mut sink = HistorySink::new(History::open(folder.path()).unwrap());
    for event in events {
        sink.event(event);
    }
    sink.finish().unwrap();
    drop(sink);
    History::open(folder.path()).unwrap()
}

fn outcomes(history: &History, suite: Option<&str>, test: &str) -> Vec<Seen> {
    let test = TestName { suite: suite.map(str::to_owned), test: test.to_owned() };
    history.outcomes(&test, 9).unwrap()
}

#[test]
fn a_pass_that_was_luck_is_recalled_neither_from_a_run_nor_from_its_essence() {
    let essence: Vec<Recorded> =
        events().into_iter().filter(|recorded| HistorySink::is_essence(&recorded.event)).collect();
    for events in [events(), essence] {
        let folder = tempfile::tempdir().unwrap();
        let history = written(&folder, &events);
        assert!(history.recall("key of sure").unwrap().is_some());
        assert_eq!(history.recall("key of lucky").unwrap(), None);
        let lucky = &outcomes(&history, None, "lucky")[0];
        assert_eq!((lucky.kind.as_str(), lucky.is_flaky), ("passed", true));
        assert!(!outcomes(&history, None, "sure")[0].is_flaky);
    }
}

#[test]
fn every_test_of_a_suite_is_kept_also_one_that_is_told_twice() {
    let folder = tempfile::tempdir().unwrap();
    let history = written(&folder, &events());
    let seen = |test: &str| -> Vec<(String, bool, u64, i64)> {
        let seen = outcomes(&history, Some("cargo"), test).into_iter();
        seen.map(|seen| (seen.kind, seen.is_flaky, seen.duration_us, seen.ended_unix_us)).collect()
    };
    let of = |kind: &str, is_flaky, at| (kind.to_owned(), is_flaky, 7, at);
    assert_eq!(seen("one"), [of("failed", false, 1_008), of("passed", false, 1_005)]);
    assert_eq!(seen("two"), [of("passed", true, 1_007)]);
}
