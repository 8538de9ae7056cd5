//! `handfast perf history`

use std::fmt::Write as _;

use handfast_history::History;
use handfast_history::questions::{IncidentSeen, MeasuredName, MeasurementSeen, Questions as _};
use handfast_perf::Metric;
use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::tame;
use handfast_runner::project::FILE;
use handfast_scenario::ExitCode;
use handfast_statistics::number::median;
use handfast_trend::change::{ChangePoint, change_points};
use serde_json::{Value, json};

use super::store::unusable;
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Look at what earlier runs have measured: each metric over time, where it changed, which incidents are open
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only what has this in its name: a part of a pair of peers, or of a metric
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast perf history              everything that was measured
  handfast perf history latency      one metric of all peers
  handfast perf history --json       for a program";

/// Measurements of one name that are looked at.
const VALUES: usize = 500;

/// Carries out the command.
pub(crate) fn run(args: &Args, around: &Around) -> Result<ExitCode, CommandError> {
    let root = around.folder.ancestors().find(|folder| folder.join(FILE).is_file());
    let Some(root) = root else {
        let error = format!("there is no {FILE} in {} or above it", around.folder.display());
        return Err(CommandError::usage_text(error, "run handfast inside a project"));
    };
    let history = History::open(&root.join(".handfast")).map_err(unusable)?;
    let mut series = Vec::new();
    for name in history.measured_names().map_err(unusable)? {
        let full = format!("{}: {}", name.unit, name.name);
        if args.name.as_ref().is_none_or(|part| full.contains(part.as_str())) {
            let seen = history.measurements(&name, VALUES).map_err(unusable)?;
            series.extend(Series::new(name, seen));
        }
    }
    let open = history.open_incidents(None).map_err(unusable)?;
    let open: Vec<IncidentSeen> =
        open.into_iter().filter(|open| open.subject.starts_with("perf ")).collect();
    if args.json {
        let series: Vec<Value> = series.iter().map(Series::json).collect();
        let open: Vec<Value> = open.iter().map(incident).collect();
        Stream::Out.print(&format!("{:#}\n", json!({ "series": series, "open": open })));
    } else {
        Stream::Out.print(&text(&series, &open, around.out.palette));
    }
    Ok(ExitCode::Passed)
}

/// One name, the oldest value first.
struct Series {
    name: MeasuredName,
    seen: Vec<MeasurementSeen>,
    changes: Vec<ChangePoint>,
}

impl Series {
    fn new(name: MeasuredName, mut seen: Vec<MeasurementSeen>) -> Option<Self> {
        seen.reverse();
        let values: Vec<f64> = seen.iter().map(|seen| seen.value).collect();
        let changes = change_points(&values).unwrap_or_default();
        (!seen.is_empty()).then_some(Self { name, seen, changes })
    }

    fn json(&self) -> Value {
        let values: Vec<Value> = self
            .seen
            .iter()
            .map(|seen| json!({ "run": seen.run, "value": seen.value, "taken_unix_us": seen.taken_unix_us }))
            .collect();
        let changes: Vec<&str> = self.changed_in().collect();
        let MeasuredName { unit, name, machine } = &self.name;
        json!({ "pair": unit, "metric": name, "machine": machine, "values": values, "changed_in": changes })
    }

    fn changed_in(&self) -> impl Iterator<Item = &str> {
        self.changes.iter().filter_map(|change| Some(self.seen.get(change.index)?.run.as_str()))
    }
}

fn incident(open: &IncidentSeen) -> Value {
    json!({
        "incident": open.incident, "run": open.run, "subject": open.subject, "class": open.class,
        "good_commit": open.good_commit, "bad_commit": open.bad_commit, "opened_unix_us": open.opened_unix_us,
    })
}

fn text(series: &[Series], open: &[IncidentSeen], palette: Palette) -> String {
    if series.is_empty() && open.is_empty() {
        return "nothing was measured yet: `handfast perf run` measures\n".to_owned();
    }
    let mut text = String::new();
    let mut shown = String::new();
    for series in series {
        let MeasuredName { unit, name, machine } = &series.name;
        let title = tame(&format!("{unit} on {machine}"));
        if shown != title {
            // Writing to a text cannot fail.
            writeln!(text, "{}", palette.paint(Ink::Strong, &title)).unwrap_or_default();
            shown = title;
        }
        let metric = Metric::named(name.trim_end_matches("_judged"));
        let show = |value: f64| {
            metric.map_or_else(|| format!("{value}"), |metric| metric.unit().show(value))
        };
        let values: Vec<f64> = series.seen.iter().map(|seen| seen.value).collect();
        let last = values.last().copied().unwrap_or_default();
        let (name, last, middle) = (tame(name), show(last), show(median(&values)));
        write!(text, "  {name:<24} {last:>10}, median of {:>3} runs {middle:>10}", values.len())
            .unwrap_or_default();
        for run in series.changed_in() {
            let change = format!(", changed in {}", tame(run));
            write!(text, "{}", palette.paint(Ink::Doubtful, change)).unwrap_or_default();
        }
        text.push('\n');
    }
    for open in open {
        let range = match (&open.good_commit, &open.bad_commit) {
            (Some(good), Some(bad)) => format!(", between {good:.12} and {bad:.12}"),
            (None, Some(bad)) => format!(", at {bad:.12} or before"),
            (_, None) => String::new(),
        };
        let line = format!("open since {}: {} ({}){range}", open.run, open.subject, open.class);
        writeln!(text, "{}", palette.paint(Ink::Bad, tame(&line))).unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: i64, value: f64) -> MeasurementSeen {
        MeasurementSeen {
            run: format!("r{at:02}"),
            record: String::new(),
            value,
            measured_in: "us".to_owned(),
            taken_unix_us: at,
        }
    }

    #[test]
    fn a_step_over_time_is_named_by_its_run() {
        let name = MeasuredName {
            unit: "a -> b".to_owned(),
            name: "latency".to_owned(),
            machine: "small".to_owned(),
        };
        let level = |at: i64| if at < 20 { 1_000.0 } else { 2_000.0 };
        let wave = |at: i64| f64::from(i32::try_from(at * 7 % 5).unwrap());
        // The newest first, as the history tells them.
        let values = (0..40).rev().map(|at| seen(at, level(at) + wave(at))).collect();
        let series = Series::new(name, values).unwrap();
        assert_eq!(series.changed_in().collect::<Vec<_>>(), ["r20"]);
        let shown = text(&[series], &[], Palette::Plain);
        assert!(shown.contains("a -> b on small\n") && shown.contains("changed in r20"), "{shown}");
        assert!(text(&[], &[], Palette::Plain).contains("handfast perf run"));
    }
}
