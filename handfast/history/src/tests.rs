use std::collections::BTreeMap;

use handfast_scenario::event::CellLine;
use handfast_scenario::name::{CategoryName, PeerName, RoleName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::Verdict;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::schema::{APPLICATION_ID, FORMAT, Kind, SCHEMA, TABLES, Table};
use crate::store::{FILE, FULL_FILE, History, HistoryError};
use crate::{
    BuildRow, CellRow, ClosingRow, Cost, EndRow, HealingRow, IncidentRow, MeasurementRow,
    RecallRow, ResultRow, RunRow, SuiteRow, TestRow,
};

mod lines;
mod migrations;
mod pruning;
mod questions;
mod team;

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
    history.tested("r1", &[test("one", "passed", 9), test("one", "failed", 9)]).unwrap();
    history.flaky("r1", "", "u1").unwrap();
    history.measured("r1", &[measurement(0.1), measurement(2.5)]).unwrap();
    history.healed("r1", &healing()).unwrap();
    history.opened("r1", &incident("i1")).unwrap();
    history.closed("r1", &closing("i1")).unwrap();
    history
}

fn test(name: &str, kind: &str, ended_unix_us: i64) -> TestRow {
    let (suite, test, kind) = ("cargo".to_owned(), name.to_owned(), kind.to_owned());
    TestRow { suite, test, kind, duration_us: 60, ended_unix_us }
}

fn measurement(value: f64) -> MeasurementRow {
    MeasurementRow {
        unit: "load".to_owned(),
        name: "latency_p99".to_owned(),
        machine: "m".to_owned(),
        value,
        measured_in: "us".to_owned(),
        taken_unix_us: 11,
    }
}

fn healing() -> HealingRow {
    HealingRow {
        subject: "u1".to_owned(),
        reason: "no port".to_owned(),
        class: "infra".to_owned(),
        fault: Some("port-taken".to_owned()),
        act: "[]".to_owned(),
        outcome: "healed".to_owned(),
        evidence: "{}".to_owned(),
        duration_us: 12,
        ended_unix_us: 13,
    }
}

fn incident(id: &str) -> IncidentRow {
    IncidentRow {
        incident: id.to_owned(),
        subject: "u1".to_owned(),
        class: "product".to_owned(),
        good_commit: None,
        bad_commit: Some("c2".to_owned()),
        detail: "{}".to_owned(),
        opened_unix_us: 14,
    }
}

fn closing(id: &str) -> ClosingRow {
    let (incident, reason) = (id.to_owned(), "it passes".to_owned());
    ClosingRow { incident, reason, closed_unix_us: 15 }
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
    assert_eq!(documented, SCHEMA);
    assert_eq!((FORMAT, APPLICATION_ID.to_be_bytes()), (3, *b"hfst"));
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
    let tests = text(
        "SELECT group_concat(run || suite || test || number || kind || duration_us || ' ' || ended_unix_us, ',') FROM suite_tests",
    );
    assert_eq!(tests, "r1cargoone1passed60 9,r1cargoone2failed60 9");
    assert_eq!(text("SELECT group_concat(suite || test) FROM tests"), "cargoone");
    assert_eq!(text("SELECT run || suite || test FROM flaky"), "r1u1");
    let values = text(
        "SELECT group_concat(run || unit || name || machine || number || ' ' || value || measured_in || taken_unix_us, ',') FROM measurements",
    );
    assert_eq!(values, "r1loadlatency_p99m1 0.1us11,r1loadlatency_p99m2 2.5us11");
    let act = text(
        "SELECT run || number || subject || reason || class || fault || act || outcome || evidence || duration_us || ' ' || ended_unix_us FROM healings",
    );
    assert_eq!(act, "r11u1no portinfraport-taken[]healed{}12 13");
    let incident = text(
        "SELECT incident || run || subject || class || (good_commit IS NULL) || bad_commit || detail || opened_unix_us FROM incidents",
    );
    assert_eq!(incident, "i1r1u1product1c2{}14");
    assert_eq!(
        text("SELECT incident || run || reason || closed_unix_us FROM closings"),
        "i1r1it passes15"
    );
}

#[test]
fn no_row_is_ever_changed_removed_or_replaced() {
    let folder = folder();
    let history = filled(&folder);
    for Table { name: table, columns, .. } in TABLES {
        let (column, _) = columns[0];
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
fn the_tables_are_described_as_they_are() {
    let folder = folder();
    let history = open(&folder);
    for table in TABLES {
        let query = "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1) ORDER BY cid";
        let mut statement = history.connection.prepare(query).unwrap();
        let rows = statement.query_map([table.name], |row| {
            let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
            let (is_needed, key): (bool, u16) = (row.get(2)?, row.get(3)?);
            Ok((name, kind, is_needed, usize::from(key)))
        });
        let found: Vec<(String, String, bool, usize)> = rows.unwrap().map(Result::unwrap).collect();
        let described: Vec<(String, String, bool, usize)> = (1..)
            .zip(table.columns)
            .map(|(at, (name, kind))| {
                let shown = match kind {
                    Kind::Text | Kind::MaybeText => "TEXT",
                    Kind::Integer | Kind::Time => "INTEGER",
                    Kind::Real => "REAL",
                };
                let key = if at <= table.key { at } else { 0 };
                (name.to_string(), shown.to_owned(), *kind != Kind::MaybeText, key)
            })
            .collect();
        assert_eq!(found, described, "{}", table.name);
        assert!(found.iter().all(|(name, _, _, _)| name.ends_with("_unix_us")
            == table.columns.iter().any(|(column, kind)| column == name && *kind == Kind::Time)));
    }
    let count = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
    let count: u16 = history.connection.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(usize::from(count), TABLES.len());
}

#[test]
fn what_is_no_number_is_not_measured() {
    let folder = folder();
    let mut history = open(&folder);
    for value in [f64::NAN, f64::INFINITY] {
        assert!(history.measured("r1", &[measurement(1.0), measurement(value)]).is_err());
    }
    let count = "SELECT count(*) FROM measurements";
    let count: i64 = history.connection.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 0);
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
fn a_full_history_that_somebody_writes_to_is_not_put_aside_yet() {
    let folder = folder();
    let mut running = filled(&folder);
    let other = History::open_with_limit(folder.path(), 0).unwrap();
    assert_eq!(count(&other), 1);
    running.judged("r2", &result("u1", Verdict::Passed, 20)).unwrap();
    assert_eq!(count(&other), 2);
    drop((running, other));
    assert_eq!(count(&History::open_with_limit(folder.path(), 0).unwrap()), 0);
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
    assert!(matches!(error, HistoryError::NewerFormat { found: 4, .. }), "{error}");
}

fn count(history: &History) -> i64 {
    history.connection.query_row("SELECT count(*) FROM results", [], |row| row.get(0)).unwrap()
}
