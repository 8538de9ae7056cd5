//! Which castings there are, and which comes first.

use handfast_scenario::filter::Filter;
use handfast_scenario::plan::Selection;
use handfast_scenario::scenario::Vocabulary;
use handfast_scenario::{Project, Scenario};

use super::*;

fn plan() -> Plan {
    let text =
        "[project]\nname = \"p\"\n[peers.one]\nstart = \"one\"\n[peers.two]\nstart = \"two\"\n";
    let project = Project::parse("handfast.toml", text).unwrap();
    let scenario = |file: &str, roles: &str| {
        let text = format!("name = \"n\"\n{roles}");
        Scenario::parse(file, &text, &Vocabulary::default()).unwrap()
    };
    let mut scenarios = scenario("test_unit_free.toml", "[roles.a]\n[roles.b]\n[roles.t]\n");
    scenarios.extend(scenario("test_unit_kept.toml", "[roles.a]\npeer = \"two\"\n[roles.b]\n"));
    Plan::new(&project, &scenarios, &Selection::default()).unwrap()
}

fn shown(castings: &[Casting]) -> Vec<String> {
    castings.iter().map(|casting| format!("{} {}", casting.unit.id, casting.role)).collect()
}

#[track_caller]
fn check(peer: &str, hint: Option<(&str, Option<&str>)>, expected: &[&str]) {
    let castings = castings(&plan(), &PeerName::new(peer).unwrap());
    let hint = hint.map(|(scenario, role)| Hint {
        role: role.map(|role| RoleName::new(role).unwrap()),
        scenario: Filter::new(scenario).unwrap(),
    });
    assert_eq!(shown(&in_order(&castings, hint.as_ref())), expected);
}

#[test]
fn every_role_is_tried_that_is_not_kept_for_another_peer() {
    let kept = "test_unit_kept (a=two, b=one)";
    check(
        "one",
        None,
        &["test_unit_free a", "test_unit_free b", &format!("{kept} b"), "test_unit_free t"],
    );
    check(
        "two",
        None,
        &[
            "test_unit_free a",
            &format!("{kept} a"),
            "test_unit_free b",
            &format!("{kept} b"),
            "test_unit_free t",
        ],
    );
}

#[test]
fn a_hint_changes_the_order_and_leaves_nothing_out() {
    let kept = "test_unit_kept (a=two, b=one) b";
    check(
        "one",
        Some(("free", Some("t"))),
        &["test_unit_free t", "test_unit_free a", "test_unit_free b", kept],
    );
    check(
        "one",
        Some(("kept", None)),
        &[kept, "test_unit_free a", "test_unit_free b", "test_unit_free t"],
    );
    check(
        "one",
        Some(("nothing", None)),
        &["test_unit_free a", "test_unit_free b", kept, "test_unit_free t"],
    );
}

#[test]
fn what_a_hint_means_is_tried_twice_before_the_others() {
    let castings = castings(&plan(), &PeerName::new("one").unwrap());
    let scenario = Filter::new("free").unwrap();
    let hint = Hint { role: Some(RoleName::new("t").unwrap()), scenario };
    let kept = "test_unit_kept (a=two, b=one) b";
    assert_eq!(
        shown(&with_second_chance(&castings, Some(&hint))),
        ["test_unit_free t", "test_unit_free t", "test_unit_free a", "test_unit_free b", kept],
    );
    assert_eq!(with_second_chance(&castings, None).len(), castings.len());
}
