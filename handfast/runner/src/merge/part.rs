//! What is known of a record once it was read to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use handfast_matrix::key::{Digest, Stream};
use handfast_scenario::event::{CellLine, Expected, ShardMark, Summary};
use handfast_scenario::name::{PeerName, SuiteName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::VerdictKind;
use handfast_scenario::{ExitCode, RunEvent};

use super::find::Found;
use super::lines::Lines;
use crate::tally::Tally;

/// A record, as a part of a whole.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Its folder as a person would name it.
    pub shown: String,
    /// Its events.
    pub file: PathBuf,
    /// Id of its run; empty for a record whose first line cannot be read.
    pub run: String,
    /// Version of the handfast that made it.
    pub handfast: String,
    /// Its seed.
    pub seed: u64,
    /// When it started, microseconds since the Unix epoch.
    pub started_unix_us: i64,
    /// How many units its plan holds.
    pub units: usize,
    /// How many suites its plan holds.
    pub suites: usize,
    /// Which part of which whole it says it is.
    pub mark: Option<ShardMark>,
    /// Its part of the matrix.
    pub matrix: Option<MatrixPart>,
    /// The units it has begun or taken over.
    pub begun: BTreeSet<UnitId>,
    /// The units and suites it has a verdict on.
    pub judged: usize,
    /// The suites it has begun.
    pub begun_suites: BTreeSet<SuiteName>,
    /// Time of its last event.
    pub last_us: u64,
    /// What it says at its end; nothing for one that was killed.
    pub end: Option<PartEnd>,
    /// What its events add up to.
    pub tally: Tally,
    /// How many events it has, as far as it can be read.
    pub events: usize,
    /// A digest of the lines of these events: copies have the same.
    pub content: Option<Digest>,
    /// Why its events end before their end.
    pub broken: Option<String>,
}

/// The matrix of a part.
#[derive(Debug, Clone)]
pub struct MatrixPart {
    /// The peers that meet each other.
    pub peers: Vec<PeerName>,
    /// What their programs are made of.
    pub builds: BTreeMap<PeerName, String>,
    /// Its cells.
    pub cells: Vec<CellLine>,
    /// What is wrong with the file of expected results.
    pub faults: Vec<String>,
}

/// What a record says at its end.
#[derive(Debug, Clone, Copy)]
pub struct PartEnd {
    /// The counts.
    pub summary: Summary,
    /// The exit code.
    pub exit: ExitCode,
    /// How long it took.
    pub duration_us: u64,
}

impl Part {
    /// Reads a record to its end, or as far as it can be read.
    pub fn read(found: Found) -> Self {
        let mut part = Self { shown: found.shown, file: found.file, ..Self::default() };
        let mut lines = match Lines::open(&part.file) {
            Ok(lines) => lines,
            Err(error) => return Self { broken: Some(error.to_string()), ..part },
        };
        let mut expected: BTreeMap<UnitId, Expected> = BTreeMap::new();
        let mut content = Stream::default();
        while let Some(line) = lines.next() {
            match line {
                Ok(recorded) => {
                    content.push(lines.text().as_bytes());
                    part.events += 1;
                    part.last_us = recorded.at_us.max(part.last_us);
                    part.event(recorded.event, &mut expected);
                }
                Err(error) => part.broken = Some(error.to_string()),
            }
        }
        part.content = Some(content.finish());
        part
    }

    /// How long it took: until its last event, where it was killed.
    pub fn duration_us(&self) -> u64 {
        self.end.map_or(self.last_us, |end| end.duration_us)
    }

    /// How many units and suites it was to carry out.
    pub fn pieces(&self) -> usize {
        self.units.saturating_add(self.suites)
    }

    /// How a person would call it.
    pub fn name(&self) -> String {
        let shard = self.mark.as_ref().map(|mark| format!("shard {} ", mark.shard));
        match shard {
            _ if self.run.is_empty() => format!("the record in {}", self.shown),
            Some(shard) => format!("{shard}(run {} in {})", self.run, self.shown),
            None => format!("run {} in {}", self.run, self.shown),
        }
    }

    fn event(&mut self, event: RunEvent, expected: &mut BTreeMap<UnitId, Expected>) {
        count(&mut self.tally, &event, expected);
        if let Some(unit) = event.unit().filter(|unit| !self.begun.contains(*unit)) {
            self.begun.insert(unit.clone());
        }
        match event {
            RunEvent::RunStarted {
                run,
                handfast,
                seed,
                started_unix_us,
                units,
                suites,
                shard,
                ..
            } => {
                (self.run, self.handfast, self.seed) = (run, handfast, seed);
                (self.started_unix_us, self.mark) = (started_unix_us, shard);
                (self.units, self.suites) = (units, suites);
            }
            RunEvent::MatrixStarted { peers, builds, cells, faults } => {
                let known = |cell: &CellLine| Some((cell.unit.clone(), cell.expected.clone()?));
                expected.extend(cells.iter().filter_map(known));
                self.matrix = Some(MatrixPart { peers, builds, cells, faults });
            }
            RunEvent::UnitEnded { verdict, .. } => {
                // One that did not fit is among those that were not run.
                self.judged += usize::from(verdict.kind() != VerdictKind::DidNotFit);
            }
            RunEvent::CellRecalled { .. } | RunEvent::SuiteEnded { .. } => self.judged += 1,
            RunEvent::SuiteStarted { suite, .. } => {
                self.begun_suites.insert(suite);
            }
            RunEvent::RunEnded { summary, exit, duration_us } => {
                self.end = Some(PartEnd { summary, exit, duration_us });
            }
            RunEvent::ShardsMerged { .. }
            | RunEvent::UnitStarted { .. }
            | RunEvent::PeerStarted { .. }
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
            | RunEvent::UnitFlaky { .. }
            | RunEvent::UnitHealing { .. }
            | RunEvent::SuiteTest { .. }
            | RunEvent::NeverExercised { .. }
            | RunEvent::SuiteTestFlaky { .. } => {}
        }
    }
}

/// Counts what an event adds, beside what is expected of cells.
pub(super) fn count(tally: &mut Tally, event: &RunEvent, expected: &BTreeMap<UnitId, Expected>) {
    match event.unit().and_then(|unit| expected.get(unit)) {
        Some(expected) if matches!(event, RunEvent::UnitEnded { .. }) => {
            if let RunEvent::UnitEnded { verdict, .. } = event {
                tally.cell(verdict, Some(expected));
            }
        }
        expected => {
            if let RunEvent::CellRecalled { verdict, .. } = event {
                tally.recalled(verdict, expected);
            } else {
                tally.count(event);
            }
        }
    }
}
