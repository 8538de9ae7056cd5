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

/// A public key with 655 kB of multiples of its point: worth it from some dozen signatures on, of which each then costs less than
/// half.
pub type PreparedKey = Prepared<8>;

/// A public key with 82 kB of multiples of its point, for keys that are many: worth it from a few signatures on, of which each then
/// costs some third more than with a [`PreparedKey`].
pub type SmallPreparedKey = Prepared<4>;

/// A public key with multiples of its point for each digit of `WIDTH` bits of a scalar.
pub struct Prepared<const WIDTH: usize> {
    key: PublicKey,
    negative: Multiples<WIDTH>,
}

impl<const WIDTH: usize> Prepared<WIDTH> {
    /// Prepares a key, which takes about as long as verifying twenty signatures, or three for a small one; `None` for bytes that are no
    /// point, which no key has.
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
        let expected = self.expected(message, signature)?;
        judge(signature, expected.compress())
    }

    /// The point whose encoding R has to be: S·B - h·A.
    ///
    /// # Errors
    ///
    /// [`InvalidSignature`] where S is not below L.
    pub(super) fn expected(
        &self,
        message: &[u8],
        signature: &Signature,
    ) -> Result<EdwardsPoint, InvalidSignature> {
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
        Ok(self.negative.add_times(&h, of_base().times(&s)))
    }
}

/// Says whether R is this encoding, bytewise.
pub(super) fn judge(
    signature: &Signature,
    expected: CompressedEdwardsY,
) -> Result<(), InvalidSignature> {
    if signature.0.starts_with(expected.as_bytes()) { Ok(()) } else { Err(InvalidSignature) }
}

impl<const WIDTH: usize> fmt::Debug for Prepared<WIDTH> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PreparedKey({})", self.key)
    }
}

/// The multiples of the base point, which every signature needs: 1.2 MB, made once.
fn of_base() -> &'static Multiples<9> {
    static BASE: OnceLock<Multiples<9>> = OnceLock::new();
    BASE.get_or_init(|| Multiples::of(ED25519_BASEPOINT_POINT))
}

/// For each digit of `WIDTH` bits of a scalar, 1 to half of what such a digit can be, times the value of its place, times the point.
///
/// A digit above half is taken for the negative one that it is short of the next, to which one is added.
struct Multiples<const WIDTH: usize>(Vec<EdwardsPoint>);

impl<const WIDTH: usize> Multiples<WIDTH> {
    /// Values that are kept of a digit.
    const HALF: u16 = 1 << (WIDTH - 1);

    /// Digits of a scalar. It has 253 bits, so that the last digit is never above half.
    const PLACES: usize = SCALAR_BITS.div_ceil(WIDTH);

    fn of(point: EdwardsPoint) -> Self {
        let mut all = Vec::with_capacity(Self::PLACES * usize::from(Self::HALF));
        let mut step = point;
        for _ in 0..Self::PLACES {
            let mut multiple = step;
            for _ in 1..Self::HALF {
                all.push(multiple);
                multiple += step;
            }
            all.push(multiple);
            step = multiple + multiple;
        }
        Self(all)
    }

    fn times(&self, scalar: &Scalar) -> EdwardsPoint {
        self.add_times(scalar, EdwardsPoint::identity())
    }

    fn add_times(&self, scalar: &Scalar, start: EdwardsPoint) -> EdwardsPoint {
        let (mut sum, mut carry) = (start, 0);
        let of_places = self.0.chunks_exact(usize::from(Self::HALF));
        for (place, multiples) in of_places.enumerate() {
            let digit = bits::<WIDTH>(scalar.as_bytes(), place * WIDTH) + carry;
            carry = u16::from(digit > Self::HALF);
            let distance = if carry == 1 { 2 * Self::HALF - digit } else { digit };
            let multiple = distance.checked_sub(1).and_then(|at| multiples.get(usize::from(at)));
            sum = match multiple {
                None => sum,
                Some(multiple) if carry == 1 => sum - multiple,
                Some(multiple) => sum + multiple,
            };
        }
        sum
    }
}

/// `WIDTH` bits, at most 9, of a number from the bit `at` on.
fn bits<const WIDTH: usize>(number: &[u8; 32], at: usize) -> u16 {
    let byte = |index: usize| number.get(index).copied().unwrap_or(0);
    let both = u16::from_le_bytes([byte(at / 8), byte(at / 8 + 1)]);
    (both >> (at % 8)) & ((1 << WIDTH) - 1)
}

/// Bits of a scalar below L.
const SCALAR_BITS: usize = 253;

#[cfg(test)]
mod tests {
    use curve25519_dalek::constants::EIGHT_TORSION;

    use super::*;

    #[track_caller]
    fn check(scalar: Scalar) {
        for torsion in EIGHT_TORSION {
            let point = ED25519_BASEPOINT_POINT + torsion;
            assert_eq!(Multiples::<8>::of(point).times(&scalar), scalar * point, "{scalar:?}");
            assert_eq!(Multiples::<4>::of(point).times(&scalar), scalar * point, "{scalar:?}");
        }
        assert_eq!(of_base().times(&scalar), EdwardsPoint::mul_base(&scalar), "{scalar:?}");
    }

    #[test]
    fn multiples_are_those_of_the_library_at_every_edge_of_a_digit() {
        for small in [0_u64, 1, 7, 8, 9, 127, 128, 129, 255, 256, 257, 511, 512, 513] {
            check(Scalar::from(small));
            check(-Scalar::from(small));
        }
        for byte in [0x55, 0x7f, 0x80, 0xaa, 0xff] {
            let mut bytes = [byte; 32];
            bytes[31] = 0x0f;
            check(Scalar::from_canonical_bytes(bytes).unwrap());
        }
    }
}
