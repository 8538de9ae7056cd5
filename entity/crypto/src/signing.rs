//! Ed25519, verified exactly as protocol 1.1 demands.
//!
//! Libraries differ on which malformed keys and signatures they let pass. Here every rule is
//! checked by this crate before a library sees the input, so two peers never disagree on a
//! signature: public keys are refused when they are built ([`PublicKey::from_bytes`]), signatures
//! with S >= L when they are verified; the library then does the single, cofactorless equation and
//! compares R bytewise.
//!
//! *Source*: `docs/protocol/1.1.md#ed25519-verification`; RFC 8032 section 5.1; ePrint 2020/1244 on
//! what libraries accept.

mod accepted;
mod often;
mod prepared;

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use curve25519_dalek::edwards::CompressedEdwardsY;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::derivation::Prk;
use crate::encoding::{self, InvalidBase64, InvalidHex};

pub use prepared::{Prepared, PreparedKey, SmallPreparedKey};

/// Signs with an identity key.
///
/// The seed is wiped on drop, as is the expanded key (the library wipes what it frees). It is
/// deliberately not `Clone`: an identity key has one owner.
pub struct SigningKey {
    // Apart from the value that is moved about: each move of an array would leave a copy behind.
    seed: Box<Zeroizing<[u8; SEED_LEN]>>,
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// Builds the key pair of a seed.
    ///
    /// *Shape*: the 32-byte private key of RFC 8032; any value is a valid seed.
    ///
    /// # Panics
    /// If the library cannot allocate memory for the key.
    pub fn from_seed(mut seed: [u8; SEED_LEN]) -> Self {
        let key = Self::from_seed_at(&seed);
        seed.zeroize();
        key
    }

    /// Builds the key pair of a seed that stays where it is: its owner wipes it.
    ///
    /// # Panics
    /// If the library cannot allocate memory for the key.
    pub fn from_seed_at(seed: &[u8; SEED_LEN]) -> Self {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are an Ed25519 seed");
        let mut public = [0; PUBLIC_KEY_LEN];
        public.copy_from_slice(pair.public_key().as_ref());
        let mut kept = Box::new(Zeroizing::new([0; SEED_LEN]));
        kept.copy_from_slice(seed);
        // Clamping sets bit 254 and clears the cofactor bits, so the key is a non-identity multiple
        // of the base point and the library encodes it canonically: the checks of
        // `PublicKey::from_bytes` hold by construction.
        Self { seed: kept, pair, public: PublicKey(public) }
    }

    /// Builds the key pair of a seed written as 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`InvalidHex`] when the text has another length or another character; the text is not
    /// repeated in the error.
    pub fn from_seed_hex(text: &str) -> Result<Self, InvalidHex> {
        let mut seed = Zeroizing::new([0; SEED_LEN]);
        encoding::hex_decode_into(text, seed.as_mut_slice())?;
        Ok(Self::from_seed_at(&seed))
    }

    /// Returns the public half.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Returns the key of a token account of this identity: for 0 the identity key itself, else one derived from its seed.
    ///
    /// *Source*: `docs/protocol/1.1.md#account-keys`.
    #[must_use]
    pub fn account(&self, index: u32) -> Self {
        if index == 0 {
            return Self::from_seed_at(&self.seed);
        }
        let identity = Prk::extract(ACCOUNT_SALT, self.seed.as_slice());
        Self::from_seed_at(&identity.expand_array(&index.to_be_bytes()))
    }

    /// Signs a message.
    ///
    /// Signatures are deterministic: the same key and message give the same 64 bytes.
    ///
    /// # Panics
    /// If the library cannot allocate memory.
    pub fn sign(&self, message: &[u8]) -> Signature {
        let signed = self.pair.sign(message);
        let mut bytes = [0; SIGNATURE_LEN];
        bytes.copy_from_slice(signed.as_ref());
        Signature(bytes)
    }

    /// Returns the seed as 64 lower-case hexadecimal digits, for a key file.
    pub fn seed_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(encoding::hex_encode(self.seed.as_slice()))
    }

    /// Returns the seed: for a key file, for keys derived from it, and for the key conversion of
    /// protocol 1.0. Whoever copies it wipes the copy.
    pub fn seed(&self) -> &[u8; SEED_LEN] {
        &self.seed
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey(..)")
    }
}

/// Verifies signatures of one identity.
///
/// *Shape*: 32 bytes, a canonically encoded point of Edwards25519 that is not of small order. A
/// value of this type has passed those checks. Keys order as 32 unsigned bytes, which decides
/// simultaneous handshakes (`docs/protocol/1.1.md#simultaneous-open`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; PUBLIC_KEY_LEN]);

impl PublicKey {
    /// Checks and keeps an encoded public key.
    ///
    /// # Errors
    /// [`InvalidPublicKey::NonCanonical`] when y >= p, [`InvalidPublicKey::NotOnCurve`] when no
    /// point has that y, [`InvalidPublicKey::SmallOrder`] when the point's order divides 8 (such
    /// keys "verify" signatures nobody made).
    pub fn from_bytes(bytes: &[u8; PUBLIC_KEY_LEN]) -> Result<Self, InvalidPublicKey> {
        if accepted::contains(bytes) {
            return Ok(Self(*bytes));
        }
        if !is_canonical_y(bytes) {
            return Err(InvalidPublicKey::NonCanonical);
        }
        let point = CompressedEdwardsY(*bytes).decompress().ok_or(InvalidPublicKey::NotOnCurve)?;
        // This also refuses the two encodings of "negative zero" x, since both points with x = 0
        // are of small order.
        if point.is_small_order() {
            return Err(InvalidPublicKey::SmallOrder);
        }
        accepted::insert(bytes);
        Ok(Self(*bytes))
    }

    /// Reads a public key written as 64 lower-case hexadecimal digits, its form on the wire.
    ///
    /// # Errors
    /// [`InvalidPublicKey::Hex`] for another text, else as [`PublicKey::from_bytes`].
    pub fn from_hex(text: &str) -> Result<Self, InvalidPublicKey> {
        let mut bytes = [0; PUBLIC_KEY_LEN];
        encoding::hex_decode_into(text, &mut bytes).map_err(InvalidPublicKey::Hex)?;
        Self::from_bytes(&bytes)
    }

    /// Returns the key as 64 lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        encoding::hex_encode(&self.0)
    }

    /// Returns the encoded point.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_LEN] {
        &self.0
    }

    /// Verifies a signature: S < L, then R == encode(S·B - h·A) bytewise, without the cofactor.
    ///
    /// # Errors
    /// [`InvalidSignature`], without a reason: a forger learns nothing from it.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), InvalidSignature> {
        if !signature.has_canonical_scalar() {
            return Err(InvalidSignature);
        }
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message, &signature.0)
            .map_err(|_| InvalidSignature)
    }

    /// Verifies a signature under a key that many come under: as [`PublicKey::verify`] does, and sooner once so many held that the
    /// key is prepared, which the process remembers of a bounded number of keys.
    ///
    /// # Errors
    /// [`InvalidSignature`], exactly where [`PublicKey::verify`] has it.
    pub fn verify_often(
        &self,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), InvalidSignature> {
        often::verify(self, message, signature)
    }
}

/// What is to be verified: that a signature is one of a message under a key.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Whose it is to be.
    pub key: &'a PublicKey,
    /// What is to be signed.
    pub message: &'a [u8],
    /// What came with it.
    pub signature: &'a Signature,
}

impl Claim<'_> {
    /// Verifies several: each as [`PublicKey::verify_often`] does, sooner. The verdicts are in their order.
    pub fn verify_all(claims: &[Self]) -> Vec<Result<(), InvalidSignature>> {
        often::verify_all(claims)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_hex())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", self.to_hex())
    }
}

/// A signature as it is on the wire, not verified.
///
/// *Shape*: 64 bytes, R then S little-endian; 88 characters of base64. Any 64 bytes can be held;
/// whether they are a signature is what [`PublicKey::verify`] decides.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; SIGNATURE_LEN]);

impl Signature {
    /// Keeps 64 bytes as a signature.
    pub fn from_bytes(bytes: [u8; SIGNATURE_LEN]) -> Self {
        Self(bytes)
    }

    /// Reads a signature in strict base64.
    ///
    /// # Errors
    /// [`InvalidBase64`] when the text is not canonical base64 or does not hold exactly 64 bytes.
    pub fn from_base64(text: &str) -> Result<Self, InvalidBase64> {
        encoding::base64_decode_array(text).map(Self)
    }

    /// Returns the 64 bytes.
    pub fn to_bytes(&self) -> [u8; SIGNATURE_LEN] {
        self.0
    }

    /// Returns the 88 characters of base64 that are on the wire.
    pub fn to_base64(&self) -> String {
        encoding::base64_encode(&self.0)
    }

    /// Tells whether S < L. Without this check (S + L, R) would be a second signature of the same
    /// message.
    fn has_canonical_scalar(&self) -> bool {
        let scalar = self.0.iter().skip(SIGNATURE_LEN / 2).rev();
        scalar.lt(GROUP_ORDER.iter().rev())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signature({})", self.to_base64())
    }
}

/// Returns the bytes that are signed for anything that is not an envelope: label, a zero byte,
/// data.
///
/// *Source*: `docs/protocol/1.1.md#labelled-signatures`.
///
/// # Panics
/// If the label contains a zero byte or begins with `{` or `"`: the bytes could then be those of
/// another label or of an envelope. Labels are constants of the code that signs.
pub fn labelled(label: &str, data: &[u8]) -> Vec<u8> {
    assert!(
        !label.starts_with(['{', '"']) && !label.contains('\0'),
        "a label that could be mistaken"
    );
    let mut bytes = Vec::with_capacity(label.len() + 1 + data.len());
    bytes.extend_from_slice(label.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(data);
    bytes
}

/// Tells whether the y coordinate, the low 255 bits, is below p = 2^255 - 19.
fn is_canonical_y(bytes: &[u8; PUBLIC_KEY_LEN]) -> bool {
    let [first, middle @ .., last] = bytes;
    let reaches_p =
        *first >= 0xed && middle.iter().all(|byte| *byte == 0xff) && last & 0x7f == 0x7f;
    !reaches_p
}

/// Why 32 bytes are not a public key. The bytes are the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidPublicKey {
    /// The text is not 64 lower-case hexadecimal digits.
    #[error("decode an Ed25519 public key from hexadecimal")]
    Hex(#[source] InvalidHex),
    /// The y coordinate is not reduced modulo p.
    #[error("accept an Ed25519 public key whose encoding is not canonical")]
    NonCanonical,
    /// No point of the curve has this y coordinate.
    #[error("accept an Ed25519 public key that is no point of the curve")]
    NotOnCurve,
    /// The order of the point divides 8.
    #[error("accept an Ed25519 public key of small order")]
    SmallOrder,
}

/// A signature that does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("verify an Ed25519 signature")]
pub struct InvalidSignature;

/// Bytes of a seed; RFC 8032 section 5.1.5.
pub const SEED_LEN: usize = 32;
/// Bytes of a public key; RFC 8032 section 5.1.5.
pub const PUBLIC_KEY_LEN: usize = 32;
/// Bytes of a signature; RFC 8032 section 5.1.6.
pub const SIGNATURE_LEN: usize = 64;

/// The salt under which the seeds of accounts are derived; docs/protocol/1.1.md#account-keys.
const ACCOUNT_SALT: &[u8] = b"entity-account";

/// The order L of the base point, little-endian; RFC 8032 section 5.1.
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[cfg(test)]
mod tests;
