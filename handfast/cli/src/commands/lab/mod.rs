//! `handfast lab`

mod calibrate;
mod shown;

use handfast_scenario::ExitCode;

use crate::around::Around;
use crate::error::CommandError;

/// Look at what carries out the faults of the network on this host
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Calibrate(calibrate::Args),
}

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    match args.what {
        What::Calibrate(args) => calibrate::run(args, around),
    }
}
