//! `docs/protocol/1.0.md#handshake`: recorded handshakes, read, verified and made again byte for byte.

use entity_crypto::signing::{PublicKey, SigningKey};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::handshake_1_0::{Challenge, Handshake, HandshakeAck, HandshakeConfirm};
use entity_wire::payload::session_sealing_1_0::SessionSealed;
use entity_wire::reply::{Answer, Reply, Verification};
use entity_wire::v1_0::{Draft, Envelope, Flavour, SequenceField};
use serde_json::Value;

use crate::data::{self, list, text};
use crate::envelope_1_0::check;

/// The payload as a typed value and back, so that writing goes through the types.
fn rewritten(kind: &MessageKind, payload: &Object) -> Object {
    if *kind == MessageKind::Handshake {
        Handshake::from_object(payload).unwrap().to_object()
    } else if *kind == MessageKind::HandshakeAck {
        HandshakeAck::from_object(payload).unwrap().to_object()
    } else if *kind == MessageKind::HandshakeConfirm {
        HandshakeConfirm::from_object(payload).unwrap().to_object()
    } else if SessionSealed::is_form_of(payload) {
        SessionSealed::from_object(payload).unwrap().to_object()
    } else {
        payload.clone()
    }
}

fn made_again(envelope: &Envelope, flavour: Flavour, key: &SigningKey) -> Vec<u8> {
    let SequenceField::Number(sequence) = envelope.sequence() else {
        panic!("{:?}", envelope.sequence())
    };
    Draft {
        flavour: flavour.of_kind(envelope.kind()),
        version: envelope.version(),
        kind: envelope.kind().clone(),
        sender: envelope.sender().to_owned(),
        recipient: envelope.recipient().map(str::to_owned),
        session: envelope.session().map(str::to_owned),
        sequence: Some(sequence.unsigned_abs()),
        stamp: envelope.stamp().clone(),
        nonce: envelope.nonce().to_owned(),
        payload: rewritten(envelope.kind(), envelope.payload().as_object().unwrap()),
    }
    .sign(key)
}

#[track_caller]
fn check_steps(vectors: &Value, flavour: Flavour) {
    let keys = [data::signing_key(vectors, "a_seed"), data::signing_key(vectors, "b_seed")];
    let steps = list(vectors, "steps");
    assert!(steps.len() >= 5, "{}", steps.len());
    for step in steps {
        let request = text(step, "request_text");
        let key = if text(step, "to") == "entity-b" { &keys[0] } else { &keys[1] };
        let envelope =
            check(request.as_bytes(), &key.public_key(), text(step, "signed_bytes_ascii"));
        assert!(envelope.stamp().time().is_ok());
        assert_eq!(String::from_utf8_lossy(&made_again(&envelope, flavour, key)), request);
        if step["http_status"] == 200 {
            let reply = Reply::received(text(step, "to"), Verification::Passed);
            assert_eq!(String::from_utf8_lossy(&reply.body), text(step, "http_response"));
        } else {
            let status = u16::try_from(step["http_status"].as_u64().unwrap()).unwrap();
            let answer = Answer::read(status, text(step, "http_response").as_bytes());
            assert!(answer.detail.is_some(), "{answer:?}");
        }
    }
}

#[test]
fn a_recorded_iso_handshake_is_made_again_byte_for_byte() {
    check_steps(&data::handshake_iso(), Flavour::Iso);
}

#[test]
fn a_recorded_dataclass_handshake_is_made_again_byte_for_byte() {
    check_steps(&data::handshake_dataclass(), Flavour::Dataclass);
}

#[test]
fn a_recorded_handshake_of_an_unrepaired_initiator_is_made_again_byte_for_byte() {
    check_steps(&data::handshake_as_coded(), Flavour::Dataclass);
}

#[test]
fn the_recorded_challenge_is_answered_with_the_recorded_signature() {
    for vectors in [data::handshake_iso(), data::handshake_dataclass()] {
        let key = data::signing_key(&vectors, "b_seed");
        let payload = |step: usize, field: &str| {
            text(&vectors["steps"][step]["message"]["payload"], field).to_owned()
        };
        let challenge = Challenge::from_text(&payload(0, "challenge")).unwrap();
        let answer = challenge.answer(&key);
        assert_eq!(answer.to_base64(), payload(1, "challenge_response"));
        let other: PublicKey = data::signing_key(&vectors, "a_seed").public_key();
        assert!(challenge.is_answered_by(&answer, &key.public_key()));
        assert!(!challenge.is_answered_by(&answer, &other));
    }
}
