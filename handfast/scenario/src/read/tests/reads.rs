//! What is read.

use super::*;

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
fn a_role_starts_after_those_whose_facts_it_is_given_and_may_be_found_behind_one() {
    let scenario = one("name = \"n\"\n[roles.r]\n[roles.c]\n\
         env = { VIA = \"ws://${r.host}#${r.key}\" }\naddress = \"${r.address}/relay/${c.key}\"\n");
    let names = |roles: BTreeSet<RoleName>| {
        roles.iter().map(|role| role.as_str().to_owned()).collect::<Vec<_>>()
    };
    let c = &scenario.roles["c"];
    assert_eq!(names(c.needs()), ["r"]);
    assert_eq!(names(c.stands_behind()), ["c", "r"]);
    assert!(scenario.roles["r"].needs().is_empty());
}

#[test]
fn a_scenario_says_what_it_needs_of_the_machine() {
    let needs = |lines: &str| one(&format!("name = \"n\"\n{lines}")).needs;
    assert_eq!(needs(""), Needs::default());
    assert!(needs("alone = true").alone);
    let uses = needs("uses = { ports = 2, gpu = 1 }").uses;
    let uses: Vec<_> = uses.iter().map(|(name, much)| (name.as_str(), *much)).collect();
    assert_eq!(uses, [("gpu", 1), ("ports", 2)]);
    assert_eq!(one("name = \"n\"\ntimeout = \"5s\"").timeout, Some(Duration::from_secs(5)));
}

#[test]
fn a_share_of_nothing_is_a_mistake() {
    check_problems(
        "name = \"n\"\nuses = { ports = 0 }",
        &["2:18: `ports` is 0; use a number from 1 to 1000000"],
    );
}
