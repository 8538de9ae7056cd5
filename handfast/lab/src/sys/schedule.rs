//! Real-time scheduling of the calling thread.
//!
//! Reason for `unsafe`: no library of ours offers `sched_setscheduler`; it takes the address of its parameters.
#![expect(unsafe_code, reason = "the one system call that no library of ours offers")]

use std::io;

/// Lets the calling thread go before every other that is not a real-time thread itself: `SCHED_FIFO` with the least priority.
///
/// # Errors
///
/// `EPERM` where neither root nor a limit (`RLIMIT_RTPRIO`) or the control group allows it; then nothing has changed.
pub(crate) fn go_first() -> io::Result<()> {
    // SAFETY: `sched_param` is plain numbers, for which all zeroes are a value.
    let mut priority: libc::sched_param = unsafe { std::mem::zeroed() };
    priority.sched_priority = 1;
    // SAFETY: 0 is the calling thread, and the parameters live until the call returns.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
