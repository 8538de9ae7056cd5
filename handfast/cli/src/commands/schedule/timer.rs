//! Waiting for a time of day, also across sleep and across somebody who sets the clock.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jiff::Timestamp;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// Fires at an instant of the calendar. The kernel measures it by the clock on the wall: a machine that slept beyond it fires when it wakes,
/// and a clock that is set fires at once, so that whoever waits looks again.
#[derive(Debug)]
pub(super) struct Timer {
    descriptor: OwnedFd,
}

/// Where nothing is due: far enough that nobody waits for it, and still told when the clock is set.
const NEVER_S: i64 = 253_402_207_200;

impl Timer {
    /// One that waits for nothing.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self { descriptor: timerfd_create(TimerfdClockId::Realtime, flags)? })
    }

    /// Becomes readable at `deadline`, or when the clock is set. Returns whether the clock was set since the last time: whoever waits then
    /// has to look again. It is armed in both cases.
    pub(super) fn set(&self, deadline: Option<Timestamp>) -> io::Result<bool> {
        let (seconds, nanoseconds) = deadline
            .map_or((NEVER_S, 0), |deadline| (deadline.as_second(), deadline.subsec_nanosecond()));
        // A time of zero would take the timer back instead of firing at once.
        let value = Timespec { tv_sec: seconds.max(1), tv_nsec: nanoseconds.max(0).into() };
        let interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        let until = Itimerspec { it_interval: interval, it_value: value };
        was_clock_set(timerfd_settime(&self.descriptor, flags, &until).map(drop))
    }

    /// Whether it has fired.
    pub(super) fn take(&self) -> io::Result<bool> {
        match rustix::io::read(&self.descriptor, &mut [0; 8]) {
            // Cancelled: the clock was set.
            Ok(_) | Err(Errno::CANCELED) => Ok(true),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// What the kernel says of arming. That the clock was set is told once, here or to whoever reads, and by an error although the timer is armed.
fn was_clock_set(armed: Result<(), Errno>) -> io::Result<bool> {
    match armed {
        Ok(()) => Ok(false),
        Err(Errno::CANCELED) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[test]
    fn a_clock_that_was_set_is_no_failure_to_arm() {
        assert!(!was_clock_set(Ok(())).unwrap());
        assert!(was_clock_set(Err(Errno::CANCELED)).unwrap());
        assert_eq!(
            was_clock_set(Err(Errno::INVAL)).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }

    #[test]
    fn it_fires_at_what_has_passed_and_not_at_what_is_to_come() {
        let timer = Timer::new().unwrap();
        assert!(!timer.set(None).unwrap());
        assert!(!timer.take().unwrap());
        assert!(!timer.set(Some(Timestamp::UNIX_EPOCH)).unwrap());
        poll(&mut [PollFd::new(&timer, PollFlags::IN)], None).unwrap();
        assert!(timer.take().unwrap());
    }
}
