//! What a run finds is told to people.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use handfast_fakeslack::workspace::WEBHOOK_CHANNEL;
use handfast_fakeslack::{FakeSlack, Limits, Settings, Weather};
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

use crate::schedule::BEHIND;
use crate::support::{Project, Ran};
use crate::trial::{self, Order};

const TOKEN: &str = "xoxb-fake-token";
pub(crate) const CHANNEL: &str = "C0FAKE001";

/// The short form of the benchmark `incidents`.
#[test]
fn whatever_is_killed_every_incident_is_told() {
    let order = Order { incidents: 12, seed: 7, workers: 3, half_within: None };
    let outcome = trial::run(&order, Path::new(env!("CARGO_BIN_EXE_handfast")));
    assert!(outcome.broken.is_empty(), "{}\n{:#?}", outcome.report, outcome.broken);
    assert!(outcome.incidents >= 12);
}

#[test]
fn an_incident_is_one_message_from_its_first_failure_to_its_recovery() {
    let (slack, project) = told();
    let project = project.scenario("x", RED);
    let ran = project.run(&["run", "--notify=daily"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.error);
    let [message] = slack.messages(CHANNEL).try_into().unwrap();
    assert!(message.text.contains("daily"), "{}", message.text);
    assert_eq!(project.run(&["run", "--notify=daily"]).code, 1);
    assert_eq!(slack.messages(CHANNEL).len(), 2, "a note in the thread");
    let project = project.scenario("x", GREEN);
    assert_eq!(project.run(&["run", "--notify=daily"]).code, 0);
    let messages = slack.messages(CHANNEL);
    assert_eq!(messages.len(), 3, "and another one");
    assert!(messages[0].edits >= 2, "{:?}", messages[0]);
    let thread = Some(messages[0].ts.clone());
    assert!(messages[1..].iter().all(|note| note.thread_ts == thread));
    assert_eq!(slack.messages(WEBHOOK_CHANNEL).len(), 2, "red and well again");
    let status = project.run(&["notify", "status"]);
    assert_eq!(status.code, 0);
    assert!(status.out.contains("no incident is open"), "{}", status.out);
    // A green run after it says nothing.
    assert_eq!(project.run(&["run", "--notify=daily"]).code, 0);
    assert_eq!(slack.messages(CHANNEL).len(), 3);
}

#[test]
fn without_the_option_nobody_is_told_and_without_the_table_it_is_a_mistake() {
    let (slack, project) = told();
    let project = project.scenario("x", RED);
    assert_eq!(project.run(&["run"]).code, 1);
    assert_eq!(slack.requests(), 0);
    let project = Project::new("").scenario("x", RED);
    let ran = project.run(&["run", "--notify"]);
    assert_eq!(ran.code, 2);
    assert!(ran.error.contains("has no [notify]"), "{}", ran.error);
}

#[test]
fn a_run_that_cannot_begin_is_told() {
    let (slack, project) = told();
    let project = project.scenario("x", "[[step]]\nnonsense = 1\n");
    assert_eq!(project.run(&["run", "--notify=daily"]).code, 2);
    let [message] = slack.messages(CHANNEL).try_into().unwrap();
    assert!(message.text.contains("infrastructure"), "{}", message.text);
}

#[test]
fn a_channel_that_refuses_changes_no_verdict_and_is_shown_with_the_fix() {
    let (slack, project) = told();
    let project = project.scenario("x", RED);
    project.write("token", "xoxb-revoked");
    let ran = project.run(&["run", "--notify=daily"]);
    assert_eq!(ran.code, 1);
    assert!(ran.error.contains("not told yet"), "{}", ran.error);
    assert!(!ran.error.contains("xoxb-revoked"));
    let status = project.run(&["notify", "status"]);
    assert_eq!(status.code, 3);
    assert!(status.out.contains("fix: "), "{}", status.out);
    assert!(!status.out.contains("xoxb-revoked"));
    let json: serde_json::Value =
        serde_json::from_str(&project.run(&["notify", "status", "--json"]).out).unwrap();
    assert_eq!(json["refused"], 1);
    assert_eq!(slack.messages(CHANNEL).len(), 0);
    project.write("token", TOKEN);
    let delivered = project.run(&["notify", "deliver", "--within", "30s"]);
    assert_eq!(delivered.code, 0, "{}{}", delivered.out, delivered.error);
    assert_eq!(slack.messages(CHANNEL).len(), 1, "the next start tries again");
}

#[test]
fn a_job_of_the_schedule_sends_what_is_left() {
    let job = "[[schedule]]\nname = \"yearly\"\ncron = \"0 0 1 1 *\"\ncommand = [\"notify\", \"deliver\"]\ncatch_up_within = \"366d\"\n";
    let (slack, project) = told_and(job);
    let project = project.scenario("x", RED);
    project.write("token", "xoxb-revoked");
    assert_eq!(project.run(&["run", "--notify=daily"]).code, 1);
    assert_eq!(slack.messages(CHANNEL).len(), 0);
    project.write("token", TOKEN);
    project.write(".handfast/schedule.json", BEHIND);
    let ran = project.run(&["schedule", "run", "--once"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
    assert!(ran.out.contains(": handfast notify deliver\n"), "nothing is added: {}", ran.out);
    assert_eq!(slack.messages(CHANNEL).len(), 1);
}

#[test]
fn ctrl_c_and_sigterm_end_the_wait_until_all_is_told_and_keep_the_verdict() {
    let project = Project::new(
        "[[notify.channels]]\nname = \"team\"\nkind = \"slack-bot\"\nchannel = \"C1\"\napi = \"http://127.0.0.1:1/api\"\nsecret = { file = \"token\" }\n",
    );
    project.write("token", TOKEN);
    let project = project.scenario("x", RED);
    for signal in [Signal::INT, Signal::TERM] {
        let mut command = project.command(&["run", "--notify=daily"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut handfast = command.spawn().unwrap();
        let mut lines = BufReader::new(handfast.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().starts_with("record: ")));
        kill_process(Pid::from_child(&handfast), signal).unwrap();
        let output = handfast.wait_with_output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("not waiting until all is told"), "{error}");
        assert!(error.contains("not told yet"), "{error}");
    }
}

#[test]
fn a_record_is_told_once() {
    let (slack, project) = told();
    let project = project.scenario("x", RED);
    assert_eq!(project.run(&["run"]).code, 1);
    let record = project.last_record();
    for _ in 0..2 {
        let words = ["notify", "record", record.to_str().unwrap(), "--subject", "nightly"];
        assert_eq!(project.run(&words).code, 0);
    }
    let [message] = slack.messages(CHANNEL).try_into().unwrap();
    assert!(message.text.contains("nightly"), "{}", message.text);
    let wal = project.path().join(".handfast/notify.db-wal");
    assert!(!wal.exists() || wal.metadata().unwrap().len() == 0, "the one file is whole");
}

#[test]
fn the_jobs_of_a_ci_run_are_told_from_its_last_one() {
    let (slack, project) = told();
    let jobs = |link: &str, results: &[&str]| -> Ran {
        let link = format!("https://ci.example/runs/{link}");
        let words = ["notify", "jobs", "--subject", "ci main", "--link", &link];
        project.run(&[&words, results].concat())
    };
    assert_eq!(jobs("1", &["unit=success", "e2e=failure"]).code, 0);
    let [message] = slack.messages(CHANNEL).try_into().unwrap();
    let whole = format!("{}{:?}", message.text, message.blocks);
    assert!(whole.contains("e2e") && whole.contains("runs/1"), "{whole}");
    let again = jobs("1", &["unit=success", "e2e=failure"]);
    assert!(again.code == 0 && again.error.contains("was told before"), "{}", again.error);
    assert_eq!(slack.messages(CHANNEL).len(), 1, "the same jobs again change nothing");
    assert_eq!(jobs("3", &["unit=success", "e2e=success"]).code, 0);
    assert_eq!(slack.messages(CHANNEL).len(), 2, "well again");
}

#[test]
fn a_job_that_was_cancelled_or_ran_out_of_time_is_told() {
    let (slack, project) = told();
    let jobs = |link: &str, result: &str| {
        let link = format!("https://ci.example/runs/{link}");
        let words = ["notify", "jobs", "--subject", "ci main", "--link", &link, "unit=success"];
        project.run(&[&words[..], &[result]].concat())
    };
    assert_eq!(jobs("1", "e2e=cancelled").code, 0);
    let [message] = slack.messages(CHANNEL).try_into().unwrap();
    let whole = format!("{}{:?}", message.text, message.blocks);
    assert!(whole.contains("infrastructure") && whole.contains("out of time"), "{whole}");
    assert_eq!(jobs("2", "e2e=success").code, 0);
    assert_eq!(slack.messages(CHANNEL).len(), 2, "well again");
}

#[test]
fn every_attempt_of_a_ci_run_is_told_also_with_the_results_of_an_earlier_one() {
    let (slack, project) = told();
    for (attempt, result, messages) in [(1, "failure", 1), (2, "success", 2), (3, "failure", 3)] {
        let link = format!("https://ci.example/runs/9/attempts/{attempt}");
        let result = format!("e2e={result}");
        let words = ["notify", "jobs", "--subject", "ci main", "--link", &link, &result];
        let ran = project.run(&words);
        assert!(ran.code == 0 && !ran.error.contains("told before"), "{}", ran.error);
        assert_eq!(slack.messages(CHANNEL).len(), messages, "attempt {attempt}");
    }
}

#[test]
fn a_channel_that_is_full_is_named() {
    let (_slack, project) = told();
    let jobs = |subject: &str| {
        let words = ["notify", "jobs", "--subject", subject, "--link", subject, "--within", "2s"];
        project.run(&[&words[..], &["e2e=failure"]].concat())
    };
    assert_eq!(jobs("first").code, 0);
    let outbox = Connection::open(project.path().join(".handfast/notify.db")).unwrap();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
         INSERT INTO letters (key, incident, channel, kind, mention, body, noticed_unix_us, held_until_unix_us, next_unix_us, outcome) \
         SELECT 'k' || i, NULL, channel, kind, mention, body, noticed_unix_us, 9000000000000000, 9000000000000000, 'waiting' \
         FROM n, (SELECT * FROM letters WHERE channel = 'team' LIMIT 1)";
    outbox.execute_batch(fill).unwrap();
    let ran = jobs("second");
    assert!(ran.error.contains("the channel team is told nothing more"), "{}", ran.error);
}

#[test]
fn a_test_message_says_what_happened_channel_by_channel() {
    let (slack, project) = told();
    let ran = project.run(&["notify", "test"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "team: told\nhook: told\n"));
    assert_eq!(slack.messages(CHANNEL).len(), 1);
    project.write("token", "xoxb-revoked");
    let ran = project.run(&["notify", "test", "team"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.starts_with("team: no: "), "{}", ran.out);
    let ran = project.run(&["notify", "test", "nobody"]);
    assert_eq!(ran.code, 2);
    assert!(ran.error.contains("it has team, hook"), "{}", ran.error);
}

const RED: &str = "[[step]]\nexpect = \"message.inbox\"\non = [\"b\"]\nhas = { from = \"a\" }\n";
const GREEN: &str = "[[step]]\ncall = \"message.send\"\nrole = \"a\"\nwith = { to = \"b\", body = { text = \"x\" } }\n";

/// A project that tells a Slack in good weather.
pub(crate) fn told() -> (FakeSlack, Project) {
    told_and("")
}

/// The same with more in the project file.
fn told_and(more: &str) -> (FakeSlack, Project) {
    // Nobody waits here for Slack's own pace.
    let limits = Limits { pace: Duration::from_millis(10), ..Limits::default() };
    let settings = Settings { limits, ..Settings::default() };
    let slack = FakeSlack::start(settings, Weather::default()).unwrap();
    let project = Project::new(&format!(
        "[[notify.channels]]\nname = \"team\"\nkind = \"slack-bot\"\nchannel = \"{CHANNEL}\"\napi = \"{}\"\nsecret = {{ file = \"token\" }}\n\
         [[notify.channels]]\nname = \"hook\"\nkind = \"slack-webhook\"\nsecret = {{ file = \"hook\" }}\n{more}",
        slack.api()
    ));
    project.write("token", TOKEN);
    project.write("hook", &slack.webhook());
    (slack, project)
}
