//! How a simulation is shown.

use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::{tame, time};
use handfast_runner::simulate::Progress;
use serde_json::Value;

use crate::around::Moving;

/// How far a simulator is, in a line.
pub(super) fn line(progress: &Progress) -> String {
    let percent = progress.share * 100.0;
    tame(&format!("{} {percent:.0} %, {}", progress.what, progress.detail))
}

/// Where lines last, one is worth printing when something new begins, and after each tenth of it.
#[derive(Debug)]
pub(super) struct Steps {
    moving: Moving,
    last: Option<(String, u8)>,
}

impl Steps {
    /// Nothing is printed yet.
    pub(super) fn new(moving: Moving) -> Self {
        Self { moving, last: None }
    }

    /// Whether lines can be redrawn.
    pub(super) fn moving(&self) -> Moving {
        self.moving
    }

    /// Whether this is a step further than the last line.
    pub(super) fn is_worth_a_line(&mut self, progress: &Progress) -> bool {
        let tenths = (1..=10).rev().find(|tenth| progress.share * 10.0 >= f64::from(*tenth));
        let step = Some((progress.what.clone(), tenths.unwrap_or(0)));
        let is_new = step != self.last;
        self.last = step;
        is_new
    }
}

/// The report for a program: without the lines for people, with what runs the same again.
pub(super) fn json(report: &Value, again: &str) -> String {
    let mut report = report.clone();
    if let Some(fields) = report.as_object_mut() {
        fields.remove("lines");
        fields.insert("again".to_owned(), again.into());
    }
    format!("{report:#}\n")
}

/// The report for a person.
pub(super) fn text(report: &Value, again: &str, palette: Palette) -> String {
    let mut text = String::new();
    let mut say = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    for line in report["lines"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        say(&tame(line));
    }
    say(&format!("seed       {}", report["seed"]));
    say(&cost(&report["cost"]));
    say(&format!("again      {}", palette.paint(Ink::Faint, again)));
    let broken = report["broken"].as_str().map(tame);
    say(&match (report["outcome"].as_str(), broken) {
        (Some("passed"), _) => palette.paint(Ink::Good, "passed: every law held"),
        (Some("failed"), Some(law)) => palette.paint(Ink::Bad, format!("failed: {law}")),
        (Some("refused"), law) => {
            palette.paint(Ink::Bad, format!("refused: {}", law.unwrap_or_default()))
        }
        (Some("failed"), None) => palette.paint(Ink::Bad, "failed"),
        (Some(_) | None, _) => {
            let words = "ended early: these are the figures until then, and nothing was judged";
            palette.paint(Ink::Doubtful, words)
        }
    });
    text
}

fn cost(cost: &Value) -> String {
    let span = |field: &str| {
        // Both are far below what a float holds exactly.
        let seconds = std::time::Duration::try_from_secs_f64(cost[field].as_f64().unwrap_or(0.0));
        let us = seconds.unwrap_or_default().as_micros();
        time(u64::try_from(us).unwrap_or(u64::MAX))
    };
    let mib = cost["memory_peak_bytes"].as_u64().unwrap_or(0) >> 20;
    format!(
        "cost       {}, {} of processor time, {mib} MiB of memory at most",
        span("wall_s"),
        span("processor_s")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(what: &str, share: f64) -> Progress {
        Progress { what: what.to_owned(), share, detail: "1 of 2".to_owned() }
    }

    #[test]
    fn lasting_lines_come_at_each_tenth() {
        let mut steps = Steps::new(Moving::Lasting);
        let shares = [0.0, 0.05, 0.1, 0.11, 0.35, 1.0];
        let worth: Vec<bool> =
            shares.map(|share| steps.is_worth_a_line(&progress("paying", share))).to_vec();
        assert_eq!(worth, [true, false, true, false, true, true]);
        assert!(steps.is_worth_a_line(&progress("healing", 1.0)));
        assert_eq!(line(&progress("paying", 0.5)), "paying 50 %, 1 of 2");
    }

    #[test]
    fn a_report_names_the_law_the_cost_and_what_runs_it_again() {
        let report = serde_json::json!({
            "seed": 7, "outcome": "failed", "broken": "the books differ", "lines": ["history    00ff"],
            "cost": { "wall_s": 61.5, "processor_s": 1.25, "memory_peak_bytes": 3 << 20 },
        });
        let text = text(&report, "handfast simulate peers --seed 7", Palette::Plain);
        assert_eq!(
            text,
            "history    00ff\nseed       7\ncost       1 min 01 s, 1.25 s of processor time, 3 MiB of memory at most\n\
             again      handfast simulate peers --seed 7\nfailed: the books differ\n"
        );
        let json: Value = serde_json::from_str(&json(&report, "again")).unwrap();
        assert_eq!(
            (&json["broken"], &json["again"]),
            (&"the books differ".into(), &"again".into())
        );
        assert!(json.get("lines").is_none());
    }
}
