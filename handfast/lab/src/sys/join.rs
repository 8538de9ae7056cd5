//! A process that is in its control groups before its program begins.
//!
//! Reason for `unsafe`: whoever moves a process after it has begun comes too late, since what it has used by then is never accounted to
//! the new group. The child itself has to join, between `fork` and `exec`.
#![expect(unsafe_code, reason = "the hook between fork and exec is unsafe by its nature")]

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Lets the child join groups; each file is the `cgroup.procs` of one, open for writing.
pub(crate) fn join_groups(command: &mut Command, files: Vec<File>) {
    // SAFETY: the closure runs in the child between fork and exec. It makes a system call a file without a library in between,
    // allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || {
            for file in &files {
                // 0 stands for the process that writes (`cgroups(7)`).
                rustix::io::write(file, b"0")?;
            }
            Ok(())
        });
    }
}
