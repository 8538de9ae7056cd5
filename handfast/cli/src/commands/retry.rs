//! `--retry`, for every command that runs things.

use clap::builder::RangedU64ValueParser;

/// How much of what fails is tried once more.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct RetryArgs {
    /// Try once more what fails, at most so many units and tests
    ///
    /// What then passes is flaky: it is told by name with what it said when it failed, and if nothing else fails the exit code is
    /// 5. What fails beyond that number is not tried again: such a run is broken, not flaky.
    #[arg(long, value_name = "N", default_value = "0", value_parser = RangedU64ValueParser::<usize>::new().range(0..=1_000))]
    pub(super) retry: usize,
}
