//! Words that are misspelt, missing or in the wrong place.

use super::*;

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
            "repeat, wire, fault, check, measure, stop, kill, start, clock, calm"
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
        &["6:8: nothing is known as ${b.shoe_size} here; a role has name, key, address, host"],
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
