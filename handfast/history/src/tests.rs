use std::collections::BTreeMap;

use handfast_scenario::event::CellLine;
use handfast_scenario::name::{CategoryName, PeerName, RoleName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::Verdict;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::schema::{APPLICATION_ID, FORMAT, ROWS, SUITES, TABLES, guards};
use crate::store::{FILE, FULL_FILE, History, HistoryError};
use crate::{BuildRow, CellRow, Cost, EndRow, RecallRow, ResultRow, RunRow, SuiteRow};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(folder: &TempDir) -> History {
    History::open(folder.path()).unwrap()
}

fn run(id: &str) -> RunRow {
    RunRow {
        run: id.to_owned(),
        started_unix_us: 7,
        handfast: "0.1.0".to_owned(),
        command: vec!["handfast".to_owned(), "matrix".to_owned()],
        seed: u64::MAX,
        record: format!(".handfast/runs/{id}"),
    }
}

fn cell(unit: &str) -> CellRow {
    let peer = PeerName::new("rust").unwrap();
    let line = CellLine {
        unit: UnitId::new(unit),
        scenario: "x[v=1.0]".to_owned(),
        name: "n".to_owned(),
        file: "scenarios/x.toml".to_owned(),
        category: CategoryName::new("unit").unwrap(),
        column: [peer.clone(), peer.clone()],
        peers: BTreeMap::from([(RoleName::new("a").unwrap(), peer)]),
        protocols: BTreeMap::new(),
        network: "none".to_owned(),
        key: Some("k".to_owned()),
        expected: None,
    };
    CellRow { line, in_matrix: true }
}

fn failed() -> Verdict {
    Verdict::Failed { reason: "no session".to_owned() }
}

fn result(unit: &str, verdict: Verdict, ended_unix_us: i64) -> ResultRow {
    ResultRow {
        unit: unit.to_owned(),
        key: Some("k".to_owned()),
        verdict,
        duration_us: 1_000,
        cpu_us: 500,
        ended_unix_us,
    }
}

/// A history with one row in every table.
fn filled(folder: &TempDir) -> History {
    let mut history = open(folder);
    history.begin(&run("r1")).unwrap();
    let build = BuildRow { peer: "rust".to_owned(), digest: "d".to_owned() };
    history.plan("r1", &[build], &[cell("u1")]).unwrap();
    history.judged("r1", &result("u1", Verdict::Passed, 10)).unwrap();
    let recall = RecallRow { unit: "u2".to_owned(), from_run: "r0".to_owned() };
    history.recalled("r1", &[recall]).unwrap();
    let end = EndRow { exit: "passed".to_owned(), summary: "{}".to_owned(), duration_us: 9 };
    history.end("r1", &end).unwrap();
    history.suite_ended("r1", &suite("passed", 70, 8)).unwrap();
    history
}

fn suite(kind: &str, duration_us: u64, ended_unix_us: i64) -> SuiteRow {
    let (suite, kind) = ("cargo".to_owned(), kind.to_owned());
    SuiteRow { suite, kind, passed: 5, failed: 1, duration_us, ended_unix_us }
}

#[test]
fn the_schema_is_the_documented_one() {
    let document = include_str!("../../../docs/design/history.md");
    let (_, rest) = document.split_once("```sql\n").unwrap();
    let (documented, _) = rest.split_once("```").unwrap();
    assert_eq!(documented, TABLES);
    assert_eq!((FORMAT, APPLICATION_ID.to_be_bytes()), (2, *b"hfst"));
}

#[test]
fn every_row_reads_back_as_the_documentation_says() {
    let folder = folder();
    drop(filled(&folder));
    let connection = Connection::open(folder.path().join(FILE)).unwrap();
    let text =
        |query: &str| -> String { connection.query_row(query, [], |row| row.get(0)).unwrap() };
    let run = text(
        "SELECT run || ' ' || started_unix_us || ' ' || command || ' ' || seed || ' ' || record FROM runs",
    );
    assert_eq!(run, r#"r1 7 ["handfast","matrix"] 18446744073709551615 .handfast/runs/r1"#);
    assert_eq!(text("SELECT run || peer || digest FROM builds"), "r1rustd");
    let cell = text(
        "SELECT unit || scenario || key || column_a || column_b || peers || protocols || network FROM cells",
    );
    assert_eq!(cell, r#"u1x[v=1.0]krustrust{"a":"rust"}{}none"#);
    let result = text(
        "SELECT kind || verdict || duration_us || ' ' || cpu_us || ' ' || ended_unix_us FROM results",
    );
    assert_eq!(result, r#"passed{"verdict":"passed"}1000 500 10"#);
    assert_eq!(text("SELECT run || unit || from_run FROM recalls"), "r1u2r0");
    assert_eq!(text("SELECT exit || summary || duration_us FROM ends"), "passed{}9");
    let suite = text(
        "SELECT run || suite || kind || passed || failed || duration_us || ' ' || ended_unix_us FROM suite_results",
    );
    assert_eq!(suite, "r1cargopassed5170 8");
}

#[test]
fn no_row_is_ever_changed_removed_or_replaced() {
    let folder = folder();
    let history = filled(&folder);
    for (table, columns) in ROWS {
        let column = columns[0];
        for attempt in [
            format!("UPDATE {table} SET {column} = {column}"),
            format!("DELETE FROM {table}"),
            format!("INSERT OR REPLACE INTO {table} SELECT * FROM {table}"),
            format!("INSERT OR IGNORE INTO {table} SELECT * FROM {table}"),
        ] {
            let refused = history.connection.execute(&attempt, []).unwrap_err();
            assert!(refused.to_string().contains("the history only grows"), "{attempt}: {refused}");
        }
    }
}

#[test]
fn a_unit_is_judged_once_a_run() {
    let folder = folder();
    let mut history = filled(&folder);
    assert!(history.judged("r1", &result("u1", failed(), 11)).is_err());
    assert!(history.begin(&run("r1")).is_err());
}

#[test]
fn a_pass_and_a_declared_lack_are_recalled_by_key() {
    let folder = folder();
    let mut history = filled(&folder);
    let recalled = history.recall("k").unwrap().unwrap();
    assert_eq!((recalled.run.as_str(), recalled.duration_us), ("r1", 1_000));
    assert!(recalled.verdict.is_passed());
    assert_eq!(history.recall("another").unwrap(), None);
    let lacking = Verdict::Unsupported {
        role: RoleName::new("a").unwrap(),
        method: handfast_scenario::name::MethodName::new("x").unwrap(),
    };
    history.judged("r2", &result("u1", lacking.clone(), 20)).unwrap();
    assert_eq!(history.recall("k").unwrap().unwrap().verdict, lacking);
}

#[test]
fn what_failed_the_last_time_is_not_recalled_and_what_passed_since_is() {
    let folder = folder();
    let mut history = filled(&folder);
    let peer = PeerName::new("rust").unwrap();
    let bad = [
        failed(),
        Verdict::Infra { reason: String::new() },
        Verdict::TimedOut { after_us: 1, during: String::new() },
        Verdict::Absent { peer, reason: String::new(), allowed: true },
    ];
    for (at, verdict) in (20..).zip(bad) {
        history.judged(&format!("r{at}"), &result("u1", verdict, at)).unwrap();
        assert_eq!(history.recall("k").unwrap(), None);
    }
    history.judged("r30", &result("u1", Verdict::Passed, 30)).unwrap();
    assert_eq!(history.recall("k").unwrap().unwrap().run, "r30");
}

#[test]
fn of_a_pass_and_a_failure_at_the_same_moment_the_failure_counts() {
    let folder = folder();
    let mut history = open(&folder);
    history.judged("r1", &result("u1", failed(), 10)).unwrap();
    history.judged("r2", &result("u1", Verdict::Passed, 10)).unwrap();
    assert_eq!(history.recall("k").unwrap(), None);
}

#[test]
fn what_is_added_as_a_whole_is_there_as_a_whole_or_not_at_all() {
    let folder = folder();
    let mut history = open(&folder);
    history.begin_whole().unwrap();
    history.begin(&run("r1")).unwrap();
    history.judged("r1", &result("u1", Verdict::Passed, 10)).unwrap();
    // As a kill does.
    drop(history);
    let mut history = open(&folder);
    assert!(!history.has_run("r1").unwrap());
    history.begin_whole().unwrap();
    history.begin(&run("r1")).unwrap();
    history.judged("r1", &result("u1", Verdict::Passed, 10)).unwrap();
    history.commit_whole().unwrap();
    drop(history);
    assert_eq!(count(&open(&folder)), 1);
}

#[test]
fn the_cost_of_a_unit_is_that_of_its_last_time() {
    let folder = folder();
    let mut history = filled(&folder);
    let dearer = ResultRow { cpu_us: 900, ..result("u1", failed(), 20) };
    history.judged("r2", &dearer).unwrap();
    // One that could not begin cost nothing, which says nothing.
    history.judged("r3", &ResultRow { cpu_us: 0, ..result("u1", failed(), 30) }).unwrap();
    let costs = history.costs(["u1", "u9"]).unwrap();
    assert_eq!(
        costs,
        BTreeMap::from([("u1".to_owned(), Cost { duration_us: 1_000, cpu_us: 900 })])
    );
}

#[test]
fn what_a_unit_usually_takes_is_the_middle_one_of_its_last_passes() {
    let folder = folder();
    let mut history = open(&folder);
    let took = |unit: &str, verdict, duration_us, at| ResultRow {
        duration_us,
        cpu_us: duration_us / 2,
        ..result(unit, verdict, at)
    };
    // The first is one too old, the failures count only where nothing passed.
    for (at, us) in (1..).zip([9_000, 10, 900, 30, 20, 40]) {
        history.judged(&format!("r{at}"), &took("u1", Verdict::Passed, us, at)).unwrap();
    }
    history.judged("r10", &took("u1", failed(), 7, 10)).unwrap();
    history.judged("r10", &took("u2", failed(), 500, 10)).unwrap();
    history.judged("r11", &took("u2", failed(), 600, 11)).unwrap();
    let cost = |duration_us| Cost { duration_us, cpu_us: duration_us / 2 };
    let expected = BTreeMap::from([("u1".to_owned(), cost(30)), ("u2".to_owned(), cost(600))]);
    assert_eq!(history.usual_costs(["u1", "u2", "u3"]).unwrap(), expected);
}

#[test]
fn what_a_suite_usually_takes_is_found_in_the_same_way() {
    let folder = folder();
    let mut history = filled(&folder);
    history.suite_ended("r2", &suite("passed", 90, 20)).unwrap();
    history.suite_ended("r3", &suite("passed", 80, 30)).unwrap();
    history.suite_ended("r4", &suite("failed", 1, 40)).unwrap();
    let costs = history.usual_suite_costs(["cargo", "other"]).unwrap();
    let cost = Cost { duration_us: 80, cpu_us: 0 };
    assert_eq!(costs, BTreeMap::from([("cargo".to_owned(), cost)]));
}

#[test]
fn a_history_knows_its_runs() {
    let folder = folder();
    let history = filled(&folder);
    assert!(history.has_run("r1").unwrap());
    assert!(!history.has_run("r2").unwrap());
}

#[test]
fn a_history_of_format_1_is_brought_to_the_present_one_with_all_its_rows() {
    let folder = folder();
    let connection = Connection::open(folder.path().join(FILE)).unwrap();
    connection.execute_batch(TABLES.strip_suffix(SUITES).unwrap()).unwrap();
    connection.execute_batch(&guards(&ROWS[..6])).unwrap();
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    let row = "INSERT INTO ends (run, exit, summary, duration_us) VALUES ('r0', 'passed', '{}', 1)";
    connection.execute_batch(row).unwrap();
    drop(connection);
    let mut history = open(&folder);
    history.suite_ended("r1", &suite("passed", 70, 8)).unwrap();
    let query = "SELECT (SELECT count(*) FROM ends) || (SELECT count(*) FROM suite_results)";
    let rows: String = history.connection.query_row(query, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, "11");
    assert!(history.connection.execute("DELETE FROM suite_results", []).is_err());
    drop(history);
    drop(open(&folder));
}

#[test]
fn two_runs_write_at_the_same_time() {
    let folder = folder();
    let (mut one, mut other) = (open(&folder), open(&folder));
    for at in 0..50 {
        one.judged("r1", &result(&format!("u{at}"), Verdict::Passed, at)).unwrap();
        other.judged("r2", &result(&format!("u{at}"), Verdict::Passed, at)).unwrap();
    }
    assert_eq!(count(&one), 100);
}

#[test]
fn a_full_history_is_put_aside_and_a_new_one_begun() {
    let folder = folder();
    drop(filled(&folder));
    let len = std::fs::metadata(folder.path().join(FILE)).unwrap().len();
    assert_eq!(count(&History::open_with_limit(folder.path(), len).unwrap()), 1);
    let history = History::open_with_limit(folder.path(), len - 1).unwrap();
    assert_eq!(count(&history), 0);
    let aside = Connection::open(folder.path().join(FULL_FILE)).unwrap();
    let kept: i64 = aside.query_row("SELECT count(*) FROM results", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn what_is_no_history_is_refused_with_the_way_out() {
    let folder = folder();
    std::fs::write(
        folder.path().join(FILE),
        "something else, longer than a header of SQLite is: 0123456789 0123456789 0123456789",
    )
    .unwrap();
    let error = History::open(folder.path()).unwrap_err();
    assert!(matches!(error, HistoryError::NotAHistory { .. }), "{error}");
    assert!(error.to_string().contains("move it away"), "{error}");
    std::fs::remove_file(folder.path().join(FILE)).unwrap();
    Connection::open(folder.path().join(FILE))
        .unwrap()
        .execute_batch("CREATE TABLE x (y)")
        .unwrap();
    assert!(matches!(History::open(folder.path()), Err(HistoryError::NotAHistory { .. })));
}

#[test]
fn a_history_of_a_newer_handfast_is_left_alone() {
    let folder = folder();
    let history = filled(&folder);
    history.connection.pragma_update(None, "user_version", FORMAT + 1).unwrap();
    drop(history);
    let error = History::open(folder.path()).unwrap_err();
    assert!(matches!(error, HistoryError::NewerFormat { found: 3, .. }), "{error}");
}

fn count(history: &History) -> i64 {
    history.connection.query_row("SELECT count(*) FROM results", [], |row| row.get(0)).unwrap()
}
