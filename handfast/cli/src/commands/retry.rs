//! `--retry` and `--no-heal`, for every command that runs things: what is done about what fails.

use std::path::Path;

use clap::builder::RangedU64ValueParser;
use handfast_lab::Clock;
use handfast_runner::care::{Care, PATIENCE, Repairs, Wall};
use handfast_runner::project;
use jiff::tz::TimeZone;

use crate::error::CommandError;

/// What is done about what fails.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct RetryArgs {
    /// Try again what fails, at most so many times in the run and twice a scenario
    ///
    /// What then passes is flaky: it is told by name with what it said when it failed, and if nothing else fails the exit code is
    /// 5. What fails beyond that number is not tried again: such a run is broken, not flaky. A test of a suite is tried again
    /// once, after its suite; a scenario after half a second or more. What known.toml says is known is not tried again.
    #[arg(long, value_name = "N", default_value = "0", value_parser = RangedU64ValueParser::<usize>::new().range(0..=1_000))]
    pub(super) retry: usize,
    /// Repair nothing: tell what is broken on this machine, and leave it
    ///
    /// Otherwise a fault of the machine that was measured (a taken port, a stale lock, a damaged build) is repaired, and what it
    /// hit runs again; what then passes counts as flaky.
    #[arg(long)]
    pub(super) no_heal: bool,
}

impl RetryArgs {
    /// What is done about failures of a run of the project at `root`.
    pub(super) fn care(self, root: &Path, clock: Clock) -> Result<Care, CommandError> {
        let now = jiff::Timestamp::from_microsecond(clock.started_unix_us()).unwrap_or_default();
        Ok(Care {
            known: project::known(root).map_err(CommandError::usage)?,
            passes: project::passes(root),
            day: now.to_zoned(TimeZone::UTC).date(),
            retries: self.retry,
            repairs: if self.no_heal { Repairs::Never } else { Repairs::Proved },
            wall: Wall::default(),
            patience: PATIENCE,
        })
    }
}
