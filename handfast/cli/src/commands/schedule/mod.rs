//! `handfast schedule`
//!
//! 1. `service`: the loop around the machine of `handfast-schedule`; `ears` and `timer`: what it waits for.
//! 2. `store`: what survives, and who has it; `child`: a run, seen from both of its ends.
//! 3. `list`, `next`, `systemd`: what is asked and written.

mod child;
mod ears;
mod list;
mod next;
mod service;
mod store;
mod systemd;
mod timer;

use handfast_runner::project::Loaded;
use handfast_scenario::ExitCode;
use handfast_schedule::Job;
use jiff::Timestamp;

use super::selection::load;
use crate::around::Around;
use crate::error::CommandError;

pub(crate) use child::scheduled;

/// Carry out what handfast.toml says runs by itself
///
/// Every `[[schedule]]` names a job: a cron expression in a time zone, and the words of a command of handfast. Each occurrence is begun exactly
/// once: a local time that the clock skips falls at the first instant after the gap, one that comes twice the first time. One run makes up for
/// whatever was missed, and there is never more than one run at once.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Run(service::Args),
    List(list::Args),
    Next(next::Args),
    Systemd(systemd::Args),
}

const EXAMPLES: &str = "\
Examples:
  handfast schedule list                              the jobs, when they are next, how they ended
  handfast schedule next --count 20                   the next 20 runs, in their zones and in UTC
  handfast schedule run                               carry the jobs out until Ctrl-C or SIGTERM
  handfast schedule run --once                        only what is due now, then end
  handfast schedule systemd --user --out ~/.config/systemd/user/handfast.service
  systemctl --user enable --now handfast              the same as a service";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    match args.what {
        What::Run(args) => service::run(&args, around),
        What::List(args) => list::run(&args, around),
        What::Next(args) => next::run(&args, around),
        What::Systemd(args) => systemd::run(&args, around),
    }
}

/// The project, which has at least one job.
fn load_with_jobs(around: &Around) -> Result<Loaded, CommandError> {
    let loaded = load(around)?;
    if loaded.project.schedule.is_empty() {
        let help = "add [[schedule]] with name = \"daily\", cron = \"0 2 * * *\", command = [\"run\", \"--all\"]";
        return Err(CommandError::usage_text("handfast.toml has no [[schedule]]", help));
    }
    Ok(loaded)
}

/// The time of day.
fn now() -> Timestamp {
    Timestamp::from_microsecond(handfast_lab::clock::unix_us()).unwrap_or_default()
}

/// An instant in a job's own zone: `Mon 2026-11-23 02:00:00 +01:00`.
fn local(job: &Job, at: Timestamp) -> String {
    let zone = &job.calendar.zone;
    format!("{} {}", zone.local(at).strftime("%a %Y-%m-%d %H:%M:%S"), zone.offset(at))
}
