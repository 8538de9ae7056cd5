//! What is read, and what a person is told who made a mistake.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::expectation::Condition;
use crate::name::RoleName;
use crate::scenario::{Introduce, ROLES_MAX, STEPS_MAX, VARIABLE_LEN_MAX, VARIANTS_MAX};
use crate::step::{
    Expected, Lasts, Pace, ROUNDS_MAX, Rounds, Select, StepKind, Trigger, Wire, WireAction,
};

fn parse(text: &str) -> Result<Vec<Scenario>, Problems> {
    let oracles = BTreeSet::from(["exactly-once".to_owned(), "recovery".to_owned()]);
    Scenario::parse("meeting/test_e2e_x.toml", text, &Vocabulary { oracles })
}

fn one(text: &str) -> Scenario {
    let scenarios = parse(text).unwrap_or_else(|problems| panic!("{}", problems.to_plain_text()));
    assert_eq!(scenarios.len(), 1);
    scenarios.into_iter().next().unwrap()
}

fn only_step(text: &str) -> StepKind {
    let scenario = one(&format!("name = \"n\"\n{text}"));
    assert_eq!(scenario.steps.len(), 1);
    scenario.steps.into_iter().next().unwrap().kind
}

/// `expected` holds one line for each mistake, without the name of the file.
#[track_caller]
fn check_problems(text: &str, expected: &[&str]) {
    let problems = parse(text).expect_err("the file has a mistake");
    let found = problems.to_plain_text().replace("meeting/test_e2e_x.toml:", "");
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

/// A file whose third line begins a step and whose fourth is `line`.
#[track_caller]
fn check_step_problem(lines: &str, expected: &[&str]) {
    check_problems(&format!("name = \"n\"\n\n[[step]]\n{lines}\n"), expected);
}

#[test]
fn a_file_without_roles_has_a_and_b() {
    let scenario = one("name = \"n\"");
    assert_eq!(scenario.id.to_string(), "meeting/test_e2e_x");
    assert_eq!(scenario.roles.keys().map(RoleName::as_str).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(scenario.introduce, Introduce::All);
    assert!(scenario.steps.is_empty());
}

#[test]
fn roles_that_are_measured_have_to_be_there() {
    let kind = only_step("[[step]]\nmeasure = [\"a\", \"b\"]\n");
    let StepKind::Measure(roles) = kind else { panic!("another step: {kind:?}") };
    assert_eq!(roles.iter().map(RoleName::as_str).collect::<Vec<_>>(), ["a", "b"]);
    check_step_problem("measure = []", &["4:11: `measure` names nobody; name at least one role"]);
}

#[test]
fn a_call_is_read_with_everything_it_has() {
    let kind = only_step(
        "[[step]]\nrole = \"a\"\ncall = \"session.open\"\nwith = { to = \"${b.name}\" }\n\
         within = \"500ms\"\nreturns = { state = \"ready\" }\nsave = { session = \"id\" }\n",
    );
    let StepKind::Call(call) = kind else { panic!("{kind:?}") };
    assert_eq!((call.role.as_str(), call.method.as_str()), ("a", "session.open"));
    assert_eq!(call.within, Duration::from_millis(500));
    assert_eq!(call.params.raw(), &json!({"to": "${b.name}"}));
    assert!(matches!(call.outcome, Expected::Ok { returns: Some(_) }));
    assert_eq!(call.save["session"].to_string(), "id");
}

#[test]
fn a_saved_name_is_known_afterwards_and_a_where_belongs_to_count() {
    let scenario = one(
        "name = \"n\"\n[[step]]\nrole = \"a\"\ncall = \"session.open\"\nsave = { session = \"id\" }\n\
         [[step]]\nexpect = \"session.list\"\non = [\"a\", \"b\"]\neventually = \"1s\"\n\
         has = { id = \"${session}\" }\ncount = 1\nwhere = { state = \"ready\" }\n",
    );
    let StepKind::Expect(expect) = &scenario.steps[1].kind else { panic!() };
    assert_eq!(expect.on.len(), 2);
    assert_eq!(expect.eventually, Some(Duration::from_secs(1)));
    assert!(matches!(
        expect.conditions.as_slice(),
        [Condition::Has(_), Condition::Count { like: Some(_), .. }]
    ));
}

#[test]
fn refusals_are_read_in_their_three_forms() {
    let outcome = |line: &str| {
        let kind = only_step(&format!("[[step]]\nrole = \"a\"\ncall = \"x\"\n{line}\n"));
        let StepKind::Call(call) = kind else { panic!("{kind:?}") };
        call.outcome
    };
    assert_eq!(outcome("refused = true"), Expected::Refused { like: None });
    assert_eq!(outcome("outcome = \"refused\""), Expected::Refused { like: None });
    assert!(matches!(outcome("refused = { status = 409 }"), Expected::Refused { like: Some(_) }));
    assert_eq!(outcome("outcome = \"unknown\""), Expected::Unknown);
}

#[test]
fn rounds_come_one_by_one_unless_the_step_says_at_once() {
    let pace = |more: &str| {
        let text = format!("[[step]]\nrepeat = {{ count = 3 }}\n{more}[[step.do]]\nstop = \"a\"\n");
        let kind = only_step(&text);
        let StepKind::Repeat(repeat) = kind else { panic!("{kind:?}") };
        repeat.pace
    };
    assert_eq!(pace(""), Pace::OneByOne);
    assert_eq!(pace("at_once = false\n"), Pace::OneByOne);
    assert_eq!(pace("at_once = true\n"), Pace::AtOnce);
}

#[test]
fn a_repeat_reads_its_rounds_by_column_and_by_row() {
    let rows = |repeat: &str| {
        let kind = only_step(&format!("[[step]]\nrepeat = {repeat}\n[[step.do]]\nstop = \"a\"\n"));
        let StepKind::Repeat(repeat) = kind else { panic!("{kind:?}") };
        match repeat.rounds {
            Rounds::Rows(rows) => rows.len(),
            Rounds::Count(count) => count,
        }
    };
    assert_eq!(rows("{ count = 7 }"), 7);
    assert_eq!(rows("{ f = [1, 2, 3], g = [4, 5, 6] }"), 3);
    assert_eq!(rows("[{ f = 1 }, { f = 2 }]"), 2);
}

#[test]
fn the_variables_of_a_round_are_known_inside_it() {
    one("name = \"n\"\n[[step]]\nrepeat = { field = [\"nonce\"] }\n[[step.do]]\n\
         wire = { from = \"a\", to = \"b\", replace = { field = \"${field}\", by = \"flip-one-bit\" } }\n\
         [[step.do]]\nrole = \"a\"\ncall = \"x\"\nwith = { round = \"${round}\" }\n");
}

#[test]
fn a_wire_rule_touches_the_next_request_unless_it_says_otherwise() {
    let StepKind::Wire(Wire::Rule(rule)) =
        only_step("[[step]]\nwire = { from = \"a\", to = \"b\", drop = true }\n")
    else {
        panic!()
    };
    assert_eq!(rule.select, Select::Nth(1));
    assert_eq!(rule.half, crate::event::Half::Request);
    assert_eq!(rule.action, WireAction::Drop);
}

#[test]
fn a_share_is_read_in_tenths_of_a_percent() {
    let select = |action: &str| {
        let text = format!("[[step]]\nwire = {{ from = \"a\", to = \"b\", {action} }}\n");
        let StepKind::Wire(Wire::Rule(rule)) = only_step(&text) else { panic!() };
        (rule.select, rule.action)
    };
    let share = |per_mille| Select::Share { per_mille };
    assert_eq!(select("drop = { percent = 5 }"), (share(50), WireAction::Drop));
    assert_eq!(select("duplicate = { percent = 0.1 }"), (share(1), WireAction::Duplicate));
    assert_eq!(select("cut = { percent = 100 }"), (share(1_000), WireAction::Cut));
    for percent in ["0", "0.05", "100.1", "-1", "\"5\"", "9223372036854775807"] {
        let line =
            format!("wire = {{ from = \"a\", to = \"b\", drop = {{ percent = {percent} }} }}");
        check_step_problem(
            &line,
            &[
                "4:51: `percent` has to be from 0.1 to 100, with one digit after the point; write `percent = 5`",
            ],
        );
    }
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", drop = { percent = 5 }, nth = 3 }",
        &[
            "4:56: `nth` and a share exclude each other; leave it out: `drop` looks at every message",
        ],
    );
}

#[test]
fn the_moment_of_a_fault_is_a_notification_or_a_message() {
    let when = |moment: &str| {
        let text = format!("[[step]]\nfault = {{ kill = \"b\", when = {moment} }}\n");
        let StepKind::Fault(fault) = only_step(&text) else { panic!() };
        fault.when.unwrap()
    };
    let role = |name: &str| RoleName::new(name).unwrap();
    let (from, to) = (role("a"), role("b"));
    assert_eq!(
        when("{ from = \"a\", to = \"b\", type = \"chunk\", nth = 9 }"),
        Trigger::Message { from, to, message_type: Some("chunk".to_owned()), nth: 9 }
    );
    assert!(matches!(when("{ event = \"x\", role = \"b\" }"), Trigger::Notification { .. }));
    check_step_problem(
        "fault = { kill = \"b\", when = { event = \"x\", role = \"b\", nth = 3 } }",
        &["4:57: `nth` means nothing beside `event`; \
           a moment is a notification (`event`, `role`) or a message (`from`, `to`)"],
    );
    check_step_problem(
        "fault = { kill = \"b\", when = { from = \"a\", to = \"b\", role = \"b\" } }",
        &["4:54: `role` means nothing for a message on the wire; leave it out"],
    );
}

#[test]
fn a_wire_rule_answers_in_place_of_the_receiver() {
    let action = |respond: &str| {
        let step =
            format!("[[step]]\nwire = {{ from = \"a\", to = \"b\", respond = {respond} }}\n");
        let StepKind::Wire(Wire::Rule(rule)) = only_step(&step) else { panic!() };
        let WireAction::Respond { status, body } = rule.action else { panic!("{:?}", rule.action) };
        (status, body.map(|body| body.raw().clone()))
    };
    assert_eq!(action("{ status = 200 }"), (200, None));
    let body = Some(json!({ "detail": "gone" }));
    assert_eq!(action("{ status = 599, body = { detail = \"gone\" } }"), (599, body));
}

#[test]
fn a_never_lasts_until_the_next_step_unless_it_says_otherwise() {
    let lasts = |line: &str| {
        let head = "[[step]]\nnever = \"message.received\"\non = [\"b\"]\n";
        let kind = only_step(&format!("{head}{line}\n"));
        let StepKind::Never(never) = kind else { panic!("{kind:?}") };
        never.lasts
    };
    assert_eq!(lasts(""), Lasts::UntilNextStep);
    assert_eq!(lasts("for = \"rest\""), Lasts::Rest);
    assert_eq!(lasts("for = 2"), Lasts::Steps(2));
}

#[test]
fn a_clock_step_is_a_call_for_each_role() {
    let scenario = one("name = \"n\"\n[[step]]\nclock = { a = \"-61s\", b = \"+500ms\" }\n");
    let seconds: Vec<_> = scenario
        .steps
        .iter()
        .map(|step| {
            let StepKind::Call(call) = &step.kind else { panic!("{:?}", step.kind) };
            call.params.raw()["seconds"].clone()
        })
        .collect();
    assert_eq!(seconds, [json!(-61), json!(0.5)]);
}

#[test]
fn checks_are_read_in_their_three_forms() {
    let StepKind::Check(calls) = only_step(
        "[[step]]\ncheck = [\"exactly-once\", \"recovery < 30s\", { oracle = \"recovery\", of = 1 }]\n",
    ) else {
        panic!()
    };
    let found: Vec<_> =
        calls.iter().map(|call| (call.name.as_str(), call.params.raw().clone())).collect();
    assert_eq!(
        found,
        [
            ("exactly-once", json!({})),
            ("recovery", json!({"at_most": "30s"})),
            ("recovery", json!({"of": 1})),
        ]
    );
}

#[test]
fn variants_become_scenarios_of_their_own() {
    let scenarios = parse(
        "name = \"n\"\nvariants = [{ v = \"1.0\", w = 2 }, { v = \"1.1\", w = 3 }]\n\
         [roles.a]\nprotocol = \"${v}\"\nenv = { N = \"x${w}\" }\n\
         [[step]]\nrole = \"a\"\ncall = \"x\"\nwith = { v = \"${v}\" }\n",
    )
    .unwrap();
    let ids: Vec<_> = scenarios.iter().map(|scenario| scenario.id.to_string()).collect();
    assert_eq!(ids, ["meeting/test_e2e_x[v=1.0,w=2]", "meeting/test_e2e_x[v=1.1,w=3]"]);
    let role = &scenarios[1].roles["a"];
    assert_eq!((role.protocol.as_deref(), role.env["N"].as_str()), (Some("1.1"), "x3"));
    assert_eq!(scenarios[1].variables["w"], json!(3));
}

#[test]
fn a_variable_of_a_variant_can_stand_anywhere() {
    let scenarios = parse(
        "name = \"n\"\nvariants = [{ kind = \"ping\", limit = \"1s\", rows = [1, 2] }]\n\
         [[step]]\nwire = { from = \"a\", to = \"b\", type = \"${kind}\", drop = true }\n\
         [[step]]\nevent = \"x\"\non = \"a\"\nwithin = \"${limit}\"\n\
         [[step]]\nrepeat = { row = \"${rows}\" }\n[[step.do]]\nstop = \"a\"\n",
    )
    .unwrap();
    let kinds: Vec<_> = scenarios[0].steps.iter().map(|step| &step.kind).collect();
    let [StepKind::Wire(Wire::Rule(rule)), StepKind::AwaitEvent(event), StepKind::Repeat(repeat)] =
        kinds.as_slice()
    else {
        panic!("{kinds:?}")
    };
    assert_eq!(rule.message_type.as_deref(), Some("ping"));
    assert_eq!(event.within, Duration::from_secs(1));
    assert!(matches!(&repeat.rounds, Rounds::Rows(rows) if rows.len() == 2));
}

#[test]
fn the_mistake_of_every_variant_is_told_once() {
    check_problems(
        "name = \"n\"\nvariants = [{ v = 1 }, { v = 2 }]\n[[step]]\nstop = \"c\"\n",
        &["4:8: there is no role \"c\"; add [roles.c], or use one of a, b"],
    );
}

#[test]
fn the_value_of_a_variable_has_a_limit() {
    let file =
        |len: usize| format!("name = \"n\"\nvariants = [{{ v = \"{}\" }}]\n", "x".repeat(len - 2));
    one(&file(VARIABLE_LEN_MAX));
    check_problems(
        &file(VARIABLE_LEN_MAX + 1),
        &["2:19: `v` has 4097 bytes, a variable at most 4096; build it with $times"],
    );
}

#[test]
fn a_message_type_is_written_out() {
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", type = \"${round}\", drop = true }",
        &[concat!(
            "4:39: \"${round}\" is no message type; ",
            "write it out; only the variables of `variants` can stand here"
        )],
    );
}

#[test]
fn a_misspelt_key_is_named_with_the_right_one() {
    check_step_problem(
        "role = \"a\"\ncall = \"x\"\nwihtin = \"1s\"",
        &["6:1: this step has no `wihtin`; did you mean `within`?"],
    );
    check_problems(
        "name = \"n\"\nprooves = [\"TC-1\"]\n",
        &["2:1: a scenario has no `prooves`; did you mean `proves`?"],
    );
}

#[test]
fn a_foreign_key_is_answered_with_the_known_ones() {
    check_step_problem(
        "stop = \"a\"\nbananas = 1",
        &["5:1: this step has no `bananas`; it can have stop"],
    );
}

#[test]
fn a_misspelt_action_is_found() {
    check_step_problem(
        "expct = \"session.list\"",
        &["4:1: a step does not say what to do; did you mean `expect`?"],
    );
}

#[test]
fn a_step_does_exactly_one_thing() {
    check_step_problem(
        "stop = \"a\"\nstart = \"a\"",
        &["3:1: a step does one thing, this one `stop` and `start`; make two steps of it"],
    );
    check_step_problem(
        "role = \"a\"",
        &[concat!(
            "3:1: a step does not say what to do; add one of call, expect, event, never, parallel, ",
            "repeat, wire, fault, check, measure, stop, kill, start, clock"
        )],
    );
}

#[test]
fn an_unknown_role_is_named() {
    check_step_problem(
        "role = \"c\"\ncall = \"x\"",
        &["4:8: there is no role \"c\"; add [roles.c], or use one of a, b"],
    );
    check_problems(
        "name = \"n\"\n[roles.alice]\n[[step]]\nstop = \"alise\"\n",
        &["4:8: there is no role \"alise\"; did you mean \"alice\"?"],
    );
}

#[test]
fn a_missing_field_is_named_with_an_example() {
    check_step_problem("call = \"x\"", &["3:1: this step needs `role`; add `role = \"a\"`"]);
    check_step_problem(
        "event = \"session.ready\"\non = \"a\"",
        &["3:1: this step needs `within`; add `within = \"1s\"`"],
    );
    check_problems(
        "proves = []\n",
        &["1:1: a scenario needs `name`; add `name = \"what this proves, as a sentence\"`"],
    );
}

#[test]
fn a_duration_needs_its_unit() {
    check_step_problem(
        "role = \"a\"\ncall = \"x\"\nwithin = \"500\"",
        &[concat!(
            "6:10: `within`: \"\" is not a unit of time; use us, ms, s, min or h; ",
            "write a duration such as \"500ms\", \"1s\" or \"2min\""
        )],
    );
    check_step_problem(
        "role = \"a\"\ncall = \"x\"\nwithin = 500",
        &[
            "6:10: `within` has to be a duration, this is a whole number; write `within = \"500ms\"`",
        ],
    );
}

#[test]
fn an_unknown_capture_is_named_with_the_near_one() {
    check_step_problem(
        "role = \"a\"\ncall = \"x\"\nwith = { to = \"${b.nam}\" }",
        &["6:8: nothing is known as ${b.nam} here; did you mean ${b.name}?"],
    );
    check_step_problem(
        "role = \"a\"\ncall = \"x\"\nwith = { to = \"${b.shoe_size}\" }",
        &["6:8: nothing is known as ${b.shoe_size} here; a role has name, key, address"],
    );
    check_step_problem(
        "role = \"a\"\ncall = \"x\"\nwith = { id = \"${session}\" }",
        &[concat!(
            "6:8: nothing is known as ${session} here; ",
            "an earlier step has to save it: `save = { NAME = \"field\" }`"
        )],
    );
}

#[test]
fn a_capture_is_unknown_before_it_is_saved() {
    check_problems(
        "name = \"n\"\n[[step]]\nrole = \"a\"\ncall = \"x\"\nwith = { id = \"${session}\" }\n\
         save = { session = \"id\" }\n",
        &[concat!(
            "5:8: nothing is known as ${session} here; ",
            "an earlier step has to save it: `save = { NAME = \"field\" }`"
        )],
    );
}

#[test]
fn a_hole_without_an_end_is_pointed_at() {
    check_step_problem(
        "role = \"a\"\ncall = \"x\"\nwith = { id = \"${b.name\" }",
        &["6:8: \"${b.name\" has a ${ without its }; write $${ for a ${ that is no hole"],
    );
}

#[test]
fn a_name_that_cannot_be_saved_is_refused() {
    check_step_problem(
        "role = \"a\"\ncall = \"x\"\nsave = { uuid = \"id\" }",
        &["6:10: \"uuid\" cannot be saved under; use letters, digits and _; not `uuid` or `round`"],
    );
}

#[test]
fn an_expectation_has_to_expect_something() {
    check_step_problem(
        "expect = \"session.list\"\non = \"a\"",
        &[concat!(
            "3:1: `expect` does not say what has to hold; ",
            "add at least one of has, lacks, all, contains, ordered, count, equals, exists"
        )],
    );
    check_step_problem(
        "expect = \"session.list\"\non = []\nhas = {}",
        &["5:6: `on` names nobody; name at least one role"],
    );
    check_step_problem(
        "expect = \"session.list\"\non = \"a\"\nhas = {}\nwhere = {}",
        &["7:1: `where` says what `count` counts; add `count = ..`, or use `has`"],
    );
    check_step_problem(
        "expect = \"session.list\"\non = \"a\"\ncount = -1",
        &[
            "6:9: `count` has to be a whole number from 0, this is a whole number; write `count = 3`",
        ],
    );
}

#[test]
fn outcomes_that_contradict_each_other_are_refused() {
    check_step_problem(
        "role = \"a\"\ncall = \"x\"\nrefused = true\nreturns = {}",
        &["7:1: `returns` does not go with the outcome \"refused\"; leave one out"],
    );
    check_step_problem(
        "role = \"a\"\ncall = \"x\"\noutcome = \"refuse\"",
        &["6:11: `outcome` cannot be \"refuse\"; did you mean \"refused\"?"],
    );
    check_step_problem(
        "role = \"a\"\ncall = \"x\"\nrefused = false",
        &[concat!(
            "6:11: `refused` has to be true or a table, this is true or false; ",
            "write `refused = { code = \"SEQUENCE_ERROR\" }`"
        )],
    );
    check_step_problem(
        "role = \"a\"\ncall = \"x\"\nrefused = true\nsave = { id = \"id\" }",
        &["3:1: only what is done has a result to save from; leave `save` out"],
    );
}

#[test]
fn a_wire_step_does_exactly_one_thing() {
    check_step_problem(
        "wire = { from = \"a\", to = \"b\" }",
        &[concat!(
            "4:8: a wire step does not say what to do; add one of drop, duplicate, hold, cut, ",
            "truncate, replace, replace_byte, respond, replay, release, clear"
        )],
    );
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", drop = true, hold = true }",
        &["4:8: a wire step does one thing, this one `drop` and `hold`; make two steps of it"],
    );
    check_step_problem(
        "wire = { from = \"a\", to = \"a\", drop = true }",
        &["4:8: a sends nothing to itself; name two different roles"],
    );
    check_step_problem(
        "wire = { from = \"a\", drop = true }",
        &["4:8: a wire step needs `to`; add `to = \"a\"`"],
    );
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", drop = false }",
        &["4:39: `drop = false` does nothing; write `drop = true`"],
    );
}

#[test]
fn a_wire_step_has_no_key_that_means_nothing() {
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", replay = \"last\", nth = 1 }",
        &["4:49: `nth` means nothing beside `replay`; leave it out"],
    );
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", drop = true, nth = 1, every = true }",
        &["4:51: `nth` and `every` exclude each other; leave one out"],
    );
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", duplicate = true, on = \"response\" }",
        &["4:44: an answer cannot be duplicated: its asker reads one; leave `on` out"],
    );
}

#[test]
fn a_replacement_says_by_what() {
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", replace = { field = \"nonce\" } }",
        &[concat!(
            "4:42: a replacement has either `with` or `by`; ",
            "add `with = VALUE` or `by = ..` (flip-one-bit, remove, twice, null)"
        )],
    );
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", replace = { field = \"nonce\", by = \"flip-on-bit\" } }",
        &["4:66: `by` cannot be \"flip-on-bit\"; did you mean \"flip-one-bit\"?"],
    );
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", replace_byte = { at = 1, with = 256 } }",
        &["4:64: `with` has to be a byte, this is a whole number; write `with = 65`"],
    );
}

#[test]
fn an_answer_of_the_wire_says_which() {
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", respond = true }",
        &[
            "4:42: `respond` has to be a table, this is true or false; write `respond = { key = value }`",
        ],
    );
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", respond = { body = {} } }",
        &["4:42: an answer of the wire needs `status`; add `status = 500`"],
    );
    for status in ["199", "600", "70000", "-1"] {
        check_step_problem(
            &format!("wire = {{ from = \"a\", to = \"b\", respond = {{ status = {status} }} }}"),
            &[
                "4:53: `status` has to be from 200 to 599, this is a whole number; write `status = 500`",
            ],
        );
    }
    check_step_problem(
        "wire = { from = \"a\", to = \"b\", respond = { status = 500 }, answer = { status = 500 } }",
        &["4:60: `answer` means nothing beside `respond`; leave it out"],
    );
}

#[test]
fn rounds_have_the_same_variables() {
    check_step_problem(
        "repeat = { f = [1, 2], g = [1] }\n[[step.do]]\nstop = \"a\"",
        &[
            "4:28: `g` has 1 values, the list before it 2; give every variable a value for every round",
        ],
    );
    check_step_problem(
        "repeat = [{ f = 1 }, { g = 1 }]\n[[step.do]]\nstop = \"a\"",
        &[concat!(
            "4:10: the rounds of `repeat` have different variables; ",
            "give every variable a value for every round"
        )],
    );
    check_step_problem(
        "repeat = { f = [\"${b.name}\"] }\n[[step.do]]\nstop = \"a\"",
        &[concat!(
            "4:10: the values of `repeat` are taken as they are, ${..} included; ",
            "use ${..} in the steps, beside the variables of the round"
        )],
    );
    check_step_problem(
        "repeat = []\n[[step.do]]\nstop = \"a\"",
        &["4:10: `repeat` has no round; give it at least one"],
    );
    check_step_problem(
        "repeat = { count = 0 }\n[[step.do]]\nstop = \"a\"",
        &["4:20: `count` is 0; use a number from 1 to 100000"],
    );
}

#[test]
fn steps_inside_steps_have_a_limit() {
    let nest = |depth: usize| {
        let mut text = "name = \"n\"\n".to_owned();
        let mut path = "step".to_owned();
        for _ in 0..depth {
            text.extend(["[[", &path, "]]\nrepeat = { count = 1 }\n"]);
            path += ".do";
        }
        text + &format!("[[{path}]]\nstop = \"a\"\n")
    };
    one(&nest(4));
    let problems = parse(&nest(5)).unwrap_err().to_plain_text();
    assert!(problems.contains("steps are nested at most 4 deep"), "{problems}");
}

#[test]
fn a_file_has_a_limit_of_steps() {
    let steps =
        |count: usize| "name = \"n\"\n".to_owned() + &"[[step]]\nstop = \"a\"\n".repeat(count);
    assert_eq!(one(&steps(STEPS_MAX)).steps.len(), STEPS_MAX);
    check_problems(
        &steps(STEPS_MAX + 1),
        &["2002:1: a scenario has at most 1000 steps; make two files of it"],
    );
}

#[test]
fn roles_and_variants_have_limits() {
    let roles = |count: usize| {
        let roles: Vec<String> = (0..count).map(|index| format!("[roles.r{index}]\n")).collect();
        format!("name = \"n\"\n{}", roles.concat())
    };
    assert_eq!(one(&roles(ROLES_MAX)).roles.len(), ROLES_MAX);
    check_problems(
        &roles(ROLES_MAX + 1),
        &["2:2: a scenario has 1 to 64 roles, not 65; add [roles.a]"],
    );
    let variants = |count: usize| {
        let variants: Vec<String> =
            (0..count).map(|index| format!("{{ v = {index} }}, ")).collect();
        format!("name = \"n\"\nvariants = [{}]\n", variants.concat())
    };
    assert_eq!(parse(&variants(VARIANTS_MAX)).unwrap().len(), VARIANTS_MAX);
    check_problems(
        &variants(VARIANTS_MAX + 1),
        &["2:12: `variants` has 1 to 256 of them, not 257; leave `variants` out"],
    );
}

#[test]
fn rounds_and_spans_have_limits() {
    let rounds =
        |count: usize| format!("repeat = {{ count = {count} }}\n[[step.do]]\nstop = \"a\"");
    one(&format!("name = \"n\"\n[[step]]\n{}\n", rounds(ROUNDS_MAX)));
    check_step_problem(
        &rounds(ROUNDS_MAX + 1),
        &["4:20: `count` is 100001; use a number from 1 to 100000"],
    );
    let rows = |count: usize| {
        format!("repeat = {{ x = [{}] }}\n[[step.do]]\nstop = \"a\"", "1, ".repeat(count))
    };
    check_step_problem(
        &rows(ROUNDS_MAX + 1),
        &["4:10: `repeat` has at most 100000 rounds; use fewer"],
    );
    check_step_problem(
        "never = \"x\"\non = \"a\"\nfor = 1001",
        &["6:7: `for` is 1001; use a number from 1 to 1000"],
    );
}

#[test]
fn values_inside_values_have_a_limit() {
    let nest = |depth: usize| {
        format!(
            "role = \"a\"\ncall = \"x\"\nwith = {{ v = {}1{} }}",
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    one(&format!("name = \"n\"\n[[step]]\n{}\n", nest(33)));
    let problems = parse(&format!("name = \"n\"\n[[step]]\n{}\n", nest(60))).unwrap_err();
    let text = problems.to_plain_text();
    assert!(text.contains("values are nested too deeply"), "{text}");
}

#[test]
fn a_slip_in_a_matcher_is_no_value_to_compare_with() {
    let expect = |like: &str| format!("on = \"a\"\nexpect = \"session.list\"\nlacks = {like}");
    check_step_problem(
        &expect("{ state = { \"$gob\" = \"r*\" } }"),
        &["6:21: there is no matcher \"$gob\"; did you mean \"$glob\"?"],
    );
    check_step_problem(
        &expect("{ state = { \"$min\" = 1, \"$max\" = 3 } }"),
        &[
            "6:21: \"$min\" has to stand alone in its table; ask for one thing at a place; `$not` and `$one_of` take others",
            "6:33: \"$max\" has to stand alone in its table; ask for one thing at a place; `$not` and `$one_of` take others",
        ],
    );
    check_step_problem(
        &expect("{ list = [{ n = { \"$not\" = { \"$min\" = \"1\" } } }] }"),
        &["6:47: \"$min\" needs a number; write `{ \"$min\" = 1 }`"],
    );
    check_step_problem(
        "on = \"a\"\nnever = \"message.received\"\nwhere = { x = { \"$any\" = false } }",
        &["6:26: \"$any\" needs true; write `{ \"$any\" = true }`"],
    );
}

#[test]
fn a_key_with_a_hole_is_no_matcher() {
    only_step("[[step]]\non = \"a\"\nexpect = \"stats\"\nhas = { \"${b.name}\" = { sent = 1 } }\n");
}

/// What is sent is nobody's matcher.
#[test]
fn a_dollar_word_in_a_message_is_plain() {
    only_step("[[step]]\nrole = \"a\"\ncall = \"x\"\nwith = { body = { \"$ref\" = 1 } }\n");
}

#[test]
fn one_step_in_single_brackets_is_mended_by_double_ones() {
    check_problems(
        "name = \"n\"\n\n[step]\ncall = \"x\"\n",
        &["3:1: `step` is a table, and has to be a list of them; write `[[step]]`"],
    );
}

#[test]
fn an_unknown_oracle_is_named() {
    check_step_problem(
        "check = \"exactly-one\"",
        &["4:9: `check` cannot be \"exactly-one\"; did you mean \"exactly-once\"?"],
    );
    check_step_problem(
        "check = \"recovery <\"",
        &["4:9: \"recovery <\" is no check; write \"recovery < 30s\""],
    );
    check_step_problem(
        "check = { of = 1 }",
        &["4:9: a check does not say which oracle is asked; add `oracle = \"exactly-once\"`"],
    );
}

#[test]
fn a_fault_is_one_of_three() {
    check_step_problem(
        "fault = { kill = \"a\", pause = \"b\" }",
        &["4:9: a fault is one of `kill`, `pause` and `resume`; write `kill = \"b\"`"],
    );
}

#[test]
fn an_offset_of_the_clock_is_a_signed_duration() {
    check_step_problem(
        "clock = { a = \"+1 week\" }",
        &[concat!(
            "4:15: `a`: \"week\" is not a unit of time; use us, ms, s, min or h; ",
            "write an offset such as \"+61s\" or \"-500ms\""
        )],
    );
}

#[test]
fn a_role_knows_only_the_variables_of_its_variant() {
    check_problems(
        "name = \"n\"\n[roles.a]\nenv = { X = \"${b.key}\" }\n[roles.b]\n",
        &[concat!(
            "2:1: nothing is known as ${b.key} when a role starts; ",
            "only the variables of `variants` are"
        )],
    );
}

#[test]
fn variants_are_alike_and_different() {
    check_problems(
        "name = \"n\"\nvariants = [{ v = 1 }, { w = 1 }, { v = 1 }]\n",
        &[
            concat!(
                "2:24: this variant has other variables than the first; ",
                "give every variable a value in every variant"
            ),
            "2:35: this variant is there twice; leave one out",
        ],
    );
}

#[test]
fn whoever_is_not_introduced_cannot_connect() {
    check_problems(
        "name = \"n\"\nintroduce = \"none\"\nconnect = true\n",
        &[concat!(
            "3:11: nobody can connect to whom nobody introduces; ",
            "leave `connect` or `introduce = \"none\"` out"
        )],
    );
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    let problems = parse("name = \"n\"\nname = \"m\"\n").unwrap_err();
    let text = problems.to_plain_text();
    assert!(text.starts_with("meeting/test_e2e_x.toml:2:1: duplicate key"), "{text}");
}

#[test]
fn what_is_no_toml_is_pointed_at() {
    let text = parse("name = \n").unwrap_err().to_plain_text();
    assert!(text.starts_with("meeting/test_e2e_x.toml:1:"), "{text}");
    assert!(text.ends_with("see https://toml.io for how values are written\n"), "{text}");
}

#[test]
fn a_file_has_a_limit_of_bytes() {
    let padding = |len: usize| {
        let head = "name = \"n\"\n#";
        head.to_owned() + &"x".repeat(len - head.len())
    };
    one(&padding(FILE_LEN_MAX));
    check_problems(
        &padding(FILE_LEN_MAX + 1),
        &["1:1: a file has at most 1048576 bytes, this one has 1048577; split it"],
    );
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    check_step_problem(
        "role = \"c\"\ncall = \"x y\"\nwithin = \"1\"",
        &[
            "4:8: there is no role \"c\"; add [roles.c], or use one of a, b",
            concat!(
                "5:8: `call`: ' ' cannot stand in a name; letters, digits, '.', '_' and '-' can; ",
                "choose another name"
            ),
            concat!(
                "6:10: `within`: \"\" is not a unit of time; use us, ms, s, min or h; ",
                "write a duration such as \"500ms\", \"1s\" or \"2min\""
            ),
        ],
    );
}

#[test]
fn the_drawing_shows_line_pointer_and_help() {
    let problems = parse("name = \"n\"\n[[step]]\nstop = \"c\"\n").unwrap_err();
    let mut drawing = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
        .render_report(&mut drawing, &problems)
        .unwrap();
    for part in ["there is no role \"c\"", "meeting/test_e2e_x.toml:3:8", "unknown role", "help:"] {
        assert!(drawing.contains(part), "{part} is missing in:\n{drawing}");
    }
}

mod project {
    use super::super::*;
    use crate::name::{CategoryName, PeerName};
    use crate::project::SuiteKind;

    const WHOLE: &str = r#"
[project]
name = "handfast"

[peers.entity]
build = ["cargo", "build"]
start = "target/release/entity shim --test-peer"
env = { RUST_LOG = "debug" }
versions = ["1.0", "1.1"]
contract = "1"

[peers.python]
start = ["python3", "peer.py"]

[scenarios]
folders = ["scenarios"]

[categories.unit]
budget = "1min"
parallel = 2

[[suites]]
name = "cargo"
kind = "cargo"
category = "unit"
packages = ["entity-wire"]
"#;

    #[track_caller]
    fn check_problems(text: &str, expected: &[&str]) {
        let found = Project::parse("handfast.toml", text).unwrap_err().to_plain_text();
        let found = found.replace("handfast.toml:", "");
        assert_eq!(found.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_whole_project_is_read() {
        let project = Project::parse("handfast.toml", WHOLE).unwrap();
        let peer = project.peer(&PeerName::new("entity").unwrap()).unwrap();
        assert_eq!(peer.start.program(), "target/release/entity");
        assert_eq!(peer.start.args(), ["shim", "--test-peer"]);
        assert_eq!(project.peers[0].name.as_str(), "entity");
        let unit = project.category(&CategoryName::new("unit").unwrap()).unwrap();
        assert_eq!((unit.budget.as_secs(), unit.parallel), (60, 2));
        assert_eq!(project.suites[0].args, ["--package", "entity-wire"]);
        assert_eq!(project.suites[0].kind, SuiteKind::Cargo);
    }

    #[test]
    fn the_smallest_project_has_the_usual_categories() {
        let project = Project::parse("handfast.toml", "[project]\nname = \"p\"\n").unwrap();
        let found: Vec<_> = project
            .categories
            .iter()
            .map(|category| {
                let seconds = category.budget.as_secs();
                (category.name.as_str(), category.patterns[0].as_str(), seconds, category.parallel)
            })
            .collect();
        assert_eq!(
            found,
            [
                ("unit", "test_unit_*", 120, 4),
                ("integration", "test_integration_*", 300, 2),
                ("e2e", "test_e2e_*", 600, 1),
            ]
        );
        assert_eq!(project.scenario_folders, ["scenarios"]);
    }

    #[test]
    fn a_peer_needs_a_start_that_is_no_shell_line() {
        check_problems(
            "[project]\nname = \"p\"\n[peers.x]\n",
            &["3:1: a peer needs `start`; add `start = [\"program\", \"argument\"]`"],
        );
        check_problems(
            "[project]\nname = \"p\"\n[peers.x]\nstart = \"a | b\"\n",
            &[concat!(
                "4:9: `start` is started without a shell, '|' means nothing; ",
                "write `start = [\"program\", \"argument\"]`"
            )],
        );
        check_problems(
            "[project]\nname = \"p\"\n[peers.x]\nstart = []\n",
            &["4:9: `start` does not name a program; write `start = [\"program\", \"argument\"]`"],
        );
    }

    #[test]
    fn a_peer_of_another_contract_is_refused() {
        check_problems(
            "[project]\nname = \"p\"\n[peers.x]\nstart = \"x\"\ncontract = \"2\"\n",
            &["5:12: `contract` cannot be \"2\"; did you mean \"1\"?"],
        );
    }

    #[test]
    fn a_category_is_one_of_three() {
        check_problems(
            "[project]\nname = \"p\"\n[categories.integratoin]\n",
            &["3:13: there is no category \"integratoin\"; did you mean [categories.integration]?"],
        );
        check_problems(
            "[project]\nname = \"p\"\n[categories.unit]\npatterns = [\"test_[\"]\nparallel = 0\n",
            &[
                "4:13: \"test_[\" is no pattern: unclosed character class; missing ']'; `*` is any text, `?` any letter",
                "5:12: `parallel` is 0; use a number from 1 to 256",
            ],
        );
    }

    #[test]
    fn suites_have_kinds_and_names_of_their_own() {
        let suite = "[[suites]]\nname = \"s\"\nkind = \"cargo\"\ncategory = \"unit\"\n";
        check_problems(
            &format!("[project]\nname = \"p\"\n{suite}{suite}"),
            &["7:1: two suites have the name s; give it another name"],
        );
        check_problems(
            "[project]\nname = \"p\"\n[[suites]]\nname = \"s\"\nkind = \"carg\"\ncategory = \"units\"\n",
            &[
                "5:8: `kind` cannot be \"carg\"; did you mean \"cargo\"?",
                "6:12: `category` cannot be \"units\"; did you mean \"unit\"?",
            ],
        );
        check_problems(
            &format!("[project]\nname = \"p\"\n{suite}report = \"x.xml\"\n"),
            &["7:1: `report` means nothing in a suite of this kind; leave it out"],
        );
        check_problems(
            "[project]\nname = \"p\"\n[[suites]]\nname = \"s\"\nkind = \"junit\"\ncategory = \"unit\"\n",
            &[
                "3:1: a suite needs `command`; add `command = [\"program\", \"argument\"]`",
                "3:1: a suite needs `report`; add `report = \"junit.xml\"`",
            ],
        );
    }

    #[test]
    fn a_folder_is_named_once() {
        check_problems(
            "[project]\nname = \"p\"\n[scenarios]\nfolders = [\"s\", \"s\"]\n",
            &["4:17: the folder \"s\" is there twice; leave one out"],
        );
    }

    #[test]
    fn a_project_has_a_name() {
        check_problems(
            "",
            &["1:1: handfast.toml needs `project`; add `project = { name = \"..\" }`"],
        );
    }
}
