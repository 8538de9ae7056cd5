//! Points in time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds on a clock that nobody can set and that runs on while the system sleeps.
///
/// Zero is the start of the system, or whatever else the clock counts from; a book that was kept under an earlier start is moved onto this
/// line when it is opened, so values below zero are usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// The moment `later` after this one; never past the end of the line.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(micros(later)))
    }

    /// The moment `earlier` before this one; never past the beginning of the line.
    #[must_use]
    pub fn minus(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(micros(earlier)))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment, `shift` microseconds along the line.
    #[must_use]
    pub(crate) fn shifted(self, shift: i64) -> Self {
        Self(self.0.saturating_add(shift))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
