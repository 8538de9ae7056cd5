//! How many questions a node may ask.

use std::collections::BTreeMap;
use std::time::Duration;

use entity_wire::payload::dht::NodeId;
use entity_wire::time::Timestamp;

/// A bucket of questions for each node that has asked lately.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rates {
    /// Until when the questions asked so far would have been asked at the steady rate.
    busy_until: BTreeMap<NodeId, Timestamp>,
    /// With so many, those that have been silent are dropped.
    sweep_at: usize,
}

/// What may be asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    pub(crate) burst: u32,
    pub(crate) per_second: u32,
    pub(crate) askers_max: usize,
}

impl Rates {
    /// Whether a question of this node would be answered now. Nothing is counted.
    pub(crate) fn has_room(&self, asker: NodeId, allowance: Allowance, now: Timestamp) -> bool {
        let each = Duration::from_secs(1) / allowance.per_second.max(1);
        let most = each * allowance.burst.max(1);
        let until = self.busy_until.get(&asker).copied().unwrap_or(now);
        until.max(now).plus(each) <= now.plus(most)
    }

    /// Counts a question; says whether it may be answered.
    pub(crate) fn admit(&mut self, asker: NodeId, allowance: Allowance, now: Timestamp) -> bool {
        let each = Duration::from_secs(1) / allowance.per_second.max(1);
        let most = each * allowance.burst.max(1);
        if !self.busy_until.contains_key(&asker) && self.busy_until.len() >= self.sweep_at {
            self.busy_until.retain(|_, until| *until > now);
            // Twice what is left, so that sweeping costs little whatever comes.
            let most = allowance.askers_max.max(1);
            self.sweep_at = (2 * self.busy_until.len()).max(SWEEP_LEAST).min(most);
            if self.busy_until.len() >= most {
                return false;
            }
        }
        let until = self.busy_until.entry(asker).or_insert(now);
        let after = (*until).max(now).plus(each);
        let is_within = after <= now.plus(most);
        if is_within {
            *until = after;
        }
        is_within
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.busy_until.len()
    }
}

/// Fewer are not worth a sweep.
const SWEEP_LEAST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWANCE: Allowance = Allowance { burst: 5, per_second: 2, askers_max: 3 };

    fn id(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 32])
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut rates = Rates::default();
        let admitted = |rates: &mut Rates, at_ms: u64, count: usize| {
            let now = Timestamp::UNIX_EPOCH.plus(Duration::from_millis(at_ms));
            (0..count).filter(|_| rates.admit(id(1), ALLOWANCE, now)).count()
        };
        assert!(rates.has_room(id(1), ALLOWANCE, Timestamp::UNIX_EPOCH));
        assert_eq!(admitted(&mut rates, 0, 100), 5);
        assert!(!rates.has_room(id(1), ALLOWANCE, Timestamp::UNIX_EPOCH));
        assert_eq!(admitted(&mut rates, 499, 100), 0);
        assert_eq!(admitted(&mut rates, 500, 100), 1);
        assert_eq!(admitted(&mut rates, 60_000, 100), 5, "no more is saved up than a burst");
    }

    #[test]
    fn askers_are_counted_apart_and_no_more_than_the_most() {
        let mut rates = Rates::default();
        let now = Timestamp::UNIX_EPOCH;
        assert!((1..=3).all(|byte| rates.admit(id(byte), ALLOWANCE, now)));
        assert!(!rates.admit(id(4), ALLOWANCE, now));
        assert_eq!(rates.len(), 3);
        assert!(rates.admit(id(1), ALLOWANCE, now), "who is counted goes on");
        let later = now.plus(Duration::from_secs(2));
        assert!(rates.admit(id(4), ALLOWANCE, later), "who has been silent makes room");
        assert_eq!(rates.len(), 1);
    }
}
