//! The two directions of a sealed session in one generation (`docs/protocol/1.1.md#sealing`).

use std::fmt;

use entity_crypto::sealing::{OpenError, SealingKey};
use entity_flaw::{Flaw, planted};
use entity_wire::frame::Frame;
use entity_wire::id::{Generation, Sequence};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::replay_window::{ReplayWindow, SequenceRefusal};

/// How many messages one generation carries in each direction, handshake steps included: 2^21.
///
/// Specified by `docs/protocol/1.1.md#session-limits`. Far below what AES-256-GCM allows one key.
pub const MESSAGES_MAX: u64 = 1 << 21;

/// The sequence number of the sealed handshake steps 5 and 6, on either side.
///
/// Specified by `docs/protocol/1.1.md#sealed-steps`.
pub(super) const SEALED_STEP_SEQUENCE: u64 = 2;

/// All sequence numbers of a generation are used; the session can send nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("generation {generation} has carried all the messages it may")]
pub struct GenerationExhausted {
    /// The generation whose numbers are used up.
    pub generation: Generation,
}

/// Why a position is refused before anything is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PositionRefusal {
    /// The session has no keys of that generation.
    #[error("generation {offered} is not the session's, which is {current}")]
    OtherGeneration {
        /// What the message says.
        offered: Generation,
        /// What the session has.
        current: Generation,
    },
    /// No generation carries a message with that number.
    #[error("sequence {sequence} is not below {MESSAGES_MAX}")]
    BeyondGeneration {
        /// What the message says.
        sequence: u64,
    },
    /// The replay window refuses the number.
    #[error("the replay window refuses it")]
    Window(#[from] SequenceRefusal),
}

/// The sending direction: gives every message its own sequence number.
pub struct SendChannel {
    key: SealingKey,
    generation: Generation,
    next: u64,
    messages_max: u64,
}

impl SendChannel {
    /// Starts to send under `key` with sequence number `first`.
    ///
    /// The caller owes a key that has sealed nothing at or above `first`.
    pub(super) const fn new(key: SealingKey, generation: Generation, first: u64) -> Self {
        Self { key, generation, next: first, messages_max: MESSAGES_MAX }
    }

    /// Stops earlier than the protocol asks for: after `messages_max` messages.
    pub(super) fn limit(&mut self, messages_max: u64) {
        self.messages_max = messages_max.min(MESSAGES_MAX);
    }

    /// Takes the next sequence number, for good: whether or not it is used, nobody gets it again.
    ///
    /// # Errors
    ///
    /// [`GenerationExhausted`] once [`MESSAGES_MAX`] is reached; nothing is taken.
    pub fn reserve(&mut self) -> Result<Slot<'_>, GenerationExhausted> {
        if self.next >= self.messages_max {
            return Err(self.exhausted());
        }
        let sequence = self.next;
        if !(planted(Flaw::ReusesSequence) && sequence == 8) {
            self.next += 1;
        }
        Ok(Slot { key: &self.key, generation: self.generation, sequence })
    }

    /// The generation under which this direction sends.
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// How many messages this direction may still send.
    pub const fn remaining(&self) -> u64 {
        self.messages_max.saturating_sub(self.next)
    }

    /// How many sequence numbers are taken.
    pub(super) const fn count(&self) -> u64 {
        self.next
    }

    /// What [`Self::reserve`] says when nothing remains.
    pub(super) const fn exhausted(&self) -> GenerationExhausted {
        GenerationExhausted { generation: self.generation }
    }
}

impl fmt::Debug for SendChannel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SendChannel {{ generation: {}, next: {} }}", self.generation, self.next)
    }
}

/// One sequence number, to be sealed under at most once.
///
/// Made only by [`SendChannel::reserve`], which never makes two for the same number, and spent by
/// [`Slot::seal`]: encrypting twice under one nonce cannot be written down.
///
/// Source: `docs/protocol/1.1.md#encrypted-once`.
#[must_use = "a reserved sequence number is gone whether or not it is used"]
pub struct Slot<'a> {
    key: &'a SealingKey,
    generation: Generation,
    sequence: u64,
}

impl Slot<'_> {
    /// Seals `plaintext` and authenticates `associated` with it: ciphertext, then the 16-byte tag.
    pub fn seal(self, associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        self.key.seal(&nonce(self.generation, self.sequence), associated, plaintext)
    }

    /// Seals in place what comes after the first `associated_len` bytes of a message, which are authenticated with it, and
    /// appends the 16-byte tag.
    pub(super) fn seal_after(self, associated_len: usize, message: &mut Vec<u8>) {
        self.key.seal_after(&nonce(self.generation, self.sequence), associated_len, message);
    }

    /// The generation to be named in the message.
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The sequence number to be named in the message.
    ///
    /// # Panics
    ///
    /// Never: slots are numbered below [`MESSAGES_MAX`].
    pub fn sequence(&self) -> Sequence {
        Sequence::new(self.sequence).expect("2^21 is below 2^48")
    }
}

impl fmt::Debug for Slot<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Slot {{ generation: {}, sequence: {} }}", self.generation, self.sequence)
    }
}

/// The receiving direction: opens every message once.
pub struct ReceiveChannel {
    key: SealingKey,
    generation: Generation,
    window: ReplayWindow,
}

impl ReceiveChannel {
    /// Starts to receive under `key`, with every sequence number below `first` counted as used.
    pub(super) fn new(key: SealingKey, generation: Generation, first: u64) -> Self {
        let mut window = ReplayWindow::new();
        for unsealed in 0..first {
            window.record(unsealed);
        }
        Self { key, generation, window }
    }

    /// Remembers that the message at `sequence` was accepted.
    pub fn record(&mut self, sequence: u64) {
        self.window.record(sequence);
    }

    /// Decides whether a message at this position may be opened, and changes nothing.
    ///
    /// # Errors
    ///
    /// Any [`PositionRefusal`].
    pub fn look(&self, generation: Generation, sequence: u64) -> Result<(), PositionRefusal> {
        if generation != self.generation {
            let current = self.generation;
            return Err(PositionRefusal::OtherGeneration { offered: generation, current });
        }
        if sequence >= MESSAGES_MAX {
            return Err(PositionRefusal::BeyondGeneration { sequence });
        }
        Ok(self.window.look(sequence)?)
    }

    /// Opens what the peer sealed at `sequence` with this associated data, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if key, position, associated data or ciphertext are not those of the sender.
    pub fn open(
        &self,
        sequence: u64,
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.key.open(&nonce(self.generation, sequence), associated, sealed)
    }

    /// Opens a frame whose header says `sequence`, and changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub(super) fn open_frame(&self, frame: Frame) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let Frame { header, sealed } = frame;
        let nonce = nonce(self.generation, header.sequence.get());
        self.key.open_owned(&nonce, &header.to_bytes(), sealed)
    }

    /// How many messages have come, going by the highest of their numbers.
    pub(super) const fn count(&self) -> u64 {
        self.window.end()
    }

    /// The generation this direction opens.
    pub const fn generation(&self) -> Generation {
        self.generation
    }
}

impl fmt::Debug for ReceiveChannel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ReceiveChannel")
            .field("generation", &self.generation)
            .field("lowest", &self.window.lowest())
            .finish_non_exhaustive()
    }
}

/// `00000000 || u16be generation || u48be sequence` (`docs/protocol/1.1.md#sealing`).
fn nonce(generation: Generation, sequence: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..6].copy_from_slice(&generation.get().to_be_bytes());
    // Sequence numbers are below 2^21, so the two bytes that are cut off are zero.
    nonce[6..].copy_from_slice(&sequence.to_be_bytes()[2..]);
    nonce
}

#[cfg(test)]
mod tests;
