//! `handfast perf`

mod bench;
mod compare;
mod history;
mod judge;
mod peer;
mod run;
mod selftest;
mod shown;
mod store;

use handfast_scenario::ExitCode;

use crate::around::Around;
use crate::error::CommandError;

/// Measure how fast peers are: handshakes, messages, throughput, memory, what a message costs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Run(run::Args),
    Compare(compare::Args),
    History(history::Args),
    Selftest(selftest::Args),
    Peer(peer::Args),
}

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    match args.what {
        What::Run(args) => run::run(&args, around),
        What::Compare(args) => compare::run(&args, around),
        What::History(args) => history::run(&args, around),
        What::Selftest(args) => selftest::run(&args, around),
        What::Peer(args) => peer::run(args),
    }
}
