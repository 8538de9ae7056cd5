//! Which keys are alive when.

use entity_crypto::sealing::SealingKey;

use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn pair(generation: u16) -> (SendChannel, ReceiveChannel) {
    let generation = Generation::new(generation);
    let key = || SealingKey::new([1; 32]);
    (SendChannel::new(key(), generation, 0), ReceiveChannel::new(key(), generation, 0))
}

fn channels() -> Channels {
    let (send, receive) = pair(0);
    Channels::new(send, receive)
}

fn sending(channels: &Channels) -> Option<u16> {
    channels.sending().map(|send| send.generation().get())
}

fn receives(channels: &Channels) -> Vec<u16> {
    (0..20).filter(|&generation| channels.look(Generation::new(generation), 0).is_ok()).collect()
}

#[test]
fn what_the_other_side_proposed_is_sent_under_once_it_has_spoken() {
    let mut channels = channels();
    channels.expect(pair(1));
    assert_eq!((sending(&channels), receives(&channels)), (Some(0), vec![0, 1]));
    channels.confirm(Generation::new(1), START);
    assert_eq!(sending(&channels), Some(1));
    channels.expire(START.plus(OLD_KEYS_LIFETIME).offset(-1));
    assert_eq!(receives(&channels), [0, 1]);
    channels.expire(START.plus(OLD_KEYS_LIFETIME));
    assert_eq!(receives(&channels), [1]);
}

#[test]
fn a_late_confirmation_does_not_lead_back_to_older_keys() {
    let mut channels = channels();
    channels.expect(pair(1));
    channels.switch(pair(2));
    channels.confirm(Generation::new(1), START);
    assert_eq!(sending(&channels), Some(2));
}

#[test]
fn a_pending_generation_gives_way_to_the_next() {
    let mut channels = channels();
    channels.expect(pair(1));
    channels.expect(pair(2));
    assert_eq!(receives(&channels), [0, 2]);
    channels.forget_pending(Generation::new(2));
    channels.expect(pair(3));
    assert_eq!(receives(&channels), [0, 2, 3], "what was started anew from is still opened");
    channels.confirm(Generation::new(2), START);
    assert_eq!(sending(&channels), Some(0));
}

#[test]
fn no_more_than_4_generations_are_received() {
    let mut channels = channels();
    for generation in 1..10 {
        channels.switch(pair(generation));
    }
    assert_eq!(receives(&channels), [6, 7, 8, 9]);
}

#[test]
fn a_restored_session_has_no_keys() {
    let mut channels = Channels::none();
    assert!(channels.reserve().is_none());
    assert_eq!(receives(&channels), []);
}
