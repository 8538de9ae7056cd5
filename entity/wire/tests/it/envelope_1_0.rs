//! `docs/protocol/1.0.md#signature`: recorded whole messages.

use entity_crypto::signing::{PublicKey, Signature};
use entity_wire::canonical;
use entity_wire::decode::{DecodeRules, Decoded, Profile, decode};
use entity_wire::json::{self, RULES_1_0_HARDENED};
use entity_wire::v1_0::{Envelope, Unverified, VerifyError};
use entity_wire::version::Version;

use crate::data::{self, list, public_key, text};

pub(crate) fn unverified(body: &[u8]) -> Unverified {
    match decode(&DecodeRules::Both(Profile::Hardened), body).unwrap() {
        Decoded::V1_0(unverified) => unverified,
        other @ (Decoded::V1_1(_) | Decoded::Unsupported(_)) => panic!("not 1.0: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn check(body: &[u8], key: &PublicKey, signed_ascii: &str) -> Envelope {
    let envelope = unverified(body).verify(key).unwrap();
    assert_eq!(String::from_utf8_lossy(envelope.signed_bytes()), signed_ascii);
    envelope
}

#[test]
fn recorded_messages_of_both_flavours_verify() {
    let vectors = data::signatures();
    let key = public_key(&vectors, "public_hex");
    let messages = list(&vectors, "messages");
    assert!(messages.len() >= 6, "{}", messages.len());
    for message in messages {
        let envelope = check(
            text(message, "message_json_text").as_bytes(),
            &key,
            text(message, "signed_bytes_ascii"),
        );
        assert_eq!(envelope.signature().to_base64(), text(message, "signature_b64"));
        assert_eq!(envelope.version(), Version::V1_0);
        assert_eq!(envelope.kind().as_str(), text(&message["message"], "msg_type"));
        assert_eq!(envelope.session(), message["message"]["session_id"].as_str());
        assert_eq!(envelope.recipient(), message["message"]["recipient_id"].as_str());
    }
}

#[test]
fn recorded_token_transfer_verifies_however_it_is_spaced() {
    let vectors = data::token_transfer();
    let key = public_key(&vectors, "public_key_hex");
    for body in
        [vectors["wire"].to_string(), serde_json::to_string_pretty(&vectors["wire"]).unwrap()]
    {
        check(body.as_bytes(), &key, text(&vectors, "canonical_bytes_utf8"));
    }
}

#[test]
fn recorded_odd_signed_objects_verify() {
    // docs/protocol/1.0.md#odd-signed-objects
    let vectors = data::signatures();
    let key = public_key(&vectors, "public_hex");
    for (raw, field) in
        list(&vectors, "raw").iter().zip(["sign_bytes_b64", "challenge_response_b64"])
    {
        let signature = Signature::from_base64(text(raw, field)).unwrap();
        let value =
            json::parse(text(raw, "really_signed_ascii").as_bytes(), &RULES_1_0_HARDENED).unwrap();
        assert!(key.verify(&canonical::to_vec(&value), &signature).is_ok(), "{field}");
    }
}

#[test]
fn the_in_memory_message_of_the_earlier_peer_is_no_envelope_signature() {
    // It signs the canonical payload alone, so that its signature never passes for that of an envelope.
    let vectors = data::secure_message();
    let case = &vectors["plain+jwt"];
    let body = case["message"].to_string();
    let key =
        entity_crypto::encoding::base64_decode_array(text(&case["message"], "sender_public_key"))
            .unwrap();
    let key = PublicKey::from_bytes(&key).unwrap();
    let payload =
        json::parse(case["message"]["payload"].to_string().as_bytes(), &RULES_1_0_HARDENED)
            .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&canonical::to_vec(&payload)),
        text(case, "signed_bytes_ascii")
    );
    let signature = Signature::from_base64(text(&case["message"], "signature")).unwrap();
    assert!(key.verify(&canonical::to_vec(&payload), &signature).is_ok());
    assert_eq!(
        unverified(body.as_bytes()).verify(&key).unwrap_err(),
        VerifyError::InvalidSignature
    );
}
