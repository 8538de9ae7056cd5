//! The handshake as a whole: `docs/protocol/1.1.md#handshake`.

use std::time::Duration;

use entity_session::v1_1::handshake::{CHALLENGE_LIFETIME, HANDSHAKE_LIFETIME};
use entity_session::v1_1::refusal::{HandshakeError, Lateness, Refusal};
use entity_session::v1_1::sessions::{
    CLOCK_TOLERANCE, Config, EndReason, Ended, OpenError, Received, Standing,
};
use entity_session::v1_1::state::{Role, SessionState};
use entity_wire::code::ErrorCode;
use entity_wire::kind::MessageKind;

use crate::pair::{NotAccepted, Pair, answer_of, texts_of, verified};

fn state(pair: &Pair) -> (Option<SessionState>, Option<SessionState>) {
    let of = |node: &crate::pair::Node| node.sessions.views().next().map(|view| view.state);
    (of(&pair.alice), of(&pair.bob))
}

#[test]
fn six_messages_make_a_ready_session_on_both_sides() {
    let mut pair = Pair::pinned();
    let steps = pair.handshake();
    let kinds: Vec<&str> = steps.iter().map(|step| step.kind.as_str()).collect();
    let expected = [
        "handshake_init",
        "handshake_init_ack",
        "challenge_response",
        "session_established",
        "session_confirm",
        "ready",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(state(&pair), (Some(SessionState::Ready), Some(SessionState::Ready)));
    let alice = pair.alice.sessions.ready(steps[0].session).unwrap();
    assert_eq!((alice.role(), alice.peer().as_str()), (Role::Initiator, "bob"));
    assert_eq!(*alice.peer_key(), pair.bob.key.public_key());
    assert_eq!(alice.capabilities().as_slice().len(), 4);
}

#[test]
fn the_states_have_the_names_of_the_protocol() {
    use SessionState as S;
    let expected = [
        (Some(S::HandshakeInitSent), None),
        (Some(S::HandshakeInitSent), Some(S::ChallengeSent)),
        (Some(S::HandshakeAckReceived), Some(S::ChallengeSent)),
        (Some(S::HandshakeAckReceived), Some(S::SessionEstablished)),
        (Some(S::SessionConfirmed), Some(S::SessionEstablished)),
        (Some(S::SessionConfirmed), Some(S::Ready)),
    ];
    for (delivered, states) in expected.into_iter().enumerate() {
        let mut pair = Pair::pinned();
        let _next = pair.half_open(delivered);
        assert_eq!(state(&pair), states, "after {delivered} steps");
    }
}

#[test]
fn strangers_learn_each_others_key_and_are_told_that_it_was_first_use() {
    let mut pair = Pair::strangers(Config::default());
    let fifth = pair.half_open(4);
    let Received::Ready(at_bob) = pair.bob.receive(&fifth.body).unwrap() else {
        panic!("not ready")
    };
    assert_eq!(at_bob.standing, Standing::FirstUse);
    assert_eq!(at_bob.key, pair.alice.key.public_key());
    let sixth = at_bob.answer.unwrap();
    let Received::Ready(at_alice) = pair.alice.receive(&sixth.body).unwrap() else {
        panic!("not ready")
    };
    assert_eq!(at_alice.standing, Standing::FirstUse);
    assert_eq!(at_alice.key, pair.bob.key.public_key());
}

#[test]
fn the_address_of_step_1_is_kept_for_the_answers() {
    let mut config = Config::default();
    config.offer.address = Some("http://127.0.0.1:4000".to_owned());
    let mut pair = Pair::with_config(config);
    let first = pair.half_open(0);
    pair.bob.receive(&first.body).unwrap();
    assert_eq!(pair.bob.sessions.address(first.session), Some("http://127.0.0.1:4000"));
}

#[test]
fn a_repeated_step_gets_its_stored_answer_and_changes_nothing() {
    let mut pair = Pair::pinned();
    let steps = pair.handshake();
    let before = state(&pair);
    for (index, step) in steps.iter().enumerate() {
        let receiver = pair.sides(index + 1).1;
        let expected = Received::Repeat(steps.get(index + 1).cloned());
        assert_eq!(receiver.receive(&step.body).unwrap(), expected, "step {}", index + 1);
    }
    assert_eq!(state(&pair), before);
    let bob = pair.bob.id.clone();
    let sent = pair.alice.send(&bob, "still open");
    assert_eq!(texts_of(pair.bob.receive(&sent.outbound.body).unwrap()), ["still open"]);
}

#[test]
fn a_repeat_in_the_middle_of_a_handshake_does_not_disturb_it() {
    for delivered in 1..6 {
        let mut pair = Pair::pinned();
        let mut steps = vec![pair.half_open(0)];
        for step in 0..6_usize {
            let receiver = pair.sides(step + 1).1;
            let answer = answer_of(receiver.receive(&steps[step].body).unwrap());
            if step + 1 == delivered {
                let again = receiver.receive(&steps[step].body).unwrap();
                assert_eq!(again, Received::Repeat(answer.clone()));
            }
            steps.extend(answer);
        }
        assert_eq!(state(&pair), (Some(SessionState::Ready), Some(SessionState::Ready)));
    }
}

/// Delivers `delivered` steps, waits, and delivers the next.
#[track_caller]
fn check_time(delivered: usize, pause: Duration, expected: Option<Lateness>) {
    let mut pair = Pair::pinned();
    let next = pair.half_open(delivered);
    pair.advance(pause);
    // The clocks that messages are checked against stay behind, so that only the age of the handshake matters.
    let back = -i64::try_from(pause.as_micros()).unwrap();
    (pair.alice.clock_offset, pair.bob.clock_offset) = (back, back);
    let receiver = pair.sides(delivered + 1).1;
    let late = receiver.receive(&next.body).err();
    let expected = expected
        .map(|lateness| NotAccepted::Refused(Refusal::Handshake(HandshakeError::Late(lateness))));
    assert_eq!(late, expected, "step {} after {pause:?}", delivered + 1);
}

const INSTANT: Duration = Duration::from_micros(1);

#[test]
fn a_challenge_is_dead_at_exactly_30_s() {
    for delivered in [1, 2] {
        check_time(delivered, CHALLENGE_LIFETIME.saturating_sub(INSTANT), None);
        check_time(delivered, CHALLENGE_LIFETIME, Some(Lateness::Challenge));
    }
}

#[test]
fn a_handshake_is_dead_at_exactly_60_s() {
    for delivered in [3, 4, 5] {
        check_time(delivered, HANDSHAKE_LIFETIME.saturating_sub(INSTANT), None);
        check_time(delivered, HANDSHAKE_LIFETIME, Some(Lateness::Handshake));
    }
}

#[test]
fn an_unanswered_opening_ends_by_itself_after_30_s() {
    let mut pair = Pair::pinned();
    let first = pair.half_open(0);
    assert_eq!(pair.alice.sessions.next_deadline(), Some(pair.alice.now.plus(CHALLENGE_LIFETIME)));
    pair.advance(CHALLENGE_LIFETIME);
    assert!(pair.alice.attend().is_empty());
    let ended = pair.alice.sessions.poll_ended().unwrap();
    let expected = Ended {
        session: first.session,
        peer: pair.bob.id.clone(),
        role: Role::Initiator,
        state: SessionState::HandshakeInitSent,
        reason: EndReason::Failed(Lateness::Challenge.into()),
    };
    assert_eq!(ended, expected);
    assert_eq!(pair.alice.sessions.next_deadline(), None);
}

#[test]
fn a_half_open_handshake_ends_by_itself_after_60_s() {
    for delivered in 1..6 {
        let mut pair = Pair::pinned();
        let _next = pair.half_open(delivered);
        pair.advance(HANDSHAKE_LIFETIME);
        for node in [&mut pair.alice, &mut pair.bob] {
            let _acknowledgements = node.attend();
        }
        let half_open = |node: &crate::pair::Node| {
            node.sessions.views().filter(|view| view.state != SessionState::Ready).count()
        };
        assert_eq!(
            (half_open(&pair.alice), half_open(&pair.bob)),
            (0, 0),
            "after {delivered} steps"
        );
    }
}

/// Alice and bob both send step 1 before either arrives. `alice_first` says whose arrives first.
#[track_caller]
fn check_simultaneous(alice_first: bool) {
    let mut pair = Pair::pinned();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    let alice_is_smaller =
        pair.alice.key.public_key().as_bytes() < pair.bob.key.public_key().as_bytes();
    let (smaller, larger) = if alice_is_smaller {
        (&mut pair.alice, &mut pair.bob)
    } else {
        (&mut pair.bob, &mut pair.alice)
    };
    let (smaller_id, larger_id) = if alice_is_smaller { (&alice, &bob) } else { (&bob, &alice) };
    let surviving = smaller.open(larger_id);
    let dying = larger.open(smaller_id);

    let refuse = |smaller: &mut crate::pair::Node| {
        let refused = smaller.receive(&dying.body).unwrap_err();
        assert_eq!(refused, NotAccepted::Refused(Refusal::SimultaneousOpen));
        assert_eq!(refused.code(), Some(ErrorCode::HandshakeInProgress));
    };
    let smaller_first = alice_first == alice_is_smaller;
    if !smaller_first {
        refuse(smaller);
    }
    let second = answer_of(larger.receive(&surviving.body).unwrap()).unwrap();
    if smaller_first {
        refuse(smaller);
    }
    let ended = larger.sessions.poll_ended().unwrap();
    assert_eq!((ended.session, ended.reason), (dying.session, EndReason::SimultaneousOpen));
    let third = answer_of(smaller.receive(&second.body).unwrap()).unwrap();
    let fourth = answer_of(larger.receive(&third.body).unwrap()).unwrap();
    let fifth = answer_of(smaller.receive(&fourth.body).unwrap()).unwrap();
    let sixth = answer_of(larger.receive(&fifth.body).unwrap()).unwrap();
    smaller.receive(&sixth.body).unwrap();
    assert_eq!(smaller.sessions.current(larger_id), Some(surviving.session));
    assert_eq!(larger.sessions.current(smaller_id), Some(surviving.session));
}

#[test]
fn of_two_openings_the_one_of_the_smaller_key_survives_in_either_order() {
    check_simultaneous(true);
    check_simultaneous(false);
}

#[test]
fn a_later_step_1_replaces_a_half_open_handshake_and_an_earlier_one_does_not() {
    let mut pair = Pair::pinned();
    let bob = pair.bob.id.clone();
    let first = pair.alice.open(&bob);
    pair.alice.sessions.abandon(first.session);
    let same_time = pair.alice.open(&bob);
    pair.alice.sessions.abandon(same_time.session);
    pair.advance(INSTANT);
    let later = pair.alice.open(&bob);

    pair.bob.receive(&first.body).unwrap();
    let refused = pair.bob.receive(&same_time.body).unwrap_err();
    assert_eq!(refused, NotAccepted::Refused(Refusal::NotNewer));
    assert_eq!(pair.bob.sessions.handshake_with(&pair.alice.id), Some(first.session));
    let answer = answer_of(pair.bob.receive(&later.body).unwrap()).unwrap();
    let ended = pair.bob.sessions.poll_ended().unwrap();
    assert_eq!((ended.session, ended.reason), (first.session, EndReason::Superseded));
    assert!(pair.alice.receive(&answer.body).is_ok());
}

#[test]
fn a_step_1_with_a_session_id_that_is_held_is_refused_and_the_session_lives_on() {
    let mut pair = Pair::pinned();
    let steps = pair.handshake();
    let changed = crate::pair::resigned(&steps[0].body, &pair.alice.key, |_| {});
    let refused = pair.bob.receive(&changed).unwrap_err();
    assert_eq!(refused, NotAccepted::Refused(Refusal::SessionIdTaken));
    assert_eq!(refused.code(), Some(ErrorCode::InvalidState));
    let bob = pair.bob.id.clone();
    let sent = pair.alice.send(&bob, "on");
    assert!(pair.bob.receive(&sent.outbound.body).is_ok());
}

#[test]
fn a_second_opening_to_the_same_peer_is_refused_while_the_first_is_open() {
    let mut pair = Pair::pinned();
    let bob = pair.bob.id.clone();
    let first = pair.alice.open(&bob);
    let second = pair.alice.with(|sessions, author| sessions.open(&bob, None, author));
    assert_eq!(second.unwrap_err(), OpenError::InProgress { session: first.session });
}

#[test]
fn the_old_session_is_used_until_the_new_one_is_ready_and_then_receives_for_30_s() {
    let mut pair = Pair::pinned();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    let old = pair.connect();
    pair.advance(INSTANT);
    let fifth = pair.half_open(4);
    let delayed = pair.alice.send(&bob, "under the old session");
    assert_eq!(delayed.outbound.session, old);
    let too_late = pair.alice.send(&bob, "too late");
    let sixth = answer_of(pair.bob.receive(&fifth.body).unwrap()).unwrap();
    pair.alice.receive(&sixth.body).unwrap();
    assert_eq!(pair.bob.sessions.current(&alice), Some(fifth.session));
    assert_eq!(pair.alice.send(&bob, "new").outbound.session, fifth.session);

    pair.advance(Duration::from_secs(30).saturating_sub(INSTANT));
    assert_eq!(
        texts_of(pair.bob.receive(&delayed.outbound.body).unwrap()),
        ["under the old session"]
    );
    pair.advance(INSTANT);
    let refused = pair.bob.receive(&too_late.outbound.body).unwrap_err();
    assert_eq!(refused, NotAccepted::Refused(Refusal::Expired));
    let _due = pair.bob.attend();
    let ended = pair.bob.sessions.poll_ended().unwrap();
    assert_eq!((ended.session, ended.reason), (old, EndReason::Superseded));
}

#[test]
fn a_step_is_fresh_through_exactly_60_s_of_clock_difference() {
    for (offset, is_fresh) in
        [(60_000_000, true), (60_000_001, false), (-60_000_000, true), (-60_000_001, false)]
    {
        let mut pair = Pair::pinned();
        pair.alice.clock_offset = offset;
        let first = pair.half_open(0);
        let outcome = pair.bob.receive(&first.body);
        assert_eq!(outcome.is_ok(), is_fresh, "{offset}");
        if !is_fresh {
            let distance = CLOCK_TOLERANCE.saturating_add(INSTANT);
            assert_eq!(outcome.unwrap_err(), NotAccepted::Refused(Refusal::Stale { distance }));
        }
    }
}

#[test]
fn the_nonce_of_a_handshake_step_is_remembered_after_the_handshake_is_gone() {
    let mut pair = Pair::pinned();
    let first = pair.half_open(0);
    pair.bob.receive(&first.body).unwrap();
    pair.bob.sessions.abandon(first.session);
    let replayed = pair.bob.receive(&first.body).unwrap_err();
    assert_eq!(replayed.code(), Some(ErrorCode::ReplayDetected));
}

#[test]
fn step_1_names_the_pinned_key_of_the_peer_and_only_that() {
    let mut pair = Pair::pinned();
    let first = pair.half_open(0);
    let named = |body: &[u8], key| {
        let named = verified(body, key).payload().get("peer_identity_key").cloned();
        named.and_then(|key| key.as_str().map(str::to_owned))
    };
    let alice_key = pair.alice.key.public_key();
    assert_eq!(named(&first.body, &alice_key), Some(pair.bob.key.public_key().to_hex()));
    let mut strangers = Pair::strangers(Config::default());
    let first = strangers.half_open(0);
    assert_eq!(named(&first.body, &alice_key), None);
}

#[test]
fn data_before_the_session_is_ready_may_be_sent_again() {
    let mut pair = Pair::pinned();
    let alice = pair.alice.id.clone();
    let fifth = pair.half_open(4);
    let sixth = answer_of(pair.bob.receive(&fifth.body).unwrap()).unwrap();
    let early = pair.bob.send(&alice, "early");
    let refused = pair.alice.receive(&early.outbound.body).unwrap_err();
    assert_eq!(
        refused,
        NotAccepted::Refused(Refusal::NotReady { state: SessionState::SessionConfirmed })
    );
    assert_eq!(refused.code(), Some(ErrorCode::EncryptionNotReady));
    pair.alice.receive(&sixth.body).unwrap();
    assert_eq!(texts_of(pair.alice.receive(&early.outbound.body).unwrap()), ["early"]);
}

#[test]
fn data_of_any_kind_sent_to_a_half_open_handshake_leaves_it_open() {
    let mut pair = Pair::pinned();
    let third = pair.half_open(2);
    let plain = crate::pair::resigned(&third.body, &pair.alice.key, |draft| {
        draft.header.kind = MessageKind::Ping;
    });
    assert_eq!(pair.bob.receive(&plain).unwrap_err().code(), Some(ErrorCode::EncryptionNotReady));
    assert!(pair.bob.receive(&third.body).is_ok());
}
