//! Whether the system allows something: tried in a child that ends at once.
//!
//! Reason for `unsafe`: what is tried (namespaces, scheduling classes) would change the process that tries it, so a child has to, in the
//! only place where code of ours runs in one: between `fork` and `exec`. No program is ever executed.
#![expect(unsafe_code, reason = "the hook between fork and exec is unsafe by its nature")]

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::process::{getpid, set_child_subreaper};
use rustix::thread::UnshareFlags;

use crate::sys::{mounts, schedule};

/// What the child says of a success: nothing that is tried ends with this error.
const WORKED: Errno = Errno::OWNERDEAD;

/// Tries to leave namespaces for new ones.
///
/// # Errors
///
/// Why the system refuses.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    in_child(move || {
        // SAFETY: the child has one thread and ends right after; no flag that is asked for here is about descriptors or memory.
        Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
    })
}

/// Tries to become the parent of orphans.
///
/// # Errors
///
/// Why the system refuses.
pub(crate) fn become_subreaper() -> io::Result<()> {
    in_child(|| Ok(set_child_subreaper(Some(getpid()))?))
}

/// Tries to become a real-time thread.
///
/// # Errors
///
/// Why the system refuses.
pub(crate) fn go_first() -> io::Result<()> {
    in_child(schedule::go_first)
}

/// Tries to join the group whose `cgroup.procs` this is, open for writing.
///
/// # Errors
///
/// Why the system refuses.
pub(crate) fn join(group: File) -> io::Result<()> {
    in_child(move || {
        rustix::io::write(&group, b"0")?;
        Ok(())
    })
}

/// Tries to mount a file system where only the child sees it.
///
/// # Errors
///
/// Why the system refuses.
pub(crate) fn mount_a_disk(folder: &Path) -> io::Result<()> {
    let folder = mounts::text(folder)?;
    in_child(move || {
        mounts::begin_own()?;
        mounts::mount_memory(&folder, c"size=64k")
    })
}

/// Does something in a child. It must not allocate and not take a lock, since other threads were cut off at any point.
fn in_child(act: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> io::Result<()> {
    let mut command = Command::new("/nonexistent");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: what callers in this file pass makes system calls alone.
    unsafe {
        command.pre_exec(move || {
            act()?;
            Err(WORKED.into())
        });
    }
    match command.spawn() {
        Err(error) if error.raw_os_error() == Some(WORKED.raw_os_error()) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::other("a program was executed that is not there")),
    }
}
