//! Which messages of each sender were accepted, so that none is handled twice (`docs/protocol/1.0.md#profile-hardened`).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use entity_crypto::derivation::sha256;
use entity_wire::time::Timestamp;
use thiserror::Error;

/// How long an accepted nonce is remembered (`docs/protocol/1.0.md#profile-hardened`).
pub const LIFETIME: Duration = Duration::from_mins(5);

/// The first 16 bytes of a SHA-256. Who could find two messages with the same one has to be their signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Computes the fingerprint of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut first = [0; 16];
        first.copy_from_slice(&sha256(bytes)[..16]);
        Self(first)
    }
}

/// What the memory says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Its nonce is new.
    Never,
    /// Every byte of it was accepted before: a sender that waited too long for its answer.
    Identical,
}

/// Why the memory refuses a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AcceptedRefusal {
    /// Sender: its nonce was accepted in another message.
    #[error("its nonce was used before")]
    Replayed,
    /// Sender: it has spent what is remembered of it.
    #[error("more messages than are remembered")]
    Full,
}

/// The nonces of one sender, each with the message it came in.
#[derive(Debug, Default)]
pub struct AcceptedMessages {
    messages: BTreeMap<Fingerprint, Fingerprint>,
    order: VecDeque<(Timestamp, Fingerprint)>,
}

impl AcceptedMessages {
    /// Looks for a message; changes nothing but to forget what is too old.
    ///
    /// `count_max` is how many messages are remembered. A full memory refuses: forgetting an entry early would let its
    /// message in again.
    ///
    /// # Errors
    ///
    /// [`AcceptedRefusal`].
    pub fn look(
        &mut self,
        nonce: Fingerprint,
        message: Fingerprint,
        count_max: usize,
        now: Timestamp,
    ) -> Result<Seen, AcceptedRefusal> {
        self.expire(now);
        match self.messages.get(&nonce) {
            Some(known) if *known == message => Ok(Seen::Identical),
            Some(_) => Err(AcceptedRefusal::Replayed),
            None if self.messages.len() >= count_max => Err(AcceptedRefusal::Full),
            None => Ok(Seen::Never),
        }
    }

    /// Remembers an accepted message.
    pub fn record(&mut self, nonce: Fingerprint, message: Fingerprint, now: Timestamp) {
        if self.messages.insert(nonce, message).is_none() {
            self.order.push_back((now, nonce));
        }
    }

    /// Returns how many messages are remembered.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Says whether none is.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some(&(accepted_at, nonce)) = self.order.front() {
            if now <= accepted_at.plus(LIFETIME) {
                return;
            }
            self.order.pop_front();
            self.messages.remove(&nonce);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn fingerprint(text: &str) -> Fingerprint {
        Fingerprint::of(text.as_bytes())
    }

    #[track_caller]
    fn check(nonce: &str, message: &str, after: Duration, expected: Result<Seen, AcceptedRefusal>) {
        let mut accepted = AcceptedMessages::default();
        accepted.record(fingerprint("n1"), fingerprint("m1"), START);
        let seen = accepted.look(fingerprint(nonce), fingerprint(message), 2, START.plus(after));
        assert_eq!(seen, expected);
    }

    #[test]
    fn an_identical_message_is_recognised() {
        check("n1", "m1", Duration::ZERO, Ok(Seen::Identical));
        check("n1", "m1", LIFETIME, Ok(Seen::Identical));
    }

    #[test]
    fn a_nonce_in_another_message_is_a_replay() {
        check("n1", "m2", Duration::ZERO, Err(AcceptedRefusal::Replayed));
    }

    #[test]
    fn another_nonce_is_new() {
        check("n2", "m1", Duration::ZERO, Ok(Seen::Never));
    }

    #[test]
    fn a_nonce_is_forgotten_after_300_s() {
        check("n1", "m2", LIFETIME + Duration::from_micros(1), Ok(Seen::Never));
    }

    #[test]
    fn a_full_memory_refuses_and_still_recognises() {
        let mut accepted = AcceptedMessages::default();
        accepted.record(fingerprint("n1"), fingerprint("m1"), START);
        accepted.record(fingerprint("n2"), fingerprint("m2"), START);
        let full = accepted.look(fingerprint("n3"), fingerprint("m3"), 2, START);
        assert_eq!(full, Err(AcceptedRefusal::Full));
        let known = accepted.look(fingerprint("n1"), fingerprint("m1"), 2, START);
        assert_eq!(known, Ok(Seen::Identical));
    }
}
