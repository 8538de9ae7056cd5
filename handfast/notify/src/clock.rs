//! The time, for a program that lives on from minutes to days: read anew each time, on the clock that people set.

use handfast_lab::Clock;

/// Microseconds since the Unix epoch.
pub fn unix_us() -> i64 {
    Clock::start().started_unix_us()
}
