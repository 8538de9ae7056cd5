use handfast_scenario::verdict::Verdict;

use super::*;
use crate::grid::Grid;
use crate::sample::{ended, failed, line, peer, played, started, unsupported};

#[track_caller]
fn check_broken(grid: &Grid, expected: &[(&str, usize)]) {
    let found = broken(grid);
    let found: Vec<(&str, usize)> =
        found.iter().map(|broken| (broken.peer.as_str(), broken.cells)).collect();
    assert_eq!(found, expected);
}

#[track_caller]
fn check_fault(grid: &Grid, a: &str, b: &str, expected: Option<Fault>) {
    let cell = grid.cell(&line("x", a, b).unit).unwrap();
    assert_eq!(fault(grid, cell), expected);
}

fn fails_with_python(_: &str, a: &str, b: &str) -> Verdict {
    if a == "python" || b == "python" { failed("no answer\nmore") } else { Verdict::Passed }
}

#[test]
fn a_peer_that_fails_wherever_it_plays_is_named_and_its_partner_is_not() {
    let grid = played(&["x", "y"], fails_with_python);
    check_broken(&grid, &[("python", 6)]);
    assert_eq!(broken(&grid)[0].reason, "no answer");
}

#[test]
fn a_peer_that_passes_once_is_not_broken() {
    let grid = played(&["x", "y"], |scenario, a, b| {
        if scenario == "y" && a == "rust" { Verdict::Passed } else { fails_with_python("", a, b) }
    });
    check_broken(&grid, &[]);
}

#[test]
fn a_peer_that_declares_not_to_support_the_rest_is_broken_by_what_it_does_support() {
    let grid = played(&["x", "y"], |scenario, a, b| {
        let has_python = a == "python" || b == "python";
        if scenario == "y" && has_python { unsupported() } else { fails_with_python("", a, b) }
    });
    check_broken(&grid, &[("python", 3)]);
    let grid = played(&["x"], |_, _, _| unsupported());
    check_broken(&grid, &[]);
}

#[test]
fn peers_that_each_fail_alone_are_all_named() {
    check_broken(&played(&["x"], |_, _, _| failed("x")), &[("rust", 3), ("python", 3)]);
}

#[test]
fn a_peer_that_met_only_a_broken_one_is_not_named() {
    let (own, met) = (line("x", "python", "python"), line("x", "rust", "python"));
    let mut grid = Grid::default();
    grid.read(&started(vec![own.clone(), met.clone()]));
    grid.read(&ended(&own, failed("x")));
    grid.read(&ended(&met, failed("x")));
    check_broken(&grid, &[("python", 2)]);
}

#[test]
fn a_cell_is_the_fault_of_the_one_that_fails_alone() {
    let grid = played(&["x"], fails_with_python);
    check_fault(&grid, "rust", "python", Some(Fault::Peer(peer("python"))));
    check_fault(&grid, "python", "rust", Some(Fault::Peer(peer("python"))));
    check_fault(&grid, "python", "python", Some(Fault::Peer(peer("python"))));
    check_fault(&grid, "rust", "rust", None);
}

#[test]
fn peers_that_are_well_alone_do_not_understand_each_other() {
    let grid = played(&["x"], |_, a, b| if a == b { Verdict::Passed } else { failed("x") });
    let expected = Fault::Between(peer("rust"), peer("python"));
    assert_eq!(expected.to_string(), "between rust and python");
    check_fault(&grid, "rust", "python", Some(expected));
}

#[test]
fn what_fails_everywhere_is_the_fault_of_both() {
    let grid = played(&["x"], |_, _, _| failed("x"));
    check_fault(&grid, "rust", "python", Some(Fault::Both(peer("rust"), peer("python"))));
}

#[test]
fn without_the_cells_that_could_tell_nobody_knows() {
    let met = line("x", "rust", "python");
    let mut grid = Grid::default();
    grid.read(&started(vec![met.clone(), line("x", "rust", "rust")]));
    grid.read(&ended(&met, failed("x")));
    check_fault(&grid, "rust", "python", Some(Fault::Unknown));
}
