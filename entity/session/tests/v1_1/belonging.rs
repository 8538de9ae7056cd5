//! A message belongs to a session by name and by key: `docs/protocol/1.1.md#order-of-checks`, step 11.

use entity_crypto::signing::SigningKey;
use entity_session::v1_1::handshake::{Offer, initiator, responder};
use entity_session::v1_1::refusal::{HandshakeError, Misbehaviour};
use entity_session::v1_1::sessions::Config;
use entity_wire::code::ErrorCode;
use entity_wire::id::Sequence;

use crate::pair::{Node, NotAccepted, Pair, resigned, verified};

#[test]
fn a_session_of_somebody_else_is_not_found() {
    let mut pair = Pair::pinned();
    let third = pair.half_open(2);
    let mut carol = Node::new("carol", 9, Config::default());
    pair.bob.pinned.insert(carol.id.clone(), carol.key.public_key());
    let own = carol.open(&pair.bob.id);
    let foreign = resigned(&third.body, &carol.key, |draft| draft.header.sender = carol.id.clone());
    assert_eq!(pair.bob.receive(&foreign).unwrap_err().code(), Some(ErrorCode::SessionNotFound));
    assert!(pair.bob.receive(&third.body).is_ok(), "the session's owner is not disturbed");
    assert!(pair.bob.receive(&own.body).is_ok(), "a handshake of its own is carol's right");
}

#[test]
fn a_stranger_who_brings_another_key_than_the_handshake_holds_is_refused() {
    let mut pair = Pair::strangers(Config::default());
    let third = pair.half_open(2);
    let mallory = SigningKey::from_seed([66; 32]);
    let forged = resigned(&third.body, &mallory, |_| {});
    assert_eq!(pair.bob.receive(&forged), Err(NotAccepted::Unverified));
    assert!(pair.bob.receive(&third.body).is_ok());
}

#[test]
fn a_key_that_is_known_by_two_names_has_the_sessions_of_each_name_alone() {
    let mut pair = Pair::pinned();
    let third = pair.half_open(2);
    let carol = "carol".parse().unwrap();
    pair.bob.pinned.insert(carol, pair.alice.key.public_key());
    let other_name = resigned(&third.body, &pair.alice.key, |draft| {
        draft.header.sender = "carol".parse().unwrap();
    });
    let refused = pair.bob.receive(&other_name).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SessionNotFound));
    assert!(pair.bob.receive(&third.body).is_ok());
}

#[test]
fn a_name_that_gets_another_key_has_lost_what_the_old_key_opened() {
    let mut pair = Pair::pinned();
    let third = pair.half_open(2);
    let new = SigningKey::from_seed([66; 32]);
    pair.bob.pinned.insert(pair.alice.id.clone(), new.public_key());
    let refused = pair.bob.receive(&resigned(&third.body, &new, |_| {})).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::SessionNotFound));
}

#[test]
fn step_2_under_another_key_than_the_pinned_one_ends_the_handshake() {
    let mut pair = Pair::pinned();
    let offer = Offer::default();
    let pinned = SigningKey::from_seed([66; 32]).public_key();
    let genuine = pair.half_open(0);
    let first = verified(&genuine.body, &pair.alice.key.public_key());
    let answered = pair.bob.with(|_, author| responder::accept(&first, &offer, author));
    let (_, second, _) = answered.unwrap();
    let second = verified(&second.body, &pair.bob.key.public_key());
    let bob = pair.bob.id.clone();
    let (waiting, _) =
        pair.alice.with(|_, author| initiator::open(bob, Some(pinned), &offer, author));
    let refused = pair.alice.with(|_, author| waiting.on_init_ack(&second, author)).unwrap_err();
    assert_eq!(refused, HandshakeError::Misbehaved(Misbehaviour::OtherIdentity));
}

#[test]
fn the_numbers_of_the_sealed_steps_are_used_up_on_both_sides() {
    let mut pair = Pair::pinned();
    let steps = pair.handshake();
    let second = Sequence::new(2).unwrap();
    for step in [5, 6] {
        let (signer, receiver) = pair.sides(step);
        let again = resigned(&steps[step - 1].body, signer, |draft| draft.header.sequence = second);
        let refused = receiver.receive(&again).unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::SequenceError), "step {step}");
    }
}
