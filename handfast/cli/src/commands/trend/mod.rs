//! `handfast trend`

mod evaluate;
mod live;

use handfast_scenario::ExitCode;

use crate::around::Around;
use crate::error::CommandError;

/// Look at what is told from many runs: where a series changed, which tests are flaky, which build is slower
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Evaluate(evaluate::Args),
}

/// Carries out the command.
pub(crate) fn run(args: Args, _around: &Around) -> Result<ExitCode, CommandError> {
    match args.what {
        What::Evaluate(args) => evaluate::run(&args),
    }
}
