//! What the profile `hardened` refuses: one row a field and attack. None of it reaches a handler, none of it costs the
//! real sender anything.

use std::time::Duration;

use entity_crypto::signing::SigningKey;
use entity_peer::Peer;
use entity_peer::config::{Config, LegacyTransfers, Profile, Protocols};
use entity_wire::code::ErrorCode;
use entity_wire::json::{Object, Value};
use entity_wire::kind::MessageKind;
use entity_wire::reply::Answer;
use entity_wire::time::Timestamp;
use entity_wire::v1_0::Stamp;
use entity_wire::version::Version;

use crate::stranger::{Agreed, Stranger, bytes_of, drain, handled, introduce, parse};

/// A peer in a session with a stranger that has sent the message number 10.
struct Met {
    peer: Peer,
    stranger: Stranger,
    agreed: Agreed,
    now: Timestamp,
    /// The message number 10, as it was accepted.
    sent: Vec<u8>,
}

fn meet(profile: Profile) -> Met {
    let now = Timestamp::from_iso("2026-11-22T08:00:00+00:00").unwrap();
    let config =
        Config { protocols: Protocols::OnlyV1_0, profile, ..Config::new("b".parse().unwrap()) };
    let mut peer = Peer::new(config, SigningKey::from_seed([2; 32]), [7; 32], now);
    let mut stranger = Stranger::new("a", SigningKey::from_seed([1; 32]));
    introduce(&mut peer, &stranger, now);
    introduce(&mut peer, &Stranger::new("c", SigningKey::from_seed([3; 32])), now);
    let agreed = stranger.shake_hands(&mut peer, now);
    let sent = stranger.status(10, now);
    assert_eq!(peer.handle_message(&sent, now).status, 200);
    drain(&mut peer);
    Met { peer, stranger, agreed, now, sent }
}

/// Sends what `attack` makes and wants it refused with this text; then wants an honest message accepted.
#[track_caller]
fn check(attack: impl FnOnce(&mut Met) -> Vec<u8>, expected: (u16, &str), code: ErrorCode) {
    let mut met = meet(Profile::Hardened);
    let body = attack(&mut met);
    let reply = met.peer.handle_message(&body, met.now);
    let detail = Answer::read(reply.status, &reply.body).detail;
    assert_eq!((reply.status, detail.as_deref()), (expected.0, Some(expected.1)));
    let events = drain(&mut met.peer);
    assert_eq!(handled(&events), 0, "{events:?}");
    let codes: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            entity_peer::PeerEvent::MessageRefused { code, .. } => Some(*code),
            _ => None,
        })
        .collect();
    assert_eq!(codes, [code]);
    check_honest(&mut met);
}

/// The session goes on as if nothing had been.
#[track_caller]
fn check_honest(met: &mut Met) {
    let honest = met.stranger.sealed(&met.agreed, 11, met.now);
    let reply = met.peer.handle_message(&honest, met.now);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(handled(&drain(&mut met.peer)), 1);
}

/// A fresh message with one field changed after it was signed.
fn changed(met: &mut Met, field: &str, value: impl Into<Value>) -> Vec<u8> {
    let fresh = met.stranger.status(11, met.now);
    let mut message = parse(&fresh);
    message.insert(field, value);
    bytes_of(&message)
}

/// A fresh message without one field.
fn without(met: &mut Met, field: &str) -> Vec<u8> {
    let fresh = met.stranger.status(11, met.now);
    let mut message = parse(&fresh);
    assert!(message.remove(field).is_some());
    bytes_of(&message)
}

/// The accepted message again, with one field changed.
fn again(met: &Met, field: &str, value: impl Into<Value>) -> Vec<u8> {
    let mut message = parse(&met.sent);
    message.insert(field, value);
    bytes_of(&message)
}

const FORGED: (u16, &str) = (400, "Invalid signature");

#[test]
fn a_change_of_any_signed_field_is_a_forgery() {
    let forged = |field: &'static str, value: Value| {
        check(move |met| changed(met, field, value), FORGED, ErrorCode::InvalidSignature);
    };
    forged("version", Value::from("0.3"));
    forged("msg_type", Value::from("task_delegate"));
    forged("payload", Object::new().with("a", 2_u64).into());
    forged("timestamp", Value::from("2026-11-22T08:00:01.000000+00:00"));
    forged("nonce", Value::from("ffffffffffffffffffffffffffffffff"));
    forged("sender_id", Value::from("c"));
}

#[test]
fn a_message_in_another_name_is_refused() {
    let stranger = |met: &mut Met| changed(met, "sender_id", "mallory");
    check(stranger, (400, "Unknown sender: mallory"), ErrorCode::UnknownSender);
    let other = |met: &mut Met| {
        let mut mallory = Stranger::new("a", SigningKey::from_seed([9; 32]));
        mallory.status(11, met.now)
    };
    check(other, FORGED, ErrorCode::InvalidSignature);
}

#[test]
fn a_signature_that_is_none_is_refused() {
    let none = (400, "Missing signature");
    check(|met| without(met, "signature"), none, ErrorCode::InvalidSignature);
    check(|met| changed(met, "signature", ""), none, ErrorCode::InvalidSignature);
    for text in ["AAAA", "!", "=", &"A".repeat(88), &"0".repeat(128)] {
        check(|met| changed(met, "signature", text), FORGED, ErrorCode::InvalidSignature);
    }
    check(|met| changed(met, "signature", 7_u64), FORGED, ErrorCode::InvalidSignature);
}

#[test]
fn base64_with_junk_is_no_signature() {
    let junk = |met: &mut Met| {
        let fresh = met.stranger.status(11, met.now);
        let mut message = parse(&fresh);
        let signature = message.get("signature").and_then(Value::as_str).unwrap().to_owned();
        message.insert("signature", format!("\n{signature}"));
        bytes_of(&message)
    };
    check(junk, FORGED, ErrorCode::InvalidSignature);
}

#[test]
fn a_missing_field_is_named() {
    for field in ["msg_type", "payload", "timestamp", "nonce"] {
        let text = format!("Signature verification error: '{field}'");
        check(|met| without(met, field), (400, &text), ErrorCode::InvalidMessage);
    }
    let form = (400, "Unknown message format");
    check(|met| without(met, "version"), form, ErrorCode::InvalidMessage);
    check(|met| without(met, "sender_id"), form, ErrorCode::InvalidMessage);
    for field in ["session_id", "sequence_num"] {
        let text = format!("Missing required field: {field}");
        check(|met| without(met, field), (400, &text), ErrorCode::InvalidMessage);
        check(|met| changed(met, field, Value::Null), (400, &text), ErrorCode::InvalidMessage);
    }
}

#[test]
fn a_replay_is_refused_whatever_unsigned_field_was_changed() {
    let replay = (400, "Replay detected");
    check(|met| again(met, "sequence_num", 99_u64), replay, ErrorCode::ReplayDetected);
    check(|met| again(met, "recipient_id", "b"), replay, ErrorCode::ReplayDetected);
    check(|met| again(met, "jwt_token", "x"), replay, ErrorCode::ReplayDetected);
    let session = "00000000-0000-4000-8000-000000000000";
    check(|met| again(met, "session_id", session), replay, ErrorCode::ReplayDetected);
}

#[test]
fn another_message_with_a_used_nonce_is_refused() {
    let reused = |met: &mut Met| {
        let nonce = parse(&met.sent).get("nonce").and_then(Value::as_str).unwrap().to_owned();
        let payload = Object::new().with("a", 2_u64);
        let mut draft = met.stranger.draft(MessageKind::Status, payload, 11, met.now);
        draft.nonce = nonce;
        met.stranger.sign(&draft)
    };
    check(reused, (400, "Replay detected"), ErrorCode::ReplayDetected);
}

#[test]
fn a_message_for_another_recipient_is_refused() {
    let foreign = (400, "Unknown recipient");
    check(|met| changed(met, "recipient_id", "c"), foreign, ErrorCode::UnknownRecipient);
    check(|met| changed(met, "recipient_id", ""), foreign, ErrorCode::UnknownRecipient);
    check(|met| changed(met, "recipient_id", 7_u64), foreign, ErrorCode::UnknownRecipient);
}

#[test]
fn a_message_of_another_session_is_refused() {
    let session = "00000000-0000-4000-8000-000000000000";
    let other = |met: &mut Met| changed(met, "session_id", session);
    check(other, (400, "SESSION_EXPIRED"), ErrorCode::SessionExpired);
}

#[test]
fn a_number_that_was_passed_is_refused() {
    let passed = (400, "SEQUENCE_ERROR");
    for number in [10_i64, 9, 0, -1, i64::MIN] {
        check(|met| changed(met, "sequence_num", number), passed, ErrorCode::SequenceError);
    }
    check(|met| changed(met, "sequence_num", "10"), passed, ErrorCode::SequenceError);
}

#[test]
fn a_number_that_is_none_is_refused() {
    let none = (400, "Missing required field: sequence_num");
    for value in [Value::from("abc"), Value::float(11.5), Value::from(true), Vec::new().into()] {
        check(|met| changed(met, "sequence_num", value), none, ErrorCode::InvalidMessage);
    }
}

#[test]
fn a_clock_more_than_60_s_away_is_refused() {
    let stale = (400, "Timestamp too old");
    let minute = Duration::from_mins(1);
    let more = minute + Duration::from_micros(1);
    check(|met| met.stranger.status(11, met.now.minus(more)), stale, ErrorCode::ExpiredTimestamp);
    check(|met| met.stranger.status(11, met.now.plus(more)), stale, ErrorCode::ExpiredTimestamp);
    for time in
        [meet(Profile::Hardened).now.minus(minute), meet(Profile::Hardened).now.plus(minute)]
    {
        let mut met = meet(Profile::Hardened);
        let message = met.stranger.status(11, time);
        assert_eq!(met.peer.handle_message(&message, met.now).status, 200);
    }
}

#[test]
fn a_time_that_is_none_is_refused() {
    for text in ["", "yesterday", "2026-11-22T08:00:00", "2026-13-22T08:00:00+00:00"] {
        let unreadable = |met: &mut Met| {
            let mut draft = met.stranger.draft(MessageKind::Status, Object::new(), 11, met.now);
            draft.stamp = Stamp::Text(text.to_owned());
            met.stranger.sign(&draft)
        };
        check(unreadable, (400, "Timestamp too old"), ErrorCode::ExpiredTimestamp);
    }
}

#[test]
fn version_0_3_is_refused_inside_a_session() {
    let old = |met: &mut Met| {
        let mut draft = met.stranger.draft(MessageKind::Status, Object::new(), 11, met.now);
        draft.version = Version::V0_3;
        met.stranger.sign(&draft)
    };
    check(old, (400, "Unsupported version: 0.3"), ErrorCode::InvalidVersion);
}

#[test]
fn other_versions_are_refused() {
    for version in ["1.1", "2.0", "", "1.0 "] {
        let text = format!("Unsupported version: {version}");
        check(|met| changed(met, "version", version), (400, &text), ErrorCode::InvalidVersion);
    }
}

#[test]
fn a_truncated_message_is_refused_wherever_it_is_cut() {
    let len = meet(Profile::Hardened).sent.len();
    for cut in (0..len).step_by(23) {
        let truncated = move |met: &mut Met| met.stranger.status(11, met.now)[..cut].to_vec();
        check(truncated, (400, "Invalid JSON"), ErrorCode::InvalidMessage);
    }
}

#[test]
fn a_message_of_more_than_1_mib_is_refused() {
    let sized = |met: &mut Met, len: usize| {
        let payload = Object::new().with("a", "x".repeat(len));
        let draft = met.stranger.draft(MessageKind::Status, payload, 11, met.now);
        met.stranger.sign(&draft)
    };
    let empty = sized(&mut meet(Profile::Hardened), 0).len();
    let fits = (1 << 20) - empty;
    let mut met = meet(Profile::Hardened);
    let message = sized(&mut met, fits);
    assert_eq!((message.len(), met.peer.handle_message(&message, met.now).status), (1 << 20, 200));
    let large = |met: &mut Met| sized(met, fits + 1);
    check(large, (413, "Message too large"), ErrorCode::MessageTooLarge);
}

#[test]
fn a_message_nested_deeper_than_32_is_refused() {
    let nested = |met: &mut Met, depth: usize| {
        let mut value = Value::Null;
        for _ in 0..depth {
            value = Value::Array(vec![value]);
        }
        let payload = Object::new().with("a", value);
        let draft = met.stranger.draft(MessageKind::Status, payload, 11, met.now);
        met.stranger.sign(&draft)
    };
    let mut met = meet(Profile::Hardened);
    let message = nested(&mut met, 30);
    assert_eq!(met.peer.handle_message(&message, met.now).status, 200);
    let deep = |met: &mut Met| nested(met, 31);
    check(deep, (400, "Invalid JSON"), ErrorCode::InvalidMessage);
    let deeper = |_: &mut Met| [b"[".repeat(500_000), b"]".repeat(500_000)].concat();
    check(deeper, (400, "Invalid JSON"), ErrorCode::InvalidMessage);
}

#[test]
fn a_payload_that_does_not_open_reaches_no_handler() {
    let unsealable = (400, "E2E decryption error: DECRYPTION_FAILED");
    let tampered = |change: fn(&mut Object)| {
        move |met: &mut Met| {
            let sealed = met.stranger.sealed(&met.agreed, 11, met.now);
            let mut payload = crate::stranger::payload_of(&sealed);
            change(&mut payload);
            let draft = met.stranger.draft(MessageKind::Status, payload, 11, met.now);
            met.stranger.sign(&draft)
        }
    };
    let changes: [fn(&mut Object); 6] = [
        |payload| drop(payload.insert("data", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        |payload| drop(payload.insert("nonce", "AAAAAAAAAAAAAAAA")),
        |payload| drop(payload.insert("nonce", "AAAA")),
        |payload| drop(payload.insert("data", 7_u64)),
        |payload| drop(payload.insert("session_id", "00000000-0000-4000-8000-000000000000")),
        |payload| drop(payload.remove("data")),
    ];
    for change in changes {
        check(tampered(change), unsealable, ErrorCode::DecryptionFailed);
    }
    let garbage = Object::new().with("ciphertext", "AAAA").with("nonce", "AAAA");
    let payload = Object::new().with("_encrypted_payload", garbage);
    let statically = |met: &mut Met| {
        let draft = met.stranger.draft(MessageKind::Status, payload, 11, met.now);
        met.stranger.sign(&draft)
    };
    check(statically, (400, "Decryption failed"), ErrorCode::DecryptionFailed);
}

#[test]
fn a_sealed_payload_moved_to_another_number_is_refused_by_the_numbers() {
    let moved = |met: &mut Met| {
        let sealed = met.stranger.sealed(&met.agreed, 11, met.now);
        let mut message = parse(&sealed);
        message.insert("sequence_num", 9_u64);
        bytes_of(&message)
    };
    check(moved, (400, "SEQUENCE_ERROR"), ErrorCode::SequenceError);
}

#[test]
fn an_identical_resend_is_answered_200_and_not_handled_again() {
    let mut met = meet(Profile::Hardened);
    for wait in [0, 11, 61, 299] {
        let now = met.now.plus(Duration::from_secs(wait));
        let reply = met.peer.handle_message(&met.sent, now);
        assert_eq!(reply.status, 200, "after {wait} s");
        assert_eq!(handled(&drain(&mut met.peer)), 0);
    }
    let late = met.now.plus(Duration::from_secs(301));
    assert_eq!(met.peer.handle_message(&met.sent, late).status, 400);
}

#[test]
fn a_refused_message_may_be_sent_again_once_it_is_right() {
    let mut met = meet(Profile::Hardened);
    let fresh = met.stranger.status(11, met.now);
    let mut foreign = parse(&fresh);
    foreign.insert("recipient_id", "c");
    assert_eq!(met.peer.handle_message(&bytes_of(&foreign), met.now).status, 400);
    assert_eq!(met.peer.handle_message(&fresh, met.now).status, 200);
}

#[test]
fn forgeries_do_not_spend_the_allowance_of_the_real_sender() {
    let forge = |met: &mut Met| {
        for _ in 0..1_000 {
            let forged = changed(met, "payload", Object::new());
            assert_eq!(met.peer.handle_message(&forged, met.now).status, 400);
        }
        drain(&mut met.peer);
    };
    let mut met = meet(Profile::Hardened);
    forge(&mut met);
    check_honest(&mut met);
    // The earlier peer counts before it verifies, and `compat` does as it does.
    let mut met = meet(Profile::Compat);
    forge(&mut met);
    let honest = met.stranger.status(11, met.now);
    assert_eq!(met.peer.handle_message(&honest, met.now).status, 400);
}

#[test]
fn a_sender_that_spends_its_memory_of_nonces_is_limited_and_others_are_not() {
    let mut met = meet(Profile::Hardened);
    let config = Config { protocols: Protocols::OnlyV1_0, ..Config::new("b".parse().unwrap()) };
    let limits = entity_peer::config::Limits { nonces_per_sender_max: 2, ..config.limits.clone() };
    let mut peer =
        Peer::new(Config { limits, ..config }, SigningKey::from_seed([2; 32]), [7; 32], met.now);
    let mut other = Stranger::new("c", SigningKey::from_seed([3; 32]));
    introduce(&mut peer, &met.stranger, met.now);
    introduce(&mut peer, &other, met.now);
    let mut statuses = Vec::new();
    for number in 1..=3 {
        statuses.push(peer.handle_message(&met.stranger.status(number, met.now), met.now).status);
    }
    assert_eq!(statuses, [200, 200, 400]);
    assert_eq!(peer.handle_message(&other.status(1, met.now), met.now).status, 200);
    let later = met.now.plus(Duration::from_secs(301));
    assert_eq!(peer.handle_message(&met.stranger.status(4, later), later).status, 200);
}

#[test]
fn what_was_sent_before_the_change_of_sessions_still_arrives_for_30_s() {
    let mut met = meet(Profile::Hardened);
    let before = met.stranger.session.clone();
    met.stranger.session = "11111111-1111-4111-8111-111111111111".to_owned();
    met.stranger.shake_hands(&mut met.peer, met.now);
    let status_of = |met: &mut Met, session: &str, sequence, after| {
        let now = met.now.plus(Duration::from_secs(after));
        met.stranger.session = session.to_owned();
        let message = met.stranger.status(sequence, now);
        met.peer.handle_message(&message, now).status
    };
    let after = met.stranger.session.clone();
    assert_eq!(status_of(&mut met, &before, 10, 0), 400, "numbers of the old session still count");
    assert_eq!(status_of(&mut met, &before, 11, 30), 200);
    assert_eq!(status_of(&mut met, &after, 2, 30), 200);
    assert_eq!(status_of(&mut met, &before, 12, 31), 400);
    assert_eq!(status_of(&mut met, &after, 3, 31), 200);
}

#[test]
fn after_a_session_has_expired_its_number_is_refused_and_others_are_not() {
    let mut met = meet(Profile::Hardened);
    let late = met.now.plus(Duration::from_secs(3_601));
    let in_it = met.stranger.status(11, late);
    let reply = met.peer.handle_message(&in_it, late);
    let detail = Answer::read(reply.status, &reply.body).detail;
    assert_eq!(detail.as_deref(), Some("SESSION_EXPIRED"));
    met.stranger.session = "11111111-1111-4111-8111-111111111111".to_owned();
    let outside = met.stranger.status(1, late);
    assert_eq!(met.peer.handle_message(&outside, late).status, 200);
}

/// A peer that treats transfers of 1.0 like this gets one, in each profile; returns its answer and what reached the inbox.
fn transferred(
    profile: Profile,
    legacy_transfers: LegacyTransfers,
) -> (u16, Option<String>, usize) {
    let now = Timestamp::from_iso("2026-11-22T08:00:00+00:00").unwrap();
    let config = Config {
        protocols: Protocols::OnlyV1_0,
        profile,
        legacy_transfers,
        ..Config::new("b".parse().unwrap())
    };
    let mut peer = Peer::new(config, SigningKey::from_seed([2; 32]), [7; 32], now);
    let mut stranger = Stranger::new("a", SigningKey::from_seed([1; 32]));
    introduce(&mut peer, &stranger, now);
    stranger.shake_hands(&mut peer, now);
    drain(&mut peer);
    let payload = Object::new()
        .with("transfer_id", "11111111-2222-4333-8444-555555555555")
        .with("sender_address", "a")
        .with("recipient_address", "b")
        .with("amount", 250_u64)
        .with("token_type", "AGT")
        .with("timestamp", "2026-11-22T08:00:00+00:00");
    let draft = stranger.draft(MessageKind::TokenTransfer, payload, 10, now);
    let message = stranger.sign(&draft);
    let reply = peer.handle_message(&message, now);
    let kept = handled(&drain(&mut peer));
    (reply.status, Answer::read(reply.status, &reply.body).detail, kept)
}

#[test]
fn a_transfer_of_1_0_is_refused_unless_the_operator_wants_it_in_the_inbox() {
    for profile in [Profile::Hardened, Profile::Compat] {
        let refused = (403, Some("Transfer refused".to_owned()), 0);
        assert_eq!(transferred(profile, LegacyTransfers::Refused), refused);
        let (status, _, kept) = transferred(profile, LegacyTransfers::Kept);
        assert_eq!((status, kept), (200, 1));
    }
}
