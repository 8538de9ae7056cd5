//! PKCS#8 PEM of an Ed25519 key.
//!
//! *Source*: RFC 8410 section 7 (version 1, the seed alone) and section 10.3 (version 2, with the public key).

use ed25519::KeypairBytes;
use ed25519::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, PublicKeyBytes};
use entity_crypto::signing::SigningKey;
use zeroize::Zeroizing;

use super::ForeignError;
use crate::hygiene::scrubbing;

/// Which PKCS#8 is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The seed alone: what OpenSSL and Python read.
    V1,
    /// With the public key.
    V2,
}

/// Reads PEM of either version.
///
/// # Errors
///
/// [`ForeignError::PemEncrypted`], [`ForeignError::Malformed`], and [`ForeignError::KeyMismatch`] where the public key of
/// version 2 is not that of the seed.
pub fn read(bytes: &[u8]) -> Result<SigningKey, ForeignError> {
    let malformed = || ForeignError::Malformed("a PEM block PRIVATE KEY with an Ed25519 key");
    let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return Err(ForeignError::PemEncrypted);
    }
    scrubbing(|| {
        let pair = KeypairBytes::from_pkcs8_pem(text.trim()).map_err(|_| malformed())?;
        let key = SigningKey::from_seed_at(&pair.secret_key);
        match pair.public_key {
            Some(public) if public.to_bytes() != *key.public_key().as_bytes() => {
                Err(ForeignError::KeyMismatch)
            }
            Some(_) | None => Ok(key),
        }
    })
}

/// Writes PEM.
///
/// # Panics
///
/// If the library cannot encode 32 bytes.
pub fn write(key: &SigningKey, version: Version) -> Zeroizing<String> {
    scrubbing(|| {
        let public_key = match version {
            Version::V1 => None,
            Version::V2 => Some(PublicKeyBytes(*key.public_key().as_bytes())),
        };
        let pair = KeypairBytes { secret_key: *key.seed(), public_key };
        pair.to_pkcs8_pem(ed25519::pkcs8::spki::der::pem::LineEnding::LF)
            .expect("any 32 bytes have a PEM form")
    })
}
