//! Of `handfast.toml`.

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
    check_problems("", &["1:1: handfast.toml needs `project`; add `project = { name = \"..\" }`"]);
}

#[test]
fn a_category_has_a_timeout_for_each_unit_and_a_project_has_resources() {
    let text = "[project]\nname = \"p\"\n[categories.unit]\nbudget = \"1min\"\ntimeout = \"5s\"\n\
        [categories.e2e]\nbudget = \"3s\"\n[resources]\nports = 2\n";
    let project = Project::parse("handfast.toml", text).unwrap();
    let seconds = |name: &str| {
        let category = project.category(&CategoryName::new(name).unwrap()).unwrap();
        (category.budget.as_secs(), category.timeout.as_secs())
    };
    assert_eq!((seconds("unit"), seconds("e2e")), ((60, 5), (3, 3)));
    let resources: Vec<_> =
        project.resources.iter().map(|(name, much)| (name.as_str(), *much)).collect();
    assert_eq!(resources, [("ports", 2)]);
}

#[test]
fn a_timeout_that_is_never_reached_is_a_mistake() {
    check_problems(
        "[project]\nname = \"p\"\n[categories.unit]\nbudget = \"5s\"\ntimeout = \"6s\"\n",
        &[
            "5:11: `timeout` is 6s, longer than the budget of the category, 5s; make it shorter, or leave it out",
        ],
    );
}
