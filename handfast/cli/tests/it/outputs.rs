//! The same run on the console, as JSON, as `JUnit`, and once more from its record.

use std::fs;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::support::Project;

const FAILING: &str =
    "[[step]]\nexpect = \"message.inbox\"\non = [\"b\"]\nhas = { from = \"a\" }\n";

fn project() -> Project {
    Project::new("").scenario("good", "").scenario("bad", FAILING)
}

#[test]
fn a_replayed_run_tells_what_the_live_one_told() {
    let project = project();
    let live = project.run(&["run"]);
    live.check(1, "1 passed, 1 failed", &["record: .handfast/runs/"]);
    let replayed = project.run(&["replay", "last", "--junit", "again.xml"]);
    replayed.check(1, "1 passed, 1 failed", &[]);
    let without_record = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("record: ")).map(str::to_owned).collect()
    };
    assert_eq!(without_record(&live.out), without_record(&replayed.out));
    let first = fs::read_to_string(project.last_record().join("junit.xml")).unwrap();
    assert_eq!(first, fs::read_to_string(project.path().join("again.xml")).unwrap());
}

#[test]
fn the_summary_on_standard_output_is_json_and_nothing_else() {
    let ran = project().run(&["run", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&summary["passed"], &summary["failed"]), (&1.into(), &1.into()));
    assert_eq!(summary["exit"], "product_failure");
    assert!(ran.error.contains("FAIL"), "{}", ran.error);
}

#[test]
fn the_junit_file_counts_what_ran() {
    let project = project();
    project.run(&["run"]);
    let text = fs::read_to_string(project.last_record().join("junit.xml")).unwrap();
    let mut reader = Reader::from_str(&text);
    let (mut cases, mut failures) = (0, 0);
    loop {
        let event = reader.read_event().unwrap();
        if let Event::Start(tag) | Event::Empty(tag) = &event {
            cases += u32::from(tag.name().as_ref() == "testcase");
            failures += u32::from(tag.name().as_ref() == "failure");
        }
        if matches!(event, Event::Eof) {
            break;
        }
    }
    assert_eq!((cases, failures), (2, 1), "{text}");
}

#[test]
fn an_output_that_is_no_terminal_has_no_escape_codes() {
    let ran = project().run(&["run"]);
    assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
}

#[test]
fn a_repeated_scenario_is_one_row() {
    let ran = project().run(&["run", "--repeat", "3", "good"]);
    ran.check(0, "3 passed, 0 failed", &["x3, p50", "(n=3)"]);
}

#[test]
fn a_run_that_is_not_recorded_cannot_be_replayed() {
    let ran = project().run(&["replay", "20200101"]);
    assert_eq!(ran.code, 2, "{}", ran.error);
    assert!(ran.error.contains("nothing has been run here yet"), "{}", ran.error);
}

#[test]
fn the_same_seed_makes_the_same_peers() {
    let project = project();
    project.run(&["run", "--seed", "7", "good"]);
    let events = fs::read_to_string(project.last_record().join("events.jsonl")).unwrap();
    assert!(events.lines().next().unwrap().contains("\"seed\":7"), "{events}");
}
