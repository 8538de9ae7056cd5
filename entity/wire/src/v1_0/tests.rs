use entity_crypto::signing::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::decode::{DecodeRules, Decoded, Profile, decode};
use crate::json::{Object, Problem};
use crate::kind::MessageKind;
use crate::time::Timestamp;
use crate::version::Version;

fn key() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn draft(flavour: Flavour) -> Draft {
    Draft {
        flavour,
        version: Version::V1_0,
        kind: MessageKind::Status,
        sender: "entity-a".to_owned(),
        recipient: Some("entity-b".to_owned()),
        session: Some("s".to_owned()),
        sequence: Some(7),
        stamp: flavour.stamp(Timestamp::from_micros(1_769_904_000_123_456)),
        nonce: flavour.nonce(&[0xab; 16]),
        payload: Object::new().with("b", 1_u64).with("a", Value::float(1e16)),
    }
}

fn unverified(body: &[u8]) -> Unverified {
    match decode(&DecodeRules::V1_0(Profile::Compat), body) {
        Ok(Decoded::V1_0(unverified)) => unverified,
        other => panic!("{other:?}"),
    }
}

/// The message with one field replaced, or removed for `None`; the signature is that of the original.
fn changed(field: &str, value: Option<&str>) -> Vec<u8> {
    let mut body: serde_json::Value =
        serde_json::from_slice(&draft(Flavour::Iso).sign(&key())).unwrap();
    let object = body.as_object_mut().unwrap();
    match value {
        Some(value) => drop(object.insert(field.to_owned(), serde_json::from_str(value).unwrap())),
        None => drop(object.remove(field)),
    }
    serde_json::to_vec(&body).unwrap()
}

#[track_caller]
fn check(field: &str, value: Option<&str>, expected: VerifyError) {
    let outcome = unverified(&changed(field, value)).verify(&key().public_key());
    assert_eq!(
        outcome.map(|envelope| envelope.kind().clone()),
        Err(expected),
        "{field} = {value:?}"
    );
}

/// A message whose signature covers whatever `fields` say, for types that a draft cannot have.
fn signed(fields: &str) -> Vec<u8> {
    let mut object: serde_json::Value = serde_json::from_str(fields).unwrap();
    let value = crate::json::parse(fields.as_bytes(), &crate::json::RULES_1_0_COMPAT).unwrap();
    let get = |field: &str| value.as_object().unwrap().get(field).unwrap().clone();
    let [version, kind, sender, payload, stamp, nonce] = SIGNED_FIELDS.map(get);
    let signature = key().sign(&signed_bytes(&version, &kind, &sender, &payload, &stamp, &nonce));
    object["signature"] = signature.to_base64().into();
    serde_json::to_vec(&object).unwrap()
}

#[test]
fn both_flavours_read_back() {
    for flavour in [Flavour::Iso, Flavour::Dataclass] {
        let draft = draft(flavour);
        let envelope = unverified(&draft.sign(&key())).verify(&key().public_key()).unwrap();
        assert_eq!(envelope.kind(), &draft.kind);
        assert_eq!(envelope.sender(), draft.sender);
        assert_eq!(envelope.recipient(), draft.recipient.as_deref());
        assert_eq!(envelope.session(), draft.session.as_deref());
        assert_eq!(envelope.sequence(), SequenceField::Number(7));
        assert_eq!(envelope.stamp(), &draft.stamp);
        assert_eq!(envelope.stamp().time(), Ok(Timestamp::from_micros(1_769_904_000_123_456)));
        assert_eq!(envelope.nonce(), draft.nonce);
        assert_eq!(envelope.payload(), &Value::Object(draft.payload.clone()));
        assert_eq!(envelope.signed_bytes(), draft.signed_bytes());
    }
}

#[test]
fn the_first_handshake_message_is_always_iso() {
    // docs/protocol/1.0.md#flavours
    assert_eq!(Flavour::Dataclass.of_kind(&MessageKind::Handshake), Flavour::Iso);
    assert_eq!(Flavour::Dataclass.of_kind(&MessageKind::HandshakeAck), Flavour::Dataclass);
}

#[test]
fn no_signed_field_can_be_changed() {
    // docs/protocol/1.0.md#signature
    for (field, value) in [
        ("version", "\"0.3\""),
        ("msg_type", "\"ping\""),
        ("sender_id", "\"entity-c\""),
        ("payload", "{\"b\":1,\"a\":1e17}"),
        ("payload", "{\"b\":1.0,\"a\":1e16}"),
        ("timestamp", "\"2026-02-01T00:00:00.123457+00:00\""),
        ("timestamp", "null"),
        ("nonce", "\"00\""),
    ] {
        check(field, Some(value), VerifyError::InvalidSignature);
    }
}

#[test]
fn a_missing_signed_field_is_named_before_the_signature_is_looked_at() {
    // docs/protocol/1.0.md#order-of-checks step 5
    for field in ["msg_type", "payload", "timestamp", "nonce"] {
        check(field, None, VerifyError::MissingField(field));
    }
}

#[test]
fn a_missing_or_malformed_signature_is_told_apart() {
    check("signature", None, VerifyError::MissingSignature);
    check("signature", Some("null"), VerifyError::MissingSignature);
    check("signature", Some("\"\""), VerifyError::MissingSignature);
    check("signature", Some("\"!!!not base64\""), VerifyError::InvalidSignature);
    check("signature", Some("5"), VerifyError::InvalidSignature);
    check("signature", Some(&format!("\"{}\"", "00".repeat(64))), VerifyError::InvalidSignature);
}

#[test]
fn what_is_not_signed_can_be_changed_and_is_told_so() {
    // docs/protocol/1.0.md#envelope
    for (field, value) in
        [("session_id", Some("\"other\"")), ("sequence_num", Some("9")), ("recipient_id", None)]
    {
        assert!(unverified(&changed(field, value)).verify(&key().public_key()).is_ok(), "{field}");
    }
}

#[test]
fn a_sequence_is_an_integer_or_digits() {
    for (value, expected) in [
        (Some("7"), SequenceField::Number(7)),
        (Some("\"1001\""), SequenceField::Number(1001)),
        (Some("-1"), SequenceField::Number(-1)),
        (Some("null"), SequenceField::Missing),
        (None, SequenceField::Missing),
        (Some("\"007\""), SequenceField::Number(7)),
        (Some("\"abc\""), SequenceField::NotANumber),
        (Some("\"+7\""), SequenceField::NotANumber),
        (Some("\"-7\""), SequenceField::NotANumber),
        (Some("\" 7\""), SequenceField::NotANumber),
        (Some("\"\u{667}\""), SequenceField::NotANumber),
        (Some("\"\""), SequenceField::NotANumber),
        (Some("1.0"), SequenceField::NotANumber),
        (Some("true"), SequenceField::NotANumber),
        (Some("[]"), SequenceField::NotANumber),
        (Some("\"99999999999999999999\""), SequenceField::NotANumber),
    ] {
        let envelope =
            unverified(&changed("sequence_num", value)).verify(&key().public_key()).unwrap();
        assert_eq!(envelope.sequence(), expected, "{value:?}");
    }
}

#[test]
fn an_empty_or_absent_session_is_none() {
    for value in [Some("\"\""), Some("null"), Some("5"), None] {
        let envelope =
            unverified(&changed("session_id", value)).verify(&key().public_key()).unwrap();
        assert_eq!(envelope.session(), None, "{value:?}");
    }
}

#[test]
fn a_signed_message_of_odd_types_is_refused_after_its_signature_held() {
    let base = r#"{"version":"1.0","msg_type":"m","sender_id":"a","payload":[1],"timestamp":1,"nonce":"n"}"#;
    let verify = |fields: &str| unverified(&signed(fields)).verify(&key().public_key());
    assert_eq!(verify(base).unwrap().payload(), &Value::Array(vec![Value::from(1_u64)]));
    let wrong = |field: &'static str, expected| {
        Err(VerifyError::Field(Problem::WrongType { expected }.of(field)))
    };
    let kinds = |fields: String| verify(&fields).map(|envelope| envelope.kind().clone());
    assert_eq!(kinds(base.replace("\"m\"", "5")), wrong("msg_type", "a string"));
    assert_eq!(kinds(base.replace("\"n\"", "null")), wrong("nonce", "a string"));
    assert_eq!(kinds(base.replace(":1,", ":true,")), wrong("timestamp", "a string or a number"));
}

#[test]
fn texts_of_1_0_are_bounded_at_exactly_their_limits() {
    use crate::limits::{KIND_LEN_MAX, LEGACY_ID_LEN_MAX, LEGACY_NONCE_LEN_MAX};
    let message = |kind: usize, nonce: usize, session: usize| {
        let (kind, nonce, session) = ("k".repeat(kind), "n".repeat(nonce), "s".repeat(session));
        let body = signed(&format!(
            r#"{{"version":"1.0","msg_type":"{kind}","sender_id":"a","payload":{{}},"timestamp":1,"nonce":"{nonce}","session_id":"{session}"}}"#
        ));
        unverified(&body).verify(&key().public_key()).map(drop)
    };
    let too_long =
        |field: &'static str, max| Err(VerifyError::Field(Problem::TooLong { max }.of(field)));
    assert_eq!(message(KIND_LEN_MAX, LEGACY_NONCE_LEN_MAX, LEGACY_ID_LEN_MAX), Ok(()));
    assert_eq!(message(KIND_LEN_MAX + 1, 1, 1), too_long("msg_type", KIND_LEN_MAX));
    assert_eq!(message(1, LEGACY_NONCE_LEN_MAX + 1, 1), too_long("nonce", LEGACY_NONCE_LEN_MAX));
    assert_eq!(message(1, 1, LEGACY_ID_LEN_MAX + 1), too_long("session_id", LEGACY_ID_LEN_MAX));
}

#[test]
fn stamps_that_name_no_time_are_told_so() {
    assert!(Stamp::Text("yesterday".to_owned()).time().is_err());
    assert!(Stamp::Number(crate::json::Number::Float(f64::NAN)).time().is_err());
    let seconds = Stamp::Number(crate::json::Number::Integer(1_795_333_380_i64.into()));
    assert_eq!(seconds.time(), Ok(Timestamp::from_micros(1_795_333_380_000_000)));
}

proptest! {
    #[test]
    fn no_changed_byte_changes_what_is_signed(place: prop::sample::Index, byte: u8, dataclass: bool) {
        let draft = draft(if dataclass { Flavour::Dataclass } else { Flavour::Iso });
        let mut body = draft.sign(&key());
        let place = place.index(body.len());
        body[place] = byte;
        if let Ok(Decoded::V1_0(unverified)) = decode(&DecodeRules::V1_0(Profile::Compat), &body)
            && let Ok(envelope) = unverified.verify(&key().public_key())
        {
            prop_assert_eq!(envelope.signed_bytes(), draft.signed_bytes());
        }
    }
}
