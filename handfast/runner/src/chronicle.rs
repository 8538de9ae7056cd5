//! What goes from a run's events into the history.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use handfast_heal::class::Class;
use handfast_heal::fault::InfraFault;
use handfast_heal::ledger::Entry;
use handfast_history::{
    BuildRow, CellRow, EndRow, HealingRow, History, HistoryError, RecallRow, ResultRow, RunRow,
    SuiteRow, TestRow,
};
use handfast_scenario::event::{CellLine, Outcome};
use handfast_scenario::name::PeerName;
use handfast_scenario::plan::UnitId;
use handfast_scenario::{Recorded, RunEvent};

use crate::sink::EventSink;
use crate::unit::chain;

/// Writes the essence of a run into the history, each unit at its end: what a kill takes is what was not over.
#[derive(Debug)]
pub struct HistorySink {
    history: History,
    run: String,
    record: Option<String>,
    not_after_unix_us: i64,
    started_unix_us: i64,
    keys: BTreeMap<UnitId, Option<String>>,
    begun: BTreeSet<UnitId>,
    recalls: Vec<RecallRow>,
    error: Option<HistoryError>,
}

impl HistorySink {
    /// Writes into this history.
    pub fn new(history: History) -> Self {
        Self {
            history,
            run: String::new(),
            record: None,
            not_after_unix_us: i64::MAX,
            started_unix_us: 0,
            keys: BTreeMap::new(),
            begun: BTreeSet::new(),
            recalls: Vec::new(),
            error: None,
        }
    }

    /// The record of the run is in this folder, relative to the project, instead of the one of its id.
    #[must_use]
    pub fn recorded_in(self, folder: String) -> Self {
        Self { record: Some(folder), ..self }
    }

    /// No time it writes is later than this, microseconds since the Unix epoch: the clock of the machine that ran may be ahead, and what
    /// this machine finds from now on is newer.
    #[must_use]
    pub fn not_after(self, unix_us: i64) -> Self {
        Self { not_after_unix_us: unix_us, ..self }
    }

    /// Makes what was written since [`History::begin_whole`] last, unless a row was refused.
    ///
    /// # Errors
    ///
    /// Why it is not in the history, no row of it.
    pub fn commit_whole(mut self) -> io::Result<()> {
        self.finish()?;
        self.history.commit_whole().map_err(|error| io::Error::other(chain(&error)))
    }

    /// Whether the history has something of such an event.
    pub(crate) fn is_essence(event: &RunEvent) -> bool {
        matches!(
            event,
            RunEvent::RunStarted { .. }
                | RunEvent::MatrixStarted { .. }
                | RunEvent::CellRecalled { .. }
                | RunEvent::UnitStarted { .. }
                | RunEvent::UnitFlaky { .. }
                | RunEvent::UnitHealing { .. }
                | RunEvent::UnitEnded { .. }
                | RunEvent::SuiteTest { .. }
                | RunEvent::SuiteTestFlaky { .. }
                | RunEvent::SuiteEnded { .. }
                | RunEvent::RunEnded { .. }
        )
    }

    fn write(&mut self, recorded: &Recorded) -> Result<(), HistoryError> {
        let event = &recorded.event;
        if !self.recalls.is_empty() && !matches!(event, RunEvent::CellRecalled { .. }) {
            let recalls = std::mem::take(&mut self.recalls);
            self.history.recalled(&self.run, &recalls)?;
        }
        match event {
            RunEvent::RunStarted { run, handfast, command, seed, started_unix_us, .. } => {
                self.run.clone_from(run);
                self.started_unix_us = *started_unix_us;
                self.history.begin(&RunRow {
                    run: run.clone(),
                    started_unix_us: self.not_after_unix_us.min(*started_unix_us),
                    handfast: handfast.clone(),
                    command: command.clone(),
                    seed: *seed,
                    record: self.record.clone().unwrap_or_else(|| format!(".handfast/runs/{run}")),
                })
            }
            RunEvent::MatrixStarted { builds, cells, .. } => self.plan(builds, cells),
            RunEvent::CellRecalled { unit, run, .. } => {
                let (unit, from_run) = (unit.to_string(), run.clone());
                self.recalls.push(RecallRow { unit, from_run });
                Ok(())
            }
            RunEvent::UnitStarted { unit, .. } if !self.keys.contains_key(unit) => {
                match loose_cell(event) {
                    Some(cell) if self.begun.insert(unit.clone()) => {
                        self.history.plan(&self.run, &[], &[cell])
                    }
                    Some(_) | None => Ok(()),
                }
            }
            // A pass that was luck is no verdict on the content: no later run takes it over.
            RunEvent::UnitFlaky { unit, .. } => {
                self.keys.insert(unit.clone(), None);
                self.history.flaky(&self.run, "", unit.as_str())
            }
            RunEvent::UnitHealing { healing, .. } => self.healed(&healing.entry),
            RunEvent::SuiteTestFlaky { suite, test, .. } => {
                self.history.flaky(&self.run, suite.as_str(), test)
            }
            RunEvent::UnitEnded { .. }
            | RunEvent::SuiteTest { .. }
            | RunEvent::SuiteEnded { .. } => self.ended(recorded),
            RunEvent::RunEnded { summary, exit, duration_us } => {
                let exit = serde_json::json!(exit).as_str().unwrap_or_default().to_owned();
                let summary = serde_json::json!(summary).to_string();
                self.history.end(&self.run, &EndRow { exit, summary, duration_us: *duration_us })
            }
            RunEvent::UnitStarted { .. }
            | RunEvent::ShardsMerged { .. }
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
            | RunEvent::SuiteStarted { .. }
            | RunEvent::NeverExercised { .. } => Ok(()),
        }
    }

    fn ended(&mut self, recorded: &Recorded) -> Result<(), HistoryError> {
        let ended_unix_us = self.unix_us(recorded);
        if let RunEvent::UnitEnded { unit, verdict, duration_us, cpu_us } = &recorded.event {
            let row = ResultRow {
                unit: unit.to_string(),
                key: self.keys.get(unit).cloned().flatten(),
                verdict: verdict.clone(),
                duration_us: *duration_us,
                cpu_us: *cpu_us,
                ended_unix_us,
            };
            self.history.judged(&self.run, &row)?;
        }
        if let RunEvent::SuiteTest { suite, test, outcome, duration_us } = &recorded.event {
            let row = TestRow {
                suite: suite.to_string(),
                test: test.clone(),
                kind: kind_of(outcome).to_owned(),
                duration_us: *duration_us,
                ended_unix_us,
            };
            self.history.tested(&self.run, &[row])?;
        }
        if let RunEvent::SuiteEnded { suite, outcome, passed, failed, duration_us } =
            &recorded.event
        {
            let row = SuiteRow {
                suite: suite.to_string(),
                kind: kind_of(outcome).to_owned(),
                passed: *passed,
                failed: *failed,
                duration_us: *duration_us,
                ended_unix_us,
            };
            self.history.suite_ended(&self.run, &row)?;
        }
        Ok(())
    }

    fn healed(&mut self, entry: &serde_json::Value) -> Result<(), HistoryError> {
        match healing_row(entry) {
            Some(row) => self.history.healed(&self.run, &row),
            None => Ok(()),
        }
    }

    fn unix_us(&self, recorded: &Recorded) -> i64 {
        let at_us = i64::try_from(recorded.at_us).unwrap_or(i64::MAX);
        self.started_unix_us.saturating_add(at_us).min(self.not_after_unix_us)
    }

    fn plan(
        &mut self,
        builds: &BTreeMap<PeerName, String>,
        cells: &[CellLine],
    ) -> Result<(), HistoryError> {
        let build = |(peer, digest): (&PeerName, &String)| BuildRow {
            peer: peer.to_string(),
            digest: digest.clone(),
        };
        let builds: Vec<BuildRow> = builds.iter().map(build).collect();
        let cell = |line: &CellLine| CellRow { line: line.clone(), in_matrix: true };
        let rows: Vec<CellRow> = cells.iter().map(cell).collect();
        self.keys = cells.iter().map(|line| (line.unit.clone(), line.key.clone())).collect();
        self.history.plan(&self.run, &builds, &rows)
    }
}

fn kind_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed { .. } => "failed",
        Outcome::Skipped { .. } => "skipped",
    }
}

/// An act as a row; nothing where it is none that this code knows.
fn healing_row(entry: &serde_json::Value) -> Option<HealingRow> {
    let entry: Entry = serde_json::from_value(entry.clone()).ok()?;
    let (class, fault) = match &entry.class {
        Class::Product => ("product", None),
        Class::Infra { fault } => ("infra", fault.map(InfraFault::as_str)),
        Class::Flaky => ("flaky", None),
        Class::Known { .. } => ("known", None),
    };
    Some(HealingRow {
        subject: entry.failed,
        reason: entry.reason,
        class: class.to_owned(),
        fault: fault.map(str::to_owned),
        act: serde_json::json!(entry.act).to_string(),
        outcome: serde_json::json!(entry.outcome).as_str().unwrap_or_default().to_owned(),
        evidence: serde_json::json!(entry.evidence).to_string(),
        duration_us: entry.cost_us,
        ended_unix_us: entry.at_unix_us,
    })
}

/// A unit that has no place in a matrix.
fn loose_cell(event: &RunEvent) -> Option<CellRow> {
    let RunEvent::UnitStarted { unit, name, file, category, peers, .. } = event else {
        return None;
    };
    let nobody = peers.values().next()?.clone();
    let line = CellLine {
        unit: unit.clone(),
        scenario: unit.to_string(),
        name: name.clone(),
        file: file.clone(),
        category: category.clone(),
        column: [nobody.clone(), nobody],
        peers: peers.clone(),
        protocols: BTreeMap::new(),
        network: "none".to_owned(),
        key: None,
        expected: None,
    };
    Some(CellRow { line, in_matrix: false })
}

impl EventSink for HistorySink {
    fn event(&mut self, recorded: &Recorded) {
        // One that failed once has gaps; what comes after would only pretend to be whole.
        if self.error.is_none()
            && let Err(error) = self.write(recorded)
        {
            self.error = Some(error);
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.error.take() {
            Some(error) => Err(io::Error::other(chain(&error))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "chronicle_tests.rs"]
mod tests;
