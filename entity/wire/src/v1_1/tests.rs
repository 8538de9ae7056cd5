use entity_crypto::signing::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::code::ErrorCode;
use crate::decode::{DecodeError, DecodeRules, Decoded, decode};
use crate::id::{Generation, Nonce, Sequence, SessionId};
use crate::json::Object;
use crate::kind::MessageKind;
use crate::limits::KIND_LEN_MAX;
use crate::time::Timestamp;

fn key() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn draft() -> Draft {
    Draft {
        header: Header {
            kind: MessageKind::Message,
            sender: "entity-a".parse().unwrap(),
            recipient: "entity-b".parse().unwrap(),
            session: SessionId::from_random([7; 16]),
            sequence: Sequence::new(3).unwrap(),
            timestamp: Timestamp::from_micros(1_769_904_000_000_001),
            nonce: Nonce::from_bytes([0xab; 16]),
            expires_at: None,
        },
        payload: Object::new().with("n", 1_u64),
    }
}

fn read(body: &[u8]) -> Result<Unverified, DecodeError> {
    match decode(&DecodeRules::V1_1, body)? {
        Decoded::V1_1(unverified) => Ok(unverified),
        other @ (Decoded::V1_0(_) | Decoded::Unsupported(_)) => panic!("{other:?}"),
    }
}

/// The body with one field replaced or added, or removed for `None`; the signature is that of the original.
fn changed(field: &str, value: Option<&str>) -> Vec<u8> {
    let mut body: serde_json::Value = serde_json::from_slice(&draft().sign(&key()).body).unwrap();
    let object = body.as_object_mut().unwrap();
    match value {
        Some(value) => drop(object.insert(field.to_owned(), serde_json::from_str(value).unwrap())),
        None => drop(object.remove(field)),
    }
    serde_json::to_vec(&body).unwrap()
}

#[track_caller]
fn misshapen(field: &str, value: Option<&str>) {
    match read(&changed(field, value)) {
        Err(DecodeError::V1_1(error)) => assert_eq!(error.code(), ErrorCode::InvalidMessage),
        other => panic!("{field} = {value:?}: {other:?}"),
    }
}

#[test]
fn every_field_is_required_and_never_null() {
    // docs/protocol/1.1.md#envelope
    let required = [
        "msg_type",
        "recipient_id",
        "session_id",
        "sequence_num",
        "timestamp",
        "nonce",
        "payload",
        "signature",
    ];
    for field in required {
        misshapen(field, None);
        misshapen(field, Some("null"));
        misshapen(field, Some("true"));
    }
    misshapen("sender_id", Some("null"));
    misshapen("expires_at", Some("null"));
    misshapen("anything", Some("null"));
}

#[test]
fn every_field_has_one_form() {
    for (field, value) in [
        ("sender_id", "\"\""),
        ("sender_id", "\"a b\""),
        ("sender_id", "\"\u{e9}\""),
        ("recipient_id", "\"a/b\""),
        ("msg_type", "\"\""),
        ("session_id", "\"07070707-0707-4707-8707-07070707070A\""),
        ("session_id", "\"07070707-0707-1707-8707-070707070707\""),
        ("sequence_num", "-1"),
        ("sequence_num", "\"3\""),
        ("sequence_num", "281474976710656"),
        ("timestamp", "\"2026-02-01T00:00:00+00:00\""),
        ("timestamp", "\"2026-02-01T01:00:00.000001+01:00\""),
        ("timestamp", "1769904000"),
        ("nonce", "\"ABABABABABABABABABABABABABABABAB\""),
        ("nonce", "\"q6urq6urq6urq6urq6urqw==\""),
        ("payload", "[]"),
        ("payload", "\"x\""),
        ("signature", "\"\""),
        ("signature", "\"AAAA\""),
        ("expires_at", "\"soon\""),
    ] {
        misshapen(field, Some(value));
    }
    misshapen("sender_id", Some(&format!("\"{}\"", "a".repeat(129))));
    misshapen("msg_type", Some(&format!("\"{}\"", "a".repeat(KIND_LEN_MAX + 1))));
    assert!(read(&changed("msg_type", Some(&format!("\"{}\"", "a".repeat(KIND_LEN_MAX))))).is_ok());
    assert!(read(&changed("sequence_num", Some("281474976710655"))).is_ok());
}

#[test]
fn floats_duplicates_and_excess_are_refused_anywhere() {
    misshapen("payload", Some("{\"a\":[{\"b\":1.5}]}"));
    misshapen("anything", Some("1e3"));
    let body = String::from_utf8(draft().sign(&key()).body).unwrap();
    for (from, to) in
        [("{\"n\":1}", "{\"n\":1,\"n\":1}"), ("\"version\"", "\"version\":\"1.1\",\"version\"")]
    {
        let Err(DecodeError::V1_1(error)) = read(body.replace(from, to).as_bytes()) else {
            panic!("{to}")
        };
        assert_eq!(error.code(), ErrorCode::InvalidMessage);
    }
}

#[test]
fn no_field_can_be_changed_removed_or_added() {
    // docs/protocol/1.1.md#signature
    let cases = [
        ("msg_type", "\"ping\""),
        ("sender_id", "\"entity-c\""),
        ("recipient_id", "\"entity-c\""),
        ("session_id", "\"07070707-0707-4707-8707-070707070708\""),
        ("sequence_num", "4"),
        ("timestamp", "\"2026-02-01T00:00:00.000002+00:00\""),
        ("nonce", "\"abababababababababababababababac\""),
        ("payload", "{}"),
        ("payload", "{\"n\":2}"),
        ("expires_at", "\"2026-02-01T00:00:00.000002+00:00\""),
        ("anything", "0"),
    ];
    for (field, value) in cases {
        let unverified = read(&changed(field, Some(value))).unwrap();
        assert!(unverified.verify(&key().public_key()).is_err(), "{field}");
    }
}

#[test]
fn unknown_fields_are_signed_and_kept_in_place() {
    // A field between the named ones, so that writing it at an end would not do.
    let signed = draft().signed_bytes();
    let text = String::from_utf8(signed).unwrap();
    let text = text.replace(",\"sender_id\"", ",\"sa\":[1],\"sender_id\"");
    let signature = key().sign(text.as_bytes());
    let body = text.replacen('{', &format!("{{\"signature\":\"{}\",", signature.to_base64()), 1);
    let envelope = read(body.as_bytes()).unwrap().verify(&key().public_key()).unwrap();
    assert_eq!(String::from_utf8_lossy(envelope.signed_bytes()), text);
    assert_eq!(envelope.header(), &draft().header);
    let sealed_under = text.replace("{\"n\":1}", "{\"generation\":2}");
    assert_eq!(
        String::from_utf8_lossy(&envelope.associated_data(Generation::new(2))),
        sealed_under
    );
}

#[test]
fn one_of_several_keys_has_to_hold_and_is_named() {
    let body = draft().sign(&key()).body;
    let other = SigningKey::from_seed([2; 32]).public_key();
    let keys = [other, key().public_key()];
    assert_eq!(*read(&body).unwrap().verify_any(&keys).unwrap().signer(), key().public_key());
    assert!(read(&body).unwrap().verify_any(&keys[..1]).is_err());
    assert!(read(&body).unwrap().verify_any(&[]).is_err());
}

#[test]
fn several_are_looked_at_each_under_its_own_key() {
    let other = SigningKey::from_seed([2; 32]);
    let (own, others) = (draft().sign(&key()).body, draft().sign(&other).body);
    let messages = vec![
        (read(&own).unwrap(), key().public_key()),
        (read(&others).unwrap(), key().public_key()),
        (read(&others).unwrap(), other.public_key()),
    ];
    let outcomes = Unverified::verify_all(messages);
    let signers: Vec<_> =
        outcomes.iter().map(|outcome| outcome.as_ref().ok().map(|one| *one.signer())).collect();
    assert_eq!(signers, [Some(key().public_key()), None, Some(other.public_key())]);
    let alone = read(&others).unwrap().verify(&other.public_key()).unwrap();
    assert_eq!(outcomes[2].as_ref().unwrap().signed_bytes(), alone.signed_bytes());
    assert!(Unverified::verify_all(Vec::new()).is_empty());
}

fn any_draft() -> impl Strategy<Value = Draft> {
    let ids = ("[A-Za-z0-9._-]{1,128}", "[A-Za-z0-9._-]{1,128}", "[a-z_]{1,64}");
    let numbers = (0..=Sequence::MAX.get(), 0_i64..1 << 50, prop::option::of(0_i64..1 << 50));
    let payload = prop::collection::btree_map(any::<String>(), any::<i64>(), 0..4);
    (ids, numbers, any::<[u8; 16]>(), any::<[u8; 16]>(), payload).prop_map(
        |(ids, numbers, session, nonce, payload)| Draft {
            header: Header {
                kind: MessageKind::from_text(&ids.2),
                sender: ids.0.parse().unwrap(),
                recipient: ids.1.parse().unwrap(),
                session: SessionId::from_random(session),
                sequence: Sequence::new(numbers.0).unwrap(),
                timestamp: Timestamp::from_micros(numbers.1),
                nonce: Nonce::from_bytes(nonce),
                expires_at: numbers.2.map(Timestamp::from_micros),
            },
            payload: payload
                .iter()
                .rev()
                .fold(Object::new(), |object, (key, value)| object.with(key, *value)),
        },
    )
}

proptest! {
    #[test]
    fn a_signed_draft_reads_back(draft in any_draft()) {
        let signed = draft.sign(&key());
        let envelope = read(&signed.body).unwrap().verify(&key().public_key()).unwrap();
        prop_assert_eq!(envelope.header(), &draft.header);
        prop_assert_eq!(envelope.signed_bytes(), &signed.signed_bytes);
        prop_assert_eq!(envelope.signature(), &signed.signature);
        let value = crate::json::parse(&signed.body, &crate::json::RULES_1_1).unwrap();
        prop_assert_eq!(crate::canonical::to_vec(&value), signed.body, "the body is canonical");
        let object = value.as_object().unwrap();
        prop_assert_eq!(crate::canonical::object_without(object, "signature"), signed.signed_bytes);
    }

    #[test]
    fn no_changed_byte_changes_what_is_signed(place: prop::sample::Index, byte: u8) {
        let signed = draft().sign(&key());
        let mut body = signed.body;
        let place = place.index(body.len());
        body[place] = byte;
        if let Ok(Decoded::V1_1(unverified)) = decode(&DecodeRules::V1_1, &body)
            && let Ok(envelope) = unverified.verify(&key().public_key())
        {
            prop_assert_eq!(envelope.signed_bytes(), signed.signed_bytes);
        }
    }
}
