//! `handfast trend evaluate`

use std::fs;
use std::path::{Path, PathBuf};

use handfast_lab::clock::Clock;
use handfast_scenario::ExitCode;
use handfast_trend::change::change_points;
use handfast_trend::evaluate::data::Data;
use handfast_trend::evaluate::evaluate;
use handfast_trend::random::Dice;

use super::live;
use crate::console::Stream;
use crate::error::CommandError;

/// Print how good the statistics are: on series made from a seed, whose truth is known, or on recorded data
///
/// A folder of data holds changepoints/annotated-series.json, {name: {values, annotations: {annotator: list of indices}}},
/// runner-noise/series.json, {name: list of values}, and flaky/rerun-counts.csv, a test, its failing and its passing runs a line below a head.
/// The tables follow from data and seed; only the pace, and what `--live` measures, are those of this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Evaluate on the recorded data of this folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What is drawn at random follows from this number
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Measure pairs of runs on this machine as well: 2,000 of equal builds and 2,000 of one that is 5 % slower, and compare ten times
    /// each; about a minute
    #[arg(long)]
    live: bool,
    /// Print the tables as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast trend evaluate                    on series that are made, with known truth
  handfast trend evaluate --seed 2 --json    on others, for a program
  handfast trend evaluate --data data/       on recorded data
  handfast trend evaluate --live             on this machine as well";

/// Carries out the command.
pub(crate) fn run(args: &Args) -> Result<ExitCode, CommandError> {
    let data = args.data.as_deref().map(read).transpose()?;
    let report = evaluate(data.as_ref(), args.seed);
    let live = args.live.then(|| live::measure(args.seed));
    if args.json {
        let live = live.map(|live| live.json());
        let json = serde_json::json!({ "report": report, "live": live });
        Stream::Out.print(&format!("{json}\n"));
    } else {
        let pace = change_points_us(args.seed);
        let pace = format!(
            "Change points of {LENGTH} values: {pace} us on this machine, the median of {ROUNDS} rounds"
        );
        let live = live.map(|live| format!("\n{live}")).unwrap_or_default();
        Stream::Out.print(&format!("{report}\n{pace}\n{live}"));
    }
    Ok(ExitCode::Passed)
}

fn read(folder: &Path) -> Result<Data, CommandError> {
    let [annotated, noise, reruns] = Data::FILES.map(|file| {
        let path = folder.join(file);
        fs::read_to_string(&path).map_err(|error| {
            CommandError::usage_text(format!("{} cannot be read: {error}", path.display()), HELP)
        })
    });
    Data::read([&annotated?, &noise?, &reruns?]).map_err(|error| {
        let cause =
            std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        CommandError::usage_text(format!("{error}{cause}"), HELP)
    })
}

/// How long the change points of normal noise with a step in it take, in microseconds.
fn change_points_us(seed: u64) -> u64 {
    let mut dice = Dice::new(seed);
    let height = |index: usize| if index < LENGTH / 2 { 0.0 } else { 1.0 };
    let values: Vec<f64> = (0..LENGTH).map(|index| dice.normal() + height(index)).collect();
    let clock = Clock::start();
    let mut rounds = [0; ROUNDS];
    for round in &mut rounds {
        let start = clock.now_us();
        drop(std::hint::black_box(change_points(std::hint::black_box(&values))));
        *round = clock.now_us() - start;
    }
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}

const HELP: &str = "`handfast trend evaluate --help` says what a folder of data holds";
const LENGTH: usize = 2_000;
const ROUNDS: usize = 21;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_are_not_there_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path()).unwrap_err();
        assert_eq!(error.code, ExitCode::Usage);
        assert!(format!("{:?}", error.report).contains("annotated-series.json"));
        for file in Data::FILES {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        assert!(format!("{:?}", read(folder.path()).unwrap_err().report).contains("holds nothing"));
    }
}
