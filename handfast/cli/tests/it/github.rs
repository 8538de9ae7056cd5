//! What a step of a GitHub job leaves: a page, annotations at the lines of scenario files; and the same in CTRF.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::Project;

const FAILING: &str =
    "[[step]]\nexpect = \"message.inbox\"\non = [\"b\"]\nhas = { from = \"a\" }\n";

fn project() -> Project {
    Project::new("").scenario("good", "").scenario("bad", FAILING)
}

/// The program as a step of a job that has checked out the folder above the project.
fn step(project: &Project, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", project.path().join("page.md"))
        .env("GITHUB_WORKSPACE", project.path().parent().unwrap());
    command
}

#[test]
fn a_run_in_a_github_job_leaves_a_page_and_annotations() {
    let project = project();
    project.write("page.md", "what was there before\n");
    let output = step(&project, &["run"]).output().unwrap();
    project.assert_nothing_left();
    let out = String::from_utf8(output.stdout).unwrap();
    let below = project.path().file_name().unwrap().to_str().unwrap();
    let annotation = format!(
        "::error file={below}/scenarios/test_unit_bad.toml,line=4,title=the scenario bad (a=py b=py)::failed: "
    );
    assert!(out.contains(&annotation), "{annotation}\n{out}");
    let page = fs::read_to_string(project.path().join("page.md")).unwrap();
    let begin = "what was there before\n## ✗ 1 passed, 1 failed\n";
    assert!(page.starts_with(begin) && page.contains("again: `handfast run"), "{page}");
}

#[test]
fn what_a_peer_logs_is_no_command_to_the_job() {
    let say = |text: &str| {
        format!(
            "[[step]]\nrole = \"b\"\ncall = \"noise\"\nwith = {{ lines = 1, text = \"{text}\" }}\n"
        )
    };
    let steps = say("::stop-commands::x") + &say("so ##[error]it is") + FAILING;
    let project = Project::new("").scenario("bad", &steps);
    let output = step(&project, &["run"]).output().unwrap();
    project.assert_nothing_left();
    let out = String::from_utf8(output.stdout).unwrap();
    for shown in ["| ::stop-commands::x 0\n", "so ## [error]it is 0\n"] {
        assert!(out.contains(shown), "{shown}\n{out}");
    }
    let commands: Vec<&str> =
        out.lines().filter(|line| line.trim_start().starts_with("::")).collect();
    assert!(commands.len() == 1 && commands[0].starts_with("::error file="), "{out}");
    let output = step(&project, &["replay", "last", "--json"]).output().unwrap();
    assert!(!String::from_utf8(output.stdout).unwrap().contains("##["));
    let elsewhere = project.run(&["replay", "last"]).out;
    assert!(elsewhere.contains("    ::stop-commands::x 0\n"), "{elsewhere}");
}

#[test]
fn with_json_the_annotations_are_beside_it() {
    let project = project();
    let output = step(&project, &["run", "--json"]).output().unwrap();
    project.assert_nothing_left();
    let _summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("::error file="));
}

#[test]
fn elsewhere_nothing_is_said_to_github() {
    let project = project();
    let ran = project.run(&["run"]);
    assert!(!ran.out.contains("::error") && !ran.error.contains("::error"), "{}", ran.out);
    assert!(!project.path().join("page.md").exists());
}

#[test]
fn a_page_that_leaves_no_room_stays_as_it_is() {
    let project = project();
    let full = "x".repeat(1024 * 1024);
    project.write("page.md", &full);
    let output = step(&project, &["run", "unit_good"]).output().unwrap();
    project.assert_nothing_left();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(fs::read_to_string(project.path().join("page.md")).unwrap(), full);
}

#[test]
fn a_record_tells_the_same_once_more() {
    let project = project();
    project.run(&["run"]);
    let first = fs::read_to_string(project.last_record().join("ctrf.json")).unwrap();
    let ran = project.run(&["replay", "last", "--github", "--ctrf", "again.json"]);
    assert_eq!(ran.code, 1, "{}", ran.error);
    assert!(ran.out.starts_with("## ✗ 1 passed, 1 failed\n"), "{}", ran.out);
    let annotation = "::error file=scenarios/test_unit_bad.toml,line=4,";
    assert!(ran.error.contains(annotation), "{}", ran.error);
    assert_eq!(fs::read_to_string(project.path().join("again.json")).unwrap(), first);
    let report: Value = serde_json::from_str(&first).unwrap();
    let summary = &report["results"]["summary"];
    let counts = (&summary["tests"], &summary["passed"], &summary["failed"]);
    assert_eq!(counts, (&2.into(), &1.into(), &1.into()), "{first}");
}
