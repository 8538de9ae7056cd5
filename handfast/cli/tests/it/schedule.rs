//! `handfast schedule` through the real program: what is due runs once, whatever happens to the scheduler.
//!
//! Jobs are due because the file of the schedule says up to when they are dealt with; nothing waits for a time of day.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::moments::{MOMENT_WITHIN, listen};
use crate::support::Project;

/// Comes once a year, is made up for within a year.
const JOB: &str = "[[schedule]]\nname = \"yearly\"\ncron = \"0 0 1 1 *\"\ncommand = [\"run\"]\ncatch_up_within = \"366d\"\n";

/// As if nothing had been done since 2020, written as the documentation says.
pub(crate) const BEHIND: &str = r#"{"format":1,"seed":"0","running":null,"jobs":[
    {"name":"yearly","cron":"0 0 1 1 *","zone":"UTC","through":"2020-06-01T00:00:00Z","owed":null,"begun":[],"last":null}
]}"#;

const HANGS: &str = "[[step]]\nrole = \"b\"\ncall = \"hang\"\nwithin = \"1h\"\n";

fn project(more: &str, steps: &str) -> Project {
    let project = Project::new(&format!("{more}{JOB}")).scenario("x", steps);
    project.write(".handfast/schedule.json", BEHIND);
    project
}

/// A scheduler in the foreground.
struct Scheduler {
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl Scheduler {
    fn start(project: &Project) -> Self {
        let mut command = project.command(&["schedule", "run"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    /// Reads on until a line has this part, and returns it.
    fn until(&mut self, part: &str) -> String {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            let count = self.lines.read_line(&mut line).unwrap();
            assert!(count > 0, "the scheduler ended without {part:?}");
        }
        line
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Waits for its end; returns its exit code, if it was not killed, and the rest of what it said.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.lines, &mut rest).unwrap();
        (self.process.wait().unwrap().code(), rest)
    }
}

fn listed(project: &Project) -> Value {
    let ran = project.run(&["schedule", "list", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.error);
    serde_json::from_str::<Value>(&ran.out).unwrap()["jobs"][0].clone()
}

#[test]
fn what_is_due_runs_once_and_its_end_is_listed() {
    let project = project("", "");
    let ran = project.run(&["schedule", "run", "--once"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
    assert_eq!(ran.out.matches("yearly: begins").count(), 1, "{}", ran.out);
    assert!(ran.out.contains("1 passed, 0 failed"), "{}", ran.out);
    let again = project.run(&["schedule", "run", "--once"]);
    assert_eq!((again.code, again.out.matches("begins").count()), (0, 0), "{}", again.out);
    let job = listed(&project);
    assert_eq!((&job["last"]["outcome"], &job["last"]["exit_code"]), (&"exited".into(), &0.into()));
    assert_eq!(job["running"], Value::Null);
    // The command of the record is what somebody would type.
    let events = std::fs::read_to_string(project.last_record().join("events.jsonl")).unwrap();
    assert!(
        events.contains(r#""command":["handfast","run"]"#),
        "{}",
        events.lines().next().unwrap()
    );
}

#[test]
fn a_scheduler_that_is_killed_takes_its_run_along_which_begins_once_more() {
    let moments = listen();
    let env = format!("env = {{ FIXTURE_REPORT = \"{}\" }}\n", moments.address);
    let project = project(&env, HANGS);
    for attempt in [1, 2] {
        let mut scheduler = Scheduler::start(&project);
        let line = scheduler.until("yearly: begins");
        assert_eq!(line.contains("once more"), attempt == 2, "{line}");
        while moments.lines.recv_timeout(MOMENT_WITHIN).unwrap() != "b hang" {}
        let job = listed_while_it_runs(&project);
        assert_eq!(job["running"]["attempt"], attempt);
        scheduler.signal(Signal::KILL);
        scheduler.end();
        project.assert_nothing_left();
        while moments.lines.try_recv().is_ok() {}
    }
    let ran = project.run(&["schedule", "run", "--once"]);
    assert_eq!((ran.code, ran.out.matches("begins").count()), (0, 0), "{}", ran.out);
    assert!(ran.out.contains("does not begin again"), "{}", ran.out);
    let job = listed(&project);
    assert_eq!(
        (&job["last"]["outcome"], &job["last"]["attempt"]),
        (&"interrupted".into(), &2.into())
    );
}

/// As [`listed`], beside processes that are there on purpose.
fn listed_while_it_runs(project: &Project) -> Value {
    let output = project.command(&["schedule", "list", "--json"]).output().unwrap();
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(list["carried_out_by"].is_number(), "{list}");
    list["jobs"][0].clone()
}

#[test]
fn a_stop_ends_the_run_in_order_and_a_second_scheduler_is_refused() {
    let moments = listen();
    let env = format!("env = {{ FIXTURE_REPORT = \"{}\" }}\n", moments.address);
    let project = project(&env, HANGS);
    let mut scheduler = Scheduler::start(&project);
    scheduler.until("yearly: begins");
    while moments.lines.recv_timeout(MOMENT_WITHIN).unwrap() != "b hang" {}
    let second = project.command(&["schedule", "run"]).output().unwrap();
    let error = String::from_utf8(second.stderr).unwrap();
    let owner = format!("process {}", scheduler.process.id());
    assert_eq!(second.status.code(), Some(2), "{error}");
    assert!(error.contains(&owner), "{error}");
    scheduler.signal(Signal::TERM);
    let (code, said) = scheduler.end();
    project.assert_nothing_left();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("0 passed, 1 failed"), "the run came to its own end: {said}");
    assert!(said.contains("was interrupted; it begins once more"), "{said}");
    // A scheduler that was killed before it noted that would have known it from the run.
    let mark = std::fs::read_to_string(project.path().join(".handfast/schedule.run")).unwrap();
    assert!(mark.ends_with(" 1 began\n"), "{mark}");
    let mut scheduler = Scheduler::start(&project);
    assert!(scheduler.until("yearly: begins").contains("once more"));
    scheduler.signal(Signal::TERM);
    scheduler.end();
    project.assert_nothing_left();
}

#[test]
fn hang_up_reads_the_project_again_and_keeps_it_where_it_is_wrong() {
    let project = Project::new(JOB).scenario("x", "");
    let mut scheduler = Scheduler::start(&project);
    scheduler.until("yearly: is new");
    project.write("handfast.toml", "[[schedule]]\nname = \"x\"\ncron = \"61 * * * *\"\n");
    scheduler.signal(Signal::HUP);
    scheduler.until("handfast.toml is wrong");
    let text = format!(
        "[project]\nname = \"t\"\n[peers.a]\nstart = [\"x\"]\n{}",
        JOB.replace("yearly", "other")
    );
    project.write("handfast.toml", &text);
    scheduler.signal(Signal::HUP);
    scheduler.until("yearly: is no longer");
    scheduler.signal(Signal::TERM);
    assert_eq!(scheduler.end().0, Some(0));
}

#[test]
fn what_is_wrong_with_a_schedule_is_told_with_the_fix() {
    let wrong = |lines: &str, parts: &[&str]| {
        let project = Project::new(lines);
        let ran = project.run(&["schedule", "list"]);
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.error);
        for part in parts {
            assert!(ran.error.contains(part), "{part:?} is missing in {}", ran.error);
        }
    };
    wrong("", &["no [[schedule]]", "cron = "]);
    wrong(
        &JOB.replace("0 0 1 1 *", "0 25 1 1 *"),
        &["handfast.toml:8:11", "no hour 25", "use 0 to 23"],
    );
    wrong(
        &format!("{JOB}zone = \"Europe/Berln\"\n"),
        &["no time zone", "did you mean \"Europe/Berlin\"?"],
    );
    wrong(&format!("{JOB}{JOB}"), &["two jobs have the name yearly"]);
    wrong(&JOB.replace("[\"run\"]", "[\"schedule\", \"run\"]"), &["has no end"]);
    let project = project("", "");
    project.write(".handfast/schedule.json", r#"{"format":2}"#);
    let ran = project.run(&["schedule", "run", "--once"]);
    assert_eq!(ran.code, 2);
    assert!(ran.error.contains("has format 2"), "{}", ran.error);
}

#[test]
fn the_next_runs_are_shown_in_their_zone_and_in_utc() {
    let berlin = JOB.replace("0 0 1 1 *", "30 2 29 3 *") + "zone = \"Europe/Berlin\"\n";
    let project = Project::new(&berlin);
    let ran = project.run(&["schedule", "next", "yearly", "--count", "12", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.error);
    let next: Value = serde_json::from_str(&ran.out).unwrap();
    let next = next["next"].as_array().unwrap();
    assert_eq!(next.len(), 12);
    assert!(next.iter().all(|run| run["local"].as_str().unwrap().contains("-03-29 0")), "{next:?}");
    let text = project.run(&["schedule", "next", "--count", "1"]).out;
    assert!(text.contains("yearly (Europe/Berlin)") && text.contains("-03-29T0"), "{text}");
    assert_eq!(project.run(&["schedule", "next", "nobody"]).code, 2);
    assert_eq!(project.run(&["schedule", "next", "--count", "1001"]).code, 2);
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let project = Project::new(JOB);
    let ran = project.run(&["schedule", "systemd", "--user", "--out", "handfast.service"]);
    assert_eq!(ran.code, 0, "{}", ran.error);
    let unit = std::fs::read_to_string(project.path().join("handfast.service")).unwrap();
    let folder = format!("WorkingDirectory={}\n", project.path().canonicalize().unwrap().display());
    assert!(unit.contains(&folder), "{unit}");
    assert!(unit.contains(env!("CARGO_BIN_EXE_handfast")), "{unit}");
    let printed = project.run(&["schedule", "systemd", "--user"]).out;
    assert_eq!(printed, unit);
    // Where systemd is, it has the last word. Its user's manager wants a folder to be there.
    let verify = std::process::Command::new("systemd-analyze")
        .args(["--user", "verify", "handfast.service"])
        .current_dir(project.path())
        .env("XDG_RUNTIME_DIR", project.path())
        .output();
    if let Ok(output) = verify {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
}

#[test]
fn a_run_cannot_be_made_to_believe_that_a_schedule_started_it() {
    let project = project("", "");
    let mark = project.path().join(".handfast/schedule.run");
    let words =
        ["__scheduled", "1", mark.to_str().unwrap(), "yearly 2026-01-01T00:00:00Z 1", "list"];
    let ran = project.run(&words);
    assert_eq!(ran.code, 3, "{}", ran.error);
    assert!(ran.error.contains("its scheduler is gone"), "{}", ran.error);
    assert!(!mark.exists());
}
