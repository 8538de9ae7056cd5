//! The node's one clock.

use std::time::{Duration, SystemTime};

use entity_wire::time::Timestamp;
use tokio::time::Instant;

/// One monotone timeline, anchored to Unix time when the node starts.
///
/// It never goes back and never jumps when somebody sets the system's clock: deadlines and replay windows depend on that.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    anchor: Timestamp,
}

impl Clock {
    /// Anchors the timeline at the system's present time.
    #[expect(clippy::disallowed_methods, reason = "the node's one clock")]
    pub fn start() -> Self {
        let unix =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { started: Instant::now(), anchor: Timestamp::UNIX_EPOCH.plus(unix) }
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        self.anchor.plus(self.started.elapsed())
    }

    /// The moment of the runtime's timer that corresponds to `at`; never before the start.
    pub fn instant_of(&self, at: Timestamp) -> Instant {
        self.started + at.since(self.anchor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeline_and_the_timer_agree() {
        let clock = Clock::start();
        let now = clock.now();
        assert!(now >= clock.anchor);
        let later = now.plus(Duration::from_secs(5));
        assert_eq!(clock.instant_of(later) - clock.instant_of(now), Duration::from_secs(5));
        assert_eq!(
            clock.instant_of(Timestamp::UNIX_EPOCH),
            clock.started,
            "the past is due at once"
        );
    }
}
