//! `handfast perf compare`

use clap::builder::RangedU64ValueParser;
use handfast_perf::compare::{Difference, builds};
use handfast_perf::figure::ERROR;
use handfast_runner::perf::{Cast, Order};
use handfast_scenario::ExitCode;
use handfast_trend::paired::Verdict;
use serde_json::json;

use super::super::telling::Telling;
use super::bench::{Bench, machine_class};
use super::shown;
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Compare two builds by rounds that take turns: is one slower, and how small a difference would have been seen?
///
/// Both run at the same time and are measured one after the other in each round, so that a machine that others use slows both alike. A metric costs more or less
/// as a multiple of the first build, in an interval that is wrong once in a hundred comparisons; counters are compared exactly. Exit code 1: the second build is
/// worse in some metric.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The build that is known, as handfast.toml names its peer
    #[arg(value_name = "BEFORE")]
    before: String,
    /// The build that is judged
    #[arg(value_name = "AFTER")]
    after: String,
    /// How often both are measured
    #[arg(long, value_name = "N", default_value = "20", value_parser = RangedU64ValueParser::<usize>::new().range(10..=1_000))]
    rounds: usize,
    /// Take the peers as they are, without building them first
    #[arg(long)]
    no_build: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast perf compare entity python              which of two peers is faster?
  handfast perf compare entity entity              how much chance is there?
  handfast perf compare old new --rounds 60        smaller differences";

/// Carries out the command.
pub(crate) fn run(args: &Args, around: &Around) -> Result<ExitCode, CommandError> {
    let bench = Bench::open(around, &Telling::default())?;
    let cast = |name: &str| bench.peer(name).map(|peer| Cast { a: peer.clone(), b: peer });
    let casts = [cast(&args.before)?, cast(&args.after)?];
    bench.prepare(&casts, args.no_build)?;
    let measured = bench.measure(&casts, Order { rounds: args.rounds, ..Order::default() })?;
    bench.close()?;
    let [before, after] = &measured[..] else { return Ok(ExitCode::NothingRan) };
    let told =
        before.figures.iter().filter_map(|figure| builds(figure, after.figure(figure.metric)?));
    let told: Vec<Difference> = told.collect();
    let worse = told.iter().filter(|told| told.verdict == Verdict::Worse).count();
    if args.json {
        let json = json!({
            "before": before, "after": after, "differences": told, "error": ERROR, "machine": machine_class(),
        });
        Stream::Out.print(&format!("{json:#}\n"));
    } else {
        let names = [args.before.as_str(), args.after.as_str()];
        Stream::Out.print(&shown::differences(names, &told, around.out.palette));
        let rounds = args.rounds;
        Stream::Out.print(&format!(
            "{} metrics compared by {rounds} rounds in turns, {worse} worse\n",
            told.len()
        ));
    }
    Ok(if worse > 0 { ExitCode::ProductFailure } else { ExitCode::Passed })
}
