//! Namespaces: making one, and being in one from the first instruction of a program on.
//!
//! Reason for `unsafe`: `unshare` can take descriptors away from other threads (with `CLONE_FILES`, which is not used here), and
//! a process that another starts can only enter a namespace by itself, between `fork` and `exec`.
#![expect(unsafe_code, reason = "unshare, and the hook between fork and exec")]

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::thread::{UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// Leaves the network of this thread for a new one that has nothing but a loopback interface, which is down.
///
/// # Errors
///
/// `EPERM` without the right `CAP_SYS_ADMIN`; `ENOSPC` where the system gives no more of them.
pub(crate) fn leave_network() -> io::Result<()> {
    // SAFETY: descriptors stay shared, as `CLONE_FILES` is not among the flags.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.map_err(io::Error::from)
}

/// Leaves the user namespace for a new one in which this process has every right, until its next `exec`.
///
/// # Errors
///
/// `EINVAL` in a process with several threads; `EPERM` or `ENOSPC` where the system does not give them to this user.
pub(crate) fn leave_users() -> io::Result<()> {
    // SAFETY: descriptors stay shared, as `CLONE_FILES` is not among the flags.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }.map_err(io::Error::from)
}

/// Lets the child enter these namespaces, in this order, before it becomes the program.
///
/// A user namespace comes first: it gives the rights that the others ask for.
pub(crate) fn enter(command: &mut Command, namespaces: Vec<OwnedFd>) {
    if namespaces.is_empty() {
        return;
    }
    // SAFETY: the closure runs in the child between fork and exec. It makes a system call a namespace without a library in
    // between, allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || {
            for namespace in &namespaces {
                move_into_link_name_space(namespace.as_fd(), None)?;
            }
            Ok(())
        });
    }
}
