//! `handfast ci`: the workflow in which a project runs elsewhere.
//!
//! 1. [`files`]: a generated file beside what stands on disk.
//! 2. [`generate`], [`check`], [`child`]: the commands.
//! 3. [`reach`]: what a file runs of the project.

mod check;
mod child;
mod files;
mod generate;
mod reach;

use handfast_runner::project::Loaded;
use handfast_scenario::ExitCode;
use handfast_workflow::setting::{Setting, SettingError};

use super::selection::load;
use crate::around::Around;
use crate::error::CommandError;

/// Write the workflow in which this project runs on GitHub or GitLab, and keep it true
///
/// `[ci]` of handfast.toml says what is in it: a job a category, a suite, a job of [ci.jobs], the matrix in shards, one that tells, and one that
/// is green only if all are. What people write into the files outside of the generated regions stays as it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Generate(generate::Args),
    Check(check::Args),
    Child(child::Args),
}

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    match args.command {
        Command::Generate(args) => generate::run(&args, &loaded, around),
        Command::Check(args) => check::run(&args, &loaded),
        Command::Child(args) => child::run(&args, &loaded, around),
    }
}

fn setting(loaded: &Loaded) -> Result<Setting<'_>, CommandError> {
    Setting::new(&loaded.project, &loaded.scenarios).map_err(wrong)
}

fn wrong(error: SettingError) -> CommandError {
    let help = error.help.clone();
    CommandError::usage_text(error, help)
}
