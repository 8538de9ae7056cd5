//! When L2 to a peer is tried again, and whether it is partitioned.

use std::time::Duration;

use entity_wire::time::Timestamp;

use super::{PAUSE_MAX, PAUSE_MIN};

/// What is known of connecting to one peer.
#[derive(Debug, Default)]
pub(super) struct Dial {
    /// It worked once.
    worked: bool,
    failures: u32,
    under_way: Option<Timestamp>,
    /// Not before.
    again_at: Option<Timestamp>,
}

/// When to connect.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Now,
    At(Timestamp),
}

impl Dial {
    /// Says when to connect; once it has said `Now` it waits for how that ended.
    pub(super) fn next(&mut self, now: Timestamp) -> Next {
        // Whoever was told to connect and never said how it ended must not keep everybody from it for ever.
        if let Some(since) = self.under_way.filter(|since| now.since(*since) < ATTEMPT_MAX) {
            return Next::At(since.plus(ATTEMPT_MAX));
        }
        if let Some(at) = self.again_at.filter(|at| *at > now) {
            return Next::At(at);
        }
        self.under_way = Some(now);
        Next::Now
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self { worked: true, failures: 0, under_way: None, again_at: None };
    }

    /// The last connection is gone.
    pub(super) fn lost(&mut self, jitter: u8, now: Timestamp) {
        if self.under_way.is_none() {
            self.again_at = Some(now.plus(pause(0, jitter)));
        }
    }

    pub(super) fn failed(&mut self, jitter: u8, now: Timestamp) {
        self.under_way = None;
        self.again_at = Some(now.plus(pause(self.failures, jitter)));
        self.failures = self.failures.saturating_add(1);
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// It worked once, and the last attempt has failed.
    pub(super) fn is_partitioned(&self) -> bool {
        self.worked && self.failures > 0
    }

    pub(super) fn again_at(&self) -> Option<Timestamp> {
        self.again_at
    }
}

/// Half fixed, half drawn, so that those who were cut off together do not come back together.
fn pause(failures: u32, jitter: u8) -> Duration {
    let whole = PAUSE_MIN.saturating_mul(1 << failures.min(16)).min(PAUSE_MAX);
    whole / 2 + whole * u32::from(jitter) / 512
}

/// An attempt to connect takes no longer. Guessed: twice what a client of HTTP waits for a connection.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_never_below_half() {
        for (failures, expected) in
            [(0, 250), (1, 500), (2, 1_000), (6, 16_000), (7, 30_000), (99, 30_000)]
        {
            let whole = Duration::from_millis(expected);
            assert_eq!(pause(failures, 0), whole / 2);
            assert!(pause(failures, 255) <= whole && pause(failures, 255) > whole * 9 / 10);
        }
    }

    #[test]
    fn one_attempt_is_under_way_at_a_time() {
        let mut dial = Dial::default();
        assert_eq!(dial.next(START), Next::Now);
        assert_eq!(dial.next(START), Next::At(START.plus(ATTEMPT_MAX)));
        dial.failed(0, START);
        let again = START.plus(PAUSE_MIN / 2);
        assert_eq!(dial.next(START), Next::At(again));
        assert_eq!(dial.next(again), Next::Now);
    }

    #[test]
    fn an_attempt_that_nobody_ends_is_forgotten() {
        let mut dial = Dial::default();
        assert_eq!(dial.next(START), Next::Now);
        assert_eq!(dial.next(START.plus(ATTEMPT_MAX)), Next::Now);
    }

    #[test]
    fn partitioned_is_what_worked_once_and_failed_since() {
        let mut dial = Dial::default();
        dial.failed(0, START);
        assert!(!dial.is_partitioned(), "it never worked");
        dial.succeeded();
        dial.lost(0, START);
        assert!(!dial.is_partitioned(), "nobody tried");
        dial.failed(0, START);
        assert!(dial.is_partitioned());
        dial.succeeded();
        assert!(!dial.is_partitioned());
    }
}
