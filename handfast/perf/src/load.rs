//! When each message is to be sent.
//!
//! An open load: the moments follow from a rate alone, and not from when the answer to the message before came. A peer that stands still for a
//! while makes every message late that was due meanwhile, and each counts from the moment at which it was due. Who waits for an answer before
//! it sends the next message leaves out the very moments at which the peer was slow: coordinated omission (G. Tene, How NOT to measure latency, 2013).

use handfast_statistics::number::{real, whole};

/// Messages at a steady rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    per_second: f64,
    count: usize,
}

impl Load {
    /// `count` messages, `per_second` of them a second; a rate that is not above 0 counts as one message a second.
    pub fn new(per_second: f64, count: usize) -> Self {
        let is_rate = per_second.is_finite() && per_second > 0.0;
        Self { per_second: if is_rate { per_second } else { 1.0 }, count }
    }

    /// How many messages.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many a second.
    pub fn per_second(&self) -> f64 {
        self.per_second
    }

    /// When each is due, microseconds after the start of the load; the first one at once.
    pub fn due_us(&self) -> impl Iterator<Item = u64> + use<> {
        let Self { per_second, count } = *self;
        (0..count).map(move |index| {
            let due = whole((real(index) * 1e6 / per_second).round());
            u64::try_from(due).unwrap_or(u64::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_due_at_a_steady_rate() {
        let due: Vec<u64> = Load::new(25.0, 4).due_us().collect();
        assert_eq!(due, [0, 40_000, 80_000, 120_000]);
        assert_eq!(Load::new(0.0, 2).due_us().last(), Some(1_000_000));
    }

    proptest! {
        #[test]
        fn no_rate_drifts(rate in 0.1..50_000.0_f64, count in 1_usize..2_000) {
            let load = Load::new(rate, count);
            let due: Vec<u64> = load.due_us().collect();
            prop_assert_eq!(due.len(), count);
            prop_assert!(due.is_sorted());
            let last = f64::from(u32::try_from(count - 1).unwrap()) * 1e6 / rate;
            prop_assert!((f64::from(u32::try_from(due[count - 1] / 1_000).unwrap()) - last / 1_000.0).abs() <= 1.0);
        }
    }
}
