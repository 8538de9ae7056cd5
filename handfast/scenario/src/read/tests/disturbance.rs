//! Networks and disturbances: what is read, and what is said of mistakes.

use handfast_faults::conditions::{ConditionsPatch, Cut, Loss};
use handfast_faults::disturbance::{Cue, Limit, What, When};

use super::*;
use crate::scenario::{DISTURBANCES_MAX, Network};

/// A file whose third line begins a disturbance and whose fourth is `lines`.
#[track_caller]
fn check_problem(lines: &str, expected: &[&str]) {
    check_problems(&format!("name = \"n\"\n\n[[disturbance]]\n{lines}\n"), expected);
}

fn only(lines: &str) -> handfast_faults::disturbance::Disturbance {
    let scenario = one(&format!("name = \"n\"\n[[disturbance]]\n{lines}\n"));
    assert_eq!((scenario.disturbances.len(), scenario.disturbed_at[0].line), (1, 2));
    scenario.disturbances.into_iter().next().unwrap()
}

#[test]
fn a_network_is_a_preset_or_conditions_or_none() {
    let network = |text: &str| one(&format!("name = \"n\"\nnetwork = {text}\n")).network;
    assert_eq!(network("\"none\""), Network::None);
    let dsl = network("\"dsl\"");
    assert_eq!(dsl, Network::Preset("dsl"));
    assert_ne!(dsl.toward("a", "b"), dsl.toward("b", "a"), "a has the link");
    let own = network("{ delay = \"50ms\", jitter = \"10ms\", loss = 0.02, burst = 8 }");
    assert_eq!(own.name(), "own");
    assert!(own.describe().starts_with("delay 50ms"), "{}", own.describe());
    assert!(matches!(own.toward("a", "b").loss, Loss::GilbertElliott { .. }));
    assert_eq!(own.toward("a", "b"), own.toward("b", "a"));
}

#[test]
fn only_a_scenario_that_asks_for_one_has_a_network_of_its_own() {
    let needs = |text: &str| one(&format!("name = \"n\"\n{text}\n")).needs_network();
    assert!(!needs("network = \"none\"") && !needs("[[disturbance]]\nat = \"1s\"\nkill = \"b\""));
    assert!(needs("network = { loss = 0.1 }"));
    assert!(needs("[[disturbance]]\nat = \"1s\"\ncut = { between = [\"a\", \"b\"] }"));
}

#[test]
fn a_network_of_a_variant_is_filled_in() {
    let text = "name = \"n\"\nvariants = [{ link = \"lte\" }, { link = { loss = 0.1 } }]\n\
                network = \"${link}\"\n";
    let names: Vec<&str> =
        parse(text).unwrap().iter().map(|scenario| scenario.network.name()).collect();
    assert_eq!(names, ["lte", "own"]);
}

#[test]
fn each_kind_of_disturbance_is_read() {
    let what = |line: &str| only(&format!("at = \"1s\"\n{line}")).what;
    let (a, b) = ("a".to_owned(), "b".to_owned());
    let change = serde_json::from_value::<ConditionsPatch>(json!({ "loss": 0.2 })).unwrap();
    assert_eq!(
        what("network = { between = [\"a\", \"b\"], loss = 0.2 }"),
        What::Network { from: a.clone(), to: b.clone(), both: true, change }
    );
    assert_eq!(
        what("cut = { from = \"a\", to = \"b\", how = \"reset\" }"),
        What::Cut { from: a, to: b.clone(), both: false, how: Cut::Reset }
    );
    assert_eq!(what("kill = \"b\""), What::Kill { role: b.clone() });
    assert_eq!(what("pause = \"b\""), What::Pause { role: b.clone() });
    assert_eq!(
        what("crash-loop = { role = \"b\", times = 3, every = \"500ms\" }"),
        What::CrashLoop { role: b.clone(), times: 3, every: Duration::from_millis(500) }
    );
    assert_eq!(
        what("clock = { role = \"b\", offset = \"-90s\" }"),
        What::Clock { role: b.clone(), offset_ms: -90_000 }
    );
    let limit = |text: &str| what(&format!("limit = {{ role = \"b\", {text} }}"));
    let limited = |what: Limit| What::Limit { role: "b".to_owned(), what };
    assert_eq!(limit("cpu = \"20%\""), limited(Limit::Cpu { percent: 20 }));
    assert_eq!(limit("memory = \"64MiB\""), limited(Limit::Memory { bytes: 64 << 20 }));
    assert_eq!(limit("processes = 8"), limited(Limit::Processes { most: 8 }));
    assert_eq!(limit("descriptors = 32"), limited(Limit::Descriptors { most: 32 }));
    assert_eq!(limit("disk = \"full\""), limited(Limit::DiskFull));
    assert_eq!(limit("disk = \"64KiB/s\""), limited(Limit::DiskSlow { bytes_per_s: 64 << 10 }));
}

#[test]
fn a_disturbance_begins_at_a_time_or_with_an_event_or_a_message() {
    let at = only("at = \"1500ms\"\nfor = \"3s\"\nkill = \"b\"");
    assert_eq!(at.when, When::At(Duration::from_millis(1_500)));
    assert_eq!(at.lasts, Some(Duration::from_secs(3)));
    let event = only(
        "when = { event = \"x.y\", role = \"b\", where = { from = \"${a.key}\" } }\n\
         after = \"10ms\"\nkill = \"b\"",
    );
    let includes = Some(json!({ "from": "${a.key}" }));
    let cue = Cue::Notification { role: "b".to_owned(), event: "x.y".to_owned(), includes };
    assert_eq!(event.when, When::On { cue, after: Duration::from_millis(10) });
    let message = only("when = { from = \"a\", to = \"b\", type = \"t\", nth = 2 }\nkill = \"b\"");
    let (from, to) = ("a".to_owned(), "b".to_owned());
    let cue = Cue::Message { from, to, message_type: Some("t".to_owned()), nth: 2 };
    assert_eq!(message.when, When::On { cue, after: Duration::ZERO });
}

#[test]
fn a_disturbance_without_a_name_is_called_what_it_does() {
    let twice = "[[disturbance]]\nat = \"1s\"\nkill = \"b\"\n".repeat(2);
    let scenario = one(&format!("name = \"n\"\n{twice}"));
    let names: Vec<&str> =
        scenario.disturbances.iter().map(|disturbance| disturbance.name.as_str()).collect();
    let first = scenario.disturbances[0].what.to_string();
    assert_eq!(names, [first.clone(), format!("{first} (2)")]);
    assert_eq!(only("name = \"n\"\nat = \"1s\"\nkill = \"b\"").name, "n");
}

#[test]
fn a_disturbance_does_one_thing_at_one_moment() {
    check_problem(
        "at = \"1s\"",
        &[concat!(
            "3:1: a disturbance does not say what it does; ",
            "add one of network, cut, kill, pause, crash-loop, clock, limit"
        )],
    );
    check_problem(
        "at = \"1s\"\nkill = \"b\"\npause = \"b\"",
        &[
            "3:1: a disturbance does one thing, this one `kill` and `pause`; make two disturbances of it",
        ],
    );
    check_problem(
        "kill = \"b\"",
        &[concat!(
            "3:1: a disturbance does not say when it begins; ",
            "add `at = \"1s\"` (since the first step) or `when = { event = .., role = .. }`"
        )],
    );
    check_problem(
        "at = \"1s\"\nwhen = { event = \"x\", role = \"b\" }\nkill = \"b\"",
        &["5:1: `at` and `when` exclude each other; leave one out"],
    );
    check_problem(
        "at = \"1s\"\nafter = \"1s\"\nkill = \"b\"",
        &["5:1: `after` means nothing beside `at`; leave it out"],
    );
    check_problem(
        "at = \"1s\"\nkil = \"b\"",
        &[
            "3:1: a disturbance does not say what it does; add one of network, cut, kill, pause, crash-loop, clock, limit",
            "5:1: a disturbance has no `kil`; did you mean `kill`?",
        ],
    );
}

#[test]
fn a_link_has_two_different_ends() {
    check_problem(
        "at = \"1s\"\ncut = { from = \"a\" }",
        &[concat!(
            "5:7: a cut says between whom: `between`, or `from` and `to`; ",
            "write `between = [\"a\", \"b\"]`, or `from = \"a\", to = \"b\"` for one direction"
        )],
    );
    check_problem(
        "at = \"1s\"\ncut = { between = [\"a\", \"a\"] }",
        &["5:19: a has no link to itself; name two different roles"],
    );
    check_problem(
        "at = \"1s\"\ncut = { between = [\"a\", \"c\"] }",
        &["5:25: there is no role \"c\"; add [roles.c], or use one of a, b"],
    );
    check_problem(
        "at = \"1s\"\nnetwork = { between = [\"a\", \"b\"] }",
        &[concat!(
            "5:11: a network disturbance changes nothing; add one of delay, jitter, shape, ",
            "correlation, keeps_order, loss, burst, duplicate, corrupt, renew_checksums, reorder, ",
            "reorder_by, rate, queue, mtu, dead_flows"
        )],
    );
}

#[test]
fn a_wrong_condition_is_pointed_at() {
    let check = |text: &str, part: &str, place: &str| {
        let problems = parse(&format!("name = \"n\"\nnetwork = {text}\n")).unwrap_err();
        let problems = problems.to_plain_text();
        assert!(problems.contains(part) && problems.contains(place), "{problems}");
    };
    check("\"lta\"", "did you mean \"lte\"?", ":2:11:");
    check("{ dealy = \"1s\" }", "did you mean `delay`?", ":2:13:");
    check("{ loss = 2 }", "2 is not between 0 and 1", ":2:20:");
    check("{ loss = 2 }", "write `loss = 0.02, a share from 0 to 1`", ":2:20:");
    check("{ delay = \"50\" }", "is no unit of time", ":2:21:");
    check("{ rate = \"10MB/s\" }", "is no unit of rates", ":2:20:");
    check("{ burst = 8 }", "`burst` says nothing without `loss`", ":2:13:");
    check("{ queue = \"1s\" }", "`queue` says nothing without `rate`", ":2:13:");
    check("{ mtu = 10 }", "`mtu` is 10", ":2:19:");
    check("7", "the name of a preset, or a table of conditions", ":2:11:");
}

#[test]
fn a_wrong_limit_is_pointed_at() {
    let limit = |text: &str| format!("at = \"1s\"\nlimit = {{ role = \"b\", {text} }}");
    check_problem(
        &limit("cpu = \"20\""),
        &[concat!(
            "5:29: `cpu` has to be whole percent of one processor, 1 to 100, this is a text; ",
            "write `cpu = \"20%\"`"
        )],
    );
    check_problem(
        &limit("disk = \"slow\""),
        &[concat!(
            "5:30: `disk` cannot be \"slow\"; ",
            "write \"full\", or what passes in a second, such as \"64KiB/s\""
        )],
    );
    check_problem(
        &limit("processes = 0"),
        &["5:35: `processes` is 0; use a number from 1 to 1000000"],
    );
    check_problem(
        &limit("cpu = \"20%\", processes = 3"),
        &[
            "5:9: a limit is on exactly one thing; write one of cpu, memory, processes, descriptors, disk",
        ],
    );
}

#[test]
fn a_crash_loop_ends_by_itself() {
    check_problem(
        "at = \"1s\"\nfor = \"1s\"\ncrash-loop = { role = \"b\", times = 3, every = \"1s\" }",
        &["5:1: a crash loop is over when it has crashed as often as it says; leave `for` out"],
    );
}

#[test]
fn disturbances_have_a_limit_and_names_of_their_own() {
    let some = |count: usize| {
        "name = \"n\"\n".to_owned() + &"[[disturbance]]\nat = \"1s\"\nkill = \"b\"\n".repeat(count)
    };
    assert_eq!(one(&some(DISTURBANCES_MAX)).disturbances.len(), DISTURBANCES_MAX);
    let problems = parse(&some(DISTURBANCES_MAX + 1)).unwrap_err().to_plain_text();
    assert!(problems.contains("at most 256 disturbances"), "{problems}");
    let named = "[[disturbance]]\nname = \"x\"\nat = \"1s\"\nkill = \"b\"\n".repeat(2);
    check_problems(
        &format!("name = \"n\"\n{named}"),
        &["6:1: there are two disturbances \"x\"; give it another name"],
    );
    check_problems(
        "name = \"n\"\n[disturbance]\nat = \"1s\"\nkill = \"b\"\n",
        &["2:1: `disturbance` is a table, and has to be a list of them; write `[[disturbance]]`"],
    );
}

#[test]
fn calm_is_waited_for() {
    assert_eq!(only_step("[[step]]\ncalm = \"30s\""), StepKind::Calm(Duration::from_secs(30)));
    check_step_problem(
        "calm = true",
        &["4:8: `calm` has to be a duration, this is true or false; write `calm = \"500ms\"`"],
    );
}
