//! Trust on first use in 1.1: `docs/protocol/1.1.md#trust-on-first-use`.

use entity_peer::config::{Config, Protocols, Trust};
use entity_peer::view::KeyTrust;
use entity_peer::{Command, PeerEvent};
use entity_wire::code::ErrorCode;

use crate::v1_1::send;
use crate::world::{World, config, key, name, open, public_key};

/// A peer that trusts on first use.
fn trusting(id: &str) -> Config {
    Config {
        trust: Trust::FirstUse,
        address: Some(format!("http://{id}")),
        ..config(id, Protocols::Both)
    }
}

#[test]
fn a_key_shown_in_a_completed_handshake_is_pinned_on_first_use() {
    let mut world = World::new([trusting("a"), trusting("b")]);
    world.introduce("a", "b", None, false);
    world.introduce("b", "a", None, false);
    assert_eq!(world.peer("a").peer(&name("b")).unwrap().key, None);
    open(&mut world, "a", "b");
    for (at, other) in [("a", "b"), ("b", "a")] {
        let entry = world.peer(at).peer(&name(other)).unwrap();
        assert_eq!((entry.key, entry.trust), (Some(public_key(other)), KeyTrust::FirstUse));
        let pinned = PeerEvent::KeyPinned { peer: name(other), key: public_key(other) };
        assert!(world.events.contains(&(at.to_owned(), pinned)));
    }
}

#[test]
fn a_stranger_that_names_its_address_is_answered_there_and_joins_the_roster() {
    let mut world = World::new([trusting("a"), trusting("b")]);
    world.introduce("a", "b", None, false);
    open(&mut world, "a", "b");
    let entry = world.peer("b").peer(&name("a")).unwrap();
    assert_eq!((entry.address.as_str(), entry.key), ("http://a", Some(public_key("a"))));
    assert_eq!(entry.trust, KeyTrust::FirstUse);
    assert_eq!(send(&mut world, "b", "a", "welcome"), (3, Some(1)));
}

#[test]
fn a_stranger_is_refused_where_keys_are_pinned_or_no_address_is_known() {
    let nowhere = Config { address: None, ..trusting("a") };
    for (a, b) in [(trusting("a"), config("b", Protocols::Both)), (nowhere, trusting("b"))] {
        let mut world = World::new([a, b]);
        world.introduce("a", "b", Some(public_key("b")), false);
        let end = world.run("a", Command::OpenSession { to: name("b") });
        let Some(Err(error)) = end else { panic!("{end:?}") };
        assert_eq!((error.code(), error.status()), (ErrorCode::UnknownSender, Some(401)));
        assert_eq!(world.peer("b").peers().count(), 0);
    }
}

#[test]
fn a_key_is_never_replaced_by_first_use() {
    let mut world = World::new([trusting("a"), trusting("b")]);
    world.introduce("a", "b", None, false);
    world.introduce("b", "a", Some(key("mallory").public_key()), false);
    let end = world.run("a", Command::OpenSession { to: name("b") });
    let Some(Err(error)) = end else { panic!("{end:?}") };
    assert_eq!((error.code(), error.status()), (ErrorCode::InvalidSignature, Some(401)));
    let entry = world.peer("b").peer(&name("a")).unwrap();
    assert_eq!(entry.key, Some(key("mallory").public_key()));
}
