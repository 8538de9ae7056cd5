//! How often `handfast run` plays, and when it ends.

use clap::builder::RangedU64ValueParser;
use handfast_runner::run::REPEAT_MAX;

/// How often `--until-fail` tries without `--repeat`: so often that what fails once in 200 times is all but sure to (99.3 %).
const UNTIL_FAIL_TIMES: usize = 1_000;

const _: () = assert!(REPEAT_MAX == 10_000, "the help and the parser name the limit");

/// How often every scenario runs, and what ends the run early.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct RoundArgs {
    /// Begin nothing more once something has failed; what has begun is ended, a suite to its last test
    #[arg(long)]
    fail_fast: bool,
    /// Run every scenario so many times
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    repeat: Option<usize>,
    /// Run the scenarios over and over until one fails, at most `--repeat` times, or 1,000
    #[arg(long, conflicts_with = "all")]
    until_fail: bool,
}

impl RoundArgs {
    /// How many times every scenario runs.
    pub(super) fn times(&self) -> usize {
        self.repeat.unwrap_or(if self.until_fail { UNTIL_FAIL_TIMES } else { 1 })
    }

    /// Whether nothing begins after the first failure.
    pub(super) fn ends_at_failure(&self) -> bool {
        self.fail_fast || self.until_fail
    }
}
