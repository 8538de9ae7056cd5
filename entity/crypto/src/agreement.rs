//! X25519 between ephemeral keys.

use std::fmt;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::encoding::{self, InvalidBase64};

/// The private half of one key agreement.
///
/// It is not `Clone`; the library wipes it when it is dropped.
pub struct EphemeralSecret {
    private: PrivateKey,
    public: AgreementKey,
}

impl EphemeralSecret {
    /// Builds the key pair of 32 random bytes, which RFC 7748 clamps.
    ///
    /// # Panics
    /// If the library cannot allocate memory for the key.
    pub fn from_bytes(mut bytes: [u8; AGREEMENT_KEY_LEN]) -> Self {
        let private = PrivateKey::from_private_key(&X25519, &bytes)
            .expect("any 32 bytes are an X25519 private key");
        bytes.zeroize();
        let computed =
            private.compute_public_key().expect("an X25519 private key has a public key");
        let mut public = [0; AGREEMENT_KEY_LEN];
        public.copy_from_slice(computed.as_ref());
        Self { private, public: AgreementKey(public) }
    }

    /// Returns the public half.
    pub fn public_key(&self) -> AgreementKey {
        self.public
    }

    /// Agrees on a secret with the peer's public half.
    ///
    /// # Errors
    /// [`LowOrderPoint`] when the result is all zero: the peer sent a point of small order, and the
    /// "secret" would be known to everybody. *Source*: RFC 7748 section 6.1;
    /// `docs/protocol/1.1.md#key-schedule`.
    pub fn agree(&self, peer: &AgreementKey) -> Result<SharedSecret, LowOrderPoint> {
        agree(
            &self.private,
            UnparsedPublicKey::new(&X25519, &peer.0),
            LowOrderPoint,
            SharedSecret::from_output,
        )
    }
}

impl fmt::Debug for EphemeralSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EphemeralSecret(..)")
    }
}

/// The public half of one key agreement.
///
/// *Shape*: 32 bytes, the u coordinate of RFC 7748. Every value is held; a point of low order is
/// refused by [`EphemeralSecret::agree`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AgreementKey([u8; AGREEMENT_KEY_LEN]);

impl AgreementKey {
    /// Keeps 32 bytes as a public half.
    pub fn from_bytes(bytes: [u8; AGREEMENT_KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// Reads a public half in strict base64, its form on the wire.
    ///
    /// # Errors
    /// [`InvalidBase64`] when the text is not canonical base64 or does not hold exactly 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, InvalidBase64> {
        encoding::base64_decode_array(text).map(Self)
    }

    /// Returns the 44 characters of base64 that are on the wire.
    pub fn to_base64(&self) -> String {
        encoding::base64_encode(&self.0)
    }

    /// Returns the u coordinate.
    pub fn as_bytes(&self) -> &[u8; AGREEMENT_KEY_LEN] {
        &self.0
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AgreementKey({})", self.to_base64())
    }
}

/// What two key pairs agree on; input for a key derivation, never a key itself.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SharedSecret([u8; AGREEMENT_KEY_LEN]);

impl SharedSecret {
    /// Returns the 32 bytes, never all zero.
    pub fn as_bytes(&self) -> &[u8; AGREEMENT_KEY_LEN] {
        &self.0
    }

    /// Keeps the output of X25519 unless it is all zero. The library refuses that too; the rule is
    /// ours, so it is checked here.
    pub(crate) fn from_output(output: &[u8]) -> Result<Self, LowOrderPoint> {
        let mut secret = Zeroizing::new([0; AGREEMENT_KEY_LEN]);
        if output.len() != AGREEMENT_KEY_LEN || bool::from(output.ct_eq(secret.as_slice())) {
            return Err(LowOrderPoint);
        }
        secret.copy_from_slice(output);
        Ok(Self(*secret))
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SharedSecret(..)")
    }
}

/// The peer's public half is a point of low order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("agree on a secret with a point of low order")]
pub struct LowOrderPoint;

/// Bytes of either half of a key pair; RFC 7748 section 6.1.
pub const AGREEMENT_KEY_LEN: usize = 32;

#[cfg(test)]
mod tests;
