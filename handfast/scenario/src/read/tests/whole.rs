//! Matchers, names, and mistakes of a whole file.

use super::*;

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
fn a_role_knows_the_variables_of_its_variant_and_the_facts_of_roles_that_start_before() {
    check_problems(
        "name = \"n\"\n[roles.a]\nargs = [\"${b.key}\"]\n[roles.b]\n",
        &[concat!(
            "3:8: nothing is known as ${b.key} when a role starts; ",
            "only the variables of `variants` are"
        )],
    );
    let facts =
        "the variables of `variants` are, and what other roles have: `${r.host}`, `${r.key}`";
    for name in ["a.key", "b.shoe_size", "c.key"] {
        let file = format!("name = \"n\"\n[roles.a]\nenv = {{ X = \"${{{name}}}\" }}\n[roles.b]\n");
        check_problems(
            &file,
            &[&format!("3:7: nothing is known as ${{{name}}} when a role starts; {facts}")],
        );
    }
    check_problems(
        "name = \"n\"\n[roles.a]\naddress = \"${c.address}/x\"\n[roles.b]\n",
        &[concat!(
            "3:11: nothing is known as ${c.address} when a role starts; ",
            "the variables of `variants` are, and what roles have: `${r.address}`, `${r.key}`"
        )],
    );
}

#[test]
fn roles_do_not_start_after_each_other() {
    check_problems(
        "name = \"n\"\n[roles.a]\nenv = { X = \"${b.key}\" }\n[roles.b]\nenv = { X = \"${a.host}\" }\n",
        &[concat!(
            "2:8: a starts after a role that starts after a; ",
            "let one of them start without the facts of the other"
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
