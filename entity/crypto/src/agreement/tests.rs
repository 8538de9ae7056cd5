use proptest::prelude::*;

use super::*;
use crate::encoding::{hex_decode_array, hex_encode};

fn check_low_order(hex: &str) {
    let point = AgreementKey::from_bytes(hex_decode_array(hex).unwrap());
    for secret in [[0; 32], [1; 32], [0xff; 32], [0x77; 32]] {
        let error = EphemeralSecret::from_bytes(secret).agree(&point).map(|_| ()).unwrap_err();
        assert_eq!(error, LowOrderPoint, "{hex}");
    }
}

/// Every u coordinate of a point of low order on the curve or its twist, reduced or not, of the
/// list at <https://cr.yp.to/ecdh.html#validate>.
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn every_point_of_low_order_is_refused_with_either_top_bit() {
    for hex in LOW_ORDER {
        check_low_order(hex);
        let mut with_top_bit: [u8; 32] = hex_decode_array(hex).unwrap();
        with_top_bit[31] |= 0x80;
        check_low_order(&hex_encode(&with_top_bit));
    }
}

#[test]
fn an_all_zero_output_is_refused_whatever_the_library_says() {
    assert_eq!(SharedSecret::from_output(&[0; 32]).map(|_| ()), Err(LowOrderPoint));
    assert_eq!(SharedSecret::from_output(&[]).map(|_| ()), Err(LowOrderPoint));
    assert_eq!(SharedSecret::from_output(&[1; 31]).map(|_| ()), Err(LowOrderPoint));
    let mut output = [0; 32];
    output[31] = 1;
    assert_eq!(SharedSecret::from_output(&output).unwrap().as_bytes(), &output);
}

#[test]
fn the_rfc_7748_exchange_gives_its_secret() {
    let secret = |hex: &str| EphemeralSecret::from_bytes(hex_decode_array(hex).unwrap());
    let alice = secret("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let bob = secret("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    assert_eq!(
        hex_encode(bob.public_key().as_bytes()),
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    );
    assert_eq!(
        hex_encode(alice.agree(&bob.public_key()).unwrap().as_bytes()),
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
    );
}

#[test]
fn secrets_print_nothing_and_wipe_themselves() {
    fn wiped<T: ZeroizeOnDrop>() {}
    wiped::<SharedSecret>();
    let mut secret = SharedSecret([0x5a; 32]);
    assert_eq!(format!("{secret:?}"), "SharedSecret(..)");
    assert_eq!(format!("{:?}", EphemeralSecret::from_bytes([0x5a; 32])), "EphemeralSecret(..)");
    secret.zeroize();
    assert_eq!(secret.as_bytes(), &[0; 32]);
}

#[test]
fn a_public_half_has_one_text() {
    let key = EphemeralSecret::from_bytes([3; 32]).public_key();
    assert_eq!(key.to_base64(), "Xf7dO2vUf2+ijuFdlp1bsOpTd01Ii9r53xxuASSz7yI=");
    assert_eq!(AgreementKey::from_base64(&key.to_base64()), Ok(key));
    assert_eq!(
        AgreementKey::from_base64("Zm9v"),
        Err(InvalidBase64::Length { expected: 32, found: 3 })
    );
    assert_eq!(
        AgreementKey::from_base64("Xf7dO2vUf2+ijuFdlp1bsOpTd01Ii9r53xxuASSz7yI"),
        Err(InvalidBase64::Text)
    );
}

proptest! {
    #[test]
    fn both_sides_agree(a: [u8; 32], b: [u8; 32]) {
        let (a, b) = (EphemeralSecret::from_bytes(a), EphemeralSecret::from_bytes(b));
        let (left, right) = (a.agree(&b.public_key()).unwrap(), b.agree(&a.public_key()).unwrap());
        prop_assert_eq!(left.as_bytes(), right.as_bytes());
    }

    #[test]
    fn another_key_agrees_on_another_secret(a: [u8; 32], b: [u8; 32], c: [u8; 32]) {
        let (a, b, c) = (EphemeralSecret::from_bytes(a), EphemeralSecret::from_bytes(b), EphemeralSecret::from_bytes(c));
        prop_assume!(b.public_key() != c.public_key());
        let (with_b, with_c) = (a.agree(&b.public_key()).unwrap(), a.agree(&c.public_key()).unwrap());
        prop_assert_ne!(with_b.as_bytes(), with_c.as_bytes());
    }
}
