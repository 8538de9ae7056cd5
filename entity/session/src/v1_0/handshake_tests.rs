//! The handshake as both sides see it.

use std::time::Duration;

use entity_crypto::entropy::Entropy;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_wire::payload::handshake_1_0::{Handshake, HandshakeAck, HandshakeConfirm};
use entity_wire::time::Timestamp;

use super::initiator::{AckRefusal, AwaitingAck, ChallengeRule, Offer};
use super::responder::{AwaitingConfirm, ConfirmRefusal, HandshakeRefusal, Terms};

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

fn opened(sealing: bool) -> (AwaitingAck, Handshake) {
    let offer = Offer {
        public_key: key(1).public_key(),
        supported_versions: vec!["1.0".to_owned(), "0.3".to_owned()],
        sealing,
    };
    AwaitingAck::open(offer, &mut Entropy::from_seed([1; 32]), START)
}

fn answered(
    handshake: &Handshake,
    signer: &PublicKey,
    sealing: bool,
) -> Result<(AwaitingConfirm, HandshakeAck), HandshakeRefusal> {
    let key = key(2);
    let terms = Terms { key: &key, supported_versions: None, sealing };
    AwaitingConfirm::answer(handshake, signer, terms, &mut Entropy::from_seed([2; 32]), START)
}

/// Runs the handshake with these offers and says whether both sides can seal.
#[track_caller]
fn check(offered: bool, accepted: bool, expected_sealed: bool) {
    let (awaiting, handshake) = opened(offered);
    let (responding, ack) = answered(&handshake, &key(1).public_key(), accepted).unwrap();
    let signer = key(2).public_key();
    let (confirming, confirm) =
        awaiting.on_ack(&ack, &signer, ChallengeRule::Required, (START, START)).unwrap();
    assert_eq!(responding.look(&confirm, START), Ok(()));
    let (mut a, b) = (confirming.on_confirmed(), responding.on_confirm());
    assert_eq!(a.id(), b.id());
    assert_eq!((a.sealing.is_some(), b.sealing.is_some()), (expected_sealed, expected_sealed));
    if let (Some(a), Some(b)) = (&mut a.sealing, &b.sealing) {
        let data = a.seal(&[1; 12], b"secret", START);
        assert_eq!(*b.open(2, &[1; 12], &data, START).unwrap(), b"secret");
    }
}

#[test]
fn both_sides_get_the_same_session_and_key() {
    check(true, true, true);
}

#[test]
fn without_offer_or_acceptance_there_is_no_sealing() {
    check(true, false, false);
    check(false, true, false);
}

#[test]
fn a_handshake_that_names_another_key_than_its_signer_is_refused() {
    let (_, handshake) = opened(true);
    let refused = answered(&handshake, &key(3).public_key(), true);
    assert_eq!(refused.map(|_| ()), Err(HandshakeRefusal::OtherKey));
}

#[track_caller]
fn check_ack(
    change: impl FnOnce(&mut HandshakeAck),
    rule: ChallengeRule,
    expected: Option<AckRefusal>,
) {
    let (awaiting, handshake) = opened(true);
    let (_, mut ack) = answered(&handshake, &key(1).public_key(), true).unwrap();
    change(&mut ack);
    let taken = awaiting.on_ack(&ack, &key(2).public_key(), rule, (START, START));
    assert_eq!(taken.err(), expected);
}

#[test]
fn an_acknowledgement_has_to_meet_the_challenge() {
    let without = |ack: &mut HandshakeAck| ack.challenge_response = None;
    check_ack(without, ChallengeRule::Required, Some(AckRefusal::Challenge));
    check_ack(without, ChallengeRule::Optional, None);
    let forged = |ack: &mut HandshakeAck| ack.challenge_response = Some(key(3).sign(b"\"\""));
    check_ack(forged, ChallengeRule::Required, Some(AckRefusal::Challenge));
    check_ack(forged, ChallengeRule::Optional, Some(AckRefusal::Challenge));
}

#[test]
fn an_acknowledgement_cannot_bring_in_another_key() {
    let other = |ack: &mut HandshakeAck| ack.public_key = key(3).public_key();
    check_ack(other, ChallengeRule::Required, Some(AckRefusal::OtherKey));
}

#[test]
fn an_acknowledgement_of_another_session_is_refused() {
    let other = |ack: &mut HandshakeAck| ack.session_id = Some("another".to_owned());
    check_ack(other, ChallengeRule::Required, Some(AckRefusal::OtherSession));
    check_ack(other, ChallengeRule::Optional, Some(AckRefusal::OtherSession));
    check_ack(|ack| ack.session_id = None, ChallengeRule::Required, None);
}

#[test]
fn a_confirmation_of_another_session_is_refused() {
    let (_, handshake) = opened(true);
    let (responding, _) = answered(&handshake, &key(1).public_key(), true).unwrap();
    let look = |named: &str| {
        let confirm = HandshakeConfirm { session_id: Some(named.to_owned()), timestamp: None };
        responding.look(&confirm, START)
    };
    assert_eq!(look("another"), Err(ConfirmRefusal::OtherSession));
    assert_eq!(look(&handshake.session_id), Ok(()));
}

#[track_caller]
fn check_confirm(timestamp: Option<Timestamp>, expected: Result<(), ConfirmRefusal>) {
    let (_, handshake) = opened(true);
    let (responding, _) = answered(&handshake, &key(1).public_key(), true).unwrap();
    let confirm = HandshakeConfirm { session_id: None, timestamp };
    assert_eq!(responding.look(&confirm, START), expected);
}

#[test]
fn the_time_of_a_confirmation_is_within_60_s_or_missing() {
    let minute = AwaitingConfirm::CLOCK_DISTANCE_MAX;
    let more = minute + Duration::from_micros(1);
    check_confirm(None, Ok(()));
    check_confirm(Some(START.plus(minute)), Ok(()));
    check_confirm(Some(START.minus(minute)), Ok(()));
    check_confirm(Some(START.plus(more)), Err(ConfirmRefusal::Time));
    check_confirm(Some(START.minus(more)), Err(ConfirmRefusal::Time));
}
