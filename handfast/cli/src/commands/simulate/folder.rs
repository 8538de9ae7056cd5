//! A folder of scenarios, one after the other, and what came of all of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::{tame, time};
use handfast_scenario::ExitCode;
use serde_json::{Value, json};

use super::order::Network;

/// The scenario files of a folder, in the order of their names; those of folders in it are not among them.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let paths = entries.into_iter().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    files.sort();
    Ok(files)
}

/// What came of all scenarios.
#[derive(Debug, Default)]
pub(super) struct Sum {
    played: Vec<Value>,
    runs: u64,
    failed_runs: u64,
    wall_us: u64,
    left_out: usize,
    /// Of each scenario that failed: what did not hold, and the line that plays it again.
    failed: Vec<(String, String)>,
    is_early: bool,
}

impl Sum {
    /// Takes in the report on a scenario; its line.
    pub(super) fn add(&mut self, network: &Network, report: &Value, seed: u64) -> String {
        let Network::Scenario(one) = network else { return String::new() };
        let figure = |name: &str| report["figures"][name].as_f64().unwrap_or(0.0);
        // Far below what a float holds exactly.
        let whole = |name: &str| format!("{:.0}", figure(name)).parse::<u64>().unwrap_or(0);
        let (runs, failed_runs) = (whole("runs"), whole("failed"));
        let seconds = report["cost"]["wall_s"].as_f64().unwrap_or(0.0);
        let took = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.runs += runs;
        self.failed_runs += failed_runs;
        self.wall_us = self.wall_us.saturating_add(took_us);
        let outcome = report["outcome"].as_str().unwrap_or("ended-early");
        let broken = report["broken"].as_str().map(tame).unwrap_or_default();
        self.played.push(json!({
            "file": one.file,
            "outcome": outcome,
            "runs": runs,
            "failed": failed_runs,
            "broken": report["broken"],
            "failed_seed": report["failed_seed"],
            "history": report["history"],
        }));
        let took = time(took_us);
        match outcome {
            "passed" => format!("passed    {} {runs} runs in {took}\n", one.file),
            "refused" => {
                self.left_out += 1;
                format!("left out  {broken}\n")
            }
            "failed" => {
                let again = network.again_with(report, seed);
                self.failed.push((broken.clone(), again.clone()));
                format!(
                    "failed    {} {failed_runs} of {runs} runs in {took}: {broken}\n          {again}\n",
                    one.file
                )
            }
            _ => {
                self.is_early = true;
                format!("ended     {} after {runs} runs and {took}\n", one.file)
            }
        }
    }

    /// Not all were played.
    pub(super) fn end_early(&mut self) {
        self.is_early = true;
    }

    /// For a person.
    pub(super) fn closing(&self, palette: Palette) -> String {
        let mut text = String::new();
        for (broken, again) in &self.failed {
            // Writing to a text cannot fail.
            writeln!(text, "{} {broken}\n  {again}", palette.paint(Ink::Bad, "failed:"))
                .unwrap_or_default();
        }
        let scenarios = self.played.len() - self.left_out;
        let early = if self.is_early { "; ended early" } else { "" };
        writeln!(
            text,
            "{} runs of {scenarios} scenarios in {}, {} failed; {} scenarios cannot be played in virtual time{early}",
            self.runs,
            time(self.wall_us),
            self.failed_runs,
            self.left_out,
        )
        .unwrap_or_default();
        text
    }

    /// For a program.
    pub(super) fn json(&self) -> String {
        let value = json!({
            "runs": self.runs,
            "failed": self.failed_runs,
            "left_out": self.left_out,
            "ended_early": self.is_early,
            "wall_us": self.wall_us,
            "scenarios": self.played,
        });
        format!("{value:#}\n")
    }

    /// What the caller is told.
    pub(super) fn code(&self) -> ExitCode {
        match (self.failed.is_empty(), self.is_early, self.runs) {
            (false, ..) => ExitCode::ProductFailure,
            (true, true, _) => ExitCode::Infrastructure,
            (true, false, 0) => ExitCode::NothingRan,
            (true, false, _) => ExitCode::Passed,
        }
    }
}
