//! `handfast shards`

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use handfast_matrix::shard::{Partition, ShardPlan};
use handfast_report::shards;
use handfast_scenario::event::SHARDS_MAX;
use handfast_scenario::{ExitCode, Plan, duration};

use super::selection::{SelectionArgs, load};
use super::{matrix, run, shard};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Say into how many shards a run is best cut, and what is in each
///
/// Looks up how long everything took in earlier runs and makes as many shards as it takes for each of them to be over in time: the longest
/// piece first, always to the shard that has the least to do. The plan that it writes is for `--shard I/N --shard-plan FILE` of `handfast run`
/// and `handfast matrix`, which have to be given the same filters. Builds and runs nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Of `handfast run --all`: with suites and the matrix
    #[arg(long)]
    all: bool,
    /// Of `handfast matrix`
    #[arg(long, conflicts_with_all = ["all", "peer"])]
    matrix: bool,
    /// Which peers meet each other in the matrix, in place of those of `[matrix]` in handfast.toml
    #[arg(long, value_name = "PEER,PEER", value_delimiter = ',', requires = "matrix")]
    peers: Vec<String>,
    /// Only cells all of whose roles speak only these versions, such as `1.1`
    #[arg(long, value_name = "VERSION,VERSION", value_delimiter = ',', requires = "matrix")]
    versions: Vec<String>,
    /// How long a shard may take, building apart
    #[arg(long, value_name = "TIME", default_value = "5min", value_parser = within)]
    within: Duration,
    /// Most shards; GitHub makes no more than 256 jobs of one matrix
    #[arg(long, value_name = "N", default_value = "20", value_parser = RangedU64ValueParser::<u32>::new().range(1..=256))]
    max: u32,
    /// Write the plan here
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the value for `strategy.matrix` of a GitHub workflow on standard output, everything else on standard error
    #[arg(long, conflicts_with = "json")]
    github: bool,
    /// Print the plan on standard output, everything else on standard error
    #[arg(long)]
    json: bool,
}

const _: () = assert!(SHARDS_MAX == 256, "the help and the parser name the limit");

const EXAMPLES: &str = "\
Examples:
  handfast shards --all                             how would everything be cut?
  handfast shards --all --within 5min --out plan.json
  handfast run --all --shard 1/4 --shard-plan plan.json
  handfast shards --matrix --max 10 --out plan.json
  handfast matrix --shard 1/10 --shard-plan plan.json

In a GitHub workflow, where a job with this step has an output `shards`:
  echo \"shards=$(handfast shards --all --out plan.json --github)\" >> \"$GITHUB_OUTPUT\"
the jobs of the shards have `strategy: {matrix: ${{ fromJSON(needs.JOB.outputs.shards) }}}` and run
  handfast run --all --shard ${{ matrix.shard }} --shard-plan plan.json";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let (plan, ask) = if args.matrix {
        let wish = (args.peers.as_slice(), args.versions.as_slice());
        (Plan::default(), Some(matrix::ask(&loaded, &args.selection, wish)?))
    } else {
        run::whole(&loaded, &args.selection, args.all, 1)?
    };
    let cells = ask.map(|ask| matrix::chosen(&loaded, &ask)).transpose()?.unwrap_or_default();
    let loads = shard::whole(&loaded, &plan, &cells)?;
    if loads.is_empty() {
        Stream::Error.print("nothing to cut: no scenario and no suite matches\n");
        return Ok(ExitCode::NothingRan);
    }
    let within_us = u64::try_from(args.within.as_micros()).unwrap_or(u64::MAX);
    let partition = Partition::within(loads, within_us, args.max);
    let plan = ShardPlan { command: around.command.clone(), within_us, partition };
    let text = plan
        .to_text()
        .map_err(|error| CommandError::infra(&error, "the plan cannot be written"))?;
    if let Some(file) = &args.out {
        std::fs::write(around.folder.join(file), &text).map_err(|error| {
            let help = "give --out a file in a folder that is there";
            CommandError::usage_text(format!("failed to write {}: {error}", file.display()), help)
        })?;
    }
    let table = if args.github || args.json { Stream::Error } else { Stream::Out };
    table.print(&shards::plan(&plan, args.max));
    if args.github {
        let value = shards::github(&plan.partition)
            .map_err(|error| CommandError::infra(&error, "the shards cannot be named"))?;
        Stream::Out.print(&format!("{value}\n"));
    }
    if args.json {
        Stream::Out.print(&text);
    }
    Ok(ExitCode::Passed)
}

fn within(text: &str) -> Result<Duration, String> {
    match duration::parse(text) {
        Ok(Duration::ZERO) => Err("no shard is over in no time at all".to_owned()),
        Ok(within) => Ok(within),
        Err(error) => Err(error.to_string()),
    }
}
