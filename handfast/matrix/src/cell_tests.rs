use handfast_scenario::filter::Filter;
use handfast_scenario::scenario::Vocabulary;
use proptest::prelude::*;

use super::*;

const PROJECT: &str = r#"
[project]
name = "p"
[peers.rust]
start = "rust-peer"
[peers.python]
start = "python-peer"
[peers.old]
start = "old-peer"
"#;

fn project() -> Project {
    Project::parse("handfast.toml", PROJECT).unwrap()
}

fn scenarios(file: &str, text: &str) -> Vec<Scenario> {
    Scenario::parse(file, text, &Vocabulary::default()).unwrap()
}

fn names(names: &[&str]) -> Vec<PeerName> {
    names.iter().map(|name| PeerName::new(*name).unwrap()).collect()
}

fn ask(peers: &[&str]) -> Ask {
    Ask { peers: names(peers), ..Ask::default() }
}

/// Ids and columns of the cells.
#[track_caller]
fn check(text: &str, ask: &Ask, expected: &[&str]) {
    let found = cells(&project(), &scenarios("test_unit_x.toml", text), ask).unwrap();
    let found: Vec<String> =
        found.iter().map(|cell| format!("{} {}", cell.column, cell.unit.id)).collect();
    assert_eq!(found, expected);
}

#[test]
fn two_open_roles_take_every_pair() {
    check(
        "name = \"n\"",
        &ask(&["rust", "python"]),
        &[
            "rust>rust test_unit_x",
            "rust>python test_unit_x (a=rust, b=python)",
            "python>rust test_unit_x (a=python, b=rust)",
            "python>python test_unit_x (a=python, b=python)",
        ],
    );
}

#[test]
fn further_open_roles_take_the_peers_of_the_pair_in_turn() {
    check(
        "name = \"n\"\n[roles.a]\n[roles.b]\n[roles.c]\n[roles.d]\n[roles.e]",
        &ask(&["rust", "python"]),
        &[
            "rust>rust test_unit_x",
            "rust>python test_unit_x (a=rust, b=python, c=rust, d=python, e=rust)",
            "python>rust test_unit_x (a=python, b=rust, c=python, d=rust, e=python)",
            "python>python test_unit_x (a=python, b=python, c=python, d=python, e=python)",
        ],
    );
}

#[test]
fn a_role_with_a_peer_of_its_own_keeps_it() {
    check(
        "name = \"n\"\n[roles.a]\npeer = \"old\"\n[roles.b]\n[roles.c]",
        &ask(&["rust", "python"]),
        &[
            "rust>rust test_unit_x (a=old, b=rust, c=rust)",
            "rust>python test_unit_x (a=old, b=rust, c=python)",
            "python>rust test_unit_x (a=old, b=python, c=rust)",
            "python>python test_unit_x (a=old, b=python, c=python)",
        ],
    );
}

#[test]
fn a_scenario_that_names_all_its_peers_is_one_cell_in_their_own_column() {
    let text = "name = \"n\"\n[roles.a]\npeer = \"old\"\n[roles.b]\npeer = \"rust\"";
    check(text, &ask(&["rust", "python"]), &["old>rust test_unit_x (a=old, b=rust)"]);
    let only = Ask { only_these_peers: true, ..ask(&["rust", "python"]) };
    check(text, &only, &[]);
    let only = Ask { only_these_peers: true, ..ask(&["rust", "old"]) };
    check(text, &only, &["old>rust test_unit_x (a=old, b=rust)"]);
}

#[test]
fn a_single_open_role_takes_every_peer() {
    let text = "name = \"n\"\n[roles.a]\npeer = \"old\"\n[roles.b]";
    check(
        text,
        &ask(&["rust", "python"]),
        &["old>rust test_unit_x (a=old, b=rust)", "old>python test_unit_x (a=old, b=python)"],
    );
    check(
        "name = \"n\"\n[roles.a]",
        &ask(&["rust", "python"]),
        &["rust>rust test_unit_x", "python>python test_unit_x (a=python)"],
    );
}

#[test]
fn versions_choose_cells_that_need_no_other() {
    let text = "name = \"n\"\nvariants = [{ v = \"1.0\" }, { v = \"both\" }]\n[roles.a]\nprotocol = \"${v}\"\n[roles.b]";
    let of = |versions: &[&str]| Ask {
        versions: versions.iter().map(|version| (*version).to_owned()).collect(),
        ..ask(&["rust"])
    };
    check(text, &of(&["1.0"]), &["rust>rust test_unit_x[v=1.0]"]);
    check(text, &of(&["1.1"]), &[]);
    check(
        text,
        &of(&["1.0", "1.1"]),
        &["rust>rust test_unit_x[v=1.0]", "rust>rust test_unit_x[v=both]"],
    );
}

#[test]
fn filters_choose_scenarios() {
    let filters = vec![Filter::new("nothing like it").unwrap()];
    let selection = Selection { filters, ..Selection::default() };
    check("name = \"n\"", &Ask { selection, ..ask(&["rust"]) }, &[]);
}

#[track_caller]
fn check_refused(ask: &Ask, scenarios: &[Scenario], expected: &str) {
    let error = cells(&project(), scenarios, ask).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn peers_that_nobody_knows_and_no_peers_at_all_are_refused() {
    let scenarios = scenarios("test_unit_x.toml", "name = \"n\"");
    let error = "handfast.toml has no peer ruby; it has rust, python, old";
    check_refused(&ask(&["ruby"]), &scenarios, error);
    check_refused(&ask(&[]), &scenarios, "no peers are named that could meet each other");
}

#[test]
fn a_matrix_has_no_more_cells_than_its_limit() {
    let one = scenarios("test_unit_x.toml", "name = \"n\"").remove(0);
    let many = vec![one; CELLS_MAX / 9 + 1];
    let found = cells(&project(), &many[..CELLS_MAX / 9], &ask(&["rust", "python", "old"]));
    assert_eq!(found.unwrap().len(), CELLS_MAX / 9 * 9);
    let error = "11112 scenarios with 9 pairs of peers are more than 100000 cells";
    check_refused(&ask(&["rust", "python", "old"]), &many, error);
}

#[test]
fn a_cell_with_several_seeds_is_as_many_cells() {
    let one = cells(&project(), &scenarios("test_unit_x.toml", "name = \"n\""), &ask(&["rust"]));
    let both = cells(&project(), &scenarios("test_unit_x.toml", "name = \"n\""), &ask(&["old"]));
    let cells = [one.unwrap(), both.unwrap()].concat();
    let found = with_seeds(&cells, u64::MAX, 2).unwrap();
    let ids: Vec<&str> = found.iter().map(|cell| cell.unit.id.as_str()).collect();
    let last = format!("#seed={}", u64::MAX);
    let expected = [
        format!("test_unit_x {last}"),
        format!("test_unit_x (a=old, b=old) {last}"),
        "test_unit_x #seed=0".to_owned(),
        "test_unit_x (a=old, b=old) #seed=0".to_owned(),
    ];
    assert_eq!(ids, expected);
    assert_eq!(found[3].column, cells[1].column);
    let many = vec![cells[0].clone(); CELLS_MAX / 10];
    assert_eq!(with_seeds(&many, 1, 10).unwrap().len(), CELLS_MAX);
    let error = with_seeds(&many, 1, 11).unwrap_err().to_string();
    assert_eq!(error, "10000 cells with 11 seeds each are more than 100000 cells");
}

proptest! {
    /// The number of cells grows with scenarios and pairs, never with roles; no two cells have the same id.
    #[test]
    fn cells_are_linear_in_roles_and_differ(roles in 1_usize..8, peers in 1_usize..4) {
        let declared: Vec<String> = (0..roles).map(|role| format!("[roles.r{role}]\n")).collect();
        let declared = declared.concat();
        let scenarios = scenarios("test_unit_x.toml", &format!("name = \"n\"\n{declared}"));
        let ask = ask(&["rust", "python", "old"][..peers]);
        let found = cells(&project(), &scenarios, &ask).unwrap();
        let expected = if roles == 1 { peers } else { peers * peers };
        prop_assert_eq!(found.len(), expected);
        let ids: BTreeSet<&str> = found.iter().map(|cell| cell.unit.id.as_str()).collect();
        prop_assert_eq!(ids.len(), expected);
        for cell in &found {
            prop_assert_eq!(cell.unit.peers.len(), roles);
        }
    }
}
