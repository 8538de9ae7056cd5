//! What is read, and what a person is told who made a mistake.

mod disturbance;
mod limits;
mod project;
mod reads;
mod whole;
mod wire;
mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::expectation::Condition;
use crate::name::RoleName;
use crate::scenario::{Introduce, Needs, ROLES_MAX, STEPS_MAX, VARIABLE_LEN_MAX, VARIANTS_MAX};
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
