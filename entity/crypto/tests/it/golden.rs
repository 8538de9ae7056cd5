//! What the earlier implementation of protocol 1.0 produced.

use entity_crypto::agreement::{AgreementKey, EphemeralSecret};
use entity_crypto::derivation::Prk;
use entity_crypto::encoding::{base64_encode, hex_decode_array, hex_decode_lower, hex_encode};
use entity_crypto::sealing::SealingKey;
use entity_crypto::signing::{PublicKey, Signature, SigningKey};
use serde_json::Value;

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).expect("a data file of this crate is JSON")
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text {field} in {value}"))
}

#[test]
fn seeds_give_their_public_keys() {
    let golden = vectors(include_str!("../data/keys.json"));
    let keys = golden.as_object().unwrap();
    assert_eq!(keys.len(), 4);
    for (name, key) in keys {
        let public = SigningKey::from_seed_hex(text(key, "ed25519_seed_hex")).unwrap().public_key();
        assert_eq!(public.to_hex(), text(key, "ed25519_public_hex"), "{name}");
        assert_eq!(base64_encode(public.as_bytes()), text(key, "ed25519_public_b64"), "{name}");
        assert_eq!(PublicKey::from_hex(text(key, "ed25519_public_hex")), Ok(public), "{name}");
    }
}

#[test]
fn signatures_are_reproduced_and_verified() {
    let golden = vectors(include_str!("../data/signatures.json"));
    let key = SigningKey::from_seed_hex(text(&golden, "seed_hex")).unwrap();
    assert_eq!(key.public_key().to_hex(), text(&golden, "public_hex"));
    let cases = golden["signed"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let signed = hex_decode_lower(text(case, "signed_bytes_hex")).unwrap();
        let signature = Signature::from_base64(text(case, "signature_b64")).unwrap();
        assert_eq!(key.sign(&signed), signature, "{}", case["name"]);
        assert_eq!(key.public_key().verify(&signed, &signature), Ok(()), "{}", case["name"]);
        assert_eq!(signature.to_base64(), text(case, "signature_b64"));
    }
}

#[test]
fn agreements_give_their_secrets_and_keys() {
    let golden = vectors(include_str!("../data/x25519.json"));
    let case = &golden["agreement"];
    let secret = |field| EphemeralSecret::from_bytes(hex_decode_array(text(case, field)).unwrap());
    let (a, b) = (secret("a_x25519_private"), secret("b_x25519_private"));
    assert_eq!(a.public_key().to_base64(), text(case, "a_x25519_public_b64"));
    assert_eq!(AgreementKey::from_base64(text(case, "b_x25519_public_b64")), Ok(b.public_key()));
    let shared = a.agree(&b.public_key()).unwrap();
    assert_eq!(hex_encode(shared.as_bytes()), text(case, "ecdh_shared_hex"));
    let key = Prk::extract(&[], shared.as_bytes())
        .expand_array::<32>(text(case, "hkdf_info_ascii").as_bytes());
    assert_eq!(hex_encode(key.as_slice()), text(case, "key_hex"));
}

#[test]
fn texts_with_12_byte_nonces_open_and_seal() {
    let golden = vectors(include_str!("../data/aes_gcm.json"));
    let mut run = 0;
    for case in golden["cases"].as_array().unwrap() {
        let Ok(nonce) = hex_decode_array::<12>(text(case, "nonce_hex")) else { continue };
        run += 1;
        let key = SealingKey::new(hex_decode_array(text(case, "key_hex")).unwrap());
        let plaintext = hex_decode_lower(text(case, "plaintext_hex")).unwrap();
        let sealed = hex_decode_lower(text(case, "ciphertext_and_tag_hex")).unwrap();
        assert_eq!(key.seal(&nonce, b"", &plaintext), sealed, "{}", case["name"]);
        assert_eq!(
            key.open(&nonce, b"", &sealed).unwrap().as_slice(),
            plaintext,
            "{}",
            case["name"]
        );
    }
    assert_eq!(run, 2);
}
