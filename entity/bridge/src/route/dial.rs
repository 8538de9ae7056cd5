//! When L2 to a peer is tried again, and whether it is partitioned.

use std::sync::Arc;
use std::time::Duration;

use entity_flaw::{Flaw, planted};
use entity_wire::time::Timestamp;

use super::{PARTITION_MAX, PAUSE_MAX, PAUSE_MIN};

/// What is known of connecting to one peer.
#[derive(Debug, Default)]
pub(super) struct Dial {
    /// Where to, once a transmission would go there.
    wanted: Option<Arc<str>>,
    /// Where the peer was not to be found when it was dialled there last.
    not_at: Option<Arc<str>>,
    /// It worked once at this address.
    worked: bool,
    /// Since when every attempt has failed.
    failing_since: Option<Timestamp>,
    /// The last attempt has failed.
    has_failed: bool,
    /// Attempts since a connection carried anything.
    failures: u32,
    /// Attempts that failed in all.
    failed_count: u64,
    under_way: Option<Timestamp>,
    /// Not before.
    again_at: Option<Timestamp>,
    /// When the last attempt failed, or the last connection was lost.
    lost_at: Option<Timestamp>,
}

impl Dial {
    /// Somebody would go there; where it was somewhere else, what is known of that counts no more. `wait` is waited first.
    pub(super) fn want(&mut self, address: &str, wait: Duration, now: Timestamp) {
        if self.wanted.as_deref() == Some(address) {
            return;
        }
        if self.wanted.is_none() && self.not_at.as_deref() == Some(address) {
            // Nobody who asks again and again has it dialled again and again.
            self.wanted = self.not_at.take();
            return;
        }
        let is_new = self.wanted.is_none() && self.again_at.is_none();
        *self = Self {
            wanted: Some(Arc::from(address)),
            failed_count: self.failed_count,
            again_at: if is_new && !wait.is_zero() { Some(now.plus(wait)) } else { None },
            ..Self::default()
        };
    }

    /// The peer is not there. That counts as a failure, so that whoever waits for it goes another way.
    pub(super) fn not_there(&mut self, jitter: u8, now: Timestamp) {
        *self = Self {
            not_at: self.wanted.take().or_else(|| self.not_at.take()),
            failures: self.failures,
            failed_count: self.failed_count + 1,
            ..Self::default()
        };
        self.pause(jitter, now);
    }

    /// When an attempt is due, where one is wanted; one that nobody ended is forgotten by then.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.wanted.as_ref()?;
        if planted(Flaw::NeverRedials) && self.has_failed {
            return None;
        }
        // Whoever was told to connect and never said how it ended must not keep everybody from it for ever.
        let expires = self.under_way.map(|since| since.plus(ATTEMPT_MAX));
        expires.or(self.again_at).or(Some(Timestamp::UNIX_EPOCH))
    }

    /// Begins an attempt where one is due, and says where to.
    pub(super) fn begin(&mut self, now: Timestamp) -> Option<Arc<str>> {
        if self.due_at().is_none_or(|at| at > now) {
            return None;
        }
        self.under_way = Some(now);
        self.wanted.clone()
    }

    /// There is a connection.
    pub(super) fn succeeded(&mut self) {
        self.worked = true;
        self.failing_since = None;
        self.has_failed = false;
        self.under_way = None;
        self.again_at = None;
    }

    /// A connection has carried something: who upgrades, and no more, is asked ever more seldom.
    pub(super) fn carried(&mut self) {
        self.failures = 0;
    }

    /// The last connection is gone.
    pub(super) fn lost(&mut self, jitter: u8, now: Timestamp) {
        if self.under_way.is_none() {
            self.pause(jitter, now);
        }
    }

    pub(super) fn failed(&mut self, jitter: u8, now: Timestamp) {
        self.under_way = None;
        self.has_failed = true;
        self.failed_count += 1;
        let since = *self.failing_since.get_or_insert(now);
        // It may have given L2 up for good.
        self.worked &= now.since(since) < PARTITION_MAX;
        self.pause(jitter, now);
    }

    /// The peer was heard: it is tried sooner, once the shortest pause is over.
    pub(super) fn heard(&mut self) {
        if let (Some(again_at), Some(lost_at)) = (self.again_at, self.lost_at) {
            self.again_at = Some(again_at.min(lost_at.plus(PAUSE_MIN)));
        }
    }

    fn pause(&mut self, jitter: u8, now: Timestamp) {
        self.again_at = Some(now.plus(pause(self.failures, jitter)));
        self.lost_at = Some(now);
        self.failures = self.failures.saturating_add(1);
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    pub(super) fn failed_count(&self) -> u64 {
        self.failed_count
    }

    /// It worked once, and the last attempt has failed, which has not gone on for [`PARTITION_MAX`].
    pub(super) fn is_partitioned(&self) -> bool {
        self.worked && self.has_failed
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    pub(super) fn again_at(&self) -> Option<Timestamp> {
        self.again_at
    }
}

/// Half fixed, half drawn, so that those who were cut off together do not come back together.
pub(super) fn pause(failures: u32, jitter: u8) -> Duration {
    if planted(Flaw::RedialsAtOnce) {
        return PAUSE_MIN / 50;
    }
    let whole = PAUSE_MIN.saturating_mul(1 << failures.min(16)).min(PAUSE_MAX);
    whole / 2 + whole * u32::from(jitter) / 512
}

/// An attempt to connect takes no longer. Guessed: twice what a client of HTTP waits for a connection.
pub(super) const ATTEMPT_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;
    const THERE: &str = "ws://127.0.0.1:1/ws";

    fn wanted() -> Dial {
        let mut dial = Dial::default();
        dial.want(THERE, Duration::ZERO, START);
        dial
    }

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
        let mut dial = wanted();
        assert_eq!(dial.begin(START).as_deref(), Some(THERE));
        assert_eq!(dial.begin(START), None);
        assert_eq!(dial.due_at(), Some(START.plus(ATTEMPT_MAX)));
        dial.failed(0, START);
        let again = START.plus(PAUSE_MIN / 2);
        assert_eq!((dial.begin(START), dial.due_at()), (None, Some(again)));
        assert!(dial.begin(again).is_some());
    }

    #[test]
    fn an_attempt_that_nobody_ends_is_forgotten() {
        let mut dial = wanted();
        assert!(dial.begin(START).is_some());
        assert!(dial.begin(START.plus(ATTEMPT_MAX)).is_some());
    }

    #[test]
    fn nobody_connects_where_nobody_wants_to_and_another_address_is_tried_at_once() {
        assert_eq!(Dial::default().begin(START), None);
        let mut dial = wanted();
        dial.begin(START);
        dial.failed(0, START);
        assert_eq!(dial.begin(START), None, "it has to wait");
        dial.want("ws://127.0.0.1:2/ws", Duration::from_secs(1), START);
        assert!(dial.begin(START).is_some());
        dial.not_there(0, START);
        assert_eq!((dial.due_at(), dial.failed_count()), (None, 2));
    }

    #[test]
    fn partitioned_is_what_worked_once_and_failed_since() {
        let mut dial = wanted();
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

    #[test]
    fn a_partition_ends_after_its_longest_time_and_where_the_peer_moves() {
        let mut dial = wanted();
        dial.succeeded();
        for now in [START, START.plus(PARTITION_MAX / 2)] {
            dial.failed(0, now);
            assert!(dial.is_partitioned());
        }
        dial.failed(0, START.plus(PARTITION_MAX));
        assert!(!dial.is_partitioned(), "it has given L2 up");
        dial.succeeded();
        dial.failed(0, START.plus(PARTITION_MAX * 2));
        assert!(dial.is_partitioned(), "another one");
        dial.want("ws://127.0.0.1:2/ws", Duration::ZERO, START);
        dial.failed(0, START);
        assert!(!dial.is_partitioned(), "it never worked there");
    }

    #[test]
    fn who_upgrades_and_carries_nothing_is_asked_ever_more_seldom() {
        let mut dial = wanted();
        for failures in 0..3 {
            dial.succeeded();
            dial.lost(0, START);
            assert_eq!(dial.again_at(), Some(START.plus(pause(failures, 0))));
        }
        dial.carried();
        dial.lost(0, START);
        assert_eq!(dial.again_at(), Some(START.plus(pause(0, 0))));
    }

    #[test]
    fn who_is_heard_is_tried_after_the_shortest_pause() {
        let mut dial = wanted();
        for _ in 0..9 {
            dial.failed(0, START);
        }
        assert_eq!(dial.again_at(), Some(START.plus(PAUSE_MAX / 2)));
        dial.heard();
        assert_eq!(dial.again_at(), Some(START.plus(PAUSE_MIN)));
    }
}
