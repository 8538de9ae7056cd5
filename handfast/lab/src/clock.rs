//! The one clock of a run.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The time of day, in microseconds since the Unix epoch: for what follows the calendar. It jumps where somebody sets it.
#[expect(clippy::disallowed_methods, reason = "the one clock on the wall")]
pub fn unix_us() -> i64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(unix.as_micros()).unwrap_or(i64::MAX)
}

/// Stamps everything a run observes, on one axis.
///
/// The runner starts one per run and hands copies around; all copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    origin_unix_us: i64,
}

impl Clock {
    /// Starts the axis at this moment.
    #[expect(clippy::disallowed_methods, reason = "the run's one clock")]
    pub fn start() -> Self {
        Self { origin: Instant::now(), origin_unix_us: unix_us() }
    }

    /// Microseconds since the start; never falls.
    #[expect(clippy::disallowed_methods, reason = "the run's one clock")]
    pub fn now_us(&self) -> u64 {
        let elapsed = Instant::now().duration_since(self.origin);
        u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
    }

    /// When the axis starts, in microseconds since the Unix epoch.
    pub fn started_unix_us(&self) -> i64 {
        self.origin_unix_us
    }
}

/// Nanoseconds of the monotonic clock, `CLOCK_MONOTONIC`: the axis of timers, and the same in every process of this machine.
pub fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}

/// Nanoseconds of processor time that this process has used, all threads together.
pub fn process_ns() -> u64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(used.tv_nsec).unwrap_or(0))
}
