//! `handfast perf peer`

use std::time::Duration;

use handfast_scenario::{ExitCode, duration};
use handfast_stub::paced::{self, Pace};

use super::super::run::runtime;
use crate::error::CommandError;

/// Play a peer that is as slow, and as greedy, as it is told to be
///
/// Speaks the peer contract and a protocol of its own. `handfast perf selftest` plants it; in handfast.toml it can be the `start` of a peer.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// How long it thinks about each handshake, such as `700ms`
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration::parse)]
    handshake: Duration,
    /// How long it thinks about each message, about all of them at once
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration::parse)]
    message: Duration,
    /// How long it works on each message, on one after the other
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration::parse)]
    work: Duration,
    /// Bytes that each message leaves behind
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    leak: usize,
    /// What it is called
    #[arg(long, env = "HANDFAST_NAME", default_value = "paced")]
    name: String,
    /// Where to listen; port 0: anywhere
    #[arg(long, env = "HANDFAST_LISTEN", default_value = "127.0.0.1:0")]
    listen: String,
}

const EXAMPLES: &str = "\
Examples:
  handfast perf peer --message 150ms              each message takes 150 ms
  handfast perf peer --work 20ms --leak 1000      50 messages a second at most, and each leaves a kilobyte";

/// Carries out the command.
pub(crate) fn run(args: Args) -> Result<ExitCode, CommandError> {
    let Args { handshake, message, work, leak, name, listen } = args;
    let pace = Pace { handshake, message, work, leak };
    match runtime()?.block_on(paced::serve(name, &listen, pace)) {
        Ok(()) => Ok(ExitCode::Passed),
        Err(error) => Err(CommandError::infra(&std::io::Error::other(error), "the peer ended")),
    }
}
