//! Sessions that come back after a restart: `docs/protocol/1.1.md#resumption`.

use std::time::Duration;

use entity_journal::{Journal as _, Record, Write};
use entity_session::v1_1::numbers::{Class, Fate, RESERVED_BLOCK};
use entity_session::v1_1::record::SPACE;
use entity_session::v1_1::session::{ABSOLUTE_LIMIT, PROPOSAL_LIFETIME, SendError};
use entity_session::v1_1::sessions::{Change, Received};
use entity_session::v1_1::state::SessionState;
use entity_wire::code::ErrorCode;
use entity_wire::id::{Generation, MessageId, Nonce, Sequence, SessionId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::v1_1::Draft;

use crate::pair::{Pair, answer_of, parse, resigned, texts_of};

fn ready() -> (Pair, SessionId) {
    let mut pair = Pair::pinned();
    let session = pair.connect();
    (pair, session)
}

fn id(number: u8) -> MessageId {
    MessageId::from_random([number; 16])
}

/// Alice resumes; returns what she says first under the new keys.
fn resume(pair: &mut Pair) -> Vec<u8> {
    let proposal = pair.alice.resume(&pair.bob.id.clone());
    let answer = answer_of(pair.bob.receive(&proposal.body).unwrap()).unwrap();
    assert_eq!(pair.alice.receive(&answer.body), Ok(Received::Resumed));
    let said = pair.alice.attend();
    said[0].outbound.body.to_vec()
}

#[track_caller]
fn check_restart(who: fn(&mut Pair)) {
    let (mut pair, session) = ready();
    who(&mut pair);
    let first = resume(&mut pair);
    pair.bob.receive(&first).unwrap();
    for acknowledgement in pair.bob.attend() {
        pair.alice.receive(&acknowledgement.outbound.body).unwrap();
    }
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    assert_eq!(pair.alice.sessions.current(&bob), Some(session));
    assert_eq!(pair.bob.sessions.current(&alice), Some(session));
    let to_bob = pair.alice.send(&bob, "to bob");
    let to_alice = pair.bob.send(&alice, "to alice");
    assert_eq!(to_bob.generation, Generation::new(1));
    assert_eq!(texts_of(pair.bob.receive(&to_bob.outbound.body).unwrap()), ["to bob"]);
    assert_eq!(texts_of(pair.alice.receive(&to_alice.outbound.body).unwrap()), ["to alice"]);
}

#[test]
fn a_session_resumes_under_its_id_whoever_has_restarted() {
    check_restart(|pair| pair.alice.restart());
    check_restart(|pair| pair.bob.restart());
    check_restart(|_| {});
    check_restart(|pair| {
        pair.alice.restart();
        pair.bob.restart();
    });
}

#[test]
fn a_restored_session_is_suspended_until_it_has_resumed() {
    let (mut pair, session) = ready();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    pair.alice.restart();
    assert_eq!(pair.alice.sessions.state(session), Some(SessionState::Suspended));
    let body = Object::new();
    let refused = pair.alice.with(|sessions, author| {
        sessions.send(&bob, MessageKind::Message, body, Class::Volatile, author)
    });
    assert_eq!(refused.unwrap_err(), SendError::Suspended);
    let sealed = pair.bob.send(&alice, "nobody can read this any more");
    let refused = pair.alice.receive(&sealed.outbound.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SessionNotFound), "leads the sender to resume");
    resume(&mut pair);
    assert_eq!(pair.alice.sessions.state(session), Some(SessionState::Ready));
}

#[test]
fn the_answerer_says_nothing_under_new_keys_before_the_proposer_has() {
    let (mut pair, _) = ready();
    let alice = pair.alice.id.clone();
    pair.alice.restart();
    let first = resume(&mut pair);
    assert_eq!(pair.bob.send(&alice, "old keys").generation, Generation::ZERO);
    pair.bob.receive(&first).unwrap();
    assert_eq!(pair.bob.send(&alice, "new keys").generation, Generation::new(1));
    assert!(matches!(pair.bob.sessions.poll_change(), Some(Change::Renewed { .. })));

    let (mut pair, _) = ready();
    pair.bob.restart();
    let first = resume(&mut pair);
    let body = Object::new();
    let refused = pair.bob.with(|sessions, author| {
        sessions.send(&alice, MessageKind::Message, body, Class::Volatile, author)
    });
    assert_eq!(refused.unwrap_err(), SendError::Suspended);
    pair.bob.receive(&first).unwrap();
    assert_eq!(pair.bob.send(&alice, "new keys").generation, Generation::new(1));
}

#[test]
fn messages_under_the_keys_before_are_opened_for_30_s_more() {
    let (mut pair, _) = ready();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    let late = pair.alice.send(&bob, "late");
    let later = pair.alice.send(&bob, "later");
    let first = resume(&mut pair);
    pair.bob.receive(&first).unwrap();
    pair.advance(Duration::from_secs(29));
    assert!(pair.bob.receive(&late.outbound.body).is_ok());
    pair.advance(Duration::from_secs(1));
    let _due = pair.bob.attend();
    let refused = pair.bob.receive(&later.outbound.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SequenceError));
    assert_eq!(pair.alice.sessions.current(&bob), pair.bob.sessions.current(&alice));
}

#[test]
fn a_byte_identical_repeat_gets_the_stored_answer_and_changes_nothing() {
    let (mut pair, _) = ready();
    pair.alice.restart();
    let proposal = pair.alice.resume(&pair.bob.id.clone());
    let answer = answer_of(pair.bob.receive(&proposal.body).unwrap()).unwrap();
    let again = pair.bob.receive(&proposal.body).unwrap();
    assert_eq!(again, Received::Repeat(Some(answer.clone())));
    pair.alice.receive(&answer.body).unwrap();
    assert_eq!(pair.alice.receive(&answer.body), Ok(Received::Repeat(None)));
    let first = pair.alice.attend();
    assert!(pair.bob.receive(&first[0].outbound.body).is_ok());
}

#[test]
fn a_resumption_that_the_answerer_has_forgotten_is_no_use_to_anybody() {
    let (mut pair, _) = ready();
    let bob = pair.bob.id.clone();
    let proposal = pair.alice.resume(&bob);
    pair.bob.receive(&proposal.body).unwrap();
    // The nonces that bob remembered are gone with its memory; the generation is not.
    pair.bob.restart();
    let refused = pair.bob.receive(&proposal.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SequenceError));
    pair.alice.restart();
    let session = pair.alice.sessions.current(&bob).unwrap();
    let higher = pair.alice.with(|sessions, author| sessions.resume_higher(session, author));
    assert!(matches!(pair.bob.receive(&higher.unwrap().body), Ok(Received::Resuming(_))));
}

/// Changes a `session_resume` the way its own sender could, and checks that the genuine one is still accepted.
#[track_caller]
fn check(change: impl FnOnce(&mut Draft), code: ErrorCode) {
    let (mut pair, _) = ready();
    pair.alice.restart();
    let genuine = pair.alice.resume(&pair.bob.id.clone());
    let changed = resigned(&genuine.body, &pair.alice.key, change);
    let refused = pair.bob.receive(&changed).unwrap_err();
    assert_eq!(refused.code(), Some(code), "{refused:?}");
    let answer = answer_of(pair.bob.receive(&genuine.body).unwrap()).unwrap();
    assert_eq!(pair.alice.receive(&answer.body), Ok(Received::Resumed));
}

#[test]
fn every_field_of_a_resumption_is_bound_by_the_secret() {
    let insert = |field: &'static str, value: u64| {
        move |draft: &mut Draft| drop(draft.payload.insert(field, value))
    };
    let text = |field: &'static str, value: &'static str| {
        move |draft: &mut Draft| drop(draft.payload.insert(field, value))
    };
    let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let nine = "CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    check(|_| {}, ErrorCode::ChallengeInvalid);
    check(insert("generation", 2), ErrorCode::ChallengeInvalid);
    check(insert("generation", 0), ErrorCode::SequenceError);
    check(insert("generation", 65_536), ErrorCode::InvalidMessage);
    check(insert("base_generation", 1), ErrorCode::SessionNotFound);
    check(insert("acknowledged", 1), ErrorCode::ChallengeInvalid);
    check(insert("acknowledged", 1 << 53), ErrorCode::InvalidMessage);
    check(text("ephemeral_public_key", nine), ErrorCode::ChallengeInvalid);
    check(text("ephemeral_public_key", "CQ=="), ErrorCode::InvalidMessage);
    check(text("binder", zero), ErrorCode::ChallengeInvalid);
    check(text("binder", "?"), ErrorCode::InvalidMessage);
    check(|draft| drop(draft.payload.remove("binder")), ErrorCode::ChallengeInvalid);
    check(text("more", "of the signed bytes"), ErrorCode::ChallengeInvalid);
    let other = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    check(text("session_id", other), ErrorCode::InvalidMessage);
    let session = |draft: &mut Draft| draft.header.session = other.parse().unwrap();
    check(session, ErrorCode::SessionNotFound);
    let sequence = |draft: &mut Draft| draft.header.sequence = Sequence::new(1).unwrap();
    check(sequence, ErrorCode::SequenceError);
    let late =
        |draft: &mut Draft| draft.header.timestamp = draft.header.timestamp.offset(-60_000_001);
    check(late, ErrorCode::ExpiredTimestamp);
    check(|draft| draft.header.kind = MessageKind::SessionResumed, ErrorCode::InvalidState);
    check(|draft| draft.header.kind = MessageKind::Message, ErrorCode::EncryptionRequired);
}

#[test]
fn every_field_of_the_answer_is_bound_by_the_secret_and_to_its_proposal() {
    for (field, value) in [("acknowledged", 1_u64), ("generation", 2), ("base_generation", 1)] {
        let (mut pair, _) = ready();
        pair.alice.restart();
        let proposal = pair.alice.resume(&pair.bob.id.clone());
        let answer = answer_of(pair.bob.receive(&proposal.body).unwrap()).unwrap();
        let changed = resigned(&answer.body, &pair.bob.key, |draft| {
            draft.payload.insert(field, value);
        });
        assert!(pair.alice.receive(&changed).is_err(), "{field}");
        assert_eq!(pair.alice.receive(&answer.body), Ok(Received::Resumed));
    }
    // The answer to an earlier proposal is not one to a later one.
    let (mut pair, _) = ready();
    pair.alice.restart();
    let bob = pair.bob.id.clone();
    let earlier = pair.alice.resume(&bob);
    let stale = answer_of(pair.bob.receive(&earlier.body).unwrap()).unwrap();
    let _later = pair.alice.resume(&bob);
    let refused = pair.alice.receive(&stale.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::InvalidState));
}

#[test]
fn a_resumption_of_somebody_else_or_of_no_session_is_not_found() {
    let (mut pair, session) = ready();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    pair.alice.restart();
    let proposal = pair.alice.resume(&bob);
    let carol = entity_crypto::signing::SigningKey::from_seed([9; 32]);
    pair.bob.pinned.insert("carol".parse().unwrap(), carol.public_key());
    let foreign = resigned(&proposal.body, &carol, |draft| {
        draft.header.sender = "carol".parse().unwrap();
        draft.header.nonce = Nonce::from_bytes([7; 16]);
    });
    let refused = pair.bob.receive(&foreign).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SessionNotFound));
    // A suspended session is closed without a word; the other side learns it when it wants to resume.
    pair.bob.restart();
    let closed = pair.bob.with(|sessions, author| sessions.close(session, "closed", author));
    assert_eq!(closed.unwrap_err(), SendError::Suspended);
    assert_eq!(pair.bob.sessions.current(&alice), None);
    let refused = pair.bob.receive(&proposal.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SessionNotFound));
    pair.bob.restart();
    assert_eq!(pair.bob.sessions.views().count(), 0, "it is forgotten for good");
}

#[test]
fn resumption_does_not_extend_the_absolute_limit() {
    let (mut pair, _) = ready();
    let started = pair.alice.now;
    let bob = pair.bob.id.clone();
    while pair.alice.now.plus(Duration::from_mins(30)) < started.plus(ABSOLUTE_LIMIT) {
        pair.advance(Duration::from_mins(30));
        pair.alice.restart();
        let first = resume(&mut pair);
        pair.bob.receive(&first).unwrap();
        for sent in pair.bob.attend() {
            pair.alice.receive(&sent.outbound.body).unwrap();
        }
    }
    let proposal = pair.alice.resume(&bob);
    pair.advance(Duration::from_mins(30));
    pair.bob.clock_offset = -1_800_000_000;
    let refused = pair.bob.receive(&proposal.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SessionExpired));
}

#[test]
fn a_proposal_without_an_answer_ends_after_exactly_30_s() {
    let (mut pair, session) = ready();
    pair.alice.restart();
    let bob = pair.bob.id.clone();
    let proposal = pair.alice.resume(&bob);
    let answer = answer_of(pair.bob.receive(&proposal.body).unwrap()).unwrap();
    pair.advance(PROPOSAL_LIFETIME);
    let _due = pair.alice.attend();
    assert_eq!(pair.alice.sessions.poll_change(), Some(Change::NotResumed { session, peer: bob }));
    assert!(pair.alice.receive(&answer.body).is_err());
}

#[test]
fn of_two_that_resume_at_once_the_one_with_the_smaller_key_goes_on() {
    let (mut pair, _) = ready();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    let alice_is_smaller =
        pair.alice.key.public_key().as_bytes() < pair.bob.key.public_key().as_bytes();
    pair.alice.restart();
    pair.bob.restart();
    let (of_alice, of_bob) = (pair.alice.resume(&bob), pair.bob.resume(&alice));
    let (smaller, peer, theirs, larger, ours) = if alice_is_smaller {
        (&mut pair.alice, bob, of_bob, &mut pair.bob, of_alice)
    } else {
        (&mut pair.bob, alice, of_alice, &mut pair.alice, of_bob)
    };
    let refused = smaller.receive(&theirs.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::HandshakeInProgress));
    // Both have proposed the same generation, and none is proposed and accepted.
    let refused = larger.receive(&ours.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SequenceError));
    let session = smaller.sessions.current(&peer).unwrap();
    let higher = smaller.with(|sessions, author| sessions.resume_higher(session, author)).unwrap();
    let answer = answer_of(larger.receive(&higher.body).unwrap()).unwrap();
    assert_eq!(smaller.receive(&answer.body), Ok(Received::Resumed));
}

#[test]
fn a_restart_uses_no_number_twice_and_declares_those_that_will_not_come() {
    let (mut pair, session) = ready();
    let bob = pair.bob.id.clone();
    let lost = pair.alice.send(&bob, "volatile, and lost");
    let kept = pair.alice.send_durable(&bob, id(1), "durable");
    let numbers = pair.alice.kept.entry(session).or_default();
    numbers.insert(kept.number.unwrap());
    pair.alice.restart();
    let first = resume(&mut pair);
    pair.bob.receive(&first).unwrap();
    let body = Object::new().with("text", "durable");
    let place = (session, kept.number.unwrap(), id(1));
    let again = pair
        .alice
        .with(|sessions, author| sessions.resend(place, MessageKind::Message, body, author));
    let again = again.unwrap();
    assert_eq!(again.number, kept.number);
    let next = pair.alice.send(&bob, "after");
    assert_eq!(next.number.unwrap().get(), RESERVED_BLOCK + 1);
    assert_eq!(pair.alice.sessions.fate(session, lost.number.unwrap()), Some(Fate::GivenUp));
    let mut handled = texts_of(pair.bob.receive(&again.outbound.body).unwrap());
    handled.extend(texts_of(pair.bob.receive(&next.outbound.body).unwrap()));
    assert_eq!(handled, ["durable", "after"]);
}

#[test]
fn a_clean_shutdown_leaves_nothing_to_skip() {
    let (mut pair, _) = ready();
    let bob = pair.bob.id.clone();
    let sent = pair.alice.send(&bob, "one");
    pair.bob.receive(&sent.outbound.body).unwrap();
    for node in [&mut pair.alice, &mut pair.bob] {
        node.with(|sessions, _| sessions.close_books());
        node.restart();
    }
    let first = resume(&mut pair);
    pair.bob.receive(&first).unwrap();
    let next = pair.alice.send(&bob, "two");
    assert_eq!(next.number.unwrap().get(), 2);
    assert_eq!(texts_of(pair.bob.receive(&next.outbound.body).unwrap()), ["two"]);
}

#[test]
fn what_a_receiver_forgot_was_volatile_and_is_skipped() {
    let (mut pair, session) = ready();
    let bob = pair.bob.id.clone();
    let durable = pair.alice.send_durable(&bob, id(1), "durable");
    assert_eq!(texts_of(pair.bob.receive(&durable.outbound.body).unwrap()), ["durable"]);
    for text in ["a", "b"] {
        let sent = pair.alice.send(&bob, text);
        pair.bob.receive(&sent.outbound.body).unwrap();
    }
    pair.advance(Duration::from_secs(1));
    for acknowledgement in pair.bob.attend() {
        pair.alice.receive(&acknowledgement.outbound.body).unwrap();
    }
    let third = entity_wire::id::MessageNumber::new(3).unwrap();
    assert_eq!(pair.alice.sessions.fate(session, third), Some(Fate::Acknowledged));
    pair.bob.restart();
    let skip = resume(&mut pair);
    assert_eq!(pair.alice.sessions.fate(session, third), Some(Fate::Acknowledged));
    pair.bob.receive(&skip).unwrap();
    let next = pair.alice.send(&bob, "c");
    assert_eq!(next.number.unwrap().get(), 4);
    assert_eq!(texts_of(pair.bob.receive(&next.outbound.body).unwrap()), ["c"]);
    // A durable message that comes again is known.
    let place = (session, durable.number.unwrap(), id(1));
    let settled = pair.alice.with(|sessions, author| {
        sessions.resend(place, MessageKind::Message, Object::new(), author)
    });
    assert_eq!(settled.unwrap_err(), SendError::Settled);
}

#[test]
fn a_peer_that_has_lost_more_than_it_may_needs_a_handshake() {
    let (mut pair, session) = ready();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    let blank = pair.bob.journal.clone();
    for number in 0..1_025 {
        let sent = pair.alice.send(&bob, &number.to_string());
        pair.bob.receive(&sent.outbound.body).unwrap();
        if number % 256 == 255 || number == 1_024 {
            pair.advance(Duration::from_secs(1));
            for acknowledgement in pair.bob.attend() {
                pair.alice.receive(&acknowledgement.outbound.body).unwrap();
            }
        }
    }
    // Somebody has put an old copy of bob's store back.
    pair.bob.journal = blank;
    pair.bob.restart();
    let proposal = pair.bob.resume(&alice);
    let refused = pair.alice.receive(&proposal.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SessionNotFound));
    assert!(pair.bob.with(|sessions, _| sessions.stop_resuming(session)));
    let _too_low = pair.alice.resume(&bob);
    let higher = pair.alice.with(|sessions, author| sessions.resume_higher(session, author));
    let answer = answer_of(pair.bob.receive(&higher.unwrap().body).unwrap());
    assert!(pair.alice.receive(&answer.unwrap().body).is_err());
    let change = pair.alice.sessions.poll_change();
    assert_eq!(change, Some(Change::NotResumed { session, peer: bob }));
}

/// What bob says once it has handled three messages of which he will have forgotten two.
fn acknowledged_and_forgotten(pair: &mut Pair) -> Vec<u8> {
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    // The first number of a block has everything kept; the next ones do not.
    let first = pair.bob.send(&alice, "first");
    pair.alice.receive(&first.outbound.body).unwrap();
    let durable = pair.alice.send_durable(&bob, id(1), "durable");
    pair.bob.receive(&durable.outbound.body).unwrap();
    for text in ["a", "b"] {
        let sent = pair.alice.send(&bob, text);
        pair.bob.receive(&sent.outbound.body).unwrap();
    }
    let late = pair.bob.send(&alice, "late, and of the run before");
    pair.bob.restart();
    late.outbound.body.to_vec()
}

/// Whether bob handles what alice sends after a `skip` of hers that got lost.
#[track_caller]
fn check_that_messages_go_on(pair: &mut Pair) {
    let bob = pair.bob.id.clone();
    let next = pair.alice.send(&bob, "c");
    assert_eq!(texts_of(pair.bob.receive(&next.outbound.body).unwrap()), [""; 0], "it waits");
    pair.advance(Duration::from_secs(2));
    let mut handled = Vec::new();
    for sent in pair.alice.attend() {
        handled.extend(texts_of(pair.bob.receive(&sent.outbound.body).unwrap()));
    }
    assert_eq!(handled, ["c"]);
}

#[test]
fn a_late_acknowledgement_of_what_a_receiver_has_forgotten_does_not_count() {
    let (mut pair, _) = ready();
    let late = acknowledged_and_forgotten(&mut pair);
    let _lost_skip = resume(&mut pair);
    pair.alice.receive(&late).unwrap();
    check_that_messages_go_on(&mut pair);
}

#[test]
fn such_an_acknowledgement_does_not_count_either_where_the_receiver_proposed() {
    let (mut pair, session) = ready();
    let alice = pair.alice.id.clone();
    let late = acknowledged_and_forgotten(&mut pair);
    let proposal = pair.bob.resume(&alice);
    let answer = answer_of(pair.alice.receive(&proposal.body).unwrap()).unwrap();
    assert_eq!(pair.bob.receive(&answer.body), Ok(Received::Resumed));
    for sent in pair.bob.attend() {
        pair.alice.receive(&sent.outbound.body).unwrap();
    }
    assert_eq!(pair.alice.sessions.ready(session).unwrap().generation(), Generation::new(1));
    let _lost_skip = pair.alice.attend();
    pair.alice.receive(&late).unwrap();
    check_that_messages_go_on(&mut pair);
}

#[test]
fn a_session_that_a_newer_one_has_replaced_is_not_resumed() {
    let (mut pair, _) = ready();
    let earlier = pair.alice.journal.clone();
    pair.advance(Duration::from_secs(1));
    pair.connect();
    pair.alice.journal = earlier;
    pair.alice.restart();
    let proposal = pair.alice.resume(&pair.bob.id.clone());
    let refused = pair.bob.receive(&proposal.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SessionNotFound));
}

#[test]
fn an_answer_that_comes_after_a_newer_session_is_ready_does_not_count() {
    let (mut pair, _) = ready();
    let proposal = pair.alice.resume(&pair.bob.id.clone());
    let late = answer_of(pair.bob.receive(&proposal.body).unwrap()).unwrap();
    pair.advance(Duration::from_secs(1));
    pair.connect();
    let refused = pair.alice.receive(&late.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::InvalidState));
    assert_eq!(pair.alice.sessions.poll_change(), None);
}

#[test]
fn a_restart_forgets_fewer_than_256_volatile_messages() {
    let (mut pair, _) = ready();
    let bob = pair.bob.id.clone();
    for number in 1..=511 {
        let sent = pair.alice.send(&bob, &number.to_string());
        pair.bob.receive(&sent.outbound.body).unwrap();
    }
    pair.bob.restart();
    let proposal = pair.alice.resume(&bob);
    let answer = answer_of(pair.bob.receive(&proposal.body).unwrap()).unwrap();
    let answer = parse(&answer.body).unwrap();
    assert_eq!(answer.payload().get("acknowledged"), Some(&256_u64.into()));
}

#[test]
fn the_idle_limit_counts_from_what_was_heard_before_a_restart() {
    let (mut pair, session) = ready();
    pair.advance(Duration::from_mins(50));
    let sent = pair.alice.send(&pair.bob.id.clone(), "after 50 minutes");
    pair.bob.receive(&sent.outbound.body).unwrap();
    pair.bob.restart();
    pair.advance(Duration::from_mins(20));
    pair.bob.attend();
    assert_eq!(pair.bob.sessions.state(session), Some(SessionState::Suspended));
}

#[test]
fn an_earlier_resumption_that_is_replayed_is_known_by_its_nonce() {
    let (mut pair, _) = ready();
    let bob = pair.bob.id.clone();
    let [first, second] = [(), ()].map(|()| pair.alice.resume(&bob));
    for proposal in [&first, &second] {
        pair.bob.receive(&proposal.body).unwrap();
    }
    let refused = pair.bob.receive(&first.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::ReplayDetected));
}

fn kept(node: &crate::pair::Node) -> Vec<Record> {
    node.journal.scan(SPACE, b"", None, 10).unwrap()
}

#[test]
fn of_one_peer_only_the_newest_session_is_kept() {
    let (mut pair, _) = ready();
    let [earlier] = &kept(&pair.alice)[..] else { panic!() };
    let earlier = Write::put(SPACE, earlier.key.clone(), earlier.value.clone());
    pair.advance(Duration::from_secs(1));
    let session = pair.connect();
    assert_eq!((kept(&pair.alice).len(), kept(&pair.bob).len()), (1, 1));
    // A crash in the midst of taking over cannot leave both; a store that has both is put in order.
    pair.alice.journal.commit(&[vec![earlier].into()]).unwrap();
    pair.alice.restart();
    assert_eq!(pair.alice.sessions.current(&pair.bob.id), Some(session));
    assert_eq!((pair.alice.sessions.views().count(), kept(&pair.alice).len()), (1, 1));
}
