//! Hand-made edge cases against an independent reference on curve25519-dalek.

use std::panic::RefUnwindSafe;
use std::sync::Arc;

use super::*;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;

mod laws;

/// The verdict this crate must give, computed slowly and by another library:
/// docs/protocol/1.1.md#ed25519-verification.
fn reference_accepts(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let (r, s) = halves(signature);
    let Some(point) = canonical_point(key) else { return false };
    if point.is_small_order() {
        return false;
    }
    let Some(scalar) = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)) else {
        return false;
    };
    let computed = EdwardsPoint::mul_base(&scalar) - challenge(&r, key, message) * point;
    computed.compress().to_bytes() == r
}

/// The verdict of a cofactored verifier, which this crate must not be.
fn cofactored_accepts(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let (r, s) = halves(signature);
    let (Some(key_point), Some(r_point)) =
        (CompressedEdwardsY(*key).decompress(), CompressedEdwardsY(r).decompress())
    else {
        return false;
    };
    let Some(scalar) = Option::<Scalar>::from(Scalar::from_canonical_bytes(s)) else {
        return false;
    };
    let left = EdwardsPoint::mul_base(&scalar).mul_by_cofactor();
    left == (r_point + challenge(&r, key, message) * key_point).mul_by_cofactor()
}

fn check(key: &[u8; 32], message: &[u8], signature: &[u8; 64], expected: bool) {
    let verdict = PublicKey::from_bytes(key)
        .is_ok_and(|key| key.verify(message, &Signature::from_bytes(*signature)).is_ok());
    assert_eq!(verdict, expected, "key {} signature {}", hex::encode(key), hex::encode(signature));
    let prepared = PublicKey::from_bytes(key).ok().and_then(|key| PreparedKey::new(&key));
    let verdict =
        prepared.is_some_and(|key| key.verify(message, &Signature::from_bytes(*signature)).is_ok());
    assert_eq!(
        verdict,
        expected,
        "prepared, key {} signature {}",
        hex::encode(key),
        hex::encode(signature)
    );
    let small = PublicKey::from_bytes(key).ok().and_then(|key| SmallPreparedKey::new(&key));
    let verdict =
        small.is_some_and(|key| key.verify(message, &Signature::from_bytes(*signature)).is_ok());
    assert_eq!(verdict, expected, "prepared small, key {}", hex::encode(key));
    assert_eq!(reference_accepts(key, message, signature), expected, "the reference disagrees");
    check_among_others(key, message, *signature, expected);
}

/// The verdict is the same between others, whether or not the key is prepared.
fn check_among_others(key: &[u8; 32], message: &[u8], signature: [u8; 64], expected: bool) {
    let Ok(key) = PublicKey::from_bytes(key) else { return };
    let other = SigningKey::from_seed([0x0e; 32]);
    let (public, good) = (other.public_key(), other.sign(b"other"));
    let other = Claim { key: &public, message: b"other", signature: &good };
    let signature = Signature::from_bytes(signature);
    let claims = [other, Claim { key: &key, message, signature: &signature }, other];
    let prepared = PreparedKey::new(&key).map(Arc::new);
    for keys in [[None, prepared, None], [None, None, None]] {
        let verdicts = often::verify_each(&claims, &keys);
        assert_eq!(verdicts, [Ok(()), expected.then_some(()).ok_or(InvalidSignature), Ok(())]);
    }
}

fn check_key(bytes: &[u8; 32], expected: Result<(), InvalidPublicKey>) {
    assert_eq!(PublicKey::from_bytes(bytes).map(|_| ()), expected, "{}", hex::encode(bytes));
}

fn halves(signature: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let (mut r, mut s) = ([0; 32], [0; 32]);
    r.copy_from_slice(&signature[..32]);
    s.copy_from_slice(&signature[32..]);
    (r, s)
}

fn joined(r: [u8; 32], s: [u8; 32]) -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s);
    signature
}

fn canonical_point(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    let point = CompressedEdwardsY(*bytes).decompress()?;
    (point.compress().to_bytes() == *bytes).then_some(point)
}

fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA512,
        &[r.as_slice(), key, message].concat(),
    );
    let mut wide = [0; 64];
    wide.copy_from_slice(hash.as_ref());
    Scalar::from_bytes_mod_order_wide(&wide)
}

fn point(scalar: Scalar) -> EdwardsPoint {
    EdwardsPoint::mul_base(&scalar)
}

/// Signs as RFC 8032 does, but with any nonce point and any encoding of R and of the key.
fn forge(secret: Scalar, key: &[u8; 32], nonce: Scalar, r: [u8; 32], message: &[u8]) -> [u8; 64] {
    joined(r, (nonce + challenge(&r, key, message) * secret).to_bytes())
}

/// Adds two little-endian numbers of 256 bits; `None` on overflow.
fn add(left: &[u8; 32], right: &[u8; 32]) -> Option<[u8; 32]> {
    let mut sum = [0; 32];
    let mut carry = 0_u16;
    for (index, byte) in sum.iter_mut().enumerate() {
        let total = u16::from(left[index]) + u16::from(right[index]) + carry;
        *byte = u8::try_from(total & 0xff).unwrap();
        carry = total >> 8;
    }
    (carry == 0).then_some(sum)
}

/// The 14 encodings of points whose order divides 8, canonical or not.
fn small_order_encodings() -> Vec<[u8; 32]> {
    let mut encodings: Vec<[u8; 32]> =
        EIGHT_TORSION.iter().map(|point| point.compress().to_bytes()).collect();
    let with_sign = |mut bytes: [u8; 32]| {
        bytes[31] |= 0x80;
        bytes
    };
    let p = FIELD_PRIME;
    let mut p_plus_1 = p;
    p_plus_1[0] += 1;
    let mut minus_1 = p;
    minus_1[0] -= 1;
    let mut one = [0; 32];
    one[0] = 1;
    // "Negative zero" x for y = 1 and y = -1; then y = 0 and y = 1 written as p and p + 1, with
    // either sign.
    encodings.extend([
        with_sign(one),
        with_sign(minus_1),
        p,
        with_sign(p),
        p_plus_1,
        with_sign(p_plus_1),
    ]);
    encodings
}

#[test]
fn all_fourteen_encodings_of_small_order_points_are_refused_as_keys() {
    let encodings = small_order_encodings();
    let distinct: std::collections::BTreeSet<_> = encodings.iter().collect();
    assert_eq!(distinct.len(), 14);
    for (index, encoding) in encodings.iter().enumerate() {
        let expected =
            if index < 10 { InvalidPublicKey::SmallOrder } else { InvalidPublicKey::NonCanonical };
        check_key(encoding, Err(expected));
    }
}

#[test]
fn a_small_order_key_verifies_nothing_though_the_equation_holds() {
    let nonce = Scalar::from(77_u64);
    let mut forgeries = 0;
    for key in small_order_encodings() {
        // With s = nonce and R = nonce·B - h·A, a lax verifier accepts without anybody having a
        // secret.
        for counter in 0..64_u8 {
            let message = [counter];
            let lax = CompressedEdwardsY(key).decompress().unwrap();
            let r = EIGHT_TORSION
                .iter()
                .map(|torsion| (point(nonce) + torsion).compress().to_bytes())
                .find(|r| {
                    (point(nonce) - challenge(r, &key, &message) * lax).compress().to_bytes() == *r
                });
            if let Some(r) = r {
                forgeries += 1;
                check(&key, &message, &joined(r, nonce.to_bytes()), false);
            }
        }
    }
    assert!(forgeries > 400, "only {forgeries} forgeries could deceive a lax verifier");
}

#[test]
fn every_key_with_y_not_below_p_is_refused_as_not_canonical() {
    for excess in 0..19_u8 {
        for sign in [0, 0x80] {
            let mut bytes = FIELD_PRIME;
            bytes[0] += excess;
            bytes[31] |= sign;
            check_key(&bytes, Err(InvalidPublicKey::NonCanonical));
        }
    }
}

#[test]
fn the_largest_canonical_y_are_judged_by_the_curve() {
    for deficit in 2..64_u8 {
        let mut bytes = FIELD_PRIME;
        bytes[0] -= deficit;
        let expected = if CompressedEdwardsY(bytes).decompress().is_some() {
            Ok(())
        } else {
            Err(InvalidPublicKey::NotOnCurve)
        };
        check_key(&bytes, expected);
    }
}

#[test]
fn a_y_without_a_point_is_refused() {
    let mut bytes = [0; 32];
    bytes[0] = 2;
    check_key(&bytes, Err(InvalidPublicKey::NotOnCurve));
}

#[test]
fn adding_the_group_order_to_s_never_makes_a_second_signature() {
    let key = SigningKey::from_seed([7; 32]);
    let message = b"one message, one signature";
    let genuine = key.sign(message).to_bytes();
    check(key.public_key().as_bytes(), message, &genuine, true);
    let (r, mut s) = halves(&genuine);
    let mut multiples = 0;
    while let Some(next) = add(&s, &GROUP_ORDER) {
        s = next;
        multiples += 1;
        check(key.public_key().as_bytes(), message, &joined(r, s), false);
    }
    assert_eq!(multiples, 15, "S + k·L fits 256 bits for k up to 15");
}

#[test]
fn s_is_compared_with_the_group_order_exactly() {
    let one = Scalar::ONE.to_bytes();
    let below = (Scalar::ZERO - Scalar::ONE).to_bytes();
    let canonical = |s: [u8; 32]| Signature::from_bytes(joined([0; 32], s)).has_canonical_scalar();
    assert_eq!(add(&below, &one), Some(GROUP_ORDER));
    assert!(canonical([0; 32]));
    assert!(canonical(below));
    assert!(!canonical(GROUP_ORDER));
    assert!(!canonical(add(&GROUP_ORDER, &one).unwrap()));
    assert!(!canonical([0xff; 32]));
    for bit in 253..256 {
        let mut s = [0; 32];
        s[bit / 8] |= 1 << (bit % 8);
        assert!(!canonical(s), "bit {bit}");
    }
}

#[test]
fn a_signature_valid_only_with_the_cofactor_is_refused() {
    let secret = Scalar::from(0x1234_5678_9abc_u64);
    let nonce = Scalar::from(0xfeed_u64);
    let pure = point(secret).compress().to_bytes();
    let mut refused = 0;
    for torsion in &EIGHT_TORSION[1..] {
        // A torsion component in R.
        let r = (point(nonce) + torsion).compress().to_bytes();
        let signature = forge(secret, &pure, nonce, r, b"cofactor");
        assert!(cofactored_accepts(&pure, b"cofactor", &signature));
        check(&pure, b"cofactor", &signature, false);
        // A torsion component in the key: valid without the cofactor only when the challenge wipes
        // the component out.
        let mixed = (point(secret) + torsion).compress().to_bytes();
        let r = point(nonce).compress().to_bytes();
        for counter in 0..64_u8 {
            let message = [counter];
            let signature = forge(secret, &mixed, nonce, r, &message);
            assert!(cofactored_accepts(&mixed, &message, &signature));
            let vanishes = challenge(&r, &mixed, &message) * torsion == EIGHT_TORSION[0];
            refused += usize::from(!vanishes);
            check(&mixed, &message, &signature, vanishes);
        }
    }
    assert!(refused > 100, "only {refused} cases could tell the two equations apart");
}

#[test]
fn a_key_of_mixed_order_is_a_key() {
    let secret = Scalar::from(99_u64);
    for torsion in &EIGHT_TORSION[1..] {
        check_key(&(point(secret) + torsion).compress().to_bytes(), Ok(()));
    }
}

#[test]
fn r_is_compared_as_bytes_and_not_as_a_point() {
    let secret = Scalar::from(4242_u64);
    let key = point(secret).compress().to_bytes();
    // With a zero nonce R is the identity, whose y = 1 has the canonical form 1, the form p + 1,
    // and either sign.
    let identity = EIGHT_TORSION[0].compress().to_bytes();
    check(&key, b"r", &forge(secret, &key, Scalar::ZERO, identity, b"r"), true);
    let mut respellings = 0;
    for r in small_order_encodings() {
        if r != identity && CompressedEdwardsY(r).decompress() == Some(EIGHT_TORSION[0]) {
            respellings += 1;
            let signature = forge(secret, &key, Scalar::ZERO, r, b"r");
            assert!(cofactored_accepts(&key, b"r", &signature));
            check(&key, b"r", &signature, false);
        }
    }
    assert_eq!(respellings, 3);
}

#[test]
fn debug_of_a_signing_key_shows_nothing_of_it() {
    let key = SigningKey::from_seed([0xa1; 32]);
    assert_eq!(format!("{key:?}"), "SigningKey(..)");
    assert_eq!(format!("{key:#?}"), "SigningKey(..)");
}

#[test]
fn a_bad_seed_text_is_not_repeated_in_its_error() {
    let text = "A1".repeat(32);
    let error = SigningKey::from_seed_hex(&text).unwrap_err();
    assert!(!error.to_string().contains("A1"), "{error}");
    assert!(!format!("{error:?}").contains("A1"));
    assert_eq!(SigningKey::from_seed_hex("a1").unwrap_err(), InvalidHex::Length);
}

#[test]
fn a_seed_survives_its_hexadecimal_form() {
    let text = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let key = SigningKey::from_seed_hex(text).unwrap();
    assert_eq!(key.seed_hex().as_str(), text);
    assert_eq!(
        key.public_key().to_hex(),
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    );
}

#[test]
fn accounts_are_the_identity_and_what_is_derived_from_it() {
    let identity = SigningKey::from_seed(std::array::from_fn(|at| u8::try_from(at).unwrap()));
    assert_eq!(identity.account(0).public_key(), identity.public_key());
    // Computed with another implementation of HKDF and of Ed25519.
    for (index, key) in [
        (1, "23211627d5d398e0d551aac10ee5235976e26ac728df0c12a8b11df2c2ac2684"),
        (2, "f5dee8b65fcc4e9eb36f5cd911bbae48af3e8c6fcd2d64c207c8b502ecf510b8"),
        (255, "ca348fa40d61bb6e87ce2278d0943880d31ea9fd05216bb7f0e0cce3a901b313"),
    ] {
        assert_eq!(identity.account(index).public_key().to_hex(), key);
    }
}

#[test]
fn labelled_bytes_are_label_zero_data() {
    assert_eq!(labelled("peer", b"data"), b"peer\0data");
    assert_eq!(labelled("", b""), b"\0");
}

#[test]
fn a_label_that_could_be_mistaken_is_a_bug_of_the_caller() {
    for label in ["{", "\"x", "a\0b"] {
        assert!(std::panic::catch_unwind(|| labelled(label, b"")).is_err(), "{label:?}");
    }
}

#[test]
fn keys_order_as_unsigned_bytes() {
    let low = PublicKey([0x7f; 32]);
    let high = PublicKey([0x80; 32]);
    assert!(low < high);
}

#[test]
fn keys_can_be_used_by_many_threads() {
    fn shared<T: Send + Sync + RefUnwindSafe>() {}
    shared::<SigningKey>();
    shared::<PublicKey>();
}

/// p = 2^255 - 19, little-endian.
const FIELD_PRIME: [u8; 32] = {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed;
    bytes[31] = 0x7f;
    bytes
};

#[test]
fn a_key_that_was_accepted_before_makes_no_other_bytes_a_key() {
    let key = SigningKey::from_seed([7; 32]).public_key();
    for _ in 0..2 {
        check_key(key.as_bytes(), Ok(()));
        check_key(&[0; 32], Err(InvalidPublicKey::SmallOrder));
        for bit in 0..256 {
            let mut other = *key.as_bytes();
            other[bit / 8] ^= 1 << (bit % 8);
            let is_point = CompressedEdwardsY(other).decompress().is_some();
            assert_eq!(PublicKey::from_bytes(&other).is_ok(), is_point, "bit {bit}");
        }
    }
}
