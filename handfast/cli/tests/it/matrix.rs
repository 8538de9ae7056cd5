//! The matrix: what a second call repeats, what a killed one leaves, and what no cell may hide.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Project, Ran};

/// Each side sends the other a message.
const MEET: &str = "[[step]]\nrole = \"a\"\ncall = \"message.send\"\nwithin = \"3s\"\n\
    with = { to = \"b\", body = { text = \"x\" } }\n\
    [[step]]\nrole = \"b\"\ncall = \"message.send\"\nwithin = \"3s\"\n\
    with = { to = \"a\", body = { text = \"x\" } }\n";

/// Two peers, each a file of its own, and a matrix of both.
fn project(more_of_two: &str, more_of_matrix: &str) -> Project {
    let project = Project::bare(&format!(
        "[peers.one]\nstart = [\"python3\", \"one.py\"]\n\
         [peers.two]\nstart = [\"python3\", \"two.py\"]\n{more_of_two}\n\
         [matrix]\npeers = [\"one\", \"two\"]\n{more_of_matrix}\n"
    ));
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/peer.py");
    let fixture = fs::read_to_string(fixture).unwrap();
    project.write("one.py", &fixture);
    project.write("two.py", &fixture);
    project
}

fn flawed(flaw: &str) -> Project {
    project(&format!("env = {{ FIXTURE_FLAW = \"{flaw}\" }}"), "").scenario("x", MEET)
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}\n{}", ran.out, ran.error))
}

/// Runs the matrix and asserts how many cells it played and took over, and that all is well.
#[track_caller]
fn check_warm(project: &Project, played: u64, recalled: u64) {
    let ran = project.run(&["matrix", "--json"]);
    let matrix = json(&ran);
    let found = (&matrix["played"], &matrix["recalled"], &matrix["failed"]);
    let expected = (&Value::from(played), &Value::from(recalled), &Value::from(0));
    assert_eq!(found, expected, "{}", ran.error);
    assert_eq!(ran.code, 0, "{}", ran.error);
}

#[test]
fn a_second_call_plays_exactly_the_rows_and_columns_that_were_touched() {
    let project = project("", "").scenario("x", MEET).scenario("y", "");
    check_warm(&project, 8, 0);
    check_warm(&project, 0, 8);
    let two = fs::read_to_string(project.path().join("two.py")).unwrap();
    project.write("two.py", &(two + "# touched\n"));
    check_warm(&project, 6, 2);
    let project = project.scenario("y", "# touched\n");
    check_warm(&project, 4, 4);
    check_warm(&project, 0, 8);
    let ran = project.run(&["matrix", "--fresh"]);
    ran.check(0, "8 passed, 0 failed", &["8 of 8 cells judged, 8 played in"]);
}

#[test]
fn cells_of_earlier_runs_are_shown_as_such_and_count() {
    let project = project("", "").scenario("x", "");
    project.run(&["matrix"]).check(0, "4 passed, 0 failed", &["PASS", "✓ passed"]);
    let parts = ["= passed in an earlier run", "4 by earlier runs on the same content"];
    project.run(&["matrix"]).check(0, "4 passed, 0 failed", &parts);
    project.run(&["replay", "last"]).check(0, "4 passed, 0 failed", &parts);
}

#[test]
fn a_cell_that_failed_is_played_again() {
    let project = flawed("refuse");
    for recalled in [0, 1] {
        let ran = project.run(&["matrix", "--json"]);
        let matrix = json(&ran);
        let found = (&matrix["recalled"], &matrix["failed"], ran.code);
        assert_eq!(found, (&Value::from(recalled), &Value::from(3), 1), "{}", ran.error);
    }
}

#[test]
fn a_peer_that_denies_a_method_it_offers_fails_and_lacks_nothing() {
    let ran = flawed("deny").run(&["matrix"]);
    let parts = [
        "two fails in all 3 of its cells",
        "its initialize names message.send, and then it answers that there is no such method",
        "blame two",
    ];
    ran.check(1, "1 passed, 3 failed", &parts);
    assert!(!ran.out.contains("declared unsupported"), "{}", ran.out);
}

#[test]
fn a_peer_that_hangs_costs_its_own_deadline_and_the_others_nothing() {
    let project = flawed("hang").scenario("y", MEET).scenario("z", MEET);
    let ran = project.run(&["matrix", "--json"]);
    let matrix = json(&ran);
    assert_eq!((ran.code, &matrix["broken"][0]["peer"]), (1, &"two".into()), "{}", ran.error);
    assert_eq!((&matrix["passed"], &matrix["failed"]), (&3.into(), &9.into()), "{}", ran.error);
    // Nine cells wait three seconds each; one after the other that alone would be half a minute.
    assert!(matrix["took_us"].as_u64().unwrap() < 120_000_000, "{}", ran.error);
    for cell in matrix["cells"].as_array().unwrap() {
        let expected = if cell["column"] == serde_json::json!(["one", "one"]) {
            (Value::from("passed"), Value::Null)
        } else {
            (Value::from("failed"), serde_json::json!({ "kind": "peer", "peers": ["two"] }))
        };
        assert_eq!((cell["verdict"].clone(), cell["blame"].clone()), expected, "{cell}");
    }
}

#[test]
fn a_peer_that_is_never_ready_costs_the_time_of_its_cells_and_no_more() {
    let budget = "env = { FIXTURE_FLAW = \"start\" }\n[categories.unit]\nbudget = \"2s\"";
    let project = project(budget, "").scenario("x", "");
    // One that plays with it is ended in the midst of its start.
    let ran = project.run(&["matrix", "--peers", "two"]);
    ran.check(1, "0 passed, 1 failed", &["HUNG", "while starting or introducing the peers"]);
}

#[test]
fn an_absent_peer_leaves_its_cells_unproved_and_says_so() {
    let project = project("needs = [\"python3\", \"no-such-program\"]", "").scenario("x", "");
    let unproved = "not proved: 3 cells, because two is absent";
    let reason = "it needs no-such-program, which is not in PATH";
    project.run(&["matrix"]).check(
        3,
        "1 passed, 3 failed",
        &[unproved, reason, "? a peer is absent"],
    );
    let ran = project.run(&["matrix", "--allow-absent", "two"]);
    ran.check(0, "1 passed, 0 failed", &[unproved, reason, "which is allowed"]);
    let ran = project.run(&["matrix", "--allow-absent", "tow"]);
    assert_eq!(ran.code, 2, "{}", ran.error);
}

#[test]
fn a_peer_whose_environment_cannot_be_built_is_absent() {
    let project = project("build = [\"false\"]", "").scenario("x", "");
    let parts = ["not proved: 3 cells, because two is absent: peer two did not build"];
    project.run(&["matrix"]).check(3, "1 passed, 3 failed", &parts);
}

#[test]
fn a_peer_that_breaks_the_contract_is_named_for_all_its_cells() {
    let project = project("", "").scenario("x", "");
    project.write("two.py", "print('hello', flush=True)\nimport time\ntime.sleep(60)\n");
    let parts = ["two fails in all 3 of its cells: two does not keep the peer contract"];
    project.run(&["matrix"]).check(3, "1 passed, 3 failed", &parts);
}

fn entry(peers: &str, result: &str, expires: &str) -> String {
    format!(
        "[[expected]]\nscenario = \"test_unit_x\"\npeers = {peers}\nresult = \"{result}\"\nreason = \"not there yet\"\n\
         issue = \"https://example.org/7\"\nexpires = \"{expires}\"\n"
    )
}

#[track_caller]
fn check_expected(entries: &str, code: i32, closing: &str, parts: &[&str]) {
    let flaw = "env = { FIXTURE_FLAW = \"refuse\" }";
    let project = project(flaw, "expected = \"expected.toml\"").scenario("x", MEET);
    project.write("expected.toml", entries);
    project.run(&["matrix"]).check(code, closing, parts);
}

#[test]
fn cells_that_fail_as_expected_fail_nothing() {
    let entries = entry("[\"*\", \"two\"]", "failed", "2999-01-01")
        + &entry("[\"two\", \"one\"]", "failed", "2999-01-01");
    check_expected(&entries, 0, "1 passed, 0 failed", &["3 cells failed as expected"]);
}

#[test]
fn a_cell_that_passes_unexpectedly_fails_the_run() {
    let entries = entry("[\"*\", \"*\"]", "failed", "2999-01-01");
    let parts = ["passed, but expected failed until 2999-01-01", "https://example.org/7"];
    check_expected(&entries, 1, "0 passed, 1 failed", &parts);
}

#[test]
fn a_cell_that_fails_otherwise_than_expected_fails_the_run() {
    let entries = entry("[\"*\", \"two\"]", "timed_out", "2999-01-01");
    check_expected(&entries, 1, "1 passed, 3 failed", &[]);
}

#[test]
fn an_expired_entry_and_one_for_no_cell_fail_the_run() {
    let known = entry("[\"*\", \"two\"]", "failed", "2020-01-01")
        + &entry("[\"two\", \"one\"]", "failed", "2999-01-01");
    check_expected(&known, 1, "1 passed, 1 failed", &["expected.toml:1", "expired on 2020-01-01"]);
    let known = entry("[\"*\", \"two\"]", "failed", "2999-01-01")
        + &entry("[\"two\", \"one\"]", "failed", "2999-01-01")
        + &entry("[\"two\", \"one\"]", "failed", "2999-01-01");
    check_expected(&known, 1, "1 passed, 1 failed", &["expected.toml:15", "is for no cell"]);
}

#[test]
fn a_mistake_in_the_file_of_expected_results_is_told_before_anything_starts() {
    let project = project("", "expected = \"expected.toml\"").scenario("x", "");
    let ran = project.run(&["matrix"]);
    assert!(ran.code == 2 && ran.error.contains("failed to read expected.toml"), "{}", ran.error);
    project.write("expected.toml", "[[expected]]\nscenario = \"*\"\n");
    let ran = project.run(&["matrix"]);
    assert!(ran.code == 2 && ran.error.contains("expected.toml:1: missing field"), "{}", ran.error);
}

#[test]
fn all_of_a_run_has_the_matrix_in_it_and_plays_every_cell() {
    let project = project("", "").scenario("x", "");
    project.run(&["matrix"]).check(0, "4 passed, 0 failed", &[]);
    let ran = project.run(&["run", "--all"]);
    ran.check(0, "4 passed, 0 failed", &["4 of 4 cells judged, 4 played"]);
    project.run(&["run"]).check(0, "1 passed, 0 failed", &[]);
}

#[test]
fn markdown_is_a_table_and_nothing_else() {
    let project = project("", "").scenario("x", "");
    let ran = project.run(&["matrix", "--markdown"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], "| scenario | one → one | one → two | two → one | two → two |");
    assert_eq!(lines[2], "| the scenario x | ✓ | ✓ | ✓ | ✓ |");
}

#[test]
fn peers_and_versions_choose_cells() {
    let project = project("", "").scenario("x", "");
    let roles = "name = \"v\"\n[roles.a]\nprotocol = \"1.0\"\n[roles.b]\nprotocol = \"1.1\"\n";
    project.write("scenarios/test_unit_v.toml", roles);
    let ran = project.run(&["matrix", "--peers", "two", "--versions", "1.0"]);
    ran.check(0, "1 passed, 0 failed", &["matrix: 1 cells of two"]);
    // What a peer declares not to speak is no failure of it.
    let ran = project.run(&["matrix", "--peers", "two", "--scenario", "unit_v"]);
    ran.check(4, "0 passed, 0 failed", &["declared unsupported", "b does not offer protocol-1.1"]);
}

/// What of twenty messages the wire drops, in each cell of the last run.
fn dropped(project: &Project) -> BTreeMap<String, Vec<bool>> {
    let events = fs::read_to_string(project.last_record().join("events.jsonl")).unwrap();
    let mut dropped = BTreeMap::<String, Vec<bool>>::new();
    for line in events.lines() {
        let event = &serde_json::from_str::<Value>(line).unwrap()["event"];
        if event["message_type"] == "message" {
            let unit = event["unit"].as_str().unwrap().to_owned();
            let is_dropped = line.contains("\"dropped\"");
            dropped.entry(unit).or_default().push(is_dropped);
        }
    }
    dropped
}

#[test]
fn several_seeds_play_every_cell_as_often_and_each_as_a_run_with_it() {
    let steps = "[[step]]\nwire = { from = \"a\", to = \"b\", type = \"message\", drop = { percent = 50 } }\n\
        [[step]]\nrepeat = { count = 20 }\n[[step.do]]\nrole = \"a\"\ncall = \"message.send\"\n\
        with = { to = \"b\", body = {} }\noutcome = \"unknown\"\n";
    let project = project("", "").scenario("x", steps);
    project.run(&["matrix", "--peers", "one", "--seed", "8"]).check(0, "1 passed, 0 failed", &[]);
    let alone = dropped(&project);
    // Neither takes the verdict of that run over nor leaves one.
    for _ in 0..2 {
        let ran = project.run(&["matrix", "--seeds", "2", "--seed", "7", "--json"]);
        let matrix = json(&ran);
        let found = (&matrix["cells_all"], &matrix["played"], &matrix["passed"], ran.code);
        assert_eq!(found, (&8.into(), &8.into(), &8.into(), 0), "{}", ran.error);
    }
    let seeded = dropped(&project);
    assert_eq!(seeded["test_unit_x #seed=8"], alone["test_unit_x"]);
    assert_ne!(seeded["test_unit_x #seed=7"], alone["test_unit_x"]);
}

#[test]
fn a_failure_with_one_of_several_seeds_fails_the_run_and_says_how_to_see_it_again() {
    let parts =
        ["a mark for each variant and seed", "(a=one b=two), seed 8: blame two", "--seed 8"];
    let ran = flawed("refuse").run(&["matrix", "--seeds", "2", "--seed", "7"]);
    ran.check(1, "2 passed, 6 failed", &parts);
    let ran = flawed("refuse").run(&["matrix", "--seeds", "0"]);
    assert_eq!(ran.code, 2, "{}", ran.error);
    let ran = flawed("refuse").run(&["matrix", "--seeds", "2", "--shard", "1/2"]);
    assert_eq!(ran.code, 2, "{}", ran.error);
}

const KILLS: u64 = 6;

#[test]
fn a_matrix_that_is_killed_at_random_moments_goes_on_where_it_was() {
    let mut project = project("", "");
    for name in ["p", "q", "r", "s", "t"] {
        project = project.scenario(name, MEET);
    }
    let file = project.path().join(".handfast/history.db");
    // Another choice of moments each time; the failing round's moment is in the message.
    let chance = RandomState::new();
    for round in 0..KILLS {
        // After so many cells, and then at once: in the midst of others.
        let passes = usize::try_from(chance.hash_one(round) % 6).unwrap();
        let mut command = project.command(&["matrix"]);
        let mut handfast = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(handfast.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut passed = lines.filter(|line| line.starts_with("PASS"));
        for _ in 0..passes {
            passed.next();
        }
        handfast.kill().unwrap();
        handfast.wait().unwrap();
        project.assert_nothing_left();
        if file.is_file() {
            let check: String = Connection::open(&file)
                .unwrap()
                .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                .unwrap();
            assert_eq!(check, "ok", "round {round}, killed after {passes} cells");
        }
    }
    let judged = |file: &Path| -> u64 {
        let query = "SELECT count(DISTINCT key) FROM results WHERE kind = 'passed'";
        let count: i64 =
            Connection::open(file).unwrap().query_row(query, [], |row| row.get(0)).unwrap_or(0);
        u64::try_from(count).unwrap()
    };
    let before = judged(&file);
    let ran = project.run(&["matrix", "--json"]);
    let matrix = json(&ran);
    let found = (&matrix["played"], &matrix["recalled"]);
    assert_eq!(found, (&(20 - before).into(), &before.into()), "{}", ran.error);
    // On a machine that is busy otherwise a peer may start too late; what fails is played again.
    for _ in 0..5 {
        if judged(&file) < 20 {
            project.run(&["matrix"]);
        }
    }
    assert_eq!(judged(&file), 20);
    let twice = "SELECT count(*) FROM (SELECT key FROM results WHERE kind = 'passed' GROUP BY key HAVING count(*) > 1)";
    let again: i64 =
        Connection::open(&file).unwrap().query_row(twice, [], |row| row.get(0)).unwrap();
    assert_eq!(again, 0, "a cell that was judged has been played again");
}
