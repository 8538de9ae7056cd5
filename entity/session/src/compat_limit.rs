//! The limiter of protocol 1.0's profile `compat` (`docs/protocol/1.0.md#rate-limit`).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use entity_wire::time::Timestamp;

/// How many messages pass at once.
pub const BURST: u32 = 10;
/// After how long one more message passes.
pub const REFILL_INTERVAL: Duration = Duration::from_secs(1);
/// How many messages pass in a minute.
pub const PER_MINUTE: usize = 60;
/// How many messages pass in an hour.
pub const PER_HOUR: usize = 1_000;
/// For how long a sender that reached one of the two windows is refused everything.
pub const BLOCK: Duration = Duration::from_mins(5);
/// How many claimed senders are counted apart: a guess. Each costs at most 8 KiB.
pub const SENDERS_MAX: usize = 1_024;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The message is refused with 400 `rate_limited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("rate_limited")]
pub struct RateLimited;

/// Counts messages by the sender they *claim*, before anything is verified.
///
/// That is the earlier peer's way: whoever forges a sender gets the real one refused. It exists only for
/// the profile `compat`. All limits are the constants of this module; they are the earlier peer's and not
/// configurable there either. Once [`SENDERS_MAX`] names are counted, all further names share one
/// count, so that invented names cannot grow memory.
#[derive(Debug, Clone, Default)]
pub struct CompatLimiter {
    senders: BTreeMap<String, Sender>,
    overflow: Sender,
}

impl CompatLimiter {
    /// Starts with nothing counted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one message that claims to come from `sender`.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] while the sender is blocked, when it reaches a window (which blocks it), and when
    /// its bucket is empty (which does not).
    pub fn take(&mut self, sender: &str, now: Timestamp) -> Result<(), RateLimited> {
        if !self.senders.contains_key(sender) {
            self.make_room(now);
            if self.senders.len() >= SENDERS_MAX {
                return self.overflow.take(now);
            }
        }
        self.senders.entry(sender.to_owned()).or_default().take(now)
    }

    /// Forgets names that nothing counts against any more, if the table is full.
    fn make_room(&mut self, now: Timestamp) {
        if self.senders.len() >= SENDERS_MAX {
            self.senders.retain(|_, sender| !sender.is_idle(now));
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Sender {
    /// When the bucket is full again.
    full_at: Option<Timestamp>,
    blocked_until: Option<Timestamp>,
    /// When each message of the last hour was accepted, oldest first; at most [`PER_HOUR`].
    accepted: VecDeque<Timestamp>,
}

impl Sender {
    fn take(&mut self, now: Timestamp) -> Result<(), RateLimited> {
        if self.blocked_until.is_some_and(|until| now < until) {
            return Err(RateLimited);
        }
        while self.accepted.front().is_some_and(|&oldest| now >= oldest.plus(HOUR)) {
            self.accepted.pop_front();
        }
        // The windows come before the bucket, so a sender that keeps knocking on an empty bucket is
        // blocked as soon as a window is full.
        if self.accepted_within_minute(now) >= PER_MINUTE || self.accepted.len() >= PER_HOUR {
            self.blocked_until = Some(now.plus(BLOCK));
            return Err(RateLimited);
        }
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now));
        if full_at.since(now) > REFILL_INTERVAL * (BURST - 1) {
            return Err(RateLimited);
        }
        self.full_at = Some(full_at.plus(REFILL_INTERVAL));
        self.accepted.push_back(now);
        Ok(())
    }

    fn accepted_within_minute(&self, now: Timestamp) -> usize {
        self.accepted.iter().rev().take_while(|at| now < at.plus(MINUTE)).count()
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        self.blocked_until.is_none_or(|until| now >= until)
            && self.accepted.back().is_none_or(|&newest| now >= newest.plus(HOUR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(millis: u64) -> Timestamp {
        START.plus(Duration::from_millis(millis))
    }

    /// How many of `count` messages sent every `interval_ms` pass, and when the first is refused.
    #[track_caller]
    fn check(
        count: u64,
        interval_ms: u64,
        expected_passed: usize,
        expected_first_refusal: Option<u64>,
    ) {
        let mut limiter = CompatLimiter::new();
        let mut first_refusal = None;
        let mut passed = 0;
        for time in (0..count).map(|index| index * interval_ms) {
            match limiter.take("entity-a", at(time)) {
                Ok(()) => passed += 1,
                Err(RateLimited) => first_refusal = first_refusal.or(Some(time)),
            }
        }
        assert_eq!((passed, first_refusal), (expected_passed, expected_first_refusal));
    }

    #[test]
    fn ten_messages_pass_at_once() {
        check(20, 0, 10, Some(0));
    }

    #[test]
    fn a_sender_that_takes_all_it_is_offered_passes_sixty_and_is_then_blocked() {
        // Ten at once, then one a second: the sixtieth at 50 s, and nothing for the next 300 s.
        check(3_400, 100, 60, Some(1_100));
    }

    #[test]
    fn one_message_a_second_is_never_refused_within_a_quarter_of_an_hour() {
        check(900, 1_000, 900, None);
    }

    #[test]
    fn the_thousandth_message_of_an_hour_is_the_last() {
        check(1_200, 1_000, 1_000, Some(1_000_000));
    }

    #[test]
    fn a_block_ends_after_exactly_300_s() {
        let mut limiter = CompatLimiter::new();
        let mut blocked_at = None;
        for time in (0..60_000).step_by(100) {
            let refused = limiter.take("a", at(time)).is_err();
            if refused && time > 49_999 && blocked_at.is_none() {
                blocked_at = Some(time);
            }
        }
        let blocked_at = blocked_at.expect("sixty messages are reached within a minute");
        assert_eq!(limiter.take("a", at(blocked_at + 299_999)), Err(RateLimited));
        assert_eq!(limiter.take("a", at(blocked_at + 300_000)), Ok(()));
    }

    #[test]
    fn senders_are_counted_apart_up_to_the_bound_and_together_beyond() {
        let mut limiter = CompatLimiter::new();
        for index in 0..SENDERS_MAX {
            limiter.take(&format!("sender-{index}"), at(0)).unwrap();
        }
        for index in 0..10 {
            limiter.take(&format!("beyond-{index}"), at(0)).unwrap();
        }
        assert_eq!(limiter.take("beyond-10", at(0)), Err(RateLimited));
        assert_eq!(limiter.take("sender-0", at(0)), Ok(()));
        assert_eq!(limiter.senders.len(), SENDERS_MAX);
        let an_hour_later = at(3_600_000);
        assert_eq!(limiter.take("beyond-10", an_hour_later), Ok(()));
        assert_eq!(limiter.senders.len(), 1);
    }
}
