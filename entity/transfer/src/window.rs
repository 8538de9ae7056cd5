//! How much may be under way, and when silence means loss: both learned from acknowledgements.

use std::time::Duration;

/// The sending window of one transfer.
///
/// It grows by what is acknowledged, doubling in a round trip until the first loss and by one chunk a round trip
/// after it, and gives up three tenths at a loss. The transport below already shares the wire fairly: this window is
/// there to bound memory and to go easy on a receiver that is slow, so it never falls below [`WINDOW_MIN`], the
/// number of chunks that a receiver acknowledges at once.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    max: u32,
    size: u32,
    /// Below this the window doubles.
    threshold: u32,
    /// Acknowledged since the last growth by one.
    credit: u32,
    round_trip: Option<RoundTrip>,
    /// Doubled by each timeout until the next sample.
    backoff: u32,
}

#[derive(Debug, Clone, Copy)]
struct RoundTrip {
    smoothed: Duration,
    deviation: Duration,
}

impl Window {
    pub(crate) fn new(max: u32) -> Self {
        let max = max.max(1);
        let size = WINDOW_MIN.min(max);
        Self { max, size, threshold: max, credit: 0, round_trip: None, backoff: 0 }
    }

    /// How many chunks may be under way.
    pub(crate) const fn size(&self) -> u32 {
        self.size
    }

    /// Takes note that `count` chunks were acknowledged.
    pub(crate) fn acknowledged(&mut self, count: u32) {
        if self.size < self.threshold {
            self.size = self.size.saturating_add(count).min(self.threshold).min(self.max);
            return;
        }
        self.credit = self.credit.saturating_add(count);
        if self.credit >= self.size {
            self.credit = 0;
            self.size = (self.size + 1).min(self.max);
        }
    }

    /// Takes note of a loss.
    pub(crate) fn lost(&mut self) {
        self.size = (self.size * 7 / 10).max(WINDOW_MIN.min(self.max));
        self.threshold = self.size;
        self.credit = 0;
    }

    /// Takes note of how long it took from sending a chunk to its acknowledgement; never of one sent twice.
    pub(crate) fn sample(&mut self, took: Duration) {
        self.backoff = 0;
        let next = match self.round_trip {
            None => RoundTrip { smoothed: took, deviation: took / 2 },
            Some(RoundTrip { smoothed, deviation }) => RoundTrip {
                smoothed: (smoothed * 7 + took) / 8,
                deviation: (deviation * 3 + smoothed.abs_diff(took)) / 4,
            },
        };
        self.round_trip = Some(next);
    }

    /// Takes note that nothing was heard for [`Self::timeout`].
    pub(crate) fn timed_out(&mut self) {
        self.backoff = (self.backoff + 1).min(BACKOFF_MAX);
        self.lost();
    }

    /// How long silence is no loss yet.
    pub(crate) fn timeout(&self) -> Duration {
        let base = self.round_trip.map_or(TIMEOUT_FIRST, |trip| trip.smoothed + trip.deviation * 4);
        (base.max(TIMEOUT_MIN) * 2_u32.pow(self.backoff)).min(TIMEOUT_MAX)
    }
}

/// The smallest window: what a receiver acknowledges at once.
pub(crate) const WINDOW_MIN: u32 = 8;

/// Silence before anything was measured. That of RFC 6298, three times over: the first answer includes a file made.
const TIMEOUT_FIRST: Duration = Duration::from_secs(3);
const TIMEOUT_MIN: Duration = Duration::from_secs(1);
const TIMEOUT_MAX: Duration = Duration::from_secs(30);
const BACKOFF_MAX: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_doubles_until_the_first_loss_and_then_creeps() {
        let mut window = Window::new(64);
        assert_eq!(window.size(), WINDOW_MIN);
        window.acknowledged(8);
        assert_eq!(window.size(), 16);
        window.acknowledged(16);
        window.acknowledged(64);
        assert_eq!(window.size(), 64);
        window.lost();
        assert_eq!(window.size(), 44);
        window.acknowledged(43);
        assert_eq!(window.size(), 44);
        window.acknowledged(1);
        assert_eq!(window.size(), 45);
    }

    #[test]
    fn a_window_has_a_least_and_a_most() {
        let mut window = Window::new(4);
        window.acknowledged(1_000);
        assert_eq!(window.size(), 4);
        for _ in 0..100 {
            window.lost();
        }
        assert_eq!(window.size(), 4);
        let mut window = Window::new(64);
        for _ in 0..100 {
            window.lost();
        }
        assert_eq!(window.size(), WINDOW_MIN);
    }

    #[test]
    fn silence_is_judged_by_what_was_measured() {
        let mut window = Window::new(64);
        assert_eq!(window.timeout(), TIMEOUT_FIRST);
        for _ in 0..50 {
            window.sample(Duration::from_millis(400));
        }
        assert_eq!(window.timeout(), TIMEOUT_MIN);
        for _ in 0..50 {
            window.sample(Duration::from_secs(4));
        }
        let measured = window.timeout();
        assert!(
            (Duration::from_secs(4)..Duration::from_secs(5)).contains(&measured),
            "{measured:?}"
        );
        window.timed_out();
        assert_eq!(window.timeout(), measured * 2);
        for _ in 0..10 {
            window.timed_out();
        }
        assert_eq!(window.timeout(), TIMEOUT_MAX);
        window.sample(Duration::from_secs(4));
        assert!(window.timeout() < measured * 2);
    }
}
