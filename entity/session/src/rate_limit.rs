//! How many messages of each type an authenticated sender may send (`docs/protocol/1.1.md#rate-limits`).

use std::collections::BTreeMap;
use std::time::Duration;

use entity_wire::kind::MessageKind;
use entity_wire::time::Timestamp;
use thiserror::Error;

/// The sender has used up what it may send of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("rate limited for another {retry_after:?}")]
pub struct Limited {
    /// After how long the next message of this type will be taken. Never zero.
    pub retry_after: Duration,
}

/// A bucket of `burst` messages that refills by one message every `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    burst: u32,
    interval: Duration,
}

impl Rate {
    /// A bucket for `burst` messages at once, refilled by `per_second` messages a second.
    ///
    /// Zero of either counts as one: a type nobody may send is refused elsewhere, by not accepting it.
    pub const fn per_second(burst: u32, per_second: u32) -> Self {
        Self::every(burst, Duration::from_micros(1_000_000 / at_least_one(per_second) as u64))
    }

    /// A bucket for `burst` messages at once, refilled by one message every `interval`.
    ///
    /// A zero `burst` counts as one, an interval below a microsecond as one microsecond.
    pub const fn every(burst: u32, interval: Duration) -> Self {
        let interval = if interval.as_micros() == 0 { Duration::from_micros(1) } else { interval };
        Self { burst: at_least_one(burst), interval }
    }

    /// How many messages pass at once.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// After how long one more message passes.
    pub const fn interval(self) -> Duration {
        self.interval
    }
}

const fn at_least_one(count: u32) -> u32 {
    if count == 0 { 1 } else { count }
}

/// Which rate holds for which message type.
///
/// The defaults are guesses that leave a busy honest peer alone and stop a runaway one:
///
/// | type | at once | a second |
/// |---|---|---|
/// | each handshake step, and each message of a resumption or a rekey | 100 | 20 |
/// | `capability_query`, `capability_response`, `error`, `session_close`, `wake_up`, `wake_up_ack` | 200 | 50 |
/// | `heartbeat` | 20 | 2 |
/// | each `task_` type | 1,000 | 200 |
/// | `ack`, `skip` | 1,000 | 1,000 |
/// | any other, `ping` and `status` among them | 20,000 | 20,000 |
///
/// Steps cost key agreement and questions cost an answer; what is only put into the inbox costs the same whatever its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimits {
    /// The rate of each type with one of its own.
    by_kind: BTreeMap<MessageKind, Rate>,
    /// The rate that all other types share.
    other: Rate,
}

impl Default for RateLimits {
    fn default() -> Self {
        let handshake = Rate::per_second(100, 20);
        let question = Rate::per_second(200, 50);
        let control = Rate::per_second(1_000, 1_000);
        let heartbeat = Rate::per_second(20, 2);
        let task = Rate::per_second(1_000, 200);
        let by_kind = [
            (MessageKind::HandshakeInit, handshake),
            (MessageKind::HandshakeInitAck, handshake),
            (MessageKind::ChallengeResponse, handshake),
            (MessageKind::SessionEstablished, handshake),
            (MessageKind::SessionConfirm, handshake),
            (MessageKind::Ready, handshake),
            (MessageKind::SessionResume, handshake),
            (MessageKind::SessionResumed, handshake),
            (MessageKind::Rekey, handshake),
            (MessageKind::RekeyRequest, handshake),
            (MessageKind::RekeyAck, handshake),
            (MessageKind::CapabilityQuery, question),
            (MessageKind::CapabilityResponse, question),
            (MessageKind::Error, question),
            (MessageKind::SessionClose, question),
            (MessageKind::WakeUp, question),
            (MessageKind::WakeUpAck, question),
            (MessageKind::Heartbeat, heartbeat),
            (MessageKind::TaskDelegate, task),
            (MessageKind::TaskAccept, task),
            (MessageKind::TaskRefuse, task),
            (MessageKind::TaskResult, task),
            (MessageKind::Ack, control),
            (MessageKind::Skip, control),
        ];
        Self { by_kind: BTreeMap::from(by_kind), other: Rate::per_second(20_000, 20_000) }
    }
}

impl RateLimits {
    /// One rate for all types together.
    pub const fn uniform(rate: Rate) -> Self {
        Self { by_kind: BTreeMap::new(), other: rate }
    }

    /// Gives `kind` a rate of its own.
    pub fn set(&mut self, kind: MessageKind, rate: Rate) {
        self.by_kind.insert(kind, rate);
    }

    /// Sets the rate that all types without one of their own share.
    pub fn set_other(&mut self, rate: Rate) {
        self.other = rate;
    }

    /// The rate that holds for `kind`, and the bucket it is counted in.
    fn bucket_of(&self, kind: &MessageKind) -> (Option<MessageKind>, Rate) {
        // Types without a rate share a bucket, so that inventing type names buys nothing.
        self.by_kind.get(kind).map_or((None, self.other), |&rate| (Some(kind.clone()), rate))
    }
}

/// Counts the messages of every authenticated sender by type.
///
/// A sender's buckets are its own: one that sends too much costs the others nothing. Memory is bounded:
/// `senders_max` senders with one bucket for each configured type and one for the rest.
#[derive(Debug, Clone)]
pub struct RateLimiter<S> {
    limits: RateLimits,
    senders_max: usize,
    senders: BTreeMap<S, Buckets>,
}

/// For each bucket of one sender, when it will be full again.
type Buckets = BTreeMap<Option<MessageKind>, Timestamp>;

/// How long a sender is put off when the table of senders is full: a guess.
const TABLE_FULL_RETRY: Duration = Duration::from_secs(1);

impl<S: Ord> RateLimiter<S> {
    /// Starts with full buckets.
    pub const fn new(limits: RateLimits, senders_max: usize) -> Self {
        Self { limits, senders_max, senders: BTreeMap::new() }
    }

    /// Counts one message of `kind` from `sender`.
    ///
    /// `sender` is authenticated: what was not verified is never counted against anybody.
    ///
    /// # Errors
    ///
    /// [`Limited`] if the bucket is empty, or if the sender is new and all `senders_max` others have
    /// buckets that are not full again. A refused message takes nothing out of the bucket.
    pub fn take(&mut self, sender: S, kind: &MessageKind, now: Timestamp) -> Result<(), Limited> {
        let (bucket, rate) = self.limits.bucket_of(kind);
        self.make_room_for(&sender, now)?;
        let buckets = self.senders.entry(sender).or_default();
        let full_at = buckets.get(&bucket).copied().unwrap_or(now).max(now);
        // The bucket is empty when refilling it takes longer than all tokens but one would.
        let spare = rate.interval.saturating_mul(rate.burst - 1);
        let missing = full_at.since(now);
        if missing > spare {
            return Err(Limited { retry_after: missing.saturating_sub(spare) });
        }
        buckets.insert(bucket, full_at.plus(rate.interval));
        Ok(())
    }

    /// Forgets senders whose buckets are all full again, if the table has no room for `sender`.
    fn make_room_for(&mut self, sender: &S, now: Timestamp) -> Result<(), Limited> {
        if self.senders.contains_key(sender) || self.senders.len() < self.senders_max {
            return Ok(());
        }
        self.senders.retain(|_, buckets| buckets.values().any(|&full_at| full_at > now));
        if self.senders.len() < self.senders_max {
            return Ok(());
        }
        Err(Limited { retry_after: TABLE_FULL_RETRY })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(millis: u64) -> Timestamp {
        START.plus(Duration::from_millis(millis))
    }

    /// Sends one `ping` at each of `times` with a bucket of 3 refilled every 100 ms.
    #[track_caller]
    fn check(times: &[u64], expected: &[bool]) {
        let limits = RateLimits::uniform(Rate::every(3, Duration::from_millis(100)));
        let mut limiter = RateLimiter::new(limits, 1);
        let passed: Vec<bool> = times
            .iter()
            .map(|&time| limiter.take(1_u8, &MessageKind::Ping, at(time)).is_ok())
            .collect();
        assert_eq!(passed, expected);
    }

    #[test]
    fn a_burst_passes_and_the_next_message_does_not() {
        check(&[0, 0, 0, 0], &[true, true, true, false]);
    }

    #[test]
    fn a_message_passes_exactly_when_its_token_is_there() {
        check(&[0, 0, 0, 99, 100, 100], &[true, true, true, false, true, false]);
    }

    #[test]
    fn a_rested_bucket_holds_no_more_than_its_burst() {
        check(&[0, 9_000, 9_000, 9_000, 9_000], &[true, true, true, true, false]);
    }

    #[test]
    fn the_refusal_says_when_to_come_back() {
        let mut limiter = RateLimiter::new(RateLimits::uniform(Rate::per_second(1, 4)), 1);
        limiter.take(1_u8, &MessageKind::Ping, at(0)).unwrap();
        let refused = limiter.take(1, &MessageKind::Ping, at(50));
        assert_eq!(refused, Err(Limited { retry_after: Duration::from_millis(200) }));
        assert_eq!(limiter.take(1, &MessageKind::Ping, at(250)), Ok(()));
    }

    #[test]
    fn one_sender_and_one_type_cost_no_other() {
        let mut limits = RateLimits::uniform(Rate::per_second(1, 1));
        limits.set(MessageKind::Ping, Rate::per_second(1, 1));
        let mut limiter = RateLimiter::new(limits, 2);
        limiter.take(1_u8, &MessageKind::Ping, at(0)).unwrap();
        assert!(limiter.take(1, &MessageKind::Ping, at(0)).is_err());
        assert_eq!(limiter.take(1, &MessageKind::Status, at(0)), Ok(()));
        assert_eq!(limiter.take(2, &MessageKind::Ping, at(0)), Ok(()));
    }

    #[test]
    fn invented_types_share_one_bucket() {
        let mut limiter = RateLimiter::new(RateLimits::uniform(Rate::per_second(1, 1)), 1);
        limiter.take(1_u8, &MessageKind::Other("a".into()), at(0)).unwrap();
        assert!(limiter.take(1, &MessageKind::Other("b".into()), at(0)).is_err());
    }

    #[test]
    fn a_full_table_refuses_strangers_until_a_bucket_is_full_again() {
        let mut limiter = RateLimiter::new(RateLimits::uniform(Rate::per_second(1, 1)), 1);
        limiter.take(1_u8, &MessageKind::Ping, at(0)).unwrap();
        assert_eq!(
            limiter.take(2, &MessageKind::Ping, at(999)),
            Err(Limited { retry_after: TABLE_FULL_RETRY })
        );
        assert_eq!(limiter.take(2, &MessageKind::Ping, at(1_000)), Ok(()));
    }

    #[test]
    fn the_defaults_stop_runaway_questions_and_leave_messages_alone() {
        let mut limiter = RateLimiter::new(RateLimits::default(), 1);
        let question = MessageKind::CapabilityQuery;
        let questions = (0..1_000).filter(|_| limiter.take(1_u8, &question, at(0)).is_ok());
        assert_eq!(questions.count(), 200);
        let kind = MessageKind::Other("message".into());
        let messages = (0..10_000).filter(|_| limiter.take(1_u8, &kind, at(0)).is_ok());
        assert_eq!(messages.count(), 10_000);
    }
}
