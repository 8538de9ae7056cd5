//! `known.toml`: known issues and quarantine, whose a failure is, and the ledger of what was done.

use std::fs;

use serde_json::Value;

use crate::support::Project;

const CRASH: &str = "[[step]]\nrole = \"b\"\ncall = \"crash\"\n";
const QUIET: &str = "[[step]]\nrole = \"b\"\ncall = \"noise\"\nwith = { lines = 0 }\n";

fn known(until: &str, act: &str) -> String {
    format!(
        "[[known]]\nname = \"it-crashes\"\n{act}\nscenario = \"test_unit_x\"\nowner = \"mara\"\nreason = \"it ends by itself\"\n\
         issue = \"https://example.org/issues/7\"\nuntil = {until}\n"
    )
}

const MARK: &str = "act = \"mark\"\ntext = \"*it went away before it answered*\"";
const LATE: &str = "{ day = \"9999-12-31\" }";

fn ledger(project: &Project) -> Vec<Value> {
    let text = fs::read_to_string(project.last_record().join("healings.jsonl")).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let head: Value = lines.next().unwrap();
    assert_eq!(head["ledger"], "handfast healings");
    lines.collect()
}

/// What the history says of healings: class, act and outcome of each.
fn healings(project: &Project) -> Vec<String> {
    let history = project.path().join(".handfast/history.db");
    let history = rusqlite::Connection::open(history).unwrap();
    let sql = "SELECT subject || ' ' || class || ' ' || outcome FROM healings ORDER BY run, number";
    let mut query = history.prepare(sql).unwrap();
    let rows = query.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_failure_is_the_products_and_says_why_that_is_thought() {
    let project = Project::new("").scenario("x", CRASH);
    let parts = ["FAIL", "healing: product; left: no retries were asked for: stands"];
    project.run(&["run"]).check(1, "0 passed, 1 failed", &parts);
    let ledger = ledger(&project);
    assert_eq!(ledger.len(), 1, "{ledger:?}");
    assert_eq!(ledger[0]["class"]["class"], "product");
    assert_eq!(ledger[0]["evidence"][0]["seen"], "verdict");
    assert_eq!(healings(&project), ["test_unit_x product stands"]);
}

#[test]
fn what_a_rule_marks_is_known_and_decides_nothing_until_it_ends() {
    let project = Project::new("").scenario("x", CRASH).scenario("y", QUIET);
    project.write("known.toml", &known(LATE, MARK));
    let parts = [
        "healing: known: it-crashes; marked as known, https://example.org/issues/7: stands",
        "failed as a known issue says, decided nothing: 1",
    ];
    project.run(&["run", "--retry", "3"]).check(0, "1 passed, 0 failed", &parts);
    let read = |file: &str| fs::read_to_string(project.last_record().join(file)).unwrap();
    let junit = read("junit.xml");
    assert!(junit.contains("<skipped message=\"healing: known: it-crashes"), "{junit}");
    assert!(!junit.contains("<failure"), "{junit}");
    let summary: Value = serde_json::from_str(&read("summary.json")).unwrap();
    assert_eq!(summary["counts"]["known"], 1);
    assert_eq!(summary["counts"]["failed"], 1, "what it is stays what it is");
    assert!(summary.to_string().contains("\"set_aside\":\"known\""), "{summary}");
    // The same again from the record.
    project.run(&["replay", "last"]).check(0, "1 passed, 0 failed", &parts);
    project.write("known.toml", &known("{ day = \"2020-01-01\" }", MARK));
    let ran = project.run(&["run"]);
    ran.check(1, "1 passed, 1 failed", &["it-crashes has ended: its last day was 2020-01-01"]);
}

#[test]
fn a_rule_that_fits_another_failure_marks_nothing_and_is_named() {
    let project = Project::new("").scenario("x", CRASH);
    let other = "act = \"mark\"\ntext = \"*refused the transfer*\"";
    project.write("known.toml", &known(LATE, other));
    project.run(&["run"]).check(1, "0 passed, 1 failed", &["it-crashes never matched"]);
}

#[test]
fn a_rule_ends_by_itself_after_so_many_passes_in_a_row() {
    let project = Project::new("").scenario("x", QUIET);
    project.write("known.toml", &known("{ passes = 2 }", MARK));
    for _ in 0..2 {
        let ran = project.run(&["run"]);
        assert!(!ran.out.contains("has ended"), "{}", ran.out);
    }
    let parts = ["it-crashes has ended: what it is for passed 2 times in a row"];
    project.run(&["run"]).check(0, "1 passed, 0 failed", &parts);
}

#[test]
fn what_a_rule_skips_is_not_run_and_told() {
    let project = Project::new("").scenario("x", CRASH).scenario("y", QUIET);
    project.write("known.toml", &known(LATE, "act = \"skip\""));
    let parts = [
        "SKIP  test_unit_x: known: it-crashes; skipped, https://example.org/issues/7",
        "not run, by a known issue: 1",
    ];
    project.run(&["run"]).check(0, "1 passed, 0 failed", &parts);
    let junit = fs::read_to_string(project.last_record().join("junit.xml")).unwrap();
    assert!(junit.contains("known: it-crashes; skipped"), "{junit}");
    assert_eq!(ledger(&project)[0]["act"]["act"], "skipped");
}

#[test]
fn what_is_in_quarantine_runs_and_decides_nothing_until_its_last_day() {
    let project = Project::new("").scenario("x", CRASH).scenario("y", QUIET);
    let entry = |day: &str| {
        format!(
            "[[quarantine]]\ntest = \"test_unit_x\"\nowner = \"mara\"\nreason = \"it crashes at times\"\n\
             issue = \"https://example.org/issues/8\"\nexpires = \"{day}\"\n"
        )
    };
    project.write("known.toml", &entry("9999-12-31"));
    let parts = [
        "healing: product; in quarantine, https://example.org/issues/8: stands",
        "failed in quarantine, decided nothing: 1",
    ];
    project.run(&["run"]).check(0, "1 passed, 0 failed", &parts);
    project.write("known.toml", &entry("2020-01-01"));
    project.run(&["run"]).check(1, "1 passed, 1 failed", &["has expired and decides again"]);
}

#[test]
fn a_mistake_in_the_file_says_where_and_how_to_mend_it() {
    let project = Project::new("").scenario("x", QUIET);
    project.write("known.toml", &known(LATE, "act = \"mark\"\ntext = \"*\""));
    let ran = project.run(&["run"]);
    assert_eq!(ran.code, 2, "{}", ran.error);
    assert!(ran.error.contains("known.toml:1: "), "{}", ran.error);
}

#[test]
fn a_retry_that_passes_stands_in_the_ledger_as_flaky() {
    let project = Project::new("");
    let marker = project.path().join("marker");
    let once = format!(
        "[[step]]\nrole = \"b\"\ncall = \"crash\"\nwith = {{ unless = \"{}\" }}\n",
        marker.display()
    );
    let project = project.scenario("x", &once);
    project.run(&["run", "--retry", "1"]).check(5, "1 passed, 0 failed", &["FLAKY"]);
    let ledger = ledger(&project);
    assert_eq!(
        (&ledger[0]["class"]["class"], &ledger[0]["act"]["act"]),
        (&"flaky".into(), &"retried".into())
    );
    assert_eq!(ledger[0]["outcome"], "flaky");
    assert_eq!(healings(&project), ["test_unit_x flaky flaky"]);
}
