//! The signal a process gets when its parent dies.
//!
//! Reason for `unsafe`: the signal can only be asked for by the child itself, between `fork` and
//! `exec`, and the standard library's hook for that moment is unsafe. The other way, a helper
//! program that asks and then becomes the peer, costs an `exec` of the whole program a start.
#![expect(unsafe_code, reason = "the hook between fork and exec is unsafe by its nature")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Lets the child die by SIGKILL when the thread that starts it dies.
///
/// A second line: it helps where a reaper itself is killed. It does not reach the child's own
/// children, which the reaper does.
pub(crate) fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    // SAFETY: the closure runs in the child between fork and exec. It makes two system calls
    // without a library in between, allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before the call above: then no signal would come.
            if getppid() != Some(parent) {
                return Err(io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()));
            }
            Ok(())
        });
    }
}
