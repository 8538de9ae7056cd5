//! The time, for a program that lives on from minutes to days: read anew each time, on the clock that people set; limits are
//! measured on one that nobody sets.

use std::time::Duration;

use handfast_lab::Clock;

/// Microseconds since the Unix epoch.
pub fn unix_us() -> i64 {
    Clock::start().started_unix_us()
}

/// How long a clock has run, whatever people set theirs to.
pub(crate) fn elapsed(clock: &Clock) -> Duration {
    Duration::from_micros(clock.now_us())
}
