//! Everything has a limit.

use super::*;

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
