use proptest::prelude::*;

use super::*;
use crate::encoding::{hex_decode_lower, hex_encode};

/// HKDF as RFC 5869 writes it, out of HMAC alone.
fn slow_hkdf(salt: &[u8], input: &[u8], info: &[u8], length: usize) -> Vec<u8> {
    let salt = if salt.is_empty() { &[0; DIGEST_LEN] } else { salt };
    let prk = hmac_sha256(salt, input);
    let mut output = Vec::new();
    let mut block = Vec::new();
    for counter in 1..=u8::MAX {
        block = hmac_sha256(&prk, &[&block, info, &[counter]].concat()).to_vec();
        output.extend_from_slice(&block);
    }
    output.truncate(length);
    output
}

/// HMAC as RFC 2104 writes it, out of SHA-256 alone.
fn slow_hmac(key: &[u8], data: &[u8]) -> [u8; DIGEST_LEN] {
    let mut padded = [0; 64];
    if key.len() > 64 {
        padded[..DIGEST_LEN].copy_from_slice(&sha256(key));
    } else {
        padded[..key.len()].copy_from_slice(key);
    }
    let inner = sha256(&[&padded.map(|byte| byte ^ 0x36)[..], data].concat());
    sha256(&[&padded.map(|byte| byte ^ 0x5c)[..], &inner].concat())
}

#[test]
fn sha256_gives_the_digests_of_its_standard() {
    for (input, digest) in [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ] {
        assert_eq!(hex_encode(&sha256(input.as_bytes())), digest);
    }
}

#[test]
fn the_first_case_of_rfc_5869_is_met() {
    let prk = Prk::extract(&hex_decode_lower("000102030405060708090a0b0c").unwrap(), &[0x0b; 22]);
    let output = prk.expand_array::<42>(&hex_decode_lower("f0f1f2f3f4f5f6f7f8f9").unwrap());
    let expected =
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
    assert_eq!(hex_encode(output.as_slice()), expected);
}

#[test]
fn the_longest_output_is_made_and_no_longer() {
    let prk = Prk::extract(b"salt", b"input");
    let mut longest = vec![0; OUTPUT_LEN_MAX];
    assert_eq!(prk.expand(b"info", &mut longest), Ok(()));
    assert_eq!(longest, slow_hkdf(b"salt", b"input", b"info", OUTPUT_LEN_MAX));
    let mut longer = vec![0x5a; OUTPUT_LEN_MAX + 1];
    assert_eq!(prk.expand(b"info", &mut longer), Err(OutputTooLong));
    assert!(longer.iter().all(|byte| *byte == 0x5a), "a refused expansion leaves the buffer alone");
}

#[test]
fn nothing_can_be_expanded_to_nothing() {
    assert_eq!(Prk::extract(b"", b"").expand(b"info", &mut []), Ok(()));
}

#[test]
fn debug_of_a_pseudorandom_key_shows_nothing_of_it() {
    assert_eq!(format!("{:?}", Prk::extract(b"salt", b"input")), "Prk(..)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hmac_agrees_with_the_slow_reference(key in prop::collection::vec(any::<u8>(), 0..200), data: Vec<u8>) {
        prop_assert_eq!(hmac_sha256(&key, &data), slow_hmac(&key, &data));
    }

    #[test]
    fn hkdf_agrees_with_the_slow_reference(salt: Vec<u8>, input: Vec<u8>, info: Vec<u8>, length in 1..300_usize) {
        let mut output = vec![0; length];
        Prk::extract(&salt, &input).expand(&info, &mut output).unwrap();
        prop_assert_eq!(output, slow_hkdf(&salt, &input, &info, length));
    }

    #[test]
    fn a_shorter_expansion_is_the_beginning_of_a_longer_one(input: [u8; 32], info: Vec<u8>) {
        let prk = Prk::extract(&[], &input);
        let (short, long) = (prk.expand_array::<32>(&info), prk.expand_array::<64>(&info));
        prop_assert_eq!(short.as_slice(), &long[..32]);
    }
}

#[test]
fn bytes_in_pieces_hash_as_bytes_in_one() {
    let mut running = RunningSha256::new();
    assert_eq!(running.digest(), sha256(b""));
    running.update(b"a");
    assert_eq!(running.digest(), sha256(b"a"));
    running.update(b"bc");
    assert_eq!(running.digest(), sha256(b"abc"));
    assert_eq!(format!("{running:?}"), "RunningSha256(..)");
}
