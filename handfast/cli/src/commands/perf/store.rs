//! What goes into the history, and what it knows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use handfast_history::questions::{MeasuredName, Questions as _};
use handfast_history::{
    ClosingRow, EndRow, History, HistoryError, IncidentRow, MeasurementRow, RunRow,
};
use handfast_perf::Metric;
use handfast_perf::compare::{BASELINE_MAX, Baseline};
use handfast_perf::incident::Decision;
use handfast_runner::perf::Measured;
use handfast_scenario::ExitCode;
use serde_json::{Value, json};

use super::judge::{Finding, Judged, Known, subject};
use crate::around::Around;
use crate::error::CommandError;

/// The history of a project, while one run measures.
pub(super) struct Store {
    history: History,
    root: PathBuf,
    run: String,
    record: String,
    /// The commit that is measured, where the project is in a repository.
    pub(super) commit: Option<String>,
    pub(super) machine: String,
    opened: usize,
}

/// What a run is called, and how it was asked for.
pub(super) struct RunMark<'a> {
    pub(super) run: &'a str,
    pub(super) started_unix_us: i64,
    pub(super) seed: u64,
    pub(super) machine: String,
}

impl Store {
    /// Opens the history of the project at `root`, and begins a run in it.
    pub(super) fn open(
        root: &Path,
        mark: RunMark<'_>,
        around: &Around,
    ) -> Result<Self, CommandError> {
        let run = mark.run.to_owned();
        let record = format!(".handfast/perf/{run}");
        let mut history = History::open(&root.join(".handfast")).map_err(unusable)?;
        let row = RunRow {
            run: run.clone(),
            started_unix_us: mark.started_unix_us,
            handfast: env!("CARGO_PKG_VERSION").to_owned(),
            command: around.command.clone(),
            seed: mark.seed,
            record: record.clone(),
        };
        history.begin(&row).map_err(unusable)?;
        let (commit, machine) = (commit(root), mark.machine);
        Ok(Self { history, root: root.to_owned(), run, record, commit, machine, opened: 0 })
    }

    /// What is known of a pair of peers on machines of this class.
    pub(super) fn known(&self, pair: &str) -> Result<Known, CommandError> {
        let mut known = Known::default();
        for metric in Metric::ALL {
            let seen = self.history.measurements(&self.name(pair, metric), BASELINE_MAX);
            let mut medians: Vec<f64> =
                seen.map_err(unusable)?.into_iter().map(|seen| seen.value).collect();
            medians.reverse();
            known.baselines.extend(Baseline::new(metric, &medians).map(|base| (metric, base)));
            let open = self.history.open_incidents(Some(&subject(pair, metric)));
            let open = open.map_err(unusable)?.into_iter().next();
            known.open.extend(open.map(|open| (metric, open.incident)));
        }
        Ok(known)
    }

    /// Keeps what was measured, opens and closes incidents. Returns the incidents that were opened.
    pub(super) fn keep(
        &mut self,
        judged: &Judged,
        now_unix_us: i64,
    ) -> Result<Vec<Value>, CommandError> {
        let good = self.last_commit(&judged.measured.pair)?;
        let rows = self.rows(&judged.measured, now_unix_us);
        // What is worse for good is no part of what later runs are held against before somebody has looked.
        let is_sound = |row: &MeasurementRow| {
            let mut findings = judged.findings.iter();
            !findings
                .any(|finding| finding.metric.name() == row.name && finding.decision.is_failure())
        };
        let rows: Vec<MeasurementRow> = rows.into_iter().filter(is_sound).collect();
        self.history.measured(&self.run, &rows).map_err(unusable)?;
        let mut opened = Vec::new();
        for finding in &judged.findings {
            match finding.decision {
                Decision::Open(suspicion) => {
                    self.opened += 1;
                    let row = IncidentRow {
                        incident: format!("{}-{}", self.run, self.opened),
                        subject: judged.subject(finding.metric),
                        class: suspicion.class().to_owned(),
                        good_commit: good.clone(),
                        bad_commit: self.commit.clone(),
                        detail: detail(judged, finding).to_string(),
                        opened_unix_us: now_unix_us,
                    };
                    self.history.opened(&self.run, &row).map_err(unusable)?;
                    opened.push(json!({
                        "incident": row.incident, "subject": row.subject, "class": row.class,
                        "good_commit": row.good_commit, "bad_commit": row.bad_commit,
                    }));
                }
                Decision::Close => {
                    let Some(incident) = judged.open(finding.metric) else { continue };
                    let reason = "measured again, and well".to_owned();
                    let incident = incident.clone();
                    let row = ClosingRow { incident, reason, closed_unix_us: now_unix_us };
                    self.history.closed(&self.run, &row).map_err(unusable)?;
                }
                Decision::Well
                | Decision::Warning
                | Decision::LookAgain(_)
                | Decision::NotConfirmed(_)
                | Decision::StillOpen(_) => {}
            }
        }
        Ok(opened)
    }

    /// Writes the record, and ends the run.
    pub(super) fn end(
        mut self,
        report: &Value,
        exit: ExitCode,
        [passed, failed]: [usize; 2],
        duration_us: u64,
    ) -> Result<(), CommandError> {
        let folder = self.root.join(&self.record);
        let written = fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join(REPORT), format!("{report:#}\n")));
        written.map_err(|error| CommandError::infra(&error, "the record cannot be written"))?;
        let exit = json!(exit).as_str().unwrap_or_default().to_owned();
        let summary = json!({ "passed": passed, "failed": failed }).to_string();
        self.history.end(&self.run, &EndRow { exit, summary, duration_us }).map_err(unusable)
    }

    /// The commit of the newest run before this one in which this pair was measured, where its record is still there.
    fn last_commit(&self, pair: &str) -> Result<Option<String>, CommandError> {
        let seen = self.history.measurements(&self.name(pair, Metric::Handshake), BASELINE_MAX);
        let commit = |record: &str| {
            let text = fs::read_to_string(self.root.join(record).join(REPORT)).ok()?;
            let report: Value = serde_json::from_str(&text).ok()?;
            report["commit"].as_str().map(str::to_owned)
        };
        Ok(seen.map_err(unusable)?.iter().find_map(|seen| commit(&seen.record)))
    }

    fn name(&self, pair: &str, metric: Metric) -> MeasuredName {
        let (unit, name) = (pair.to_owned(), metric.name().to_owned());
        MeasuredName { unit, name, machine: self.machine.clone() }
    }

    /// The median of each figure, and what of it is judged where that is something else.
    fn rows(&self, measured: &Measured, taken_unix_us: i64) -> Vec<MeasurementRow> {
        let row = |name: String, value, metric: Metric| MeasurementRow {
            unit: measured.pair.clone(),
            name,
            machine: self.machine.clone(),
            value,
            measured_in: metric.unit().name().to_owned(),
            taken_unix_us,
        };
        let mut rows = Vec::new();
        for figure in &measured.figures {
            let metric = figure.metric;
            rows.push(row(metric.name().to_owned(), figure.median, metric));
            if figure.judged.to_bits() != figure.median.to_bits() {
                rows.push(row(format!("{metric}_judged"), figure.judged, metric));
            }
        }
        rows
    }
}

fn detail(judged: &Judged, finding: &Finding) -> Value {
    let figure = judged.measured.figure(finding.metric);
    json!({
        "judged": figure.map(|figure| figure.judged), "median": figure.map(|figure| figure.median),
        "aim": finding.aim, "baseline": finding.baseline, "worse": finding.worse,
    })
}

/// The commit that is checked out.
fn commit(root: &Path) -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !commit.is_empty()).then_some(commit)
}

pub(super) fn unusable(error: HistoryError) -> CommandError {
    CommandError::infra(&error, "the history cannot be used")
}

const REPORT: &str = "report.json";
