//! The right verdict for every way to go wrong, and no process left.

use crate::support::Project;

fn call(role: &str, method: &str, more: &str) -> String {
    format!("[[step]]\nrole = \"{role}\"\ncall = \"{method}\"\n{more}\n")
}

#[track_caller]
fn check(project: &str, steps: &str, code: i32, closing: &str, parts: &[&str]) {
    Project::new(project).scenario("x", steps).run(&["run"]).check(code, closing, parts);
}

#[test]
fn two_peers_that_do_as_they_should_pass() {
    let send = call("a", "message.send", "with = { to = \"b\", body = { text = \"hello\" } }");
    let steps = format!(
        "{send}[[step]]\nexpect = \"message.inbox\"\non = [\"b\"]\nhas = {{ from = \"a\", body = {{ text = \"hello\" }} }}\n"
    );
    check("", &steps, 0, "1 passed, 0 failed", &["PASS", "the scenario x", "cell overhead p50"]);
}

#[test]
fn a_scenario_that_fails_tells_which_expectation_and_what_was_there() {
    let steps = "[[step]]\nexpect = \"message.inbox\"\non = [\"b\"]\nhas = { from = \"a\" }\n";
    let parts = [
        "FAIL",
        "scenarios/test_unit_x.toml:4 step 1",
        "to have {\"from\":\"a\"}",
        "it had: nothing",
        "end of the log of a:",
        "listening at",
        "again: handfast run test_unit_x --peer a=py --peer b=py",
    ];
    check("", steps, 1, "0 passed, 1 failed", &parts);
}

#[test]
fn a_call_that_is_not_answered_fails_at_its_deadline() {
    let steps = call("a", "hang", "within = \"200ms\"");
    check("", &steps, 1, "0 passed, 1 failed", &["FAIL", "expected an answer within 200ms"]);
}

#[test]
fn a_scenario_that_hangs_is_ended_at_its_budget() {
    let project = "[categories.unit]\nbudget = \"2s\"\n";
    let steps = call("a", "hang", "within = \"1h\"");
    let parts = [
        "HUNG",
        "not done within 2s, while step 1: a calls hang",
        "not done: scenarios/test_unit_x.toml:4",
    ];
    check(project, &steps, 1, "0 passed, 1 failed", &parts);
}

#[test]
fn a_peer_that_crashes_fails_its_scenario_with_its_exit_code_and_last_words() {
    let steps = call("b", "crash", "");
    check("", &steps, 1, "0 passed, 1 failed", &["FAIL", "exit code 7", "about to crash"]);
}

#[test]
fn a_peer_that_floods_its_stdout_is_stopped() {
    let steps = call("b", "flood", "within = \"60s\"");
    check("", &steps, 1, "0 passed, 1 failed", &["FAIL", "broke the contract"]);
}

#[test]
fn a_peer_that_floods_its_log_passes_and_its_log_is_cut() {
    let steps = call("b", "noise", "with = { lines = 100000 }\nwithin = \"60s\"");
    let project = Project::new("").scenario("x", &steps);
    project.run(&["run"]).check(0, "1 passed, 0 failed", &[]);
    let log = project.last_record().join("logs/test_unit_x/b.log");
    let text = std::fs::read_to_string(log).unwrap();
    assert!(
        text.contains("lines are left out here") && text.ends_with("noise 99999\n"),
        "{}",
        text.len()
    );
}

#[test]
fn a_process_that_a_peer_leaves_behind_is_ended_and_told() {
    let steps = call("a", "leave-a-daemon", "");
    check("", &steps, 0, "1 passed, 0 failed", &["left-processes", "peers left processes behind"]);
}

#[test]
fn a_method_that_a_peer_does_not_have_is_unsupported_not_failed() {
    let steps = call("a", "token.transfer", "");
    check("", &steps, 4, "0 passed, 0 failed", &["UNSUP", "a does not offer token.transfer"]);
}

#[test]
fn a_rule_of_the_wire_that_never_acts_is_no_pass() {
    let steps = "[[step]]\nwire = { from = \"a\", to = \"b\", drop = true }\n";
    check("", steps, 3, "0 passed, 1 failed", &["INFRA", "never-exercised: line 4"]);
}

const KILL_B_ON_RECEIPT: &str =
    "[[step]]\nfault = { kill = \"b\", when = { event = \"message.received\", role = \"b\" } }\n";

#[test]
fn a_fault_whose_moment_does_not_come_is_no_pass() {
    let parts = ["INFRA", "never-exercised: line 4", "its moment did not come"];
    check("", KILL_B_ON_RECEIPT, 3, "0 passed, 1 failed", &parts);
}

#[test]
fn a_peer_is_started_again_after_the_kill_that_was_announced_however_late_that_comes() {
    let slow = call("b", "message.send", "with = { to = \"a\", body = {} }\noutcome = \"unknown\"");
    let send = call("a", "message.send", "with = { to = \"b\", body = {} }\noutcome = \"unknown\"");
    let again = "[[step]]\nstart = \"b\"\n";
    let steps = format!("{KILL_B_ON_RECEIPT}{send}{again}{slow}");
    let project = Project::new("").scenario("x", &steps);
    project.run(&["run", "--repeat", "10"]).check(0, "10 passed, 0 failed", &["PASS"]);
}

#[test]
fn a_peer_is_killed_by_a_message_on_the_wire_and_started_after_it() {
    let send = call("a", "message.send", "with = { to = \"b\", body = {} }\noutcome = \"unknown\"");
    let steps = format!(
        "[[step]]\nfault = {{ kill = \"b\", when = {{ from = \"a\", to = \"b\", type = \"message\", nth = 2 }} }}\n{send}{send}[[step]]\nstart = \"b\"\n[[step]]\nexpect = \"message.inbox\"\non = \"b\"\ncount = 0\n"
    );
    check("", &steps, 0, "1 passed, 0 failed", &["PASS"]);
}

#[test]
fn a_share_of_the_wire_is_the_same_again_with_the_same_seed() {
    let steps = "[[step]]\nwire = { from = \"a\", to = \"b\", type = \"message\", drop = { percent = 50 } }\n\
        [[step]]\nrepeat = { count = 20 }\n[[step.do]]\nrole = \"a\"\ncall = \"message.send\"\n\
        with = { to = \"b\", body = {} }\noutcome = \"unknown\"\n";
    let project = Project::new("").scenario("x", steps);
    let dropped = |seed: &str| {
        project.run(&["run", "--seed", seed]).check(0, "1 passed, 0 failed", &[]);
        let events = std::fs::read_to_string(project.last_record().join("events.jsonl")).unwrap();
        let wire = events.lines().filter(|line| line.contains("\"kind\":\"wire_message\""));
        let messages = wire.filter(|line| line.contains("\"message_type\":\"message\""));
        messages.map(|line| line.contains("\"dropped\"")).collect::<Vec<_>>()
    };
    let first = dropped("7");
    assert_eq!(first.len(), 20);
    assert!(first.contains(&true) && first.contains(&false));
    assert_eq!(first, dropped("7"));
    assert_ne!(first, dropped("8"));
}

#[test]
fn an_event_that_no_peer_announces_cannot_be_forbidden_or_awaited() {
    let steps = "[[step]]\nnever = \"mesage.received\"\non = [\"b\"]\nfor = \"rest\"\n";
    let why = "b does not announce the event `mesage.received`";
    check("", steps, 3, "0 passed, 1 failed", &["INFRA", why, "message.received"]);
    let steps = "[[step]]\nevent = \"mesage.received\"\non = [\"b\"]\nwithin = \"5s\"\n";
    check("", steps, 3, "0 passed, 1 failed", &["INFRA", why]);
}

#[test]
fn a_killed_peer_is_expected_to_be_gone_and_can_be_started_again() {
    let send = call("a", "message.send", "with = { to = \"b\", body = { text = \"again\" } }");
    let steps = format!(
        "[[step]]\nkill = \"b\"\n[[step]]\nstart = \"b\"\n{send}[[step]]\nevent = \"message.received\"\non = [\"b\"]\nwithin = \"5s\"\n"
    );
    check("", &steps, 0, "1 passed, 0 failed", &["PASS"]);
}

#[test]
fn a_forbidden_event_fails_the_scenario() {
    let send = call("a", "message.send", "with = { to = \"b\", body = { text = \"psst\" } }");
    let steps = format!(
        "{send}[[step]]\nnever = \"message.received\"\non = [\"b\"]\nfor = \"until-next-step\"\n"
    );
    check("", &steps, 1, "0 passed, 1 failed", &["expected no message.received from b"]);
}

/// `sends` messages while one is waited for, then no further one is allowed.
fn wait_for_one_and_forbid_the_rest(sends: usize) -> String {
    let send =
        "[[step.do]]\nrole = \"a\"\ncall = \"message.send\"\nwith = { to = \"b\", body = {} }\n";
    let wait = "[[step.do]]\nevent = \"message.received\"\non = [\"b\"]\nwithin = \"5s\"\n";
    format!(
        "[[step]]\nparallel = true\n{wait}{}[[step]]\nnever = \"message.received\"\non = [\"b\"]\n",
        send.repeat(sends)
    )
}

#[test]
fn what_an_event_step_has_claimed_is_allowed_and_only_the_rest_is_forbidden() {
    let one = wait_for_one_and_forbid_the_rest(1);
    check("", &one, 0, "1 passed, 0 failed", &["PASS"]);
    let two = wait_for_one_and_forbid_the_rest(2);
    check("", &two, 1, "0 passed, 1 failed", &["expected no message.received from b"]);
}

#[test]
fn an_oracle_that_finds_something_fails_the_scenario() {
    let send =
        call("a", "message.send", "with = { to = \"b\", body = { text = \"an open secret\" } }");
    let steps = format!("{send}[[step]]\ncheck = [\"wire-signed\"]\n");
    check("", &steps, 1, "0 passed, 1 failed", &["wire-signed", "has no signature"]);
}
