//! New keys while both sides live: `docs/protocol/1.1.md#rekey`.

use std::time::Duration;

use entity_session::v1_1::numbers::Class;
use entity_session::v1_1::secrets::Renewal;
use entity_session::v1_1::session::{RenewalLimits, SendError, Sent};
use entity_session::v1_1::sessions::{Change, Config};
use entity_wire::code::ErrorCode;
use entity_wire::id::Generation;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;

use crate::pair::{Pair, answer_of, texts_of};

fn ready_with(renewal: RenewalLimits) -> Pair {
    let mut pair = Pair::with_config(Config { renewal, ..Config::default() });
    pair.connect();
    pair
}

fn ready() -> Pair {
    ready_with(RenewalLimits::default())
}

fn kinds(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(|sent| sent.outbound.kind.as_str()).collect()
}

/// Lets both sides say what they have to, without time passing, until they are silent.
fn talk(pair: &mut Pair) {
    loop {
        let (to_bob, to_alice) = (pair.alice.attend(), pair.bob.attend());
        if to_bob.is_empty() && to_alice.is_empty() {
            return;
        }
        for sent in to_bob {
            pair.bob.receive(&sent.outbound.body).unwrap();
        }
        for sent in to_alice {
            pair.alice.receive(&sent.outbound.body).unwrap();
        }
    }
}

fn want(pair: &mut Pair) {
    let session = pair.alice.sessions.current(&pair.bob.id.clone()).unwrap();
    let now = pair.alice.now;
    assert!(pair.alice.with(|sessions, _| sessions.rekey(session, now)));
}

#[track_caller]
fn check_generation(pair: &mut Pair, generation: u16) {
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    let to_bob = pair.alice.send(&bob, "to bob");
    let to_alice = pair.bob.send(&alice, "to alice");
    for sent in [&to_bob, &to_alice] {
        assert_eq!(sent.generation, Generation::new(generation));
    }
    assert_eq!(texts_of(pair.bob.receive(&to_bob.outbound.body).unwrap()), ["to bob"]);
    assert_eq!(texts_of(pair.alice.receive(&to_alice.outbound.body).unwrap()), ["to alice"]);
}

#[test]
fn the_initiator_switches_at_once_and_the_responder_when_it_has_heard_the_new_keys() {
    let mut pair = ready();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    want(&mut pair);
    let rekey = pair.alice.attend();
    assert_eq!(kinds(&rekey), ["rekey"]);
    assert_eq!(rekey[0].generation, Generation::ZERO);
    pair.bob.receive(&rekey[0].outbound.body).unwrap();
    let answer = pair.bob.attend();
    assert_eq!(kinds(&answer), ["rekey_ack"]);
    assert_eq!(pair.alice.send(&bob, "before").generation, Generation::ZERO);
    pair.alice.receive(&answer[0].outbound.body).unwrap();
    let switched = pair.alice.send(&bob, "switched");
    assert_eq!((switched.generation, switched.sequence.get()), (Generation::new(1), 0));
    assert_eq!(pair.bob.send(&alice, "still old").generation, Generation::ZERO);
    pair.bob.receive(&switched.outbound.body).unwrap();
    assert_eq!(pair.bob.send(&alice, "new").generation, Generation::new(1));
    for node in [&mut pair.alice, &mut pair.bob] {
        let Some(Change::Renewed { renewed, .. }) = node.sessions.poll_change() else { panic!() };
        assert_eq!((renewed.generation.get(), renewed.renewal), (1, Renewal::Rekey));
    }
}

#[test]
fn the_responder_asks_and_the_initiator_renews() {
    let mut pair = ready();
    let alice = pair.alice.id.clone();
    let session = pair.bob.sessions.current(&alice).unwrap();
    let now = pair.bob.now;
    assert!(pair.bob.with(|sessions, _| sessions.rekey(session, now)));
    let request = pair.bob.attend();
    assert_eq!(kinds(&request), ["rekey_request"]);
    pair.alice.receive(&request[0].outbound.body).unwrap();
    talk(&mut pair);
    check_generation(&mut pair, 1);
}

#[test]
fn a_repeated_body_under_a_new_sequence_gets_the_same_answer() {
    let mut pair = ready();
    want(&mut pair);
    let first = pair.alice.attend();
    pair.bob.receive(&first[0].outbound.body).unwrap();
    let lost = pair.bob.attend();
    pair.advance(Duration::from_secs(2));
    let second = pair.alice.attend();
    assert_eq!(kinds(&second), ["rekey"]);
    assert_ne!(first[0].sequence, second[0].sequence);
    pair.bob.receive(&second[0].outbound.body).unwrap();
    let again = pair.bob.attend();
    assert_eq!(kinds(&again), ["rekey_ack"]);
    assert_ne!(lost[0].sequence, again[0].sequence);
    // Had the answer another body, the keys would differ.
    pair.alice.receive(&again[0].outbound.body).unwrap();
    pair.alice.receive(&lost[0].outbound.body).unwrap();
    talk(&mut pair);
    check_generation(&mut pair, 1);
}

#[test]
fn keys_of_the_generation_before_are_gone_after_30_s() {
    let mut pair = ready();
    let bob = pair.bob.id.clone();
    let (in_time, late) = (pair.alice.send(&bob, "in time"), pair.alice.send(&bob, "late"));
    want(&mut pair);
    talk(&mut pair);
    pair.advance(Duration::from_micros(29_999_999));
    assert!(pair.bob.receive(&in_time.outbound.body).is_ok());
    pair.advance(Duration::from_micros(1));
    assert!(pair.bob.sessions.next_deadline() <= Some(pair.bob.now));
    talk(&mut pair);
    let refused = pair.bob.receive(&late.outbound.body).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SequenceError));
}

#[test]
fn a_rekey_is_due_after_an_hour() {
    let mut pair = ready();
    for _ in 0..3 {
        pair.advance(Duration::from_mins(19));
        let bob = pair.bob.id.clone();
        let sent = pair.alice.send(&bob, "alive");
        pair.bob.receive(&sent.outbound.body).unwrap();
        pair.advance(Duration::from_mins(1));
        talk(&mut pair);
        let sent = pair.bob.send(&pair.alice.id.clone(), "alive");
        pair.alice.receive(&sent.outbound.body).unwrap();
    }
    talk(&mut pair);
    check_generation(&mut pair, 1);
}

#[test]
fn a_rekey_is_due_after_so_many_messages_of_either_side() {
    for from_alice in [true, false] {
        let limits = RenewalLimits { due_after_messages: 20, ..RenewalLimits::default() };
        let mut pair = ready_with(limits);
        let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
        for _ in 0..17 {
            if from_alice {
                let sent = pair.alice.send(&bob, "one more");
                pair.bob.receive(&sent.outbound.body).unwrap();
            } else {
                let sent = pair.bob.send(&alice, "one more");
                pair.alice.receive(&sent.outbound.body).unwrap();
            }
        }
        talk(&mut pair);
        check_generation(&mut pair, 1);
    }
}

#[test]
fn nothing_is_sealed_beyond_the_last_message_of_a_generation() {
    let limits = RenewalLimits { messages_max: 10, ..RenewalLimits::default() };
    let mut pair = ready_with(limits);
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    for _ in 3..10 {
        let _sent = pair.alice.send(&bob, "one more");
    }
    let refused = pair.alice.with(|sessions, author| {
        let class = Class::Volatile;
        sessions.send(&bob, MessageKind::Message, Object::new(), class, author)
    });
    assert!(matches!(refused, Err(SendError::Exhausted(_))), "{refused:?}");
    // Resuming gives it keys again.
    let proposal = pair.alice.resume(&bob);
    let answer = answer_of(pair.bob.receive(&proposal.body).unwrap()).unwrap();
    pair.alice.receive(&answer.body).unwrap();
    talk(&mut pair);
    assert_eq!(pair.alice.send(&bob, "on").generation, Generation::new(1));
    assert_eq!(pair.bob.send(&alice, "on").generation, Generation::new(1));
}

#[test]
fn a_session_that_is_rekeyed_and_loses_its_keys_resumes_from_the_newest_that_both_hold() {
    for (said, who) in [(1, true), (1, false), (2, true), (2, false), (3, true), (3, false)] {
        let mut pair = ready();
        let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
        want(&mut pair);
        for step in 0..said {
            let said = if step % 2 == 0 { pair.alice.attend() } else { pair.bob.attend() };
            let hears = if step % 2 == 0 { &mut pair.bob } else { &mut pair.alice };
            hears.receive(&said[0].outbound.body).unwrap();
        }
        let (restarted, other, peer) = if who {
            (&mut pair.alice, &mut pair.bob, bob)
        } else {
            (&mut pair.bob, &mut pair.alice, alice)
        };
        restarted.restart();
        let proposal = restarted.resume(&peer);
        let answer = answer_of(other.receive(&proposal.body).unwrap()).unwrap();
        restarted.receive(&answer.body).unwrap();
        for sent in restarted.attend() {
            other.receive(&sent.outbound.body).unwrap();
        }
        // What it says of the rekey under keys that are gone is refused.
        for sent in other.attend() {
            drop(restarted.receive(&sent.outbound.body));
        }
        talk(&mut pair);
        check_generation(&mut pair, 2);
    }
}

#[test]
fn a_rekey_that_a_resumption_has_overtaken_is_not_said_again() {
    let mut pair = ready();
    want(&mut pair);
    assert_eq!(kinds(&pair.alice.attend()), ["rekey"], "and it is lost");
    let proposal = pair.alice.resume(&pair.bob.id.clone());
    let answer = answer_of(pair.bob.receive(&proposal.body).unwrap()).unwrap();
    pair.alice.receive(&answer.body).unwrap();
    talk(&mut pair);
    check_generation(&mut pair, 2);
    // Bob would refuse it.
    pair.advance(Duration::from_secs(2));
    talk(&mut pair);
    want(&mut pair);
    talk(&mut pair);
    check_generation(&mut pair, 3);
}

#[test]
fn a_proposal_whose_secret_is_gone_is_not_waited_for() {
    let mut pair = ready();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    let session = pair.alice.sessions.current(&bob).unwrap();
    want(&mut pair);
    let rekey = pair.alice.attend();
    pair.bob.receive(&rekey[0].outbound.body).unwrap();
    let answer = pair.bob.attend();
    let _lost = pair.alice.resume(&bob);
    pair.alice.receive(&answer[0].outbound.body).unwrap();
    assert!(pair.alice.sessions.ready(session).unwrap().is_resuming());
    let switched = pair.alice.send(&bob, "switched");
    pair.bob.receive(&switched.outbound.body).unwrap();
    let new = pair.bob.send(&alice, "new");
    pair.alice.receive(&new.outbound.body).unwrap();
    assert!(!pair.alice.sessions.ready(session).unwrap().is_resuming());
}

#[test]
fn the_responders_new_keys_are_limited_like_all_others() {
    let mut pair = ready_with(RenewalLimits {
        due_after_messages: 1_000,
        messages_max: 5,
        ..RenewalLimits::default()
    });
    let alice = pair.alice.id.clone();
    want(&mut pair);
    talk(&mut pair);
    let mut send = || {
        pair.bob.with(|sessions, author| {
            sessions.send(&alice, MessageKind::Message, Object::new(), Class::Volatile, author)
        })
    };
    let refused = std::iter::repeat_with(&mut send).take(6).find_map(Result::err);
    assert!(matches!(refused, Some(SendError::Exhausted(_))), "{refused:?}");
}
