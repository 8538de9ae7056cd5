use std::collections::BTreeSet;

use super::*;
use crate::scenario::Vocabulary;

const PROJECT: &str = r#"
[project]
name = "p"
[peers.rust]
start = "rust-peer"
[peers.python]
start = "python-peer"
[[suites]]
name = "cargo"
kind = "cargo"
category = "unit"
"#;

fn project() -> Project {
    Project::parse("handfast.toml", PROJECT).unwrap()
}

fn scenario(file: &str, text: &str) -> Scenario {
    Scenario::parse(file, text, &Vocabulary::default()).unwrap().remove(0)
}

fn scenarios() -> Vec<Scenario> {
    vec![
        scenario("z/test_e2e_slow.toml", "name = \"Slow\"\nproves = [\"TC-05\"]"),
        scenario("z/test_unit_quick.toml", "name = \"Quick\""),
        scenario("a/test_integration_meet.toml", "name = \"Two meet\""),
    ]
}

/// Units and suites in the order of the plan, or the error.
#[track_caller]
fn check(selection: Selection, expected: Result<&[&str], &str>) {
    let found = Plan::new(&project(), &scenarios(), &selection)
        .map(|plan| {
            let units = plan.units.iter().map(|unit| unit.id.to_string());
            units.chain(plan.suites.iter().map(|suite| suite.name.to_string())).collect::<Vec<_>>()
        })
        .map_err(|error| error.to_string());
    let expected = expected.map(|ids| ids.iter().map(|&id| id.to_owned()).collect());
    assert_eq!(found, expected.map_err(str::to_owned));
}

fn filters(filters: &[&str]) -> Selection {
    let filters = filters.iter().map(|filter| Filter::new(filter).unwrap()).collect();
    Selection { filters, ..Selection::default() }
}

#[test]
fn without_a_wish_everything_runs_by_category() {
    check(
        Selection::default(),
        Ok(&["z/test_unit_quick", "a/test_integration_meet", "z/test_e2e_slow", "cargo"]),
    );
}

#[test]
fn a_filter_looks_at_id_name_catalogue_and_category() {
    check(filters(&["quick"]), Ok(&["z/test_unit_quick"]));
    check(filters(&["TWO MEET"]), Ok(&["a/test_integration_meet"]));
    check(filters(&["tc-05"]), Ok(&["z/test_e2e_slow"]));
    check(filters(&["test_e2e_*"]), Ok(&["z/test_e2e_slow"]));
    check(filters(&["z/*"]), Ok(&["z/test_unit_quick", "z/test_e2e_slow"]));
    check(filters(&["cargo"]), Ok(&["cargo"]));
    check(filters(&["integration"]), Ok(&["a/test_integration_meet"]));
    check(filters(&["nothing like it"]), Ok(&[]));
    check(filters(&["quick", "slow"]), Ok(&["z/test_unit_quick", "z/test_e2e_slow"]));
}

#[test]
fn a_category_takes_its_units_and_suites() {
    let categories = BTreeSet::from([CategoryName::new("unit").unwrap()]);
    check(Selection { categories, ..Selection::default() }, Ok(&["z/test_unit_quick", "cargo"]));
}

#[test]
fn a_category_that_nobody_knows_is_an_error() {
    let categories = BTreeSet::from([CategoryName::new("units").unwrap()]);
    check(
        Selection { categories, ..Selection::default() },
        Err("handfast.toml has no category units; did you mean unit?"),
    );
}

fn peers(role: &str, peer: &str) -> Selection {
    let pair = (RoleName::new(role).unwrap(), PeerName::new(peer).unwrap());
    Selection { peers: BTreeMap::from([pair]), ..filters(&["quick"]) }
}

#[test]
fn another_peer_in_a_role_is_part_of_the_id() {
    check(peers("b", "python"), Ok(&["z/test_unit_quick (a=rust, b=python)"]));
    check(peers("b", "rust"), Ok(&["z/test_unit_quick"]));
}

#[test]
fn unknown_peers_and_roles_of_the_command_line_are_errors() {
    check(
        peers("b", "pyton"),
        Err(
            "the command line names the peer pyton, which handfast.toml does not have; did you mean python?",
        ),
    );
    check(peers("x", "python"), Err("no scenario has a role x"));
}

#[test]
fn a_scenario_that_needs_a_certain_peer_gets_it() {
    let text = "name = \"n\"\n[roles.a]\npeer = \"python\"\n[roles.b]\n";
    let scenarios = [scenario("test_unit_x.toml", text)];
    let selection = Selection {
        peers: BTreeMap::from([(RoleName::new("a").unwrap(), PeerName::new("rust").unwrap())]),
        ..Selection::default()
    };
    let plan = Plan::new(&project(), &scenarios, &selection).unwrap();
    let peers: Vec<_> = plan.units[0].peers.values().map(PeerName::as_str).collect();
    assert_eq!(peers, ["python", "rust"]);
}

#[track_caller]
fn check_category(file: &str, text: &str, expected: &str) {
    let error = Plan::new(&project(), &[scenario(file, text)], &Selection::default()).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_test_without_a_category_is_an_error() {
    check_category(
        "x/meeting.toml",
        "name = \"n\"",
        concat!(
            "x/meeting belongs to no category: its name begins with none of test_unit_*, ",
            "test_integration_*, test_e2e_*; rename it or give it `category = \"..\"`"
        ),
    );
}

#[test]
fn a_test_with_two_categories_is_an_error_that_names_both() {
    check_category(
        "test_unit_x.toml",
        "name = \"n\"\ncategory = \"e2e\"",
        "test_unit_x belongs to two categories, unit and e2e; a test has exactly one",
    );
}

#[test]
fn a_test_of_an_unknown_category_is_an_error() {
    check_category(
        "x.toml",
        "name = \"n\"\ncategory = \"e3e\"",
        "x names the category e3e, which handfast.toml does not have; it has unit, integration, e2e",
    );
}

#[test]
fn a_named_category_needs_no_pattern() {
    let scenarios = [scenario("x.toml", "name = \"n\"\ncategory = \"e2e\"")];
    let plan = Plan::new(&project(), &scenarios, &Selection::default()).unwrap();
    assert_eq!(plan.units[0].category.as_str(), "e2e");
    assert_eq!(plan.units[0].budget.as_secs(), 600);
}

#[test]
fn a_project_without_peers_cannot_run_a_scenario() {
    let project = Project::parse("handfast.toml", "[project]\nname = \"p\"\n").unwrap();
    let error = Plan::new(&project, &scenarios(), &Selection::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        concat!(
            "handfast.toml has no peer to play the role a of z/test_e2e_slow; ",
            "add a [peers.NAME] with start = [..]"
        )
    );
}

/// How long the unit of a scenario with these lines may take, in a category with 60 s a unit; or the error.
#[track_caller]
fn check_needs(lines: &str, expected: Result<u64, &str>) {
    let text = "[project]\nname = \"p\"\n[peers.rust]\nstart = \"r\"\n[categories.unit]\ntimeout = \"60s\"\n[resources]\nports = 2\n";
    let project = Project::parse("handfast.toml", text).unwrap();
    let scenarios = [scenario("test_unit_x.toml", &format!("name = \"n\"\n{lines}"))];
    let plan = Plan::new(&project, &scenarios, &Selection::default());
    let found = plan.map(|plan| plan.units[0].budget.as_secs()).map_err(|error| error.to_string());
    assert_eq!(found, expected.map_err(str::to_owned));
}

#[test]
fn a_scenario_may_take_less_than_its_category_allows_and_never_more() {
    check_needs("", Ok(60));
    check_needs("timeout = \"5s\"", Ok(5));
    check_needs("timeout = \"5min\"", Ok(60));
}

#[test]
fn a_scenario_uses_no_more_than_there_is() {
    check_needs("uses = { ports = 2 }", Ok(60));
    check_needs(
        "uses = { ports = 3 }",
        Err(
            "test_unit_x uses 3 of the resource ports, of which handfast.toml has 2; write `[resources]` with `ports = 3`, or let the scenario use less",
        ),
    );
    check_needs(
        "uses = { gpu = 1 }",
        Err(
            "test_unit_x uses 1 of the resource gpu, of which handfast.toml has 0; write `[resources]` with `gpu = 1`, or let the scenario use less",
        ),
    );
}
