//! AES-256-GCM with 12-byte nonces.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// Seals and opens under one key.
///
/// The caller owes a nonce that is never used twice with the same key for different input:
/// repeating one gives away the authentication key. The library wipes the expanded key on drop.
pub struct SealingKey(LessSafeKey);

impl SealingKey {
    /// Builds the key.
    ///
    /// # Panics
    /// If the library cannot allocate memory for the key.
    pub fn new(mut key: [u8; SEALING_KEY_LEN]) -> Self {
        let unbound = UnboundKey::new(&AES_256_GCM, &key).expect("any 32 bytes are an AES-256 key");
        key.zeroize();
        Self(LessSafeKey::new(unbound))
    }

    /// Seals a plaintext, authenticating `associated` with it.
    ///
    /// *Shape*: the ciphertext, as long as the plaintext, then the [`TAG_LEN`]-byte tag.
    ///
    /// # Panics
    /// If the plaintext is longer than the 64 GiB that AES-GCM allows; messages are bounded far
    /// below.
    pub fn seal(&self, nonce: &[u8; NONCE_LEN], associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len() + TAG_LEN);
        sealed.extend_from_slice(plaintext);
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(associated),
                &mut sealed,
            )
            .expect("messages are far below the 64 GiB of AES-GCM");
        sealed
    }

    /// Seals in place what comes after the first `associated_len` bytes of a message, authenticating those with it, and
    /// appends the tag.
    ///
    /// # Panics
    /// If the message is shorter than `associated_len`, or longer than the 64 GiB that AES-GCM allows.
    pub fn seal_after(
        &self,
        nonce: &[u8; NONCE_LEN],
        associated_len: usize,
        message: &mut Vec<u8>,
    ) {
        let (associated, plaintext) = message.split_at_mut(associated_len);
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(&*associated),
                plaintext,
            )
            .expect("messages are far below the 64 GiB of AES-GCM");
        message.extend_from_slice(tag.as_ref());
    }

    /// Opens what [`SealingKey::seal`] made.
    ///
    /// # Errors
    /// [`OpenError`] when the input is shorter than a tag or the tag does not authenticate it; no
    /// plaintext is given out then.
    pub fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.open_owned(nonce, associated, sealed.to_vec())
    }

    /// Opens what [`SealingKey::seal`] or [`SealingKey::seal_after`] made, in place.
    ///
    /// # Errors
    /// As [`SealingKey::open`].
    pub fn open_owned(
        &self,
        nonce: &[u8; NONCE_LEN],
        associated: &[u8],
        sealed: Vec<u8>,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let mut buffer = Zeroizing::new(sealed);
        let plaintext_len = self
            .0
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(associated),
                buffer.as_mut_slice(),
            )
            .map_err(|_| OpenError)?
            .len();
        buffer.truncate(plaintext_len);
        Ok(buffer)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealingKey(..)")
    }
}

/// A sealed text that does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("open a sealed text")]
pub struct OpenError;

/// Bytes of an AES-256 key.
pub const SEALING_KEY_LEN: usize = 32;
/// Bytes of a nonce; `docs/protocol/1.1.md#sealing` and `docs/protocol/1.0.md#session-sealing`.
pub const NONCE_LEN: usize = 12;
/// Bytes of an authentication tag.
pub const TAG_LEN: usize = 16;

#[cfg(test)]
mod tests;
