//! `docs/protocol/1.1.md#envelope`: one message with its bytes pinned, so that no change of the format goes unseen.

use entity_crypto::signing::SigningKey;
use entity_wire::decode::{DecodeRules, Decoded, decode};
use entity_wire::id::{Generation, Nonce, Sequence, SessionId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::time::Timestamp;
use entity_wire::v1_1::{Draft, Header};

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
        payload: Object::new()
            .with("text", "h\u{e9}llo \u{1f600}")
            .with("count", 12_u64)
            .with("a", Object::new()),
    }
}

const SIGNED: &str = concat!(
    r#"{"msg_type":"message","nonce":"abababababababababababababababab","#,
    r#""payload":{"a":{},"count":12,"text":"h\u00e9llo \ud83d\ude00"},"#,
    r#""recipient_id":"entity-b","sender_id":"entity-a","sequence_num":3,"#,
    r#""session_id":"07070707-0707-4707-8707-070707070707","#,
    r#""timestamp":"2026-02-01T00:00:00.000001+00:00","version":"1.1"}"#
);

const SIGNATURE: &str =
    "pNhOXnlZJiuou4biMGtDLm8yFeFgd1O3jz5NPSTXqC+6N4mMVcAsxwEWGu1r0SjIZnT4loSkd2dTMd9mwBAPDA==";

#[test]
fn a_message_has_exactly_these_bytes() {
    let signed = draft().sign(&SigningKey::from_seed([0xa1; 32]));
    assert_eq!(String::from_utf8_lossy(&signed.signed_bytes), SIGNED);
    assert_eq!(signed.signature.to_base64(), SIGNATURE);
    let body =
        SIGNED.replace(r#","timestamp""#, &format!(r#","signature":"{SIGNATURE}","timestamp""#));
    assert_eq!(String::from_utf8_lossy(&signed.body), body);
}

#[test]
fn the_associated_data_has_exactly_these_bytes() {
    // docs/protocol/1.1.md#associated-data
    let expected = SIGNED
        .replace(r#"{"a":{},"count":12,"text":"h\u00e9llo \ud83d\ude00"}"#, r#"{"generation":5}"#);
    assert_eq!(String::from_utf8_lossy(&draft().associated_data(Generation::new(5))), expected);
}

#[test]
fn a_field_can_be_left_out_of_the_signed_bytes() {
    // docs/protocol/1.1.md#transcript
    let expected = SIGNED.replace(r#""count":12,"#, "");
    assert_eq!(String::from_utf8_lossy(&draft().signed_bytes_without("count")), expected);
}

#[test]
fn a_message_written_otherwise_has_the_same_signed_bytes() {
    let key = SigningKey::from_seed([0xa1; 32]);
    let body: serde_json::Value = serde_json::from_slice(&draft().sign(&key).body).unwrap();
    let spaced = serde_json::to_string_pretty(&body).unwrap();
    let Ok(Decoded::V1_1(unverified)) = decode(&DecodeRules::V1_1, spaced.as_bytes()) else {
        panic!("{spaced}")
    };
    assert_eq!(*unverified.header(), draft().header);
    let envelope = unverified.verify(&key.public_key()).unwrap();
    assert_eq!(String::from_utf8_lossy(envelope.signed_bytes()), SIGNED);
    assert_eq!(
        envelope.associated_data(Generation::ZERO),
        draft().associated_data(Generation::ZERO)
    );
    assert_eq!(envelope.signed_bytes_without("count"), draft().signed_bytes_without("count"));
    assert_eq!(*envelope.signer(), key.public_key());
}
