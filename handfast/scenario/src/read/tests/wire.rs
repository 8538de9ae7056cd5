//! Rules of the wire that contradict themselves.

use super::*;

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
