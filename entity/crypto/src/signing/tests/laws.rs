use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn what_is_signed_verifies(seed: [u8; 32], message: Vec<u8>) {
        let key = SigningKey::from_seed(seed);
        prop_assert_eq!(PublicKey::from_bytes(key.public_key().as_bytes()), Ok(key.public_key()));
        prop_assert_eq!(key.public_key().verify(&message, &key.sign(&message)), Ok(()));
    }

    #[test]
    fn any_flipped_bit_is_refused(seed: [u8; 32], message in prop::collection::vec(any::<u8>(), 1..64), at: prop::sample::Index) {
        let key = SigningKey::from_seed(seed);
        let signature = key.sign(&message).to_bytes();
        let mut whole = [&signature[..], &message, key.public_key().as_bytes()].concat();
        let bit = at.index(whole.len() * 8);
        whole[bit / 8] ^= 1 << (bit % 8);
        let (signature, rest) = whole.split_at(64);
        let (message, public) = rest.split_at(rest.len() - 32);
        let accepted = PublicKey::from_bytes(public.try_into().unwrap())
            .is_ok_and(|key| key.verify(message, &Signature::from_bytes(signature.try_into().unwrap())).is_ok());
        prop_assert!(!accepted, "bit {}", bit);
    }

    #[test]
    fn verdicts_agree_with_the_slow_reference(
        secret: u64, nonce in prop::option::of(any::<u64>()), in_key in 0..8_usize, in_r in 0..8_usize, over: bool, message: [u8; 2],
    ) {
        let secret = Scalar::from(secret);
        let nonce = nonce.map_or(Scalar::ZERO, Scalar::from);
        let key = (point(secret) + EIGHT_TORSION[in_key]).compress().to_bytes();
        let r = (point(nonce) + EIGHT_TORSION[in_r]).compress().to_bytes();
        let mut signature = forge(secret, &key, nonce, r, &message);
        if over {
            let (r, s) = halves(&signature);
            signature = joined(r, add(&s, &GROUP_ORDER).unwrap());
        }
        check(&key, &message, &signature, reference_accepts(&key, &message, &signature));
    }

    #[test]
    fn any_key_bytes_are_judged_as_by_the_reference(mut bytes: [u8; 32], high: bool) {
        if high {
            bytes[1..31].fill(0xff);
            bytes[31] |= 0x7f;
        }
        let expected = canonical_point(&bytes).is_some_and(|point| !point.is_small_order());
        prop_assert_eq!(PublicKey::from_bytes(&bytes).is_ok(), expected);
    }

    #[test]
    fn s_is_canonical_exactly_when_dalek_says_so(mut s: [u8; 32], near: bool) {
        if near {
            s[2..].copy_from_slice(&GROUP_ORDER[2..]);
        }
        let canonical = Signature::from_bytes(joined([0; 32], s)).has_canonical_scalar();
        prop_assert_eq!(canonical, bool::from(Scalar::from_canonical_bytes(s).is_some()));
    }
}
