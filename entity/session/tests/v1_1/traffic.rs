//! Messages in a ready session: sealed, numbered, acknowledged, bounded in time.

use std::time::Duration;

use entity_session::replay_window::SequenceRefusal;
use entity_session::v1_1::channel::PositionRefusal;
use entity_session::v1_1::numbers::{
    ACK_DELAY, ACK_EVERY, AHEAD_MAX, Class, LOST_AFTER, SKIP_REPEAT_MIN,
};
use entity_session::v1_1::refusal::Refusal;
use entity_session::v1_1::session::{ABSOLUTE_LIMIT, IDLE_LIMIT, SendError, SessionLimits};
use entity_session::v1_1::sessions::{EndReason, Received, Sessions};
use entity_wire::code::ErrorCode;
use entity_wire::id::{MessageId, Sequence, SessionId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::sealed::Sealed;
use entity_wire::v1_1::Draft;
use proptest::prelude::*;

use crate::pair::{NotAccepted, Pair, parse, resigned, texts_of};

fn ready() -> Pair {
    let mut pair = Pair::pinned();
    pair.connect();
    pair
}

/// Sends `count` messages from alice; returns their bodies.
fn sent(pair: &mut Pair, count: u64) -> Vec<Vec<u8>> {
    let bob = pair.bob.id.clone();
    (1..=count)
        .map(|number| pair.alice.send(&bob, &number.to_string()).outbound.body.to_vec())
        .collect()
}

#[test]
fn messages_flow_both_ways_from_sequence_3_and_number_1() {
    let mut pair = ready();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    let to_bob = pair.alice.send(&bob, "to bob");
    let to_alice = pair.bob.send(&alice, "to alice");
    for sent in [&to_bob, &to_alice] {
        assert_eq!(
            (sent.sequence.get(), sent.number.unwrap().get(), sent.generation.get()),
            (3, 1, 0)
        );
    }
    assert_eq!(texts_of(pair.bob.receive(&to_bob.outbound.body).unwrap()), ["to bob"]);
    assert_eq!(texts_of(pair.alice.receive(&to_alice.outbound.body).unwrap()), ["to alice"]);
}

#[test]
fn nothing_of_a_sealed_message_is_readable_on_the_wire() {
    let mut pair = ready();
    let bob = pair.bob.id.clone();
    let body = pair.alice.send(&bob, "a-secret-word").outbound.body;
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(!text.contains("a-secret-word") && text.contains("\"sealed\":"), "{text}");
}

#[test]
fn a_delivered_message_is_accepted_once() {
    let mut pair = ready();
    let bodies = sent(&mut pair, 1);
    assert!(pair.bob.receive(&bodies[0]).is_ok());
    let repeated = PositionRefusal::Window(SequenceRefusal::Repeated { sequence: 3 });
    let refused = pair.bob.receive(&bodies[0]).unwrap_err();
    assert_eq!(refused, NotAccepted::Refused(Refusal::Position(repeated)));
    assert_eq!(refused.code(), Some(ErrorCode::SequenceError));
}

#[test]
fn a_message_below_the_replay_window_is_refused() {
    let mut pair = ready();
    let bodies = sent(&mut pair, 1);
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    // Control messages use up sequence numbers without filling the window of numbers.
    for _ in 0..1_023 {
        let ack = pair.alice.with(|sessions, author| {
            sessions.send(&bob, MessageKind::Ack, Object::new(), Class::Volatile, author)
        });
        pair.advance(Duration::from_millis(1));
        pair.bob.receive(&ack.unwrap().outbound.body).unwrap();
    }
    assert_eq!(pair.bob.sessions.current(&alice), pair.alice.sessions.current(&bob));
    let last = pair.alice.with(|sessions, author| {
        sessions.send(&bob, MessageKind::Ack, Object::new(), Class::Volatile, author)
    });
    let accepted_while_inside = pair.bob.receive(&bodies[0]);
    assert_eq!(texts_of(accepted_while_inside.unwrap()), ["1"]);

    let mut pair_2 = ready();
    let bodies = sent(&mut pair_2, 1);
    for _ in 0..1_024 {
        let ack = pair_2.alice.with(|sessions, author| {
            sessions.send(&bob, MessageKind::Ack, Object::new(), Class::Volatile, author)
        });
        pair_2.advance(Duration::from_millis(1));
        pair_2.bob.receive(&ack.unwrap().outbound.body).unwrap();
    }
    let below = PositionRefusal::Window(SequenceRefusal::BelowWindow { sequence: 3, lowest: 4 });
    assert_eq!(
        pair_2.bob.receive(&bodies[0]).unwrap_err(),
        NotAccepted::Refused(Refusal::Position(below))
    );
    assert!(last.is_ok());
}

/// Changes a sealed message, signed by its own sender, and checks that the genuine one is still accepted.
#[track_caller]
fn check(change: impl FnOnce(&mut Draft), code: ErrorCode) {
    let mut pair = ready();
    let bodies = sent(&mut pair, 1);
    let changed = resigned(&bodies[0], &pair.alice.key, change);
    let refused = pair.bob.receive(&changed).unwrap_err();
    assert_eq!(refused.code(), Some(code), "{refused:?}");
    assert_eq!(texts_of(pair.bob.receive(&bodies[0]).unwrap()), ["1"]);
}

#[test]
fn a_refused_message_uses_up_nothing() {
    check(|_| {}, ErrorCode::DecryptionFailed);
    check(|draft| draft.header.kind = MessageKind::Ping, ErrorCode::DecryptionFailed);
    check(|draft| draft.header.sequence = Sequence::new(4).unwrap(), ErrorCode::DecryptionFailed);
    check(|draft| draft.header.sequence = Sequence::new(2).unwrap(), ErrorCode::SequenceError);
    check(|draft| draft.header.sequence = Sequence::new(1).unwrap(), ErrorCode::SequenceError);
    check(
        |draft| draft.header.sequence = Sequence::new(1 << 21).unwrap(),
        ErrorCode::SequenceError,
    );
    check(
        |draft| draft.header.session = SessionId::from_random([1; 16]),
        ErrorCode::SessionNotFound,
    );
    let late =
        |draft: &mut Draft| draft.header.timestamp = draft.header.timestamp.offset(-60_000_001);
    check(late, ErrorCode::ExpiredTimestamp);
    let plain = |draft: &mut Draft| draft.payload = Object::new().with("text", "plain");
    check(plain, ErrorCode::EncryptionRequired);
    let other_generation = |draft: &mut Draft| drop(draft.payload.insert("generation", 1_u64));
    check(other_generation, ErrorCode::SequenceError);
    let flipped = |draft: &mut Draft| {
        let mut sealed = Sealed::from_object(&draft.payload).unwrap();
        *sealed.sealed.last_mut().unwrap() ^= 0x80;
        draft.payload = sealed.to_object();
    };
    check(flipped, ErrorCode::DecryptionFailed);
    let truncated = |draft: &mut Draft| {
        let mut sealed = Sealed::from_object(&draft.payload).unwrap();
        sealed.sealed.truncate(15);
        draft.payload = sealed.to_object();
    };
    check(truncated, ErrorCode::DecryptionFailed);
    check(|draft| drop(draft.payload.insert("sealed", "?")), ErrorCode::InvalidMessage);
    let unsealed_step = |draft: &mut Draft| {
        draft.header.kind = MessageKind::ChallengeResponse;
        draft.payload = Object::new().with("step", 3_u64);
    };
    check(unsealed_step, ErrorCode::EncryptionRequired);
}

#[test]
fn types_that_a_ready_session_has_no_use_for_are_refused() {
    let kinds = [
        MessageKind::RekeyAck,
        MessageKind::SessionConfirm,
        MessageKind::Ready,
        MessageKind::HandshakeInitAck,
        MessageKind::Handshake,
    ];
    for kind in kinds {
        let mut pair = ready();
        let bob = pair.bob.id.clone();
        let sent = pair.alice.with(|sessions, author| {
            sessions.send(&bob, kind.clone(), Object::new(), Class::Volatile, author)
        });
        let refused = pair.bob.receive(&sent.unwrap().outbound.body).unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::InvalidState), "{kind}");
    }
}

#[test]
fn an_acknowledgement_is_due_after_a_second_and_travels_with_the_next_message() {
    let mut pair = ready();
    let alice = pair.alice.id.clone();
    let bodies = sent(&mut pair, 2);
    pair.bob.receive(&bodies[0]).unwrap();
    assert!(pair.bob.attend().is_empty());
    pair.advance(ACK_DELAY);
    let due = pair.bob.attend();
    assert_eq!(due.iter().map(|sent| sent.outbound.kind.as_str()).collect::<Vec<_>>(), ["ack"]);
    assert_eq!(due[0].number, None);
    assert_eq!(pair.alice.receive(&due[0].outbound.body).unwrap(), Received::Deliver(Vec::new()));
    pair.bob.receive(&bodies[1]).unwrap();
    let carrier = pair.bob.send(&alice, "carries the acknowledgement");
    pair.advance(ACK_DELAY);
    assert!(pair.bob.attend().is_empty());
    pair.alice.receive(&carrier.outbound.body).unwrap();
    pair.advance(LOST_AFTER);
    let only_acks = pair.alice.attend();
    assert!(only_acks.iter().all(|sent| sent.outbound.kind == MessageKind::Ack), "{only_acks:?}");
}

#[test]
fn an_acknowledgement_is_due_after_256_messages() {
    let mut pair = ready();
    let bodies = sent(&mut pair, ACK_EVERY);
    for body in &bodies[..bodies.len() - 1] {
        pair.bob.receive(body).unwrap();
    }
    assert!(pair.bob.attend().is_empty());
    pair.bob.receive(&bodies[bodies.len() - 1]).unwrap();
    assert_eq!(pair.bob.sessions.next_deadline(), Some(pair.bob.now));
    assert_eq!(pair.bob.attend().len(), 1);
}

#[test]
fn a_sender_without_acknowledgements_stops_after_1_024_messages() {
    let mut pair = ready();
    let bob = pair.bob.id.clone();
    let bodies = sent(&mut pair, AHEAD_MAX);
    let refused = pair.alice.with(|sessions, author| {
        sessions.send(&bob, MessageKind::Message, Object::new(), Class::Volatile, author)
    });
    assert!(matches!(refused, Err(SendError::WindowFull(_))), "{refused:?}");
    for body in &bodies {
        pair.bob.receive(body).unwrap();
    }
    for ack in pair.bob.attend() {
        pair.alice.receive(&ack.outbound.body).unwrap();
    }
    assert_eq!(pair.alice.send(&bob, "on").number.unwrap().get(), AHEAD_MAX + 1);
}

#[test]
fn an_early_message_waits_for_the_missing_one() {
    let mut pair = ready();
    let bodies = sent(&mut pair, 3);
    assert_eq!(texts_of(pair.bob.receive(&bodies[2]).unwrap()), [""; 0]);
    assert_eq!(texts_of(pair.bob.receive(&bodies[0]).unwrap()), ["1"]);
    assert_eq!(texts_of(pair.bob.receive(&bodies[1]).unwrap()), ["2", "3"]);
}

#[test]
fn a_message_given_up_is_declared_until_the_peer_has_acknowledged_it() {
    let mut pair = ready();
    let bob = pair.bob.id.clone();
    let lost = pair.alice.send(&bob, "lost");
    let after = pair.alice.send(&bob, "after");
    assert_eq!(texts_of(pair.bob.receive(&after.outbound.body).unwrap()), [""; 0]);
    let now = pair.alice.now;
    pair.alice.sessions.give_up(lost.outbound.session, lost.number.unwrap(), now);
    assert_eq!(pair.alice.sessions.next_deadline(), Some(now));
    let first = pair.alice.attend();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].outbound.kind, MessageKind::Skip);
    pair.advance(SKIP_REPEAT_MIN);
    let second = pair.alice.attend();
    assert_eq!(texts_of(pair.bob.receive(&second[0].outbound.body).unwrap()), ["after"]);
    assert_eq!(texts_of(pair.bob.receive(&first[0].outbound.body).unwrap()), [""; 0]);
    let too_late = pair.bob.receive(&lost.outbound.body).unwrap();
    assert_eq!(
        texts_of(too_late),
        [""; 0],
        "a skipped number is not handled when it comes after all"
    );
    for ack in pair.bob.attend() {
        pair.alice.receive(&ack.outbound.body).unwrap();
    }
    pair.advance(LOST_AFTER);
    assert!(pair.alice.attend().is_empty());
}

#[test]
fn a_message_that_vanished_in_silence_is_given_up_after_30_s() {
    let mut pair = ready();
    let bob = pair.bob.id.clone();
    let _vanished = pair.alice.send(&bob, "vanished");
    pair.advance(LOST_AFTER);
    let skip = pair.alice.attend();
    assert_eq!(skip.len(), 1);
    pair.bob.receive(&skip[0].outbound.body).unwrap();
    let next = pair.alice.send(&bob, "next");
    assert_eq!(texts_of(pair.bob.receive(&next.outbound.body).unwrap()), ["next"]);
}

#[test]
fn a_closed_session_is_gone_on_both_sides() {
    let mut pair = ready();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    let session = pair.alice.sessions.current(&bob).unwrap();
    let later = pair.alice.send(&bob, "later");
    let close =
        pair.alice.with(|sessions, author| sessions.close(session, "done", author)).unwrap();
    assert_eq!(pair.bob.receive(&close.outbound.body).unwrap(), Received::Closed);
    let ended = pair.bob.sessions.poll_ended().unwrap();
    assert_eq!(ended.reason, EndReason::ClosedByPeer { reason: "done".to_owned() });
    assert_eq!(pair.alice.sessions.poll_ended().unwrap().reason, EndReason::Closed);
    assert_eq!(
        (pair.alice.sessions.current(&bob), pair.bob.sessions.current(&alice)),
        (None, None)
    );
    let refused = pair.bob.receive(&later.outbound.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SessionNotFound));
    let closed = pair.alice.with(|sessions, author| sessions.close(session, "again", author));
    assert_eq!(closed.unwrap_err(), SendError::Closed);
}

#[test]
fn a_session_is_dead_at_exactly_an_hour_of_silence() {
    let mut pair = ready();
    let alive = pair.alice.send(&pair.bob.id.clone(), "alive");
    pair.advance(IDLE_LIMIT.saturating_sub(Duration::from_micros(1)));
    let back = -i64::try_from(IDLE_LIMIT.as_micros()).unwrap();
    pair.bob.clock_offset = back;
    assert!(pair.bob.receive(&alive.outbound.body).is_ok());

    let mut pair = ready();
    let dead = pair.alice.send(&pair.bob.id.clone(), "dead");
    pair.advance(IDLE_LIMIT);
    pair.bob.clock_offset = back;
    let refused = pair.bob.receive(&dead.outbound.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SessionExpired));
    let bob = pair.bob.id.clone();
    let send = pair.alice.with(|sessions, author| {
        sessions.send(&bob, MessageKind::Message, Object::new(), Class::Volatile, author)
    });
    assert_eq!(send.unwrap_err(), SendError::Closed);
    let _due = pair.bob.attend();
    assert_eq!(pair.bob.sessions.poll_ended().unwrap().reason, EndReason::Expired);
    assert_eq!(pair.bob.sessions.views().count(), 0);
}

#[test]
fn traffic_renews_the_idle_limit_and_never_the_absolute_one() {
    let mut pair = ready();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    let started = pair.alice.now;
    let half_hour = Duration::from_mins(30);
    while pair.alice.now.plus(half_hour) < started.plus(ABSOLUTE_LIMIT) {
        pair.advance(half_hour);
        let to_bob = pair.alice.send(&bob, "tick");
        pair.bob.receive(&to_bob.outbound.body).unwrap();
        let to_alice = pair.bob.send(&alice, "tock");
        pair.alice.receive(&to_alice.outbound.body).unwrap();
    }
    pair.advance(half_hour);
    let refused = pair.alice.with(|sessions, author| {
        sessions.send(&bob, MessageKind::Message, Object::new(), Class::Volatile, author)
    });
    assert_eq!(refused.unwrap_err(), SendError::Closed);
    let _due = pair.alice.attend();
    assert_eq!(pair.alice.sessions.poll_ended().unwrap().reason, EndReason::Expired);
}

/// A ready session that ends on bob's side after so many seconds without a message, and in all; alice keeps to the protocol.
fn ready_while(idle: u64, lifetime: u64) -> Pair {
    let mut pair = Pair::pinned();
    let limits = SessionLimits::new(Duration::from_secs(idle), Duration::from_secs(lifetime));
    pair.bob.config.limits = limits.unwrap();
    pair.bob.sessions = Sessions::new(pair.bob.config.clone());
    pair.connect();
    pair
}

/// Whether bob takes a message when so many microseconds have passed.
#[track_caller]
fn check_limit(pair: &mut Pair, after: Duration, refused: Option<ErrorCode>) {
    let bob = pair.bob.id.clone();
    pair.advance(after);
    let sent = pair.alice.send(&bob, "to the side that ends earlier");
    let received = pair.bob.receive(&sent.outbound.body);
    assert_eq!(received.err().and_then(|refused| refused.code()), refused, "after {after:?}");
}

#[test]
fn a_side_may_end_its_sessions_earlier_and_does_so_at_exactly_its_limit() {
    let second = Duration::from_secs(1);
    let just_before = second.saturating_sub(Duration::from_micros(1));
    let expired = Some(ErrorCode::SessionExpired);
    check_limit(&mut ready_while(1, 60), just_before, None);
    check_limit(&mut ready_while(1, 60), second, expired);
    check_limit(&mut ready_while(60, 1), just_before, None);
    check_limit(&mut ready_while(60, 1), second, expired);

    let mut pair = ready_while(1, 2);
    for _ in 0..3 {
        check_limit(&mut pair, Duration::from_millis(500), None);
    }
    check_limit(&mut pair, second / 2, expired);
    let _due = pair.bob.attend();
    assert_eq!(pair.bob.sessions.poll_ended().unwrap().reason, EndReason::Expired);
    check_limit(&mut pair, Duration::ZERO, Some(ErrorCode::SessionNotFound));
    assert_eq!(pair.alice.sessions.views().count(), 1, "who sent has not ended it");
}

#[test]
fn a_session_that_was_kept_ends_at_the_limit_of_the_run_that_goes_on_with_it() {
    let mut pair = ready();
    pair.bob.config.limits =
        SessionLimits::new(Duration::from_secs(9), Duration::from_secs(7)).unwrap();
    pair.bob.restart();
    let deadline = pair.bob.sessions.next_deadline().unwrap();
    assert_eq!(deadline, pair.bob.now.plus(Duration::from_secs(7)));
    pair.advance(Duration::from_secs(7));
    let _due = pair.bob.attend();
    assert_eq!(pair.bob.sessions.poll_ended().unwrap().reason, EndReason::Expired);
}

#[test]
fn a_chatty_sender_is_limited_by_type_and_told_when_to_come_back() {
    let mut pair = ready();
    let bob = pair.bob.id.clone();
    let mut refused = None;
    for _ in 0..201 {
        let question = pair.alice.with(|sessions, author| {
            sessions.send(
                &bob,
                MessageKind::CapabilityQuery,
                Object::new(),
                Class::Volatile,
                author,
            )
        });
        refused = pair.bob.receive(&question.unwrap().outbound.body).err();
    }
    assert_eq!(refused.unwrap().code(), Some(ErrorCode::RateLimited));
    let message = pair.alice.send(&bob, "another type");
    assert!(pair.bob.receive(&message.outbound.body).is_ok());
}

/// What the network does with one message.
#[derive(Debug, Clone)]
enum Fate {
    Deliver,
    Lose,
    Duplicate,
    Delay(usize),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Deliver),
        1 => Just(Fate::Lose),
        1 => Just(Fate::Duplicate),
        2 => (1_usize..20).prop_map(Fate::Delay),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_network_does_each_number_is_handled_at_most_once_and_in_order(
        fates in prop::collection::vec(fate(), 1..60)
    ) {
        let mut pair = ready();
        let bodies = sent(&mut pair, u64::try_from(fates.len()).unwrap());
        let mut arrivals: Vec<(usize, usize)> = Vec::new();
        let mut expected = Vec::new();
        for (index, fate) in fates.iter().enumerate() {
            match fate {
                Fate::Lose => continue,
                Fate::Deliver => arrivals.push((index, index)),
                Fate::Delay(by) => arrivals.push((index + by, index)),
                Fate::Duplicate => arrivals.extend([(index, index), (index + 7, index)]),
            }
            expected.push((index + 1).to_string());
        }
        arrivals.sort_unstable();
        let mut handled = Vec::new();
        for (_, index) in arrivals {
            if let Ok(received) = pair.bob.receive(&bodies[index]) {
                handled.extend(texts_of(received));
            }
        }
        // What was lost is given up in time, and what waited behind it is handled then.
        pair.advance(LOST_AFTER);
        for sent in pair.alice.attend() {
            handled.extend(texts_of(pair.bob.receive(&sent.outbound.body).unwrap()));
        }
        prop_assert_eq!(handled, expected);
    }

    #[test]
    fn a_mutated_message_is_never_accepted(
        position in 0_usize..4_096,
        mask in 1_u8..=255,
        which in 0_usize..7,
    ) {
        let mut pair = Pair::pinned();
        let body = if which < 6 {
            pair.half_open(which).body.to_vec()
        } else {
            pair.connect();
            sent(&mut pair, 1).remove(0)
        };
        let receiver = pair.sides(which + 1).1;
        let mut mutated = body.clone();
        let at = position % mutated.len();
        mutated[at] ^= mask;
        // A mutation may spell the same message in another way; that is the same signed value, and accepted.
        let same = parse(&mutated).is_some_and(|message| {
            let original = parse(&body).unwrap();
            message.header() == original.header() && message.payload() == original.payload()
        });
        prop_assert!(same || receiver.receive(&mutated) == Err(NotAccepted::Unverified));
        prop_assert!(same || receiver.receive(&body).is_ok(), "the genuine message is still accepted");
    }

    #[test]
    fn arbitrary_payloads_of_an_authentic_peer_never_panic(
        text in "\\{\"(step|sealed|generation|ack|session_id)\":(0|1|2|\"AAAA\"|\"\"|\\{\\}|\\[\\]|null)\\}",
        which in 0_usize..6,
        sequence in 0_u64..5,
    ) {
        let mut pair = Pair::pinned();
        let next = pair.half_open(which);
        let payload = entity_wire::json::parse(text.as_bytes(), &entity_wire::json::RULES_1_1);
        let payload = payload.unwrap().into_object().unwrap();
        let (sender, receiver) = pair.sides(which + 1);
        let changed = resigned(&next.body, sender, |draft| {
            draft.payload = payload;
            draft.header.sequence = Sequence::new(sequence).unwrap();
        });
        prop_assert!(receiver.receive(&changed).is_err());
    }
}

#[test]
fn a_durable_message_of_a_replaced_session_is_left_to_the_next_one() {
    let mut pair = Pair::pinned();
    pair.connect();
    let bob = pair.bob.id.clone();
    let late = pair.alice.send_durable(&bob, MessageId::from_random([1; 16]), "durable");
    let volatile = pair.alice.send(&bob, "volatile");
    pair.advance(Duration::from_secs(1));
    pair.connect();
    // It goes into the new session under the same id, and may be forgotten there before this copy comes.
    assert_eq!(texts_of(pair.bob.receive(&late.outbound.body).unwrap()), [""; 0]);
    assert_eq!(texts_of(pair.bob.receive(&volatile.outbound.body).unwrap()), ["volatile"]);
}
