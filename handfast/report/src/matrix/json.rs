//! The grid as JSON, for programs: every cell with its verdict, whose fault it is, its record and the command that repeats it.

use std::collections::BTreeMap;

use handfast_matrix::Grid;
use handfast_matrix::blame::{self, Broken};
use handfast_matrix::grid::{Judged, Square, State};
use handfast_scenario::event::Expected;
use handfast_scenario::verdict::VerdictKind;
use serde::Serialize;

use super::Mark;
use crate::book::Book;
use crate::failure;
use crate::quantity::median;

/// Version of the shape; it rises when a reader of the earlier one would misread it.
pub const FORMAT: u32 = 1;

/// A matrix in one JSON object.
#[derive(Debug, Serialize)]
pub struct MatrixSummary {
    /// [`FORMAT`].
    pub format: u32,
    /// Id of the run.
    pub run: String,
    /// The peers that meet each other, in the order of the columns.
    pub peers: Vec<String>,
    /// What each peer's program is made of.
    pub builds: BTreeMap<String, String>,
    /// How many cells there are.
    pub cells_all: usize,
    /// How many passed, whichever run played them.
    pub passed: usize,
    /// How many failed, hung or could not be carried out.
    pub failed: usize,
    /// How many of those did so exactly as expected.
    pub as_expected: usize,
    /// How many passed and were not to.
    pub unexpected_passes: usize,
    /// How many a peer declares not to support.
    pub unsupported: usize,
    /// How many lack a peer.
    pub absent: usize,
    /// How many verdicts are from earlier runs.
    pub recalled: usize,
    /// How many were played in this run.
    pub played: usize,
    /// How long that took.
    pub took_us: u64,
    /// Median time from a peer's start to its answer to `initialize`.
    pub start_p50_us: BTreeMap<String, u64>,
    /// Peers that fail in every cell they play in.
    pub broken: Vec<BrokenPeer>,
    /// Mistakes in the file of expected results.
    pub expectation_faults: Vec<String>,
    /// All cells, in the order of the plan.
    pub cells: Vec<CellSummary>,
}

/// A peer that fails wherever it plays.
#[derive(Debug, Serialize)]
pub struct BrokenPeer {
    /// The peer.
    pub peer: String,
    /// In how many cells.
    pub cells: usize,
    /// The reason that most of them give.
    pub reason: String,
}

/// One cell.
#[derive(Debug, Serialize)]
pub struct CellSummary {
    /// Its id in events and history.
    pub unit: String,
    /// Its row: the scenario with its variant.
    pub scenario: String,
    /// The scenario's name.
    pub name: String,
    /// The scenario file.
    pub file: String,
    /// Its category.
    pub category: String,
    /// Its column.
    pub column: [String; 2],
    /// Who plays which role.
    pub peers: BTreeMap<String, String>,
    /// The protocol of each role that is told one.
    pub protocols: BTreeMap<String, String>,
    /// The preset of the network.
    pub network: String,
    /// Its seed, where it is played with several; nothing: that of the run.
    pub seed: Option<u64>,
    /// A digest of all that the verdict follows from.
    pub key: Option<String>,
    /// The verdict's word; `null`: not judged.
    pub verdict: Option<&'static str>,
    /// What the mark in the grid means.
    pub state: &'static str,
    /// Why it did not pass; empty if it did.
    pub reason: String,
    /// Whose fault that is: `peer`, `between`, `both` or `unknown`, with the names.
    pub blame: Option<Blame>,
    /// What is expected of it in place of a pass.
    pub expected: Option<Expected>,
    /// The run that judged it.
    pub from_run: Option<String>,
    /// The record of that run, relative to the project; old records are thrown away.
    pub record: Option<String>,
    /// How long it took.
    pub duration_us: u64,
    /// Processor time of its processes.
    pub cpu_us: u64,
    /// The command that plays it again.
    pub again: String,
}

/// Whose fault it is.
#[derive(Debug, Serialize)]
pub struct Blame {
    /// `peer`, `between`, `both` or `unknown`.
    pub kind: &'static str,
    /// The peers concerned.
    pub peers: Vec<String>,
}

/// Sums up the matrix of a run; nothing where it has none.
pub fn summary(book: &Book) -> Option<MatrixSummary> {
    let grid = book.grid();
    if grid.is_empty() {
        return None;
    }
    let counts = grid.counts();
    let run = book.run().map(|run| run.run.clone()).unwrap_or_default();
    let starts = grid.starts_us().iter();
    Some(MatrixSummary {
        format: FORMAT,
        peers: grid.peers().iter().map(ToString::to_string).collect(),
        builds: grid
            .builds()
            .iter()
            .map(|(peer, build)| (peer.to_string(), build.clone()))
            .collect(),
        cells_all: counts.all,
        passed: counts.passed,
        failed: counts.failed,
        as_expected: counts.as_expected,
        unexpected_passes: counts.unexpected_passes,
        unsupported: counts.unsupported,
        absent: counts.absent,
        recalled: counts.recalled,
        played: counts.played,
        took_us: grid.took_us(),
        start_p50_us: starts
            .filter_map(|(peer, starts)| Some((peer.to_string(), median(starts)?)))
            .collect(),
        broken: blame::broken(grid).into_iter().map(broken_peer).collect(),
        expectation_faults: grid.faults().to_vec(),
        cells: grid.cells().iter().map(|cell| cell_summary(book, grid, &run, cell)).collect(),
        run,
    })
}

fn broken_peer(broken: Broken) -> BrokenPeer {
    BrokenPeer { peer: broken.peer.to_string(), cells: broken.cells, reason: broken.reason }
}

fn cell_summary(book: &Book, grid: &Grid, run: &str, cell: &Square) -> CellSummary {
    let line = &cell.line;
    let judged = match &cell.state {
        State::Judged(judged) => Some(judged),
        State::Waiting | State::Running => None,
    };
    let from_run = judged.map(|Judged { from, .. }| from.clone().unwrap_or_else(|| run.to_owned()));
    let command = book.run().map(|run| run.command.as_slice()).unwrap_or_default();
    let [a, b] = &line.column;
    CellSummary {
        unit: line.unit.to_string(),
        scenario: line.scenario.clone(),
        name: line.name.clone(),
        file: line.file.clone(),
        category: line.category.to_string(),
        column: [a.to_string(), b.to_string()],
        peers: line.peers.iter().map(|(role, peer)| (role.to_string(), peer.to_string())).collect(),
        protocols: line
            .protocols
            .iter()
            .map(|(role, protocol)| (role.to_string(), protocol.clone()))
            .collect(),
        network: line.network.clone(),
        seed: line.unit.seed(),
        key: line.key.clone(),
        verdict: cell.verdict().map(|verdict| VerdictKind::as_str(verdict.kind())),
        state: Mark::of(cell).meaning(),
        reason: cell.verdict().map(handfast_scenario::Verdict::reason).unwrap_or_default(),
        blame: blame::fault(grid, cell).map(blamed),
        expected: line.expected.clone(),
        record: from_run.as_ref().map(|run| format!(".handfast/runs/{run}")),
        from_run,
        duration_us: judged.map_or(0, |judged| judged.duration_us),
        cpu_us: judged.map_or(0, |judged| judged.cpu_us),
        again: failure::again(&line.unit, &line.peers, command),
    }
}

fn blamed(fault: blame::Fault) -> Blame {
    let (kind, peers) = match fault {
        blame::Fault::Peer(peer) => ("peer", vec![peer.to_string()]),
        blame::Fault::Between(a, b) => ("between", vec![a.to_string(), b.to_string()]),
        blame::Fault::Both(a, b) => ("both", vec![a.to_string(), b.to_string()]),
        blame::Fault::Unknown => ("unknown", Vec::new()),
    };
    Blame { kind, peers }
}
