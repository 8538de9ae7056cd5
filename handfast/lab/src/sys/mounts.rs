//! Mounts that only a unit sees.
//!
//! Reason for `unsafe`: mounting takes the addresses of texts; leaving a namespace is marked so because of what other flags do to
//! descriptors.
#![expect(
    unsafe_code,
    reason = "unshare is unsafe for the sake of flags that are not used here, and mounting takes addresses"
)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Gives this process mounts of its own: what it mounts afterwards nobody else sees, and it is gone with the last process in here.
///
/// The process must have one thread.
///
/// # Errors
///
/// `EPERM` without the right to mount; then nothing has changed.
pub(crate) fn begin_own() -> io::Result<()> {
    // SAFETY: the flag concerns mounts alone; descriptors and memory stay as they are.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
    // Where the host shares its mounts, ours would appear there, too.
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: the texts are constants, and the absent ones are not looked at.
    let result =
        unsafe { libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), private, ptr::null()) };
    result_of(result)
}

/// Mounts a file system in memory with these options (`tmpfs(5)`), on which nothing is a device or gains rights. Allocates nothing.
///
/// # Errors
///
/// What the system refuses.
pub(crate) fn mount_memory(folder: &CStr, options: &CStr) -> io::Result<()> {
    let flags = libc::MS_NODEV | libc::MS_NOSUID;
    let (source, kind) = (c"handfast".as_ptr(), c"tmpfs".as_ptr());
    // SAFETY: all four are texts that live until the call returns.
    let result =
        unsafe { libc::mount(source, folder.as_ptr(), kind, flags, options.as_ptr().cast()) };
    result_of(result)
}

/// Lets a folder be seen at another one.
///
/// # Errors
///
/// What the system refuses.
pub(crate) fn bind(folder: &Path, at: &Path) -> io::Result<()> {
    let (folder, at) = (text(folder)?, text(at)?);
    // SAFETY: both texts live until the call returns, and the absent ones are not looked at.
    let result = unsafe {
        libc::mount(folder.as_ptr(), at.as_ptr(), ptr::null(), libc::MS_BIND, ptr::null())
    };
    result_of(result)
}

/// Takes a mount away, at the latest when nobody uses it any more.
///
/// # Errors
///
/// If nothing is mounted there.
pub(crate) fn unmount(folder: &Path) -> io::Result<()> {
    let folder = text(folder)?;
    // SAFETY: the text lives until the call returns.
    result_of(unsafe { libc::umount2(folder.as_ptr(), libc::MNT_DETACH) })
}

/// A path as the system takes it.
pub(crate) fn text(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn result_of(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
