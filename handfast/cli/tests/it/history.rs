//! The history as its users see it: runs, one test over time, elsewhere, forgotten.

use std::fs;
use std::time::Duration;

use handfast_history::{EndRow, History, Questions, RunRow};
use handfast_notify::clock::unix_us;
use serde_json::Value;

use crate::budget_trial::ends;
use crate::support::{Project, Ran};

fn json(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
    serde_json::from_str(&ran.out).unwrap()
}

/// A project after two runs of a scenario that passes.
fn played() -> Project {
    let project = Project::new("").scenario("meets", "");
    for _ in 0..2 {
        project.run(&["run"]).check(0, "1 passed, 0 failed", &[]);
    }
    project
}

#[test]
fn runs_and_a_test_over_time_are_shown() {
    let project = played();
    let runs = json(&project.run(&["history", "--json"]));
    assert_eq!((&runs["count"], &runs["runs"][0]["exit"]), (&2.into(), &"passed".into()));
    let newest = runs["runs"][0]["run"].as_str().unwrap();
    let shown = project.run(&["history", "--last", "1"]);
    assert!(shown.out.contains(newest) && shown.out.contains("1 of 2 runs"), "{}", shown.out);
    assert!(!shown.out.contains('\u{1b}'), "no colours in a pipe");
    let test = json(&project.run(&["history", "meets", "--json"]));
    assert_eq!((&test["state"], &test["judged"]), (&"healthy".into(), &2.into()));
    let unit = test["test"].as_str().unwrap();
    let shown = project.run(&["history", unit]);
    for part in ["healthy: fails in ", "by 2 runs", newest] {
        assert!(shown.out.contains(part), "{part:?} is missing in {}", shown.out);
    }
    // A mistake in a scenario hides no past; a name that means nothing is named.
    project.write("scenarios/test_unit_wrong.toml", "nmae = 1");
    assert_eq!(project.run(&["history"]).code, 0);
    let ran = project.run(&["history", "meats"]);
    assert!(ran.code == 2 && ran.error.contains("no test \"meats\""), "{}", ran.error);
}

#[test]
fn a_history_goes_to_another_project_once_and_forgets_what_it_is_told_to() {
    let project = played();
    let rows = json(&project.run(&["history", "export", "all.jsonl", "--json"]))["rows"].clone();
    let other = Project::new("");
    let file = project.path().join("all.jsonl");
    let file = file.to_str().unwrap();
    let first = json(&other.run(&["history", "import", file, "--json"]));
    assert_eq!((&first["added"], &first["known"]), (&rows, &0.into()));
    let second = json(&other.run(&["history", "import", file, "--json"]));
    assert_eq!((&second["added"], &second["known"]), (&0.into(), &rows));
    let text = fs::read_to_string(file).unwrap().replacen("{\"ends\"", "{\"end\"", 1);
    other.write("wrong.jsonl", &text);
    let ran = other.run(&["history", "import", "wrong.jsonl"]);
    let line = 1 + text.lines().position(|line| line.starts_with("{\"end\"")).unwrap();
    let place = format!("wrong.jsonl: line {line}: there is no table \"end\"");
    assert!(ran.code == 2 && ran.error.contains(&place), "{place}: {}", ran.error);

    let prune = ["history", "prune", "--keep-runs", "1", "--json"];
    let dry = json(&other.run(&[&prune[..], &["--dry-run"]].concat()));
    assert_eq!(dry["gone"].as_array().unwrap().len(), 1);
    let open = History::open(&other.path().join(".handfast")).unwrap();
    let ran = other.run(&prune);
    assert!(ran.code == 3 && ran.error.contains("in use"), "{}", ran.error);
    drop(open);
    let gone = json(&other.run(&prune));
    assert_eq!((&gone["gone"], &gone["dry_run"]), (&dry["gone"], &false.into()));
    assert_eq!(json(&other.run(&["history", "--json"]))["count"], 1);
    let ran = other.run(&["history", "prune"]);
    assert!(ran.code == 2 && ran.error.contains("--keep-runs"), "{}", ran.error);
}

/// How often a pruning is killed, each time a little later than the time before.
const KILLS: u32 = 12;

#[test]
fn a_pruning_that_is_killed_has_forgotten_all_that_it_was_told_to_or_nothing() {
    let project = Project::new("");
    let folder = project.path().join(".handfast");
    let mut history = History::open(&folder).unwrap();
    history.begin_whole().unwrap();
    for number in 0..400 {
        let run = format!("r{number:03}");
        let row = RunRow {
            run: run.clone(),
            started_unix_us: number,
            handfast: "0".to_owned(),
            command: vec!["x".repeat(1_000)],
            seed: 1,
            record: "gone".to_owned(),
        };
        history.begin(&row).unwrap();
        let (exit, summary) = ("passed".to_owned(), "{}".to_owned());
        history.end(&run, &EndRow { exit, summary, duration_us: 1 }).unwrap();
    }
    history.commit_whole().unwrap();
    drop(history);
    let kept = project.path().join("kept.db");
    fs::copy(folder.join("history.db"), &kept).unwrap();
    let prune = ["history", "prune", "--keep-runs", "30"];
    let began = unix_us();
    assert_eq!(project.run(&prune).code, 0);
    let whole = Duration::from_micros(u64::try_from(unix_us() - began).unwrap());
    let mut found = Vec::new();
    for kill in 0..KILLS {
        for name in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            fs::remove_file(name).unwrap();
        }
        fs::copy(&kept, folder.join("history.db")).unwrap();
        let mut handfast =
            project.command(&prune).stdout(std::process::Stdio::null()).spawn().unwrap();
        if !ends(&handfast, whole * kill / KILLS) {
            handfast.kill().unwrap();
        }
        handfast.wait().unwrap();
        let count = History::open(&folder).unwrap().last_runs(1_000).unwrap().len();
        assert!([30, 400].contains(&count), "{count} runs after kill {kill}");
        found.push(count);
        // Whatever it left behind is in nobody's way.
        assert_eq!(project.run(&prune).code, 0);
        assert_eq!(History::open(&folder).unwrap().extent().unwrap().runs, 30);
    }
    // The first one is killed before it could do anything.
    assert_eq!(found[0], 400, "{found:?}");
}

#[test]
fn a_team_that_nobody_names_or_reaches_is_an_error_without_a_password() {
    let project = Project::new("");
    let ran = project.run(&["history", "push"]);
    assert!(ran.code == 2 && ran.error.contains("HANDFAST_TEAM_HISTORY"), "{}", ran.error);
    let folder = project.path().to_str().unwrap().replace('/', "%2F");
    let url = format!("postgresql://ci:secret@{folder}/team");
    for words in [&["history", "push"][..], &["history"], &["history", "x"]] {
        let said = project.command(words).env("HANDFAST_TEAM_HISTORY", &url).output().unwrap();
        let error = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(3), "{words:?}: {error}");
        assert!(error.contains("team on /") && !error.contains("secret"), "{words:?}: {error}");
    }
}
