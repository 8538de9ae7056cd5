use entity_crypto::agreement::EphemeralSecret;
use entity_crypto::signing::SigningKey;
use proptest::prelude::*;

use super::capability::{CapabilityReport, Form};
use super::control::{SessionClose, Skip};
use super::error::ErrorReport;
use super::handshake_1_0::{Challenge, Handshake, HandshakeAck, HandshakeConfirm, Sealing};
use super::handshake_1_1::{
    Capabilities, ChallengeResponse, HandshakeInit, HandshakeInitAck, REQUIRED_CAPABILITIES, Ready,
    SessionConfirm, SessionEstablished,
};
use super::sealed::{Plaintext, PlaintextError, Sealed};
use super::session_sealing_1_0::SessionSealed;
use super::signal::{Heartbeat, WakeUp};
use super::static_sealing_1_0::StaticSealed;
use crate::id::{Generation, MessageNumber, SessionId};
use crate::json::{self, FieldError, Object, Problem, RULES_1_0_HARDENED, RULES_1_1, Value};
use crate::limits::{ADDRESS_LEN_MAX, LEGACY_ID_LEN_MAX, SKIP_NUMBERS_MAX, TEXT_LEN_MAX};
use crate::time::Timestamp;

mod handshakes;
mod tasks;

fn object(text: &str) -> Object {
    json::parse(text.as_bytes(), &RULES_1_0_HARDENED).unwrap().into_object().unwrap()
}

fn spaced(object: Object) -> String {
    String::from_utf8(json::to_vec(&Value::Object(object), json::Layout::Spaced)).unwrap()
}

/// Every field of `valid` in turn is removed, set to null and set to a value of a type that no field has; those not
/// in `optional` have to be missed, and those not in `ignored` have to be read.
#[track_caller]
fn strict<T>(
    valid: &Object,
    read: impl Fn(&Object) -> Result<T, FieldError>,
    optional: &[&str],
    ignored: &[&str],
) {
    assert!(read(valid).is_ok());
    let keys: Vec<String> = valid.iter().map(|(key, _)| key.to_owned()).collect();
    for key in keys.iter().filter(|key| !ignored.contains(&key.as_str())) {
        let mut without = valid.clone();
        without.remove(key);
        assert_eq!(read(&without).is_ok(), optional.contains(&key.as_str()), "without {key}");
        let other = valid.clone().with(key, vec![Value::Null]);
        assert!(read(&other).is_err(), "{key} of another type");
    }
    assert!(read(&valid.clone().with("unknown", 1_u64)).is_ok());
}

fn session() -> SessionId {
    SessionId::from_random([9; 16])
}

fn signing() -> SigningKey {
    SigningKey::from_seed([3; 32])
}

#[test]
fn sealed_payloads_of_1_0_have_exactly_these_bytes() {
    let sealed = SessionSealed { session_id: "s".to_owned(), data: vec![0; 3], nonce: [0; 12] };
    let text = r#"{"_e2e_encrypted": true, "session_id": "s", "data": "AAAA", "nonce": "AAAAAAAAAAAAAAAA"}"#;
    assert_eq!(spaced(sealed.to_object()), text);
    strict(&object(text), SessionSealed::from_object, &[], &[]);
    assert!(SessionSealed::is_form_of(&object(text)));
    assert!(!SessionSealed::is_form_of(&object("{\"_e2e_encrypted\":false}")));
    let sealed = StaticSealed { ciphertext: vec![0; 3], nonce: [0; 16] };
    let text =
        r#"{"_encrypted_payload": {"ciphertext": "AAAA", "nonce": "AAAAAAAAAAAAAAAAAAAAAA=="}}"#;
    assert_eq!(spaced(sealed.to_object()), text);
    strict(&object(text), StaticSealed::from_object, &[], &[]);
    assert!(StaticSealed::is_form_of(&object(text)));
    assert!(
        StaticSealed::from_object(&object(
            "{\"_encrypted_payload\":{\"ciphertext\":\"AAAA\",\"nonce\":\"AAAA\"}}"
        ))
        .is_err()
    );
}

#[test]
fn base64_of_sealed_payloads_is_strict() {
    // docs/protocol/1.0.md#profile-hardened, docs/protocol/1.1.md#notation
    for text in ["A", "AA", "AA=", "AB==", "AAA=A", "AA A", "AAAA\n", "____"] {
        assert!(
            Sealed::from_object(&Object::new().with("generation", 0_u64).with("sealed", text))
                .is_err(),
            "{text:?}"
        );
    }
}

#[test]
fn the_sealed_payload_of_1_1_is_exactly_two_fields() {
    // docs/protocol/1.1.md#sealing
    let sealed = Sealed { generation: Generation::new(u16::MAX), sealed: vec![0; 3] };
    let text = r#"{"generation": 65535, "sealed": "AAAA"}"#;
    assert_eq!(spaced(sealed.to_object()), text);
    assert_eq!(Sealed::from_object(&object(text)), Ok(sealed));
    for text in [
        r#"{"generation": 65536, "sealed": "AAAA"}"#,
        r#"{"generation": -1, "sealed": "AAAA"}"#,
        r#"{"sealed": "AAAA"}"#,
        r#"{"generation": 0}"#,
        r#"{"generation": 0, "sealed": "AAAA", "more": 1}"#,
    ] {
        assert!(Sealed::from_object(&object(text)).is_err(), "{text}");
    }
}

#[test]
fn the_plaintext_of_1_1_has_exactly_these_bytes() {
    // docs/protocol/1.1.md#numbers
    let body = Object::new().with("b", 1_u64).with("a", "\u{e9}");
    let data = Plaintext { number: Some(MessageNumber::FIRST), ack: 0, durable: None, body };
    assert_eq!(data.to_vec(), br#"{"ack":0,"body":{"a":"\u00e9","b":1},"number":1}"#);
    let control =
        Plaintext { number: None, ack: 7, durable: None, body: super::control::Ack.to_object() };
    assert_eq!(control.to_vec(), br#"{"ack":7,"body":{}}"#);
    assert_eq!(Plaintext::from_slice(&control.to_vec()), Ok(control));
    for text in [
        "",
        "[]",
        "{}",
        r#"{"ack":0}"#,
        r#"{"body":{}}"#,
        r#"{"ack":0,"body":[]}"#,
        r#"{"ack":0,"body":{},"number":null}"#,
        r#"{"ack":0,"body":{},"number":0}"#,
        r#"{"ack":0,"body":{},"number":9007199254740992}"#,
        r#"{"ack":9007199254740992,"body":{}}"#,
        r#"{"ack":-1,"body":{}}"#,
        r#"{"ack":0,"body":{"a":1.5}}"#,
        r#"{"ack":0,"body":{"a":1,"a":1}}"#,
    ] {
        assert!(Plaintext::from_slice(text.as_bytes()).is_err(), "{text}");
    }
    assert!(matches!(
        Plaintext::from_slice(br#"{"ack":0,"body":{"a":1.5}}"#),
        Err(PlaintextError::Json(_))
    ));
}

#[test]
fn skipped_ranges_are_ascending_and_bounded() {
    // docs/protocol/1.1.md#skip
    let read =
        |ranges: &str| Skip::from_object(&object(&format!("{{\"ranges\":{ranges}}}"))).is_ok();
    assert!(read("[[1,1]]"));
    assert!(read("[[1,2],[3,3]]"));
    assert!(read(&format!("[[1,{SKIP_NUMBERS_MAX}]]")));
    for ranges in [
        "[]",
        "[[2,1]]",
        "[[0,1]]",
        "[[1,2],[2,3]]",
        "[[3,4],[1,2]]",
        "[[1]]",
        "[[1,2,3]]",
        "[1,2]",
        "[[1,\"2\"]]",
        "[[1,2.0]]",
        "null",
        "[[1,9007199254740991]]",
        &format!("[[1,{}]]", SKIP_NUMBERS_MAX + 1),
        &format!("[[1,{SKIP_NUMBERS_MAX}],[2000,2000]]"),
    ] {
        assert!(!read(ranges), "{ranges}");
    }
    let overlapping = vec!["[1,9007199254740991]"; 3_000].join(",");
    assert!(!read(&format!("[{overlapping}]")));
}

#[test]
fn small_payloads_read_back_and_are_strict() {
    let close = SessionClose { reason: "done".to_owned() };
    assert_eq!(SessionClose::from_object(&close.to_object()), Ok(close.clone()));
    strict(&close.to_object(), SessionClose::from_object, &[], &[]);
    let report = ErrorReport {
        code: "X".to_owned(),
        message: "m".to_owned(),
        original_message_id: Some("1".to_owned()),
    };
    assert_eq!(ErrorReport::from_object(&report.to_object()), Ok(report.clone()));
    strict(&report.to_object(), ErrorReport::from_object, &["original_message_id"], &[]);
    strict(&Heartbeat { sequence: 3 }.to_object(), Heartbeat::from_object, &[], &[]);
    let wake = WakeUp { reason: "r".to_owned(), timestamp: Timestamp::UNIX_EPOCH };
    assert_eq!(WakeUp::from_object(&wake.to_ack_object()), Ok(wake.clone()));
    strict(&wake.to_object(), WakeUp::from_object, &[], &[]);
}

#[test]
fn free_texts_are_bounded_at_exactly_their_limits() {
    let close = |len: usize| {
        SessionClose::from_object(&Object::new().with("reason", "x".repeat(len))).is_ok()
    };
    assert!(close(TEXT_LEN_MAX) && !close(TEXT_LEN_MAX + 1));
    let id = |len: usize| {
        let sealed =
            SessionSealed { session_id: "x".repeat(len), data: Vec::new(), nonce: [0; 12] };
        SessionSealed::from_object(&sealed.to_object()).is_ok()
    };
    assert!(id(LEGACY_ID_LEN_MAX) && !id(LEGACY_ID_LEN_MAX + 1));
}

#[test]
fn a_capability_report_has_the_shape_of_its_version() {
    let id = "entity-a".parse().unwrap();
    let old = CapabilityReport::new(Form::V1_0, &id, vec!["ping".to_owned()]);
    assert_eq!(
        spaced(old.to_object()),
        concat!(
            r#"{"capabilities": {"protocol_version": "1.0", "supported_msg_types": ["ping"], "#,
            r#""crypto_features": {"ed25519_signing": true, "signature_verification": true, "#,
            r#""replay_protection": true, "payload_encryption": true}, "#,
            r#""endpoints": ["/message", "/health", "/peers", "/stats", "/public-key"], "entity_id": "entity-a"}}"#
        )
    );
    let form = |tasks: &[&str]| Form::V1_1 {
        versions: vec!["1.1".to_owned()],
        capabilities: vec!["x25519".to_owned()],
        tasks: tasks.iter().map(|&task| task.to_owned()).collect(),
    };
    let new = CapabilityReport::new(form(&[]), &id, Vec::new());
    assert!(!spaced(new.to_object()).contains("tasks"));
    let able = CapabilityReport::new(form(&["text.count"]), &id, Vec::new());
    assert!(spaced(able.to_object()).ends_with(
        r#""protocol_versions": ["1.1"], "capabilities": ["x25519"], "tasks": ["text.count"]}}"#
    ));
    for report in [old, new, able] {
        assert_eq!(CapabilityReport::from_object(&report.to_object()), Ok(report));
    }
}

proptest! {
    #[test]
    fn a_plaintext_reads_back(number in prop::option::of(1..=MessageNumber::MAX.get()), ack in 0..=MessageNumber::MAX.get(), text: String) {
        let number = number.and_then(MessageNumber::new);
        let plaintext = Plaintext { number, ack, durable: None, body: Object::new().with("text", text) };
        prop_assert_eq!(Plaintext::from_slice(&plaintext.to_vec()), Ok(plaintext));
    }

    #[test]
    fn a_sealed_payload_reads_back(generation: u16, sealed: Vec<u8>, nonce: [u8; 12], other: [u8; 16]) {
        let new = Sealed { generation: Generation::new(generation), sealed: sealed.clone() };
        prop_assert_eq!(Sealed::from_object(&new.to_object()), Ok(new));
        let old = SessionSealed { session_id: "s".to_owned(), data: sealed.clone(), nonce };
        prop_assert_eq!(SessionSealed::from_object(&old.to_object()), Ok(old));
        let fixed = StaticSealed { ciphertext: sealed, nonce: other };
        prop_assert_eq!(StaticSealed::from_object(&fixed.to_object()), Ok(fixed));
    }

    #[test]
    fn skipped_numbers_read_back(numbers in prop::collection::btree_set(1_u64..5_000, 1..200)) {
        let wanted: Vec<_> = numbers.iter().filter_map(|number| MessageNumber::new(*number)).collect();
        let skip = Skip::of_numbers(wanted.iter().rev().copied()).unwrap();
        prop_assert!(skip.numbers().eq(wanted));
        prop_assert_eq!(Skip::from_object(&skip.to_object()), Ok(skip));
    }

    #[test]
    fn no_object_panics(entries in prop::collection::vec(("step|challenge|session_id|sealed|ranges|capabilities|public_key", "null|1|\"x\"|\\{\\}|\\[\\]|\\[\\[1,2\\]\\]|\\[\"a\"\\]"), 0..6)) {
        let mut object = Object::new();
        for (key, value) in entries {
            object.insert(&key, json::parse(value.as_bytes(), &RULES_1_1).unwrap());
        }
        drop(HandshakeInit::from_object(&object));
        drop(HandshakeInitAck::from_object(&object));
        drop(Handshake::from_object(&object));
        drop(HandshakeAck::from_object(&object));
        drop(Sealed::from_object(&object));
        drop(Skip::from_object(&object));
        drop(CapabilityReport::from_object(&object));
    }
}
