//! Sealing of 1.0 payloads under a session's key (`docs/protocol/1.0.md#session-sealing`).

use std::time::Duration;

use entity_crypto::agreement::{AgreementKey, EphemeralSecret, LowOrderPoint};
use entity_crypto::legacy;
use entity_crypto::sealing::{NONCE_LEN, SealingKey};
use entity_flaw::{Flaw, planted};
use entity_wire::time::Timestamp;
use thiserror::Error;
use zeroize::Zeroizing;

/// The sealed side of a session: one key for both directions, named by the responder.
#[derive(Debug)]
pub struct SealedSession {
    id: String,
    key: SealingKey,
    last_received: u64,
    last_activity: Timestamp,
}

/// Why a sealed payload was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenRefusal {
    /// Sender: the outer sequence number is not above the last one.
    #[error("its sequence number was passed")]
    Order,
    /// Sender: nothing came for 3,600 s.
    #[error("the sealed session was idle too long")]
    Idle,
    /// Sender: another key, another nonce, or changed bytes.
    #[error("the tag does not fit")]
    Tag,
}

impl SealedSession {
    /// How long a sealed session may be idle (`docs/protocol/1.0.md#session-sealing`).
    pub const IDLE_MAX: Duration = Duration::from_hours(1);

    /// The highest outer sequence number that may carry a sealed payload.
    pub const SEQUENCE_MAX: u64 = (1 << 31) - 1;

    /// Derives the key and starts.
    ///
    /// # Errors
    ///
    /// [`LowOrderPoint`] for a public key that would make the secret known to everybody.
    pub fn agree(
        id: String,
        own: &EphemeralSecret,
        other: &AgreementKey,
        now: Timestamp,
    ) -> Result<Self, LowOrderPoint> {
        let key = legacy::session_key(&own.agree(other)?);
        Ok(Self { id, key, last_received: 0, last_activity: now })
    }

    /// Returns the id that sealed payloads carry.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals a plaintext. The caller owes a random nonce, never used twice.
    ///
    /// *Shape*: ciphertext, then the tag of 16 bytes.
    pub fn seal(&mut self, nonce: &[u8; NONCE_LEN], plaintext: &[u8], now: Timestamp) -> Vec<u8> {
        self.last_activity = self.last_activity.max(now);
        self.key.seal(nonce, &[], plaintext)
    }

    /// Opens a payload; remembers nothing.
    ///
    /// # Errors
    ///
    /// [`OpenRefusal`].
    pub fn open(
        &self,
        sequence: u64,
        nonce: &[u8; NONCE_LEN],
        data: &[u8],
        now: Timestamp,
    ) -> Result<Zeroizing<Vec<u8>>, OpenRefusal> {
        if now > self.last_activity.plus(Self::IDLE_MAX) {
            return Err(OpenRefusal::Idle);
        }
        let is_passed = sequence <= self.last_received && !planted(Flaw::AcceptsReplay);
        if is_passed || sequence > Self::SEQUENCE_MAX {
            return Err(OpenRefusal::Order);
        }
        self.key.open(nonce, &[], data).map_err(|_| OpenRefusal::Tag)
    }

    /// Remembers that the message with this outer sequence number was accepted.
    pub fn record(&mut self, sequence: u64, now: Timestamp) {
        self.last_received = self.last_received.max(sequence);
        self.last_activity = self.last_activity.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn pair() -> (SealedSession, SealedSession) {
        let [a, b] = [[1; 32], [2; 32]].map(EphemeralSecret::from_bytes);
        let [to_b, to_a] = [(&a, &b), (&b, &a)].map(|(own, other)| {
            SealedSession::agree("id".to_owned(), own, &other.public_key(), START).unwrap()
        });
        (to_b, to_a)
    }

    #[track_caller]
    fn check(accepted: u64, sequence: u64, after: Duration, expected: Result<(), OpenRefusal>) {
        let (mut sender, mut receiver) = pair();
        if accepted > 0 {
            receiver.record(accepted, START);
        }
        let nonce = [7; NONCE_LEN];
        let data = sender.seal(&nonce, b"hello", START);
        let opened = receiver.open(sequence, &nonce, &data, START.plus(after));
        assert_eq!(opened.map(|plaintext| assert_eq!(*plaintext, b"hello")), expected);
    }

    #[test]
    fn each_side_opens_what_the_other_sealed() {
        check(0, 1, Duration::ZERO, Ok(()));
        check(1, 1_000, SealedSession::IDLE_MAX, Ok(()));
        check(0, SealedSession::SEQUENCE_MAX, Duration::ZERO, Ok(()));
    }

    #[test]
    fn a_sequence_number_that_was_passed_is_refused() {
        check(0, 0, Duration::ZERO, Err(OpenRefusal::Order));
        check(2, 2, Duration::ZERO, Err(OpenRefusal::Order));
        check(2, 1, Duration::ZERO, Err(OpenRefusal::Order));
    }

    #[test]
    fn a_sequence_number_beyond_31_bits_is_refused() {
        check(0, SealedSession::SEQUENCE_MAX + 1, Duration::ZERO, Err(OpenRefusal::Order));
    }

    #[test]
    fn an_idle_session_opens_nothing() {
        let late = SealedSession::IDLE_MAX + Duration::from_micros(1);
        check(0, 1, late, Err(OpenRefusal::Idle));
    }

    #[test]
    fn a_changed_byte_opens_nothing() {
        let (mut sender, receiver) = pair();
        let nonce = [7; NONCE_LEN];
        let mut data = sender.seal(&nonce, b"hello", START);
        data[0] ^= 1;
        let opened = receiver.open(1, &nonce, &data, START);
        assert_eq!(opened.map(|_| ()), Err(OpenRefusal::Tag));
    }

    #[test]
    fn a_public_key_of_low_order_is_refused() {
        let own = EphemeralSecret::from_bytes([1; 32]);
        let low = AgreementKey::from_bytes([0; 32]);
        let agreed = SealedSession::agree("id".to_owned(), &own, &low, START);
        assert_eq!(agreed.map(|_| ()).unwrap_err(), LowOrderPoint);
    }
}
