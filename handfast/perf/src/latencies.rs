//! How long messages took, as percentiles.

use handfast_statistics::number::real_u64;
use hdrhistogram::Histogram;
use serde::Serialize;

/// How long messages took, each to three digits, however many there are.
#[derive(Debug, Clone)]
pub struct Latencies {
    histogram: Histogram<u64>,
}

/// The percentiles of [`Latencies`], in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    /// How many messages.
    pub count: u64,
    /// Half of them took at most this.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// 99 of a hundred; of fewer than a hundred messages the longest.
    pub p99: f64,
    /// 999 of a thousand; of fewer than a thousand the longest.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

/// More than this counts as this: an hour.
pub const LATENCY_MAX_US: u64 = 3_600_000_000;

impl Latencies {
    /// None yet.
    ///
    /// # Panics
    ///
    /// Never: the bounds are those of the library.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LATENCY_MAX_US, DIGITS);
        Self { histogram: histogram.expect("the bounds are constants that the library allows") }
    }

    /// A message that was to be sent at `due_us` was over at `over_us`, both on one clock.
    pub fn record(&mut self, due_us: u64, over_us: u64) {
        self.histogram.saturating_record(over_us.saturating_sub(due_us).max(1));
    }

    /// The percentiles so far; nothing of nothing.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let at = |share| real_u64(self.histogram.value_at_quantile(share));
        (!self.histogram.is_empty()).then(|| Percentiles {
            count: self.histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: real_u64(self.histogram.max()),
        })
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

const DIGITS: u8 = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::load::Load;

    #[test]
    fn nothing_has_no_percentiles() {
        assert_eq!(Latencies::new().percentiles(), None);
    }

    #[test]
    fn what_is_too_long_or_too_short_is_bounded() {
        let mut latencies = Latencies::new();
        latencies.record(10, 5);
        latencies.record(0, u64::MAX);
        let seen = latencies.percentiles().unwrap();
        assert_eq!((seen.count, seen.p50), (2, 1.0));
        assert!((seen.max - 3.6e9).abs() / 3.6e9 < 2e-3, "{seen:?}");
    }

    /// A peer that answers one message after the other, each in a millisecond, and stands still for a second once.
    fn over_us(ready_us: &mut u64, sent_us: u64) -> u64 {
        let mut begins = sent_us.max(*ready_us);
        if (500_000..1_500_000).contains(&begins) {
            begins = 1_500_000;
        }
        *ready_us = begins + 1_000;
        *ready_us
    }

    #[test]
    fn a_peer_that_stands_still_shows_in_every_message_that_was_due_meanwhile() {
        let (mut open, mut closed) = (Latencies::new(), Latencies::new());
        let load = Load::new(100.0, 1_000);
        let mut ready = 0;
        for due in load.due_us() {
            let over = over_us(&mut ready, due);
            open.record(due, over);
        }
        // Who waits for each answer before the next message, and counts from when it was sent.
        let (mut ready, mut free) = (0, 0);
        for due in load.due_us() {
            let sent = due.max(free);
            free = over_us(&mut ready, sent);
            closed.record(sent, free);
        }
        let (open, closed) = (open.percentiles().unwrap(), closed.percentiles().unwrap());
        assert!(open.p99 > 800_000.0 && open.p90 > 1_000.0, "{open:?}");
        assert!(closed.p99 < 2_000.0, "what coordinated omission hides: {closed:?}");
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_sorted_values(mut values in proptest::collection::vec(1_u64..10_000_000, 1..400)) {
            let mut latencies = Latencies::new();
            for value in &values {
                latencies.record(1_000, 1_000 + value);
            }
            values.sort_unstable();
            let seen = latencies.percentiles().unwrap();
            for (share, found) in [(50, seen.p50), (90, seen.p90), (99, seen.p99)] {
                let rank = (values.len() * share).div_ceil(100).max(1);
                let exact = real_u64(values[rank - 1]);
                prop_assert!((found - exact).abs() <= exact * 2e-3 + 1.0, "{share}: {found} for {exact}");
            }
            prop_assert!(seen.p50 <= seen.p90 && seen.p90 <= seen.p99 && seen.p99 <= seen.p999 && seen.p999 <= seen.max * 1.001);
        }
    }
}
