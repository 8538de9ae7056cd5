use super::*;
use crate::sample::{at, ended, expecting, failed, line, peer, played, started, unsupported};

#[test]
fn rows_are_files_columns_are_pairs_and_variants_share_a_square() {
    let grid = played(&["x[v=1]", "x[v=2]", "y"], |_, _, _| Verdict::Passed);
    let columns: Vec<String> = grid.columns().iter().map(ToString::to_string).collect();
    assert_eq!(columns, ["rust>rust", "rust>python", "python>rust", "python>python"]);
    let rows: Vec<(&str, usize)> =
        grid.rows().iter().map(|row| (row.file.as_str(), row.squares[3].len())).collect();
    assert_eq!(rows, [("scenarios/x.toml", 2), ("scenarios/y.toml", 1)]);
}

#[test]
fn a_column_that_a_scenario_names_itself_comes_after_the_pairs_and_an_empty_one_is_none() {
    let mut grid = Grid::default();
    grid.read(&started(vec![line("x", "old", "rust"), line("x", "python", "rust")]));
    let columns: Vec<String> = grid.columns().iter().map(ToString::to_string).collect();
    assert_eq!(columns, ["python>rust", "old>rust"]);
}

#[test]
fn a_cell_waits_runs_and_is_judged() {
    let line = line("x", "rust", "python");
    let mut grid = Grid::default();
    assert!(grid.is_empty());
    grid.read(&started(vec![line.clone()]));
    assert_eq!(grid.cell(&line.unit).unwrap().state, State::Waiting);
    grid.read(&ended(&line, failed("why")));
    let judged = Judged { verdict: failed("why"), duration_us: 50, cpu_us: 40, from: None };
    assert_eq!(grid.cell(&line.unit).unwrap().state, State::Judged(judged));
    assert_eq!(grid.took_us(), 50, "what came before the first cell is not the matrix's");
}

#[test]
fn a_verdict_of_an_earlier_run_counts_and_says_where_it_is_from() {
    let line = line("x", "rust", "python");
    let mut grid = Grid::default();
    grid.read(&started(vec![line.clone()]));
    let (unit, run) = (line.unit.clone(), "r1".to_owned());
    let verdict = Verdict::Passed;
    grid.read(&at(2_000, RunEvent::CellRecalled { unit, run, verdict, duration_us: 7 }));
    let counts = grid.counts();
    assert_eq!((counts.passed, counts.recalled, counts.played), (1, 1, 0));
    let State::Judged(judged) = &grid.cells()[0].state else { panic!("not judged") };
    assert_eq!(judged.from.as_deref(), Some("r1"));
}

#[test]
fn counts_tell_expected_from_unexpected() {
    let known = expecting(line("x", "rust", "rust"), VerdictKind::Failed);
    let mended = expecting(line("y", "rust", "rust"), VerdictKind::Failed);
    let other = expecting(line("z", "rust", "rust"), VerdictKind::TimedOut);
    let lacking = line("w", "rust", "rust");
    let gone = line("v", "rust", "rust");
    let all = [&known, &mended, &other, &lacking, &gone].map(Clone::clone).to_vec();
    let mut grid = Grid::default();
    grid.read(&started(all));
    grid.read(&ended(&known, failed("x")));
    grid.read(&ended(&mended, Verdict::Passed));
    grid.read(&ended(&other, failed("x")));
    grid.read(&ended(&lacking, unsupported()));
    let reason = "no interpreter".to_owned();
    let verdict = Verdict::Absent { peer: peer("rust"), reason: reason.clone(), allowed: true };
    grid.read(&ended(&gone, verdict));
    let expected = Counts {
        all: 5,
        passed: 1,
        failed: 2,
        as_expected: 1,
        unsupported: 1,
        absent: 1,
        recalled: 0,
        played: 4,
        unexpected_passes: 1,
    };
    assert_eq!(grid.counts(), expected);
    assert_eq!(grid.absences(), BTreeMap::from([(peer("rust"), (reason, true, 1))]));
}

#[test]
fn the_starts_of_a_peer_are_kept_up_to_their_limit() {
    let line = line("x", "rust", "rust");
    let mut grid = Grid::default();
    grid.read(&started(vec![line.clone()]));
    let started = at(
        2_000,
        RunEvent::PeerStarted {
            unit: line.unit.clone(),
            role: line.peers.keys().next().unwrap().clone(),
            peer: peer("rust"),
            pid: 1,
            ready_us: 7,
            address: String::new(),
            key: None,
            version: String::new(),
            protocol_versions: Vec::new(),
        },
    );
    for _ in 0..=STARTS_MAX {
        grid.read(&started);
    }
    assert_eq!(grid.starts_us()[&peer("rust")].len(), STARTS_MAX);
}
