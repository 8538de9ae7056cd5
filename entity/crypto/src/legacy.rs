//! What only protocol 1.0 needs: its session key, and its encryption between identity keys.
//!
//! Both are weaker than what 1.1 does (one key for both directions, no transcript binding, no
//! forward secrecy for the static key), and exist to interoperate.

use std::fmt;

use aes_gcm::aead::array::Array;
use aes_gcm::aead::consts::{U10, U16};
use aes_gcm::aead::{Aead as _, KeyInit as _};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Nonce};
use aws_lc_rs::digest::{SHA256, SHA512};
use curve25519_dalek::edwards::CompressedEdwardsY;
use zeroize::Zeroizing;

use crate::agreement::{AgreementKey, EphemeralSecret, LowOrderPoint, SharedSecret};
use crate::derivation::{DIGEST_LEN, Prk, secret_digest};
use crate::sealing::{OpenError, SEALING_KEY_LEN, SealingKey};
use crate::signing::{PublicKey, SigningKey};

/// Derives the key that seals both directions of a 1.0 session.
///
/// HSalsa20(shared secret, 16 zero bytes), then SHA-256 of it as `prk`, then SHA-256(prk || "encryption").
/// *Source*: `docs/protocol/1.0.md#session-sealing`.
pub fn session_key(shared: &SharedSecret) -> SealingKey {
    SealingKey::new(*session_key_bytes(&session_prk(shared)))
}

/// Derives the key between two identities that seals 1.0 payloads where no session is.
///
/// Both Ed25519 keys become X25519 keys; HKDF-SHA256 without salt over their agreement, info
/// "e2e-encryption-key". *Source*: `docs/protocol/1.0.md#static-key-sealing`.
///
/// # Errors
/// [`LowOrderPoint`] when the agreement is all zero. No [`PublicKey`] leads there; the check stays
/// because nothing else would notice.
pub fn static_key(own: &SigningKey, peer: &PublicKey) -> Result<StaticKey, LowOrderPoint> {
    let shared = agreement_secret(own).agree(&agreement_key(peer))?;
    let key = Prk::extract(&[], shared.as_bytes()).expand_array::<SEALING_KEY_LEN>(STATIC_KEY_INFO);
    Ok(StaticKey::new(&key))
}

/// Seals and opens 1.0 payloads under the key between two identities: AES-256-GCM with 16-byte
/// nonces and no associated data.
pub struct StaticKey(AesGcm<Aes256, U16>);

impl StaticKey {
    /// Seals a plaintext.
    ///
    /// *Shape*: the ciphertext, as long as the plaintext, then the 16-byte tag. The caller owes a
    /// nonce that is never used twice between the two identities.
    ///
    /// # Panics
    /// If the plaintext is longer than the 64 GiB that AES-GCM allows; messages are bounded far
    /// below.
    pub fn seal(&self, nonce: &[u8; STATIC_NONCE_LEN], plaintext: &[u8]) -> Vec<u8> {
        self.0
            .encrypt(&Nonce::from(*nonce), plaintext)
            .expect("messages are far below the 64 GiB of AES-GCM")
    }

    /// Opens what [`StaticKey::seal`] made.
    ///
    /// # Errors
    /// [`OpenError`] when the input is shorter than a tag or the tag does not authenticate it.
    pub fn open(
        &self,
        nonce: &[u8; STATIC_NONCE_LEN],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.0.decrypt(&Nonce::from(*nonce), sealed).map(Zeroizing::new).map_err(|_| OpenError)
    }

    fn new(key: &[u8; SEALING_KEY_LEN]) -> Self {
        Self(AesGcm::new(key.into()))
    }
}

impl fmt::Debug for StaticKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StaticKey(..)")
    }
}

/// Bytes of a nonce under a [`StaticKey`]; `docs/protocol/1.0.md#static-key-sealing`.
pub const STATIC_NONCE_LEN: usize = 16;

/// Returns `prk`, from which 1.0 derives its session keys.
fn session_prk(shared: &SharedSecret) -> Zeroizing<[u8; DIGEST_LEN]> {
    let hashed: Zeroizing<[u8; DIGEST_LEN]> =
        Zeroizing::new(salsa20::hsalsa::<U10>(shared.as_bytes().into(), &Array::default()).into());
    secret_digest(&SHA256, hashed.as_slice())
}

fn session_key_bytes(prk: &[u8; DIGEST_LEN]) -> Zeroizing<[u8; DIGEST_LEN]> {
    let input = Zeroizing::new([prk.as_slice(), SESSION_KEY_SUFFIX].concat());
    secret_digest(&SHA256, &input)
}

/// Converts an identity's private half: the low half of SHA-512(seed), which X25519 clamps.
fn agreement_secret(own: &SigningKey) -> EphemeralSecret {
    EphemeralSecret::from_bytes(*secret_digest(&SHA512, own.seed()))
}

/// Converts an identity's public half: u = (1 + y) / (1 - y).
fn agreement_key(peer: &PublicKey) -> AgreementKey {
    let point = CompressedEdwardsY(*peer.as_bytes())
        .decompress()
        .expect("a public key was decoded when it was built");
    AgreementKey::from_bytes(point.to_montgomery().to_bytes())
}

const SESSION_KEY_SUFFIX: &[u8] = b"encryption";
const STATIC_KEY_INFO: &[u8] = b"e2e-encryption-key";

#[cfg(test)]
mod tests;
