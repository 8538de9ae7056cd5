//! A process in a session of its own.
//!
//! Reason for `unsafe`: the session can only be left by the child itself, between `fork` and `exec`: afterwards a kill of the
//! process group may have come first.
#![expect(unsafe_code, reason = "the hook between fork and exec is unsafe by its nature")]

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::setsid;

/// Lets the child begin a session: signals for our process group or terminal do not reach it.
pub(crate) fn begin(command: &mut Command) {
    // SAFETY: the closure runs in the child between fork and exec. It makes one system call without
    // a library in between, allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(|| {
            setsid()?;
            Ok(())
        });
    }
}
