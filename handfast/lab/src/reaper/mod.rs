//! The process that cleans up after a unit.

use std::process::ExitCode;

/// The hidden subcommand that makes a program a reaper.
pub const ARGUMENT: &str = "__reaper";

/// Whether a program was started to be a reaper; its `main` then returns [`main`]'s value at once,
/// before it parses anything, starts a thread or a runtime.
pub fn is_reaper_invocation(mut args: impl Iterator<Item = std::ffi::OsString>) -> bool {
    args.nth(1).is_some_and(|argument| argument == ARGUMENT)
}

/// Runs a reaper until its unit is over.
pub fn main() -> ExitCode {
    todo!()
}
