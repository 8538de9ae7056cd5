//! Sessions of protocol 1.0 between two peers of ours.

use std::time::Duration;

use entity_peer::command::Seal;
use entity_peer::config::{AutoConnect, Config, Flavour, Profile, Protocols, SessionSealing};
use entity_peer::view::Role;
use entity_peer::{Command, CommandResult, PeerEvent};

use crate::world::{World, message, name};

pub(crate) fn config(id: &str) -> Config {
    Config {
        protocols: Protocols::OnlyV1_0,
        auto_connect: AutoConnect::OnCommand,
        ..Config::new(id.parse().unwrap())
    }
}

/// Opens a session from `a` to `b` and sends a message each way.
#[track_caller]
fn check(a: Config, b: Config, expected_sealed: bool) {
    let mut world = World::new([a, b]);
    world.acquaint("a", "b");
    let opened = world.run("a", Command::OpenSession { to: name("b") });
    let Some(Ok(CommandResult::Session(session))) = opened else { panic!("{opened:?}") };
    assert_eq!((session.role, session.state), (Role::Initiator, "ready"));
    assert_eq!(session.sealed, expected_sealed);
    let views = ["a", "b"].map(|id| world.peer(id).sessions());
    assert_eq!((views[0].len(), views[1].len()), (1, 1));
    assert_eq!(views[0][0].id, views[1][0].id);
    for (from, to) in [("a", "b"), ("b", "a")] {
        let sent = world.run(from, Command::Send(message(to, "hello")));
        let Some(Ok(CommandResult::Sent(receipt))) = sent else { panic!("{sent:?}") };
        assert_eq!((receipt.sequence, receipt.sealed), (2, expected_sealed));
        assert_eq!(receipt.session, session.id);
        let [received] = world.received(to)[..] else { panic!("one message for {to}") };
        assert_eq!(received.body.get("text").and_then(|text| text.as_str()), Some("hello"));
        assert_eq!((received.sequence, received.sealed), (2, expected_sealed));
    }
    assert!(world.passed.iter().all(|passed| passed.status == 200));
}

#[test]
fn two_peers_shake_hands_and_send_a_signed_message_each_way() {
    let plain = |id| Config { session_sealing: SessionSealing::Declined, ..config(id) };
    check(plain("a"), plain("b"), false);
}

#[test]
fn two_peers_shake_hands_and_send_a_sealed_message_each_way() {
    check(config("a"), config("b"), true);
}

#[test]
fn sealing_needs_both_sides() {
    let plain = |id| Config { session_sealing: SessionSealing::Declined, ..config(id) };
    check(plain("a"), config("b"), false);
    check(config("a"), plain("b"), false);
}

#[test]
fn flavours_and_profiles_mix() {
    for (profile, other) in [
        (Profile::Hardened, Profile::Compat),
        (Profile::Compat, Profile::Hardened),
        (Profile::Compat, Profile::Compat),
    ] {
        for (flavour, back) in
            [(Flavour::Iso, Flavour::Dataclass), (Flavour::Dataclass, Flavour::Iso)]
        {
            let a = Config { profile, flavour, ..config("a") };
            let b = Config { profile: other, flavour: back, ..config("b") };
            check(a, b, true);
        }
    }
}

#[test]
fn peers_that_are_to_connect_meet_by_themselves_once_both_know_each_other() {
    let mut world = World::new([config("a"), config("b")]);
    world.introduce("a", "b", Some(crate::world::public_key("b")), true);
    world.advance(Duration::from_millis(100));
    assert!(world.peer("a").sessions().is_empty());
    world.introduce("b", "a", Some(crate::world::public_key("a")), true);
    world.settle();
    let views = ["a", "b"].map(|id| world.peer(id).sessions());
    assert_eq!((views[0].len(), views[1].len()), (1, 1), "{views:?}");
    assert_eq!(views[0][0].id, views[1][0].id);
}

#[test]
fn two_handshakes_at_once_make_one_session() {
    let mut world = World::new([config("a"), config("b")]);
    world.acquaint("a", "b");
    let ids = [("a", "b"), ("b", "a")]
        .map(|(from, to)| world.start(from, Command::OpenSession { to: name(to) }));
    world.settle();
    for id in ids {
        let end = world.end_of(id);
        assert!(matches!(end, Some(Ok(CommandResult::Session(_)))), "{end:?}");
    }
    let views = ["a", "b"].map(|id| world.peer(id).sessions());
    assert_eq!((views[0].len(), views[1].len()), (1, 1), "{views:?}");
    assert_eq!(views[0][0].id, views[1][0].id);
}

#[test]
fn a_message_to_a_peer_without_a_session_opens_one_first() {
    let auto = |id| Config { auto_connect: AutoConnect::Connect, ..config(id) };
    let mut world = World::new([auto("a"), auto("b")]);
    world.acquaint("a", "b");
    let sent = world.run("a", Command::Send(message("b", "hello")));
    let Some(Ok(CommandResult::Sent(receipt))) = sent else { panic!("{sent:?}") };
    assert!(receipt.sealed);
    assert_eq!(world.handled("b"), 1);
}

#[test]
fn without_a_session_messages_are_numbered_from_1() {
    let mut world = World::new([config("a"), config("b")]);
    world.acquaint("a", "b");
    for expected in [1, 2, 3] {
        let sent = world.run("a", Command::Send(message("b", "hello")));
        let Some(Ok(CommandResult::Sent(receipt))) = sent else { panic!("{sent:?}") };
        assert_eq!((receipt.sequence, receipt.sealed), (expected, false));
    }
    assert_eq!(world.handled("b"), 3);
}

#[test]
fn a_payload_can_be_sealed_without_a_session() {
    let mut world = World::new([config("a"), config("b")]);
    world.acquaint("a", "b");
    let sealed = entity_peer::command::Send { seal: Seal::Require, ..message("b", "hello") };
    let sent = world.run("a", Command::Send(sealed));
    let Some(Ok(CommandResult::Sent(receipt))) = sent else { panic!("{sent:?}") };
    assert!(receipt.sealed);
    let [received] = world.received("b")[..] else { panic!("one message") };
    assert!(received.sealed);
    assert_eq!(received.body.get("text").and_then(|text| text.as_str()), Some("hello"));
}

#[test]
fn a_peer_that_restarted_may_start_anew() {
    let mut world = World::new([config("a"), config("b")]);
    world.acquaint("a", "b");
    world.run("a", Command::OpenSession { to: name("b") }).unwrap().unwrap();
    let now = world.now;
    let restarted = entity_peer::Peer::new(config("a"), crate::world::key("a"), [9; 32], now);
    world.peers.insert("a".to_owned(), restarted);
    world.introduce("a", "b", Some(crate::world::public_key("b")), false);
    world.run("a", Command::OpenSession { to: name("b") }).unwrap().unwrap();
    world.run("a", Command::Send(message("b", "hello"))).unwrap().unwrap();
    assert_eq!(world.handled("b"), 1);
    let replaced = world
        .events
        .iter()
        .any(|(at, event)| at == "b" && matches!(event, PeerEvent::SessionClosed { .. }));
    assert!(replaced);
}
