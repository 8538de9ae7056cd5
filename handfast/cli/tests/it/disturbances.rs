//! What is done to peers and links beside the steps, and what the report says of it.

use crate::support::Project;

const SEND: &str = "[[step]]\nrole = \"a\"\ncall = \"message.send\"\nwith = { to = \"b\", body = { text = \"hello\" } }\n";
const CALM: &str = "[[step]]\ncalm = \"20s\"\n";
const ARRIVED: &str = "[[step]]\nexpect = \"message.inbox\"\non = [\"b\"]\neventually = \"10s\"\nhas = { from = \"a\" }\n";

#[track_caller]
fn check(scenario: &str, more: &[&str], code: i32, closing: &str, parts: &[&str]) {
    let arguments = [&["run"], more].concat();
    let project = Project::new("");
    let text = format!("name = \"the scenario x\"\n{scenario}");
    project.write("scenarios/test_unit_x.toml", &text);
    project.run(&arguments).check(code, closing, parts);
}

#[test]
fn what_was_done_to_processes_stands_beside_what_was_asked() {
    let disturbances = "[[disturbance]]\nat = \"0ms\"\nfor = \"100ms\"\npause = \"a\"\n\
                        [[disturbance]]\nat = \"10ms\"\nfor = \"50ms\"\nkill = \"b\"\n\
                        [[disturbance]]\nat = \"300ms\"\ncrash-loop = { role = \"b\", times = 2, every = \"20ms\" }\n";
    let parts = [
        "asked",
        "measured",
        "a stands still for 100ms",
        "every thread stood still",
        "b is killed for 50ms",
        "gone after",
        "ready again after",
        "2 of 2 crashes",
    ];
    check(&format!("{disturbances}{CALM}{SEND}{ARRIVED}"), &[], 0, "1 passed, 0 failed", &parts);
}

#[test]
fn a_start_waits_for_a_kill_that_nothing_undoes() {
    let kill = "[[disturbance]]\nat = \"100ms\"\nkill = \"b\"\n";
    let steps = format!("{kill}[[step]]\nstart = \"b\"\n{SEND}{ARRIVED}");
    check(&steps, &[], 0, "1 passed, 0 failed", &["b is killed"]);
}

#[test]
fn a_moment_that_never_comes_takes_away_the_pass() {
    let never =
        "[[disturbance]]\nwhen = { event = \"message.received\", role = \"a\" }\nkill = \"b\"\n";
    let parts = ["INFRA", "never-exercised", "line 2", "a never told of message.received"];
    check(&format!("{never}{SEND}{CALM}{ARRIVED}"), &[], 3, "0 passed, 1 failed", &parts);
}

/// The message has arrived, but its answer is still under way when it is to be calm.
#[test]
fn a_message_that_is_under_way_when_it_is_to_be_calm_begins_what_waits_for_it() {
    let slow = "network = { delay = \"400ms\" }\n\
        [[disturbance]]\nwhen = { from = \"a\", to = \"b\", type = \"message\", nth = 1 }\nfor = \"100ms\"\npause = \"b\"\n";
    let both = "[[step]]\nparallel = true\n\
        [[step.do]]\nrole = \"a\"\ncall = \"message.send\"\nwith = { to = \"b\", body = { text = \"hello\" } }\n\
        [[step.do]]\nrepeat = { count = 1 }\n\
        [[step.do.do]]\nevent = \"message.received\"\non = \"b\"\nwithin = \"10s\"\n\
        [[step.do.do]]\ncalm = \"20s\"\n";
    let parts = ["b stands still for 100ms", "every thread stood still"];
    check(&format!("{slow}{both}"), &["--network", "proxies"], 0, "1 passed, 0 failed", &parts);
}

#[test]
fn what_lasts_longer_than_calm_is_named() {
    let long = "[[disturbance]]\nat = \"0ms\"\nfor = \"20s\"\npause = \"b\"\n";
    let steps = format!("{long}[[step]]\ncalm = \"300ms\"\n");
    let parts = ["INFRA", "not calm within 300ms: b stands still"];
    // The guard lets b go on, so that it can be shut down in order.
    check(&steps, &[], 3, "0 passed, 1 failed", &parts);
}

#[test]
fn a_clock_that_cannot_be_shifted_is_not_supported() {
    let clock = "[[disturbance]]\nat = \"0ms\"\nclock = { role = \"b\", offset = \"-90s\" }\n";
    let project = Project::new("").scenario("x", &format!("{clock}{CALM}"));
    let ran = project.run(&["run"]);
    assert!(ran.out.contains("b does not offer clock.offset"), "{}{}", ran.out, ran.error);
    assert_ne!(ran.code, 0);
}

const LINK: &str = "network = { delay = \"20ms\" }\n\
    [[disturbance]]\nat = \"0ms\"\nfor = \"300ms\"\nnetwork = { between = [\"a\", \"b\"], delay = \"40ms\" }\n";

#[test]
fn a_network_is_made_by_whatever_the_host_gives() {
    let parts = ["network by ", "delay 20ms", "a -> b", "20ms", "40ms", "held"];
    check(&format!("{LINK}{SEND}{CALM}{SEND}{ARRIVED}"), &[], 0, "1 passed, 0 failed", &parts);
}

#[test]
fn without_namespaces_proxies_do_it_and_the_report_says_so() {
    let parts = ["network by proxies (--network proxies)", "a -> b", "20ms", "40ms", "held"];
    let steps = format!("{LINK}{SEND}{CALM}{SEND}{ARRIVED}");
    check(&steps, &["--network", "proxies"], 0, "1 passed, 0 failed", &parts);
}

#[test]
fn a_disturbance_that_met_nothing_takes_away_the_pass() {
    let steps = format!("{LINK}{CALM}{SEND}{ARRIVED}");
    let parts = ["INFRA", "nothing was under way meanwhile"];
    check(&steps, &["--network", "proxies"], 3, "0 passed, 1 failed", &parts);
}
