//! The process that cleans up after a unit, whatever happens to handfast.
//!
//! Each unit has one reaper: the handfast program once more, under a hidden subcommand. It holds the
//! other end of a socket, the *lifeline*, and starts the unit's peers on demand, so that they are
//! its children and not handfast's. As a child subreaper it also becomes the parent of every
//! process a peer starts and abandons, with `setsid` and double forks or without: nothing in a unit
//! can leave its tree. When the lifeline says so, or breaks because handfast is gone, it kills the
//! tree until the system knows no child of it, removes the unit's folder, and ends. This needs no
//! privileges.
//!
//! - [`handle`]: handfast's end of the lifeline
//! - `frame`: the messages on it, with descriptors beside them
//! - `server`: the reaper's own loop
//! - `disks`: small file systems that only the unit sees
//! - `tree`: what `/proc` says about processes

mod disks;
pub(crate) mod frame;
pub mod handle;
mod server;
pub(crate) mod tree;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

pub use frame::SpawnOrder;
pub use handle::{Finished, Reaper, Running, SpawnError};
pub use tree::LeftProcess;

/// The hidden subcommand that makes a program a reaper.
pub const ARGUMENT: &str = "__reaper";

/// The variable that marks every process of a run; its value is the run's id.
pub const RUN_MARKER: &str = "HANDFAST_RUN";

/// The variable that marks every process of a unit; its value is the unit's folder.
pub const UNIT_MARKER: &str = "HANDFAST_UNIT";

/// Whether a program was started to be a reaper.
///
/// Its `main` then returns the value of [`main`] at once, before it parses anything or starts a
/// thread: a reaper must be ready within a millisecond, and be alone in its process.
pub fn is_reaper_invocation(mut args: impl Iterator<Item = OsString>) -> bool {
    args.nth(1).is_some_and(|argument| argument == ARGUMENT)
}

/// Runs a reaper until its unit is over.
///
/// Expects the lifeline as standard input and the unit's folder as the argument after
/// [`ARGUMENT`]. Ends with 0 when no process is left and the folder is gone. With
/// [`crate::net::HOLD`] in the folder's place it is a holder instead, which makes the namespaces of a unit.
pub fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(2).map(PathBuf::from) else {
        return ExitCode::from(2);
    };
    if dir.as_os_str() == crate::net::HOLD {
        return crate::net::hold();
    }
    match server::serve(&dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
