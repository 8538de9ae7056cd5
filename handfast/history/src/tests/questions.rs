use super::*;
use crate::questions::{
    EXTENT, EndSeen, Extent, LAST_RUNS, OUTCOMES_OF_TEST, OUTCOMES_OF_UNIT, Questions,
    RUNS_NEWEST_FIRST, RunSeen, Seen, TestName, UNIT_OF_NAME, UNITS_WITH,
};

fn begun(history: &mut History, id: &str, started_unix_us: i64) {
    history.begin(&RunRow { started_unix_us, ..run(id) }).unwrap();
}

/// Three runs, of which the second was killed.
fn three(folder: &TempDir) -> History {
    let mut history = open(folder);
    for (id, at) in [("r1", 10), ("r2", 20), ("r3", 30)] {
        begun(&mut history, id, at);
        history.judged(id, &result("meeting/x", Verdict::Passed, at + 1)).unwrap();
        history
            .tested(id, &[test("one", "passed", at + 2), test("two", "skipped", at + 2)])
            .unwrap();
        if id != "r2" {
            let (exit, summary) = ("passed".to_owned(), "{\"passed\":1}".to_owned());
            history.end(id, &EndRow { exit, summary, duration_us: 5 }).unwrap();
        }
    }
    history.judged("r3", &result("meeting/y", failed(), 31)).unwrap();
    history.flaky("r2", "", "meeting/x").unwrap();
    history.flaky("r3", "cargo", "one").unwrap();
    history.flaky("r3", "cargo", "one").unwrap();
    history
}

fn seen(run: &str, is_flaky: bool, duration_us: u64, ended_unix_us: i64) -> Seen {
    let (run, kind) = (run.to_owned(), "passed".to_owned());
    Seen { run, kind, is_flaky, duration_us, ended_unix_us }
}

fn unit(name: &str) -> TestName {
    TestName { suite: None, test: name.to_owned() }
}

fn of_suite(name: &str) -> TestName {
    TestName { suite: Some("cargo".to_owned()), test: name.to_owned() }
}

#[test]
fn the_last_runs_are_told_with_their_ends() {
    let folder = folder();
    let history = three(&folder);
    let runs = history.last_runs(2).unwrap();
    let ids: Vec<&str> = runs.iter().map(|run| run.run.as_str()).collect();
    assert_eq!(ids, ["r3", "r2"]);
    let (exit, summary) = ("passed".to_owned(), "{\"passed\":1}".to_owned());
    let expected = RunSeen {
        run: "r3".to_owned(),
        started_unix_us: 30,
        handfast: "0.1.0".to_owned(),
        command: r#"["handfast","matrix"]"#.to_owned(),
        record: ".handfast/runs/r3".to_owned(),
        end: Some(EndSeen { exit, summary, duration_us: 5 }),
    };
    assert_eq!(runs[0], expected);
    assert_eq!(runs[1].end, None);
    assert_eq!(history.last_runs(9).unwrap().len(), 3);
}

#[test]
fn a_test_is_told_over_time_the_newest_first() {
    let folder = folder();
    let history = three(&folder);
    let of_unit = history.outcomes(&unit("meeting/x"), 2).unwrap();
    assert_eq!(of_unit, [seen("r3", false, 1_000, 31), seen("r2", true, 1_000, 21)]);
    let of_test = history.outcomes(&of_suite("one"), 9).unwrap();
    let expected = [seen("r3", true, 60, 32), seen("r2", false, 60, 22), seen("r1", false, 60, 12)];
    assert_eq!(of_test, expected);
    assert_eq!(history.outcomes(&of_suite("one"), 1).unwrap().len(), 1);
    assert!(history.outcomes(&of_suite("three"), 1).unwrap().is_empty());
    assert!(history.outcomes(&unit("one"), 1).unwrap().is_empty());
}

#[test]
fn a_name_means_a_test_of_that_name_or_those_with_it_as_a_part() {
    let folder = folder();
    let history = three(&folder);
    let check = |name: &str, most, tests: &[TestName], count| {
        let found = history.named(name, most).unwrap();
        assert_eq!((found.tests.as_slice(), found.count), (tests, count), "{name}");
    };
    check("meeting/x", 9, &[unit("meeting/x")], 1);
    check("meeting", 9, &[unit("meeting/x"), unit("meeting/y")], 2);
    check("one", 9, &[of_suite("one")], 1);
    check("cargo: one", 9, &[of_suite("one")], 1);
    check("cargo", 1, &[of_suite("one")], 2);
    check("e", 9, &[unit("meeting/x"), unit("meeting/y"), of_suite("one")], 3);
    check("nothing", 9, &[], 0);
    // No pattern: a character means itself.
    check("%", 9, &[], 0);
}

#[test]
fn a_history_says_how_much_it_is() {
    let folder = folder();
    let nothing = open(&folder).extent().unwrap();
    assert_eq!((nothing.runs, nothing.oldest_unix_us), (0, None));
    let Extent { runs, oldest_unix_us, bytes } = three(&folder).extent().unwrap();
    assert_eq!((runs, oldest_unix_us), (3, Some(10)));
    assert!(bytes > 4_096, "{bytes}");
}

/// No question goes over all results: SQLite says how it would answer, by searches in indices alone.
#[test]
fn every_question_is_answered_by_an_index() {
    let folder = folder();
    let history = three(&folder);
    let plan = |query: &str| -> Vec<String> {
        let mut statement =
            history.connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let rows = statement
            .query_map(rusqlite::params_from_iter(vec!["1"; statement.parameter_count()]), |row| {
                row.get::<_, String>(3)
            });
        rows.unwrap().map(Result::unwrap).collect()
    };
    let check = |query: &str, part: &str| {
        let lines = plan(query);
        for line in &lines {
            let is_scan = line.starts_with("SCAN") && !line.contains("USING INDEX runs_by_start");
            let is_whole = is_scan
                && ["results", "suite_tests", "cells", "measurements"]
                    .iter()
                    .any(|table| line.contains(table));
            assert!(!is_whole && !line.contains("TEMP B-TREE"), "{query}: {lines:#?}");
        }
        assert!(lines.iter().any(|line| line.contains(part)), "{query}: {lines:#?}");
    };
    check(LAST_RUNS, "SCAN runs USING INDEX runs_by_start");
    check(RUNS_NEWEST_FIRST, "USING COVERING INDEX runs_by_start");
    check(OUTCOMES_OF_UNIT, "SEARCH results USING INDEX results_by_unit (unit=?)");
    check(OUTCOMES_OF_TEST, "SEARCH suite_tests USING PRIMARY KEY (run=? AND suite=? AND test=?)");
    check(UNIT_OF_NAME, "SEARCH results USING COVERING INDEX results_by_unit (unit=?)");
    check(UNITS_WITH, "SEARCH results USING COVERING INDEX results_by_unit (unit>?)");
    check(EXTENT, "runs_by_start");
    let of_machine = "SELECT value FROM measurements WHERE unit = ?1 AND name = ?2 AND machine = ?3 ORDER BY taken_unix_us DESC LIMIT 100";
    check(of_machine, "USING INDEX measurements_by_name (unit=? AND name=? AND machine=?)");
    check(
        "SELECT incident FROM incidents WHERE subject = ?1 AND incident NOT IN (SELECT incident FROM closings) ORDER BY opened_unix_us",
        "incidents_by_subject (subject=?)",
    );
    check(
        "SELECT act FROM healings WHERE subject = ?1 ORDER BY ended_unix_us DESC LIMIT 20",
        "healings_by_subject (subject=?)",
    );
    let newest = "SELECT run, verdict, duration_us FROM results WHERE key = ?1";
    check(newest, "results_by_key (key=?)");
}

#[test]
fn what_was_measured_is_told_class_by_class_and_only_open_incidents_are() {
    use crate::questions::MeasuredName;
    use crate::{ClosingRow, IncidentRow, MeasurementRow};

    let folder = TempDir::new().unwrap();
    let mut history = three(&folder);
    let row = |machine: &str, value, taken_unix_us| MeasurementRow {
        unit: "a -> b".to_owned(),
        name: "latency".to_owned(),
        machine: machine.to_owned(),
        value,
        measured_in: "us".to_owned(),
        taken_unix_us,
    };
    history.measured("r1", &[row("small", 1.5, 11), row("big", 9.0, 11)]).unwrap();
    history.measured("r3", &[row("small", 2.5, 31)]).unwrap();
    let of = |machine: &str| MeasuredName {
        unit: "a -> b".to_owned(),
        name: "latency".to_owned(),
        machine: machine.to_owned(),
    };
    let values = |name, most| -> Vec<(String, f64)> {
        let seen = history.measurements(&name, most).unwrap();
        seen.into_iter().map(|seen| (seen.run, seen.value)).collect()
    };
    assert_eq!(values(of("small"), 9), [("r3".to_owned(), 2.5), ("r1".to_owned(), 1.5)]);
    assert_eq!(values(of("small"), 1), [("r3".to_owned(), 2.5)]);
    assert_eq!(values(of("none"), 9), []);
    assert_eq!(history.measured_names().unwrap(), [of("big"), of("small")]);

    let incident = |incident: &str, subject: &str, opened_unix_us| IncidentRow {
        incident: incident.to_owned(),
        subject: subject.to_owned(),
        class: "worse".to_owned(),
        good_commit: Some("c1".to_owned()),
        bad_commit: None,
        detail: "{}".to_owned(),
        opened_unix_us,
    };
    history.opened("r1", &incident("i1", "x", 1)).unwrap();
    history.opened("r1", &incident("i2", "y", 2)).unwrap();
    let open = |subject| -> Vec<String> {
        let seen = history.open_incidents(subject).unwrap();
        seen.into_iter().map(|seen| seen.incident).collect()
    };
    assert_eq!(
        (open(None), open(Some("x"))),
        (vec!["i2".to_owned(), "i1".to_owned()], vec!["i1".to_owned()])
    );
    let (reason, closed_unix_us) = ("well again".to_owned(), 3);
    history
        .closed("r3", &ClosingRow { incident: "i1".to_owned(), reason, closed_unix_us })
        .unwrap();
    let open = history.open_incidents(Some("x")).unwrap();
    assert_eq!(open, []);
}
