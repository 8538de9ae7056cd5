//! `handfast history`

mod lines;
mod prune;
mod runs;
mod standing;
mod team;
mod test;

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use handfast_history::{History, HistoryError};
use handfast_runner::project::{FILE, ProjectError};
use handfast_scenario::ExitCode;
use jiff::Timestamp;

use crate::around::Around;
use crate::error::CommandError;

/// Look at what earlier runs have found: the last runs, or one test over time; keep it elsewhere, or forget some of it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// One test over time: a unit, a test of a suite, `suite: test`, or a part of such names
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    team: team::TeamArgs,
    /// Show so many runs
    #[arg(long, value_name = "N", default_value = "20", value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    last: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Export(lines::ExportArgs),
    Import(lines::ImportArgs),
    Prune(prune::Args),
    Push(team::PushArgs),
}

const EXAMPLES: &str = "\
Examples:
  handfast history                            the last runs and how they ended
  handfast history meeting                    the tests with `meeting` in their name
  handfast history 'workspace: it::a_test'    one test over time: how often does it fail, what is thought of it, what does it take?
  handfast history --last 100 --json          the last hundred runs, for a program
  handfast history export history.jsonl       everything as JSON lines
  handfast history import history.jsonl       take in what another machine has found
  handfast history prune --older-than 90d --dry-run   what would be forgotten?
  handfast history push --team postgresql://ci@db.example/handfast   bring it to the team
  handfast history --team postgresql://ci@db.example/handfast        what all machines have found";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    match (args.what, args.name) {
        (Some(What::Export(args)), _) => lines::export(&args, around),
        (Some(What::Import(args)), _) => lines::import(&args, around),
        (Some(What::Prune(args)), _) => prune::run(&args, around),
        (Some(What::Push(args)), _) => team::push(&args, around),
        (None, Some(name)) => {
            test::show(&*args.team.store(around)?, &name, args.last, args.json, around)
        }
        (None, None) => runs::show(&*args.team.store(around)?, args.last, args.json, around),
    }
}

/// The folder of the history of the project that the program was called in. Its files are not read: a mistake in one hides no past.
fn folder(around: &Around) -> Result<PathBuf, CommandError> {
    let root = around.folder.ancestors().find(|folder| folder.join(FILE).is_file());
    let root = root.ok_or_else(|| {
        CommandError::usage(ProjectError::NotFound { from: around.folder.clone() })
    })?;
    Ok(root.join(".handfast"))
}

fn open(around: &Around) -> Result<History, CommandError> {
    History::open(&folder(around)?).map_err(|error| unusable(&error))
}

fn unusable(error: &HistoryError) -> CommandError {
    CommandError::infra(error, "the history cannot be used")
}

/// A moment for people.
fn moment(unix_us: i64) -> String {
    let at = Timestamp::from_microsecond(unix_us).unwrap_or_default();
    at.strftime("%F %TZ").to_string()
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_moments_read_well() {
        assert_eq!([size(999), size(1_250_000), size(2_000_000_000)], ["0 kB", "1.2 MB", "2.0 GB"]);
        assert_eq!(moment(1_761_984_000_000_000), "2025-11-01 08:00:00Z");
    }
}
