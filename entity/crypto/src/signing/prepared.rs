//! Keys under which many signatures are verified: multiples of their points are computed once.
//!
//! The equation, and every check before it, is that of [`PublicKey::verify`]; only the two multiplications are done by looking up and
//! adding instead of doubling. The additions are the library's, exact on every point, also on one with a part of small order, so
//! both ways agree on every signature. Nothing here is secret, so it may take more time for one signature than for another.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::digest::{Context, SHA512};
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity as _;

use super::{InvalidSignature, PublicKey, Signature};

/// A public key with 1.3 MB of multiples of its point: worth it from some hundred signatures on, of which each then costs half.
pub struct PreparedKey {
    key: PublicKey,
    negative: Multiples,
}

impl PreparedKey {
    /// Prepares a key, which takes about as long as verifying 40 signatures; `None` for bytes that are no point, which no key has.
    pub fn new(key: &PublicKey) -> Option<Self> {
        let point = CompressedEdwardsY(*key.as_bytes()).decompress()?;
        Some(Self { key: *key, negative: Multiples::of(-point) })
    }

    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Verifies a signature: as [`PublicKey::verify`] does, sooner.
    ///
    /// # Errors
    ///
    /// [`InvalidSignature`], exactly where [`PublicKey::verify`] has it.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), InvalidSignature> {
        let (r, s) = signature.0.split_first_chunk::<32>().ok_or(InvalidSignature)?;
        let s = s.try_into().map_err(|_| InvalidSignature)?;
        // Canonical is S < L.
        let s: Scalar = Option::from(Scalar::from_canonical_bytes(s)).ok_or(InvalidSignature)?;
        let mut digest = Context::new(&SHA512);
        digest.update(r);
        digest.update(self.key.as_bytes());
        digest.update(message);
        let mut challenge = [0; 64];
        challenge.copy_from_slice(digest.finish().as_ref());
        let h = Scalar::from_bytes_mod_order_wide(&challenge);
        let expected = self.negative.add_times(&h, Multiples::of_base().times(&s));
        if expected.compress().as_bytes() == r { Ok(()) } else { Err(InvalidSignature) }
    }
}

impl fmt::Debug for PreparedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PreparedKey({})", self.key)
    }
}

/// For each byte of a scalar, each of its values times the power of 256 of its place times the point.
struct Multiples(Vec<EdwardsPoint>);

impl Multiples {
    fn of(point: EdwardsPoint) -> Self {
        let mut all = Vec::with_capacity(BYTES * VALUES);
        let mut step = point;
        for _ in 0..BYTES {
            let mut multiple = EdwardsPoint::identity();
            for _ in 0..VALUES {
                all.push(multiple);
                multiple += step;
            }
            step = multiple;
        }
        Self(all)
    }

    fn of_base() -> &'static Self {
        static BASE: OnceLock<Multiples> = OnceLock::new();
        BASE.get_or_init(|| Self::of(ED25519_BASEPOINT_POINT))
    }

    fn times(&self, scalar: &Scalar) -> EdwardsPoint {
        self.add_times(scalar, EdwardsPoint::identity())
    }

    fn add_times(&self, scalar: &Scalar, start: EdwardsPoint) -> EdwardsPoint {
        let of_places = self.0.chunks_exact(VALUES).zip(scalar.as_bytes());
        of_places
            .filter_map(|(values, byte)| values.get(usize::from(*byte)))
            .fold(start, |sum, value| sum + value)
    }
}

/// Bytes of a scalar.
const BYTES: usize = 32;

/// Values of a byte.
const VALUES: usize = 256;
