//! `handfast heal`

mod acts;
mod control;
mod drill;
pub(crate) mod peer;
mod plant;
mod rules;
mod shown;

use handfast_scenario::ExitCode;

use crate::around::Around;
use crate::error::CommandError;

/// Look at what was done about failures, at the rules for them, and whether faults of the machine are healed
///
/// Every run judges what fails (product, infra, flaky or known), repairs a fault of the machine that was measured, runs again only what it
/// hit, and writes each act down: healings.jsonl in its record, and the history.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Acts(acts::Args),
    Rules(rules::Args),
    Drill(drill::Args),
}

const EXAMPLES: &str = "\
Examples:
  handfast heal acts                  what was done about the failures of the last run?
  handfast heal acts --json           the same with all the evidence, for a program
  handfast heal rules                 the known issues and quarantined tests of known.toml, and which have ended
  handfast heal drill                 plants faults of the machine and defects of a peer: which are healed, and how fast?";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    match args.what {
        What::Acts(args) => acts::run(&args, around),
        What::Rules(args) => rules::run(&args, around),
        What::Drill(args) => drill::run(&args, around),
    }
}
