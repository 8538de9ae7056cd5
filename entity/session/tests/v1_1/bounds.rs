//! What is held is bounded, and what fills it costs those who fill it: `docs/protocol/1.1.md#handshake-limits`.

use std::time::Duration;

use entity_session::nonce_memory::NonceLimits;
use entity_session::rate_limit::{Rate, RateLimits};
use entity_session::v1_1::refusal::Refusal;
use entity_session::v1_1::sessions::{Config, OpenError, RETIRED_PER_PEER_MAX, Received};
use entity_wire::code::ErrorCode;

use crate::pair::{Node, NotAccepted, Pair, answer_of};

/// The smallest step of time.
const INSTANT: Duration = Duration::from_micros(1);

#[test]
fn sessions_that_only_receive_do_not_pile_up() {
    let rate_limits = RateLimits::uniform(Rate::per_second(1_000, 1_000));
    let config = Config { rate_limits, ..Config::default() };
    let mut pair = Pair::with_config(config);
    for _ in 0..RETIRED_PER_PEER_MAX + 5 {
        pair.connect();
        pair.advance(INSTANT);
    }
    assert_eq!(pair.bob.sessions.views().count(), RETIRED_PER_PEER_MAX + 1);
    assert_eq!(pair.alice.sessions.views().count(), RETIRED_PER_PEER_MAX + 1);
}

#[test]
fn half_open_strangers_are_bounded_and_do_not_keep_a_pinned_peer_out() {
    let config = Config { strangers_half_open_max: 3, ..Config::default() };
    let mut pair = Pair::with_config(config);
    for stranger in 0..3 {
        let mut stranger =
            Node::new(&format!("stranger-{stranger}"), 50 + stranger, Config::default());
        let first = stranger.open(&pair.bob.id);
        pair.bob.receive(&first.body).unwrap();
    }
    let mut fourth = Node::new("stranger-4", 60, Config::default());
    let refused = pair.bob.receive(&fourth.open(&pair.bob.id).body).unwrap_err();
    assert_eq!(refused, NotAccepted::Refused(Refusal::Full { held: 3 }));
    assert_eq!(refused.code(), Some(ErrorCode::ServiceUnavailable));
    let first = pair.half_open(0);
    assert!(pair.bob.receive(&first.body).is_ok());
}

#[test]
fn everything_that_is_held_is_bounded() {
    let mut pair = Pair::with_config(Config { held_max: 1, ..Config::default() });
    let bob = pair.bob.id.clone();
    let _first = pair.alice.open(&bob);
    let other = "carol".parse().unwrap();
    let refused = pair.alice.with(|sessions, author| sessions.open(&other, None, author));
    assert_eq!(refused.unwrap_err(), OpenError::Full { held: 1 });
    let mut carol = Node::new("carol", 9, Config::default());
    pair.alice.pinned.insert(carol.id.clone(), carol.key.public_key());
    let refused = pair.alice.receive(&carol.open(&pair.alice.id).body).unwrap_err();
    assert_eq!(refused, NotAccepted::Refused(Refusal::Full { held: 1 }));
}

#[test]
fn strangers_who_fill_their_memory_do_not_keep_out_whom_this_side_opens_to() {
    let nonces = NonceLimits { senders_max: 2, ..NonceLimits::DEFAULT };
    let mut pair = Pair::strangers(Config { nonces, ..Config::default() });
    let mut refused = None;
    for seed in 50..53 {
        let mut stranger = Node::new(&format!("stranger-{seed}"), seed, Config::default());
        let first = stranger.open(&pair.alice.id);
        refused = pair.alice.receive(&first.body).err();
    }
    let refused = refused.expect("the third stranger finds the memory full");
    assert_eq!(refused.code(), Some(ErrorCode::RateLimited));
    let mut next = pair.alice.open(&pair.bob.id.clone());
    for step in 1..6 {
        next = answer_of(pair.sides(step).1.receive(&next.body).unwrap()).unwrap();
    }
    assert!(matches!(pair.alice.receive(&next.body), Ok(Received::Ready(_))));
}

#[test]
fn a_stranger_may_replace_its_own_handshake_where_there_is_no_room_for_another() {
    let mut pair = Pair::strangers(Config { strangers_half_open_max: 1, ..Config::default() });
    let first = pair.half_open(0);
    pair.bob.receive(&first.body).unwrap();
    pair.alice.sessions.abandon(first.session);
    pair.advance(INSTANT);
    let second = pair.half_open(0);
    assert!(pair.bob.receive(&second.body).is_ok());
    let mut other = Node::new("carol", 9, Config::default());
    let refused = pair.bob.receive(&other.open(&pair.bob.id).body).unwrap_err();
    assert_eq!(refused, NotAccepted::Refused(Refusal::Full { held: 1 }));
}
