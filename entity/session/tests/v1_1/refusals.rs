//! Every step with every field changed, every step out of order: which code, and whether the handshake ends.
//!
//! Changes are signed by the step's own sender, so that they reach the check they are meant for; what a stranger
//! changes fails at the signature.

use entity_crypto::agreement::{AgreementKey, EphemeralSecret};
use entity_crypto::encoding::base64_encode;
use entity_crypto::entropy::Entropy;
use entity_crypto::sealing::SealingKey;
use entity_crypto::signing::SigningKey;
use entity_session::v1_1::sessions::Config;
use entity_session::v1_1::state::SessionState;
use entity_wire::code::ErrorCode;
use entity_wire::id::{Generation, Nonce, Sequence, SessionId};
use entity_wire::json::{Object, Value};
use entity_wire::kind::MessageKind;
use entity_wire::payload::sealed::Sealed;
use entity_wire::v1_1::Draft;

use crate::keys;
use crate::pair::{Node, NotAccepted, Pair, answer_of, parse, resigned};

/// Whether a refused step leaves its handshake open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// A check failed: the genuine step is still accepted.
    Open,
    /// The step itself was wrong: the handshake is over.
    Ended,
}

fn half_open(node: &Node) -> usize {
    node.sessions.views().filter(|view| view.state != SessionState::Ready).count()
}

/// Delivers step `step` changed by `change` and signed anew; then the genuine one.
#[track_caller]
fn check(step: usize, change: impl FnOnce(&mut Draft), code: ErrorCode, after: After) {
    let mut pair = Pair::pinned();
    let genuine = pair.half_open(step - 1);
    let (sender, receiver) = pair.sides(step);
    let changed = resigned(&genuine.body, sender, change);
    let refused = receiver.receive(&changed).unwrap_err();
    assert_eq!(refused.code(), Some(code), "step {step}: {refused:?}");
    let expected = usize::from(after == After::Open && step > 1);
    assert_eq!(half_open(receiver), expected, "step {step}: {code} leaves it {after:?}");
    let accepted = receiver.receive(&genuine.body);
    assert_eq!(accepted.is_ok(), after == After::Open || step == 1, "step {step}: {accepted:?}");
}

/// Changes one field of the payload.
#[track_caller]
fn check_field(step: usize, field: &str, value: impl Into<Value>, code: ErrorCode) {
    check(step, |draft| drop(draft.payload.insert(field, value)), code, After::Ended);
}

fn other_key() -> String {
    SigningKey::from_seed([77; 32]).public_key().to_hex()
}

fn other_session() -> SessionId {
    SessionId::from_random([0x55; 16])
}

fn list(texts: &[&str]) -> Value {
    Value::Array(texts.iter().map(|&text| Value::from(text)).collect())
}

const CAPABILITIES: [&str; 4] = ["e2e_encryption", "aes_256_gcm", "x25519", "6step_handshake"];

#[test]
fn every_step_with_a_changed_place_is_refused_and_leaves_the_handshake_open() {
    for step in 1..=6 {
        check(
            step,
            |draft| draft.header.sequence = Sequence::new(7).unwrap(),
            ErrorCode::SequenceError,
            After::Open,
        );
        check(
            step,
            |draft| draft.header.timestamp = draft.header.timestamp.offset(60_000_001),
            ErrorCode::ExpiredTimestamp,
            After::Open,
        );
        check(
            step,
            |draft| draft.header.timestamp = draft.header.timestamp.offset(-60_000_001),
            ErrorCode::ExpiredTimestamp,
            After::Open,
        );
        if step > 1 {
            check(
                step,
                |draft| draft.header.session = other_session(),
                ErrorCode::SessionNotFound,
                After::Open,
            );
        }
    }
}

#[test]
fn a_step_with_the_nonce_of_an_earlier_one_is_a_replay() {
    for step in 3..=6_usize {
        let mut pair = Pair::pinned();
        let mut next = pair.alice.open(&pair.bob.id.clone());
        let mut nonces = Vec::new();
        for delivered in 0..step - 1 {
            nonces.push(parse(&next.body).unwrap().header().nonce);
            let receiver = pair.sides(delivered + 1).1;
            next = answer_of(receiver.receive(&next.body).unwrap()).unwrap();
        }
        let (sender, receiver) = pair.sides(step);
        let reused = nonces[step - 3];
        let changed = resigned(&next.body, sender, |draft| draft.header.nonce = reused);
        let refused = receiver.receive(&changed).unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::ReplayDetected), "step {step}");
        assert!(receiver.receive(&next.body).is_ok(), "step {step}");
    }
}

#[test]
fn a_step_changed_by_anybody_else_does_not_get_past_its_signature() {
    let stranger = SigningKey::from_seed([88; 32]);
    for step in 1..=6 {
        let mut pair = Pair::pinned();
        let genuine = pair.half_open(step - 1);
        let receiver = pair.sides(step).1;
        let changed = resigned(&genuine.body, &stranger, |_| {});
        assert_eq!(receiver.receive(&changed), Err(NotAccepted::Unverified), "step {step}");
        assert!(receiver.receive(&genuine.body).is_ok(), "step {step}");
    }
}

#[test]
fn step_1_with_a_changed_field() {
    check_field(1, "step", 2_u64, ErrorCode::InvalidMessage);
    check_field(1, "handshake_version", "1.0", ErrorCode::InvalidVersion);
    check_field(1, "supported_versions", list(&["1.0"]), ErrorCode::InvalidVersion);
    check_field(1, "ephemeral_public_key", "AAAA", ErrorCode::InvalidMessage);
    check_field(1, "ephemeral_public_key", base64_encode(&[0; 32]), ErrorCode::InvalidMessage);
    check_field(1, "identity_key", other_key(), ErrorCode::UnknownSender);
    check_field(1, "identity_key", "zz", ErrorCode::InvalidMessage);
    check_field(1, "capabilities", list(&CAPABILITIES[..3]), ErrorCode::InvalidMessage);
    check_field(1, "challenge", base64_encode(&[1; 31]), ErrorCode::InvalidMessage);
    check_field(1, "peer_identity_key", other_key(), ErrorCode::UnknownRecipient);
    check_field(1, "peer_identity_key", Value::Null, ErrorCode::InvalidMessage);
    check_field(1, "address", "ftp://somewhere", ErrorCode::InvalidMessage);
}

#[test]
fn step_2_with_a_changed_field() {
    check_field(2, "step", 1_u64, ErrorCode::InvalidMessage);
    check_field(2, "handshake_version", "1.0", ErrorCode::InvalidVersion);
    check_field(2, "accepted_version", "1.0", ErrorCode::InvalidVersion);
    check_field(2, "ephemeral_public_key", base64_encode(&[0; 32]), ErrorCode::ChallengeInvalid);
    let other = EphemeralSecret::from_bytes([3; 32]).public_key();
    check_field(2, "ephemeral_public_key", other.to_base64(), ErrorCode::ChallengeInvalid);
    check_field(2, "identity_key", other_key(), ErrorCode::UnknownSender);
    check_field(2, "challenge", base64_encode(&[1; 32]), ErrorCode::ChallengeInvalid);
    check_field(2, "challenge", base64_encode(&[1; 33]), ErrorCode::InvalidMessage);
    check_field(2, "capabilities", list(&CAPABILITIES[1..]), ErrorCode::InvalidMessage);
    let never_offered = [&CAPABILITIES[..], &["compact_frames"]].concat();
    check_field(2, "capabilities", list(&never_offered), ErrorCode::InvalidMessage);
    let reordered = [CAPABILITIES[1], CAPABILITIES[0], CAPABILITIES[2], CAPABILITIES[3]];
    check_field(2, "capabilities", list(&reordered), ErrorCode::InvalidMessage);
    check_field(2, "challenge_signature", base64_encode(&[1; 64]), ErrorCode::ChallengeInvalid);
    check_field(2, "challenge_signature", Value::Null, ErrorCode::InvalidMessage);
}

#[test]
fn step_3_with_a_changed_field() {
    check_field(3, "step", 4_u64, ErrorCode::InvalidMessage);
    check_field(3, "challenge_signature", base64_encode(&[1; 64]), ErrorCode::ChallengeInvalid);
    check_field(3, "challenge_signature", "", ErrorCode::InvalidMessage);
    check_field(3, "session_id_ack", other_session().to_string(), ErrorCode::InvalidMessage);
    check_field(
        3,
        "unknown_field",
        "signed, hence part of the transcript",
        ErrorCode::ChallengeInvalid,
    );
}

#[test]
fn step_4_with_a_changed_field() {
    check_field(4, "step", 3_u64, ErrorCode::InvalidMessage);
    check_field(4, "session_id", other_session().to_string(), ErrorCode::InvalidMessage);
    check_field(4, "established", false, ErrorCode::InvalidMessage);
    check_field(4, "encryption_ready", false, ErrorCode::InvalidMessage);
    for (field, value) in [("algorithm", "AES-128-GCM"), ("key_exchange", "X448")] {
        let params = Object::new()
            .with("algorithm", "AES-256-GCM")
            .with("key_exchange", "X25519")
            .with("forward_secrecy", true)
            .with(field, value);
        check_field(4, "session_params", params, ErrorCode::InvalidMessage);
    }
}

#[test]
fn a_reflected_challenge_signature_is_refused() {
    // The responder's own signature of step 2, sent back as the initiator's of step 3.
    let mut pair = Pair::pinned();
    let second = pair.half_open(1);
    let reflected =
        parse(&second.body).unwrap().payload().get("challenge_signature").cloned().unwrap();
    let third = answer_of(pair.alice.receive(&second.body).unwrap()).unwrap();
    let changed = resigned(&third.body, &pair.alice.key, |draft| {
        draft.payload.insert("challenge_signature", reflected);
    });
    assert_eq!(pair.bob.receive(&changed).unwrap_err().code(), Some(ErrorCode::ChallengeInvalid));
}

#[test]
fn a_sealed_step_with_changed_sealing_is_refused_and_leaves_the_handshake_open() {
    for step in [5, 6] {
        let flip = |draft: &mut Draft| {
            let mut sealed = Sealed::from_object(&draft.payload).unwrap();
            sealed.sealed[0] ^= 1;
            draft.payload = sealed.to_object();
        };
        check(step, flip, ErrorCode::DecryptionFailed, After::Open);
        // A nonce or a time that was not sealed with it: the associated data differ.
        check(step, |_| {}, ErrorCode::DecryptionFailed, After::Open);
        let next_generation = |draft: &mut Draft| drop(draft.payload.insert("generation", 1_u64));
        check(step, next_generation, ErrorCode::SequenceError, After::Open);
        let unsealed = |draft: &mut Draft| {
            draft.payload = Object::new().with("step", u64::try_from(step).unwrap());
        };
        check(step, unsealed, ErrorCode::EncryptionRequired, After::Open);
        let more = |draft: &mut Draft| drop(draft.payload.insert("more", 1_u64));
        check(step, more, ErrorCode::InvalidMessage, After::Open);
    }
}

/// Seals another plaintext into step 5 with the initiator's keys.
#[track_caller]
fn check_plaintext(change: impl FnOnce(&str) -> String, code: ErrorCode, after: After) {
    check_plaintext_of(5, change, code, after);
}

/// Seals another plaintext into step 5 or 6 with the keys of its sender.
#[track_caller]
fn check_plaintext_of(
    step: usize,
    change: impl FnOnce(&str) -> String,
    code: ErrorCode,
    after: After,
) {
    let mut pair = Pair::pinned();
    let mut steps = vec![pair.half_open(0)];
    for number in 1..step {
        let received = pair.sides(number).1.receive(&steps[number - 1].body).unwrap();
        steps.push(answer_of(received).unwrap());
    }
    let mut entropy = Entropy::from_seed([101; 32]);
    let _session: [u8; 16] = entropy.bytes();
    let own = EphemeralSecret::from_bytes(entropy.bytes());
    let transcript =
        keys::transcript(&[keys::signed_bytes(&steps[0].body), keys::signed_bytes(&steps[1].body)]);
    let peer: AgreementKey = keys::ephemeral_of(&steps[1].body);
    let keys = keys::keys(&own, &peer, &transcript);
    let key = if step == 5 { keys.initiator_to_responder } else { keys.responder_to_initiator };

    let genuine = &steps[step - 1].body;
    let plaintext = String::from_utf8(keys::open(&key, 2, genuine)).unwrap();
    let changed = change(&plaintext);
    assert_ne!(changed, plaintext);
    let (signer, receiver) = pair.sides(step);
    let body = resigned(genuine, signer, |draft| {
        draft.header.nonce = Nonce::from_bytes([0xdd; 16]);
        let associated = draft.associated_data(Generation::ZERO);
        let sealed = SealingKey::new(key).seal(&keys::nonce(2), &associated, changed.as_bytes());
        draft.payload = Sealed { generation: Generation::ZERO, sealed }.to_object();
    });
    let refused = receiver.receive(&body).unwrap_err();
    assert_eq!(refused.code(), Some(code), "{changed}: {refused:?}");
    let expected = usize::from(after == After::Open);
    assert_eq!(half_open(receiver), expected, "{changed}");
}

#[test]
fn a_sealed_step_that_says_something_else_ends_the_handshake() {
    let replace =
        |from: &'static str, to: &'static str| move |text: &str| text.replacen(from, to, 1);
    check_plaintext(
        replace("\"transcript\":\"", "\"transcript\":\"0"),
        ErrorCode::InvalidMessage,
        After::Ended,
    );
    let other_transcript = |text: &str| {
        let at = text.find("\"transcript\":\"").unwrap() + 14;
        format!("{}{}{}", &text[..at], "0".repeat(64), &text[at + 64..])
    };
    check_plaintext(other_transcript, ErrorCode::ChallengeInvalid, After::Ended);
    check_plaintext(replace("\"step\":5", "\"step\":6"), ErrorCode::InvalidMessage, After::Ended);
    check_plaintext(
        replace("\"confirmed\":true", "\"confirmed\":false"),
        ErrorCode::InvalidMessage,
        After::Ended,
    );
    check_plaintext(
        replace("\"ready\":true", "\"ready\":1"),
        ErrorCode::InvalidMessage,
        After::Ended,
    );
    let other_session = |text: &str| {
        let at = text.find("\"session_id\":\"").unwrap() + 14;
        format!("{}{}{}", &text[..at], other_session(), &text[at + 36..])
    };
    check_plaintext(other_session, ErrorCode::InvalidMessage, After::Ended);
    check_plaintext_of(6, other_session, ErrorCode::InvalidMessage, After::Ended);
    check_plaintext_of(6, other_transcript, ErrorCode::ChallengeInvalid, After::Ended);
}

#[test]
fn a_sealed_step_that_is_no_plaintext_leaves_the_handshake_open() {
    let replace =
        |from: &'static str, to: &'static str| move |text: &str| text.replacen(from, to, 1);
    check_plaintext(replace("{\"ack\":0", "{\"ack\":1"), ErrorCode::InvalidMessage, After::Open);
    check_plaintext(replace("{\"ack\":0", "{\"ack\":0.0"), ErrorCode::InvalidMessage, After::Open);
    check_plaintext(
        replace("{\"ack\":0", "{\"ack\":0,\"number\":1"),
        ErrorCode::InvalidMessage,
        After::Open,
    );
    check_plaintext(
        replace("{\"ack\":0", "{\"ack\":0,\"ack\":0"),
        ErrorCode::InvalidMessage,
        After::Open,
    );
    check_plaintext(replace("\"body\"", "\"bodi\""), ErrorCode::InvalidMessage, After::Open);
    check_plaintext(|_| "[]".to_owned(), ErrorCode::InvalidMessage, After::Open);
    check_plaintext(|_| String::new(), ErrorCode::InvalidMessage, After::Open);
}

/// After `delivered` steps, the receiver of the next one gets a message of each other step's type.
#[test]
fn every_other_step_out_of_order_ends_the_handshake() {
    for delivered in 1..6 {
        for step in 2..=6_u8 {
            let awaited = u8::try_from(delivered).unwrap() + 1;
            if step == awaited {
                continue;
            }
            let mut pair = Pair::pinned();
            let next = pair.half_open(delivered);
            let (sender, receiver) = pair.sides(delivered + 1);
            let kind =
                MessageKind::NAMED.iter().find(|kind| kind.handshake_step() == Some(step)).unwrap();
            let changed = resigned(&next.body, sender, |draft| {
                draft.header.kind = kind.clone();
                draft.header.sequence = Sequence::new(u64::from((step - 1) / 2)).unwrap();
            });
            let refused = receiver.receive(&changed).unwrap_err();
            assert_eq!(
                refused.code(),
                Some(ErrorCode::InvalidState),
                "{kind} after {delivered} steps"
            );
            assert_eq!(half_open(receiver), 0, "{kind} after {delivered} steps");
            assert_eq!(
                receiver.receive(&next.body).unwrap_err().code(),
                Some(ErrorCode::SessionNotFound)
            );
        }
    }
}

#[test]
fn handshake_steps_are_rate_limited_for_each_sender() {
    let mut pair = Pair::pinned();
    let bob = pair.bob.id.clone();
    let mut last = None;
    for _ in 0..101 {
        pair.advance(std::time::Duration::from_micros(1));
        let first = pair.alice.open(&bob);
        pair.alice.sessions.abandon(first.session);
        last = Some(pair.bob.receive(&first.body));
    }
    let NotAccepted::Refused(refused) = last.unwrap().unwrap_err() else { panic!("not verified") };
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    assert!(refused.retry_after().is_some_and(|after| !after.is_zero()));
    let mut carol = Node::new("carol", 9, Config::default());
    pair.bob.pinned.insert(carol.id.clone(), carol.key.public_key());
    assert!(pair.bob.receive(&carol.open(&bob).body).is_ok(), "another sender is not limited");
}
