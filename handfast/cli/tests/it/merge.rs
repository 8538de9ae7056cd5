//! The records of shards, made one: the same counts as one run, and nothing kinder than what is there.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use rusqlite::Connection;
use serde_json::Value;

use crate::shards::project;
use crate::support::{Project, Ran};

/// Carries out these shards of three, each in its own copy of the record as CI would keep it.
fn shards(project: &Project, which: &[u32]) {
    project.run(&["shards", "--all", "--within", "1us", "--max", "3", "--out", "plan.json"]);
    for index in which {
        let shard = format!("{index}/3");
        let ran = project.run(&["run", "--all", "--shard", &shard, "--shard-plan", "plan.json"]);
        assert!([0, 1].contains(&ran.code), "{}{}", ran.out, ran.error);
        keep(project, &format!("shards/{index}"));
    }
}

/// Puts the last record away, and with it what this machine knows of the run.
fn keep(project: &Project, folder: &str) {
    let to = project.path().join(folder);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::rename(project.last_record(), to).unwrap();
    fs::remove_file(project.path().join(".handfast/history.db")).unwrap();
}

/// The counts of a run, without its id and times.
fn counts(ran: &Ran) -> (Value, Value, Value, i32) {
    let summary: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.error));
    let exit = summary["exit"].clone();
    (summary["passed"].clone(), summary["failed"].clone(), exit, ran.code)
}

#[test]
fn three_shards_merged_are_what_one_run_is() {
    let project = project();
    shards(&project, &[1, 2, 3]);
    let merged = project.run(&["merge", "shards", "--json"]);
    let record = project.last_record();
    let rows = |query: &str| -> i64 {
        let history = Connection::open(project.path().join(".handfast/history.db")).unwrap();
        history.query_row(query, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(rows("SELECT count(*) FROM results"), 4);
    assert_eq!(rows("SELECT count(*) FROM suite_results"), 2);
    let whole = project.run(&["run", "--all", "--json"]);
    assert_eq!(counts(&merged), counts(&whole), "{}", merged.error);
    let summary: Value = serde_json::from_str(&merged.out).unwrap();
    assert_eq!(summary["merged"]["faults"], serde_json::json!([]), "{}", merged.out);
    assert_eq!(summary["units"].as_array().unwrap().len(), 4);
    for file in ["events.jsonl", "summary.json", "junit.xml", "ctrf.json", "report.html"] {
        assert!(record.join(file).is_file(), "{file}");
    }
    let id = record.file_name().unwrap().to_str().unwrap();
    let replayed = project.run(&["replay", id]);
    replayed.check(
        1,
        "5 passed, 1 failed",
        &["shard 2/3", "exit code 1", "again: handfast run test_unit_r --peer"],
    );
}

#[test]
fn what_the_shards_took_decides_the_next_partition() {
    let project = project();
    shards(&project, &[1, 2, 3]);
    project.run(&["merge", "shards"]).check(1, "5 passed, 1 failed", &["record: .handfast/runs/"]);
    let ran = project.run(&["shards", "--all", "--json"]);
    assert!(
        !ran.error.contains("never played") && !ran.out.contains("\"is_guess\": true"),
        "{}",
        ran.error
    );
}

#[test]
fn a_missing_and_a_doubled_shard_are_named_and_the_rest_is_shown() {
    let project = project();
    shards(&project, &[2, 3]);
    let merged = project.run(&["merge", "shards/2", "shards/3"]);
    assert!([1, 3].contains(&merged.code), "{}", merged.out);
    for part in ["shard 1/3 is missing", "scenarios not run: ", "shard 2/3", "shard 3/3"] {
        assert!(merged.out.contains(part), "{part:?} in {}", merged.out);
    }
    let passing = project.run(&["run", "unit_p", "--shard", "1/1"]);
    assert_eq!(passing.code, 0, "{}", passing.out);
    keep(&project, "twice/1");
    project.run(&["run", "unit_p", "--shard", "1/1"]);
    keep(&project, "twice/2");
    let merged = project.run(&["merge", "twice"]);
    merged.check(
        3,
        "2 passed, 1 failed",
        &["shard 1/1 is there 2 times", "in twice/1", "in twice/2"],
    );
    let junit = fs::read_to_string(project.last_record().join("junit.xml")).unwrap();
    assert!(junit.contains("<error") && junit.contains("is there 2 times"), "{junit}");
}

#[test]
fn a_shard_that_was_killed_leaves_what_it_had_and_is_no_success() {
    let hang = "[[step]]\nrole = \"a\"\ncall = \"hang\"\nwithin = \"1h\"\n";
    let project = Project::new("[categories.unit]\nparallel = 1\nbudget = \"2h\"\n")
        .scenario("p", "")
        .scenario("q", hang);
    let mut command = project.command(&["run", "--shard", "1/1"]);
    let mut handfast = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(handfast.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("PASS")));
    handfast.kill().unwrap();
    handfast.wait().unwrap();
    project.assert_nothing_left();
    let record = project.last_record();
    let record = record.strip_prefix(project.path()).unwrap().to_str().unwrap();
    let merged = project.run(&["merge", record]);
    let parts = ["was killed before its end: 1 of its 2 units and suites have no verdict", "PASS"];
    merged.check(3, "1 passed, 1 failed", &parts);
}

#[test]
fn shards_of_a_matrix_have_one_grid_again() {
    let project = Project::new("[matrix]\npeers = [\"py\"]\n")
        .scenario("p", "")
        .scenario("q", "")
        .scenario("r", "");
    project.run(&["shards", "--matrix", "--within", "1us", "--max", "2", "--out", "plan.json"]);
    for index in [1, 2] {
        let shard = format!("{index}/2");
        project.run(&["matrix", "--fresh", "--shard", &shard, "--shard-plan", "plan.json"]);
        keep(&project, &format!("shards/{index}"));
    }
    let merged = project.run(&["merge", "shards"]);
    merged.check(0, "3 passed, 0 failed", &["matrix: 3 cells of py", "3 of 3 cells judged"]);
    // What the shards have judged need not be played again.
    project.run(&["matrix"]).check(0, "3 passed, 0 failed", &["3 by earlier runs"]);
}

#[test]
fn folders_without_records_are_told_apart_from_folders_that_are_not_there() {
    let project = project();
    project.write("empty/README", "nothing");
    let ran = project.run(&["merge", "empty"]);
    assert_eq!(ran.code, 3, "{}", ran.error);
    assert!(ran.error.contains("there is no record in these folders"), "{}", ran.error);
    let ran = project.run(&["merge", "nowhere"]);
    assert_eq!(ran.code, 2, "{}", ran.error);
    assert!(ran.error.contains("nowhere"), "{}", ran.error);
    assert!(!Path::new(&project.path().join(".handfast/runs")).exists());
}

#[test]
fn a_history_that_cannot_be_written_does_not_hide_that_the_product_failed() {
    let project = project();
    shards(&project, &[1, 2, 3]);
    project.write(".handfast/history.db", "x".repeat(200).as_str());
    let merged = project.run(&["merge", "shards"]);
    assert_eq!(merged.code, 1, "{}{}", merged.out, merged.error);
    assert!(merged.error.contains("the history could not be written"), "{}", merged.error);
}
