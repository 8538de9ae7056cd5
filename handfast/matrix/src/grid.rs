//! The grid as it stands, from the events of a run.

use std::collections::{BTreeMap, BTreeSet};

use handfast_scenario::event::CellLine;
use handfast_scenario::name::{PeerName, RoleName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::{Verdict, VerdictKind};
use handfast_scenario::{Recorded, RunEvent};

use crate::cell::Column;
use crate::expected::{Comparison, compare};

/// Starts kept of one peer, for the median; a run of 100,000 cells has more.
pub const STARTS_MAX: usize = 10_000;

/// The grid of one run. Empty until the run says that it has a matrix.
#[derive(Debug, Default)]
pub struct Grid {
    peers: Vec<PeerName>,
    builds: BTreeMap<PeerName, String>,
    faults: Vec<String>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    cells: Vec<Square>,
    index: BTreeMap<UnitId, usize>,
    starts: BTreeMap<PeerName, Vec<u64>>,
    began_us: Option<u64>,
    ended_us: u64,
}

/// A row: one scenario file with all its variants.
#[derive(Debug, Clone)]
pub struct Row {
    /// The scenario file.
    pub file: String,
    /// The scenario's name.
    pub name: String,
    /// For each column of the grid the places of its cells, one a variant; empty where the scenario has none there.
    pub squares: Vec<Vec<usize>>,
}

/// One cell as it stands.
#[derive(Debug, Clone)]
pub struct Square {
    /// What it is.
    pub line: CellLine,
    /// How it stands.
    pub state: State,
}

/// How a cell stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not begun.
    Waiting,
    /// Being played.
    Running,
    /// Judged.
    Judged(Judged),
}

/// What was said of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// How long it took.
    pub duration_us: u64,
    /// Processor time of its processes.
    pub cpu_us: u64,
    /// The run that played it, where it is not this one.
    pub from: Option<String>,
}

/// How many cells are what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All cells.
    pub all: usize,
    /// Those that passed, whichever run played them.
    pub passed: usize,
    /// Those that failed, hung or could not be carried out.
    pub failed: usize,
    /// Those of them that did so exactly as expected.
    pub as_expected: usize,
    /// Those that a peer declares not to support.
    pub unsupported: usize,
    /// Those that lack a peer.
    pub absent: usize,
    /// Those whose verdict is from an earlier run.
    pub recalled: usize,
    /// Those that were played in this run.
    pub played: usize,
    /// Those that passed and were not to.
    pub unexpected_passes: usize,
}

impl Grid {
    /// Reads the next event; those that have nothing to do with the matrix are passed over.
    pub fn read(&mut self, recorded: &Recorded) {
        match &recorded.event {
            RunEvent::MatrixStarted { peers, builds, cells, faults } => {
                self.peers.clone_from(peers);
                self.builds.clone_from(builds);
                self.faults.clone_from(faults);
                self.lay_out(cells);
            }
            RunEvent::CellRecalled { unit, run, verdict, duration_us } => {
                let judged = Judged {
                    verdict: verdict.clone(),
                    duration_us: *duration_us,
                    cpu_us: 0,
                    from: Some(run.clone()),
                };
                self.set(unit, State::Judged(judged));
            }
            RunEvent::UnitStarted { unit, .. } => self.set(unit, State::Running),
            RunEvent::UnitEnded { unit, verdict, duration_us, cpu_us } => {
                let began_us = recorded.at_us.saturating_sub(*duration_us);
                self.began_us = Some(self.began_us.map_or(began_us, |first| first.min(began_us)));
                self.ended_us = recorded.at_us;
                let judged = Judged {
                    verdict: verdict.clone(),
                    duration_us: *duration_us,
                    cpu_us: *cpu_us,
                    from: None,
                };
                self.set(unit, State::Judged(judged));
            }
            RunEvent::PeerStarted { unit, peer, ready_us, .. } if self.index.contains_key(unit) => {
                let starts = self.starts.entry(peer.clone()).or_default();
                if starts.len() < STARTS_MAX {
                    starts.push(*ready_us);
                }
            }
            RunEvent::PeerStarted { .. }
            | RunEvent::RunStarted { .. }
            | RunEvent::StepStarted { .. }
            | RunEvent::StepEnded { .. }
            | RunEvent::CallStarted { .. }
            | RunEvent::CallEnded { .. }
            | RunEvent::PeerEvent { .. }
            | RunEvent::WireMessage { .. }
            | RunEvent::PeerLog { .. }
            | RunEvent::NetworkStarted { .. }
            | RunEvent::Disturbance { .. }
            | RunEvent::Account { .. }
            | RunEvent::Searched { .. }
            | RunEvent::Measured { .. }
            | RunEvent::PeerExited { .. }
            | RunEvent::CheckEnded { .. }
            | RunEvent::SuiteStarted { .. }
            | RunEvent::UnitFlaky { .. }
            | RunEvent::UnitHealing { .. }
            | RunEvent::SuiteTest { .. }
            | RunEvent::SuiteTestFlaky { .. }
            | RunEvent::SuiteEnded { .. }
            | RunEvent::ShardsMerged { .. }
            | RunEvent::NeverExercised { .. }
            | RunEvent::RunEnded { .. } => {}
        }
    }

    /// Whether the run has a matrix at all.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The peers that meet each other, in the order of the columns.
    pub fn peers(&self) -> &[PeerName] {
        &self.peers
    }

    /// What each peer's program is made of.
    pub fn builds(&self) -> &BTreeMap<PeerName, String> {
        &self.builds
    }

    /// What is wrong with the file of expected results.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// The columns: all pairs of the peers, then those that scenarios name themselves.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The rows, in the order of the plan.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// All cells, in the order of the plan.
    pub fn cells(&self) -> &[Square] {
        &self.cells
    }

    /// The cell of this unit.
    pub fn cell(&self, unit: &UnitId) -> Option<&Square> {
        self.index.get(unit).and_then(|at| self.cells.get(*at))
    }

    /// From the process's start to its answer to `initialize`, of every start of each peer in this run.
    pub fn starts_us(&self) -> &BTreeMap<PeerName, Vec<u64>> {
        &self.starts
    }

    /// From the beginning of the first cell that was played to the end of the last one.
    pub fn took_us(&self) -> u64 {
        self.began_us.map_or(0, |began_us| self.ended_us.saturating_sub(began_us))
    }

    /// How many cells are what.
    pub fn counts(&self) -> Counts {
        self.count(|_| true)
    }

    /// How many of the chosen cells are what.
    pub fn count(&self, chosen: impl Fn(&Square) -> bool) -> Counts {
        let mut counts = Counts::default();
        for cell in self.cells.iter().filter(|cell| chosen(cell)) {
            counts.all += 1;
            let State::Judged(judged) = &cell.state else { continue };
            if judged.from.is_some() {
                counts.recalled += 1;
            }
            let mut played = judged.from.is_none();
            match judged.verdict.kind() {
                VerdictKind::Passed => counts.passed += 1,
                VerdictKind::Failed | VerdictKind::TimedOut | VerdictKind::Infra => {
                    counts.failed += 1;
                }
                VerdictKind::Unsupported => counts.unsupported += 1,
                VerdictKind::Absent => {
                    counts.absent += 1;
                    played = false;
                }
                VerdictKind::DidNotFit => played = false,
            }
            counts.played += usize::from(played);
            match cell.comparison() {
                Some(Comparison::AsExpected) if cell.failed() => counts.as_expected += 1,
                Some(Comparison::UnexpectedPass) => counts.unexpected_passes += 1,
                Some(Comparison::AsExpected | Comparison::Plain | Comparison::Otherwise) | None => {
                }
            }
        }
        counts
    }

    /// Peers that could not be had, why, whether that is allowed, and how many cells prove nothing for that.
    pub fn absences(&self) -> BTreeMap<PeerName, (String, bool, usize)> {
        let mut absences: BTreeMap<PeerName, (String, bool, usize)> = BTreeMap::new();
        for verdict in self.cells.iter().filter_map(Square::verdict) {
            if let Verdict::Absent { peer, reason, allowed } = verdict {
                let absence = absences.entry(peer.clone());
                absence.or_insert_with(|| (reason.clone(), *allowed, 0)).2 += 1;
            }
        }
        absences
    }

    fn lay_out(&mut self, cells: &[CellLine]) {
        self.columns = crate::cell::columns(&self.peers);
        let known: BTreeSet<Column> = self.columns.iter().cloned().collect();
        let named: BTreeSet<Column> = cells.iter().map(column_of).collect();
        self.columns.extend(named.difference(&known).cloned());
        // A column that no chosen scenario fills is none.
        self.columns.retain(|column| named.contains(column));
        let place: BTreeMap<&Column, usize> =
            self.columns.iter().enumerate().map(|(at, column)| (column, at)).collect();
        let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, line) in cells.iter().enumerate() {
            let row = *rows.entry(&line.file).or_insert_with(|| {
                let squares = vec![Vec::new(); place.len()];
                self.rows.push(Row { file: line.file.clone(), name: line.name.clone(), squares });
                self.rows.len() - 1
            });
            if let Some(column) = place.get(&column_of(line)) {
                self.rows[row].squares[*column].push(at);
            }
            self.index.insert(line.unit.clone(), at);
            self.cells.push(Square { line: line.clone(), state: State::Waiting });
        }
    }

    fn set(&mut self, unit: &UnitId, state: State) {
        if let Some(cell) = self.index.get(unit).and_then(|at| self.cells.get_mut(*at)) {
            cell.state = state;
        }
    }
}

impl Square {
    /// Its column.
    pub fn column(&self) -> Column {
        column_of(&self.line)
    }

    /// Its verdict, once it has one.
    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.state {
            State::Judged(judged) => Some(&judged.verdict),
            State::Waiting | State::Running => None,
        }
    }

    /// How its verdict compares with what is expected of it, once it has one.
    pub fn comparison(&self) -> Option<Comparison> {
        Some(compare(self.line.expected.as_ref(), self.verdict()?.kind()))
    }

    /// Whether it was played and did not pass, expected or not.
    pub fn failed(&self) -> bool {
        self.verdict().is_some_and(|verdict| match verdict.kind() {
            VerdictKind::Failed | VerdictKind::TimedOut | VerdictKind::Infra => true,
            VerdictKind::Passed
            | VerdictKind::Unsupported
            | VerdictKind::Absent
            | VerdictKind::DidNotFit => false,
        })
    }

    /// Whether this peer plays in it.
    pub fn has(&self, peer: &PeerName) -> bool {
        self.line.peers.values().any(|other| other == peer)
    }

    /// The roles that this peer plays in it.
    pub fn roles_of(&self, peer: &PeerName) -> Vec<&RoleName> {
        let roles = self.line.peers.iter().filter(|(_, other)| *other == peer);
        roles.map(|(role, _)| role).collect()
    }
}

fn column_of(line: &CellLine) -> Column {
    let [a, b] = &line.column;
    Column { a: a.clone(), b: b.clone() }
}

#[cfg(test)]
#[path = "grid_tests.rs"]
mod tests;
