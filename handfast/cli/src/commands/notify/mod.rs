//! `handfast notify`

mod jobs;
mod record;
mod status;
mod test;

use std::path::{Path, PathBuf};
use std::time::Duration;

use handfast_notify::clock::unix_us;
use handfast_notify::config::{self, Config, ConfigError};
use handfast_notify::courier;
use handfast_notify::outbox::write::Applied;
use handfast_notify::outbox::{Outbox, OutboxError, folder};
use handfast_notify::teller::chain;
use handfast_runner::project::FILE;
use handfast_scenario::{ExitCode, duration};

use super::telling::nobody;
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Tell people what runs have found: try a channel, see what is not told, send it
///
/// Runs with --notify tell by themselves. What could not be told yet waits in .handfast/notify.db.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, clap::Subcommand)]
enum Sub {
    Test(test::Args),
    Status(status::Args),
    Deliver(DeliverArgs),
    Record(record::Args),
    Jobs(jobs::Args),
}

const EXAMPLES: &str = "\
Examples:
  handfast run --notify=daily                       what this run finds is told, as news of daily
  handfast notify test                              a message to every channel, that says that it is a test
  handfast notify status                            what is open, what is not told yet and why
  handfast notify deliver --within 1min             send what is left, from cron or at the end of a CI job
  handfast notify record .handfast/runs/20261122-093045-1f3c07ab --subject daily";

/// Send what is left, here and now
///
/// Also tells of runs that died together with their courier. Ends with 3 if something due is not out in time.
#[derive(Debug, clap::Args)]
struct DeliverArgs {
    /// For how long it is tried
    #[arg(long, value_name = "TIME", default_value = "1min", value_parser = duration::parse)]
    within: Duration,
}

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let project = Told::find(around)?;
    match args.command {
        Sub::Test(args) => test::run(&args, &project),
        Sub::Status(args) => status::run(&args, &project),
        Sub::Deliver(args) => project.deliver(args.within),
        Sub::Record(args) => record::run(&args, &project, around),
        Sub::Jobs(args) => jobs::run(&args, &project),
    }
}

/// A project whose runs are told.
struct Told {
    root: PathBuf,
    config: Config,
}

impl Told {
    fn find(around: &Around) -> Result<Self, CommandError> {
        let root = around.folder.ancestors().find(|folder| folder.join(FILE).is_file());
        let Some(root) = root else {
            let error = format!("there is no {FILE} in {} or above it", around.folder.display());
            return Err(CommandError::usage_text(error, "call handfast inside a project"));
        };
        let config = config::read(root).map_err(|error| match error {
            ConfigError::Nobody => nobody(),
            ConfigError::Wrong(problems) => CommandError::usage(problems),
            ConfigError::Read { .. } => CommandError::infra(&error, "the project cannot be used"),
        })?;
        Ok(Self { root: root.to_owned(), config })
    }

    fn outbox(&self) -> Result<Outbox, CommandError> {
        Outbox::open(&folder(&self.root)).map_err(|error| unusable(&error))
    }

    /// Sends what is due, and says what is left.
    fn deliver(&self, within: Duration) -> Result<ExitCode, CommandError> {
        let within = i64::try_from(within.as_micros()).unwrap_or(i64::MAX);
        let ends_at = unix_us().saturating_add(within);
        let told = courier::deliver(&self.root, &self.config.settings, ends_at);
        told.map_err(|error| CommandError::infra(&error, "the letters cannot be delivered"))?;
        let deadline = self.config.settings.deadline;
        let status =
            self.outbox()?.status(deadline, unix_us()).map_err(|error| unusable(&error))?;
        let left = status.untold_count.saturating_sub(status.held);
        for letter in status.untold.iter().filter(|letter| letter.why.is_some()) {
            let why = letter.why.as_deref().unwrap_or_default();
            Stream::Error.print(&format!("{}: {}: {why}\n", letter.channel, letter.key));
        }
        Stream::Out.print(&format!(
            "{} told so far, {left} not told, {} held until quiet hours are over\n",
            status.told, status.held
        ));
        Ok(if left == 0 { ExitCode::Passed } else { ExitCode::Infrastructure })
    }
}

/// What could not be kept as it should, such as a letter for a channel that is full.
fn say_all(applied: &Applied) {
    for sentence in &applied.said {
        Stream::Error.print(&format!("{sentence}\n"));
    }
}

fn unusable(error: &OutboxError) -> CommandError {
    CommandError::infra(error, "the outbox cannot be used")
}

/// A file that cannot be read.
fn unreadable(path: &Path, error: &dyn std::error::Error) -> CommandError {
    let help = "name the folder of one run, with events.jsonl in it";
    CommandError::usage_text(format!("failed to read {}: {}", path.display(), chain(error)), help)
}
