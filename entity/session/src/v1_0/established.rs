//! An established 1.0 session and its order rules (`docs/protocol/1.0.md#sessions-and-sequence`).

use std::time::Duration;

use entity_wire::time::Timestamp;
use thiserror::Error;

use super::sealing::SealedSession;

/// A session that both sides have confirmed.
#[derive(Debug)]
pub struct Established {
    id: String,
    created_at: Timestamp,
    expected: u64,
    last_sent: u64,
    /// The session's sealing key, where both sides agreed on one.
    pub sealing: Option<SealedSession>,
}

/// Why a message does not fit its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OrderRefusal {
    /// Sender: the session is older than 3,600 s.
    #[error("the session has expired")]
    Expired,
    /// Sender: the number is below the expected one.
    #[error("the sequence number was passed")]
    Sequence,
}

impl Established {
    /// How long a session lives from its creation; activity does not prolong it
    /// (`docs/protocol/1.0.md#sessions-and-sequence`).
    pub const LIFETIME: Duration = Duration::from_hours(1);

    /// The last sequence number of the handshake: the next message of either side has 2
    /// (`docs/protocol/1.0.md#handshake-behaviour`).
    const SENT_IN_HANDSHAKE: u64 = 1;

    /// The lowest sequence number a receiver accepts (`docs/protocol/1.0.md#handshake-behaviour`).
    const FIRST_EXPECTED: u64 = 1;

    /// Starts a session that was created, which is to say: whose handshake began, at `created_at`.
    pub(super) fn new(id: String, created_at: Timestamp, sealing: Option<SealedSession>) -> Self {
        Self {
            id,
            created_at,
            expected: Self::FIRST_EXPECTED,
            last_sent: Self::SENT_IN_HANDSHAKE,
            sealing,
        }
    }

    /// Returns the session's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Says whether the session is past its lifetime.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now > self.expires_at()
    }

    /// Returns the last moment at which the session is live.
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.plus(Self::LIFETIME)
    }

    /// Looks whether a received sequence number fits; remembers nothing.
    ///
    /// # Errors
    ///
    /// [`OrderRefusal`]. Gaps are no error.
    pub fn look(&self, sequence: u64, now: Timestamp) -> Result<(), OrderRefusal> {
        if self.is_expired(now) {
            return Err(OrderRefusal::Expired);
        }
        if sequence < self.expected {
            return Err(OrderRefusal::Sequence);
        }
        Ok(())
    }

    /// Remembers an accepted sequence number.
    pub fn record(&mut self, sequence: u64) {
        self.expected = self.expected.max(sequence.saturating_add(1));
    }

    /// Takes the sequence number of the next message to send.
    pub fn next_sequence(&mut self) -> u64 {
        self.last_sent += 1;
        self.last_sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    #[track_caller]
    fn check(accepted: &[u64], sequence: u64, after: Duration, expected: Result<(), OrderRefusal>) {
        let mut session = Established::new("id".to_owned(), START, None);
        for number in accepted {
            session.record(*number);
        }
        assert_eq!(session.look(sequence, START.plus(after)), expected);
    }

    #[test]
    fn one_and_above_are_expected_first() {
        check(&[], 0, Duration::ZERO, Err(OrderRefusal::Sequence));
        check(&[], 1, Duration::ZERO, Ok(()));
        check(&[], 2, Duration::ZERO, Ok(()));
    }

    #[test]
    fn gaps_pass_and_lower_numbers_do_not() {
        check(&[2], 1_000, Duration::ZERO, Ok(()));
        check(&[2, 1_000], 999, Duration::ZERO, Err(OrderRefusal::Sequence));
        check(&[2, 1_000], 1_000, Duration::ZERO, Err(OrderRefusal::Sequence));
        check(&[u64::MAX], u64::MAX, Duration::ZERO, Ok(()));
    }

    #[test]
    fn a_session_lives_3600_s() {
        check(&[], 1, Established::LIFETIME, Ok(()));
        let late = Established::LIFETIME + Duration::from_micros(1);
        check(&[], 1, late, Err(OrderRefusal::Expired));
    }

    #[test]
    fn the_first_message_after_the_handshake_has_number_2() {
        let mut session = Established::new("id".to_owned(), START, None);
        assert_eq!([session.next_sequence(), session.next_sequence()], [2, 3]);
    }
}
