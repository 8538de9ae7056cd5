//! Commands, their ends, and what happens when the other side does not play along.

use std::time::Duration;

use entity_peer::command::{AddPeer, Receipt};
use entity_peer::config::{AutoConnect, Config, Limits, Liveness, Profile, Trust};
use entity_peer::output::{CloseReason, FailureKind, Request};
use entity_peer::view::{Health, KeyTrust, SessionName};
use entity_peer::{Command, CommandError, CommandResult, Output, Peer, PeerEvent};
use entity_wire::code::ErrorCode;
use entity_wire::kind::MessageKind;
use entity_wire::version::Version;

use crate::handshake::config;
use crate::world::{World, key, message, name, public_key};

fn pair() -> World {
    let mut world = World::new([config("a"), config("b")]);
    world.acquaint("a", "b");
    world
}

fn connected() -> World {
    let mut world = pair();
    world.run("a", Command::OpenSession { to: name("b") }).unwrap().unwrap();
    world
}

#[track_caller]
fn receipt(end: Option<Result<CommandResult, CommandError>>) -> Receipt {
    let Some(Ok(CommandResult::Sent(receipt))) = end else { panic!("{end:?}") };
    receipt
}

#[track_caller]
fn error(end: Option<Result<CommandResult, CommandError>>) -> CommandError {
    let Some(Err(error)) = end else { panic!("{end:?}") };
    error
}

#[test]
fn a_message_is_tried_three_times_with_the_same_bytes() {
    let mut world = connected();
    world.unreachable.push("b".to_owned());
    let id = world.start("a", Command::Send(message("b", "hello")));
    world.advance(Duration::from_millis(2_999));
    assert_eq!(world.end_of(id), None);
    world.advance(Duration::from_millis(1));
    let error = error(world.end_of(id));
    assert_eq!(error, CommandError::Unreachable { kind: FailureKind::Refused });
    assert_eq!((error.code(), error.status()), (ErrorCode::ServiceUnavailable, None));
}

#[test]
fn a_peer_that_comes_back_in_time_gets_the_message_once() {
    let mut world = connected();
    world.unreachable.push("b".to_owned());
    let id = world.start("a", Command::Send(message("b", "hello")));
    world.advance(Duration::from_millis(500));
    world.unreachable.clear();
    world.advance(Duration::from_secs(1));
    assert_eq!(receipt(world.end_of(id)).sequence, 2);
    assert_eq!(world.handled("b"), 1);
}

#[test]
fn an_answer_that_got_lost_does_not_deliver_twice() {
    let mut world = connected();
    receipt(world.run("a", Command::Send(message("b", "hello"))));
    let body = world.passed.last().unwrap().body.clone();
    assert_eq!(world.inject("b", &body).status, 200);
    assert_eq!(world.handled("b"), 1);
}

#[test]
fn a_handshake_has_one_attempt_and_says_what_went_wrong() {
    let mut world = pair();
    world.unreachable.push("b".to_owned());
    let refused = error(world.run("a", Command::OpenSession { to: name("b") }));
    assert_eq!(refused, CommandError::Unreachable { kind: FailureKind::Refused });
    assert!(world.peer("a").sessions().is_empty());

    let mut world = World::new([config("a"), config("b")]);
    world.introduce("a", "b", Some(public_key("b")), false);
    let refused = error(world.run("a", Command::OpenSession { to: name("b") }));
    assert_eq!((refused.code(), refused.status()), (ErrorCode::UnknownSender, Some(400)));
    let CommandError::Refused { detail, .. } = refused else { panic!("{refused:?}") };
    assert_eq!(detail, "Unknown sender: a");
}

#[test]
fn a_handshake_that_is_never_acknowledged_ends_after_30_s() {
    let mut world = pair();
    // `b` answers 200 and cannot reach `a`.
    world.unreachable.push("a".to_owned());
    let id = world.start("a", Command::OpenSession { to: name("b") });
    world.advance(Duration::from_millis(29_999));
    assert_eq!(world.end_of(id), None);
    world.advance(Duration::from_millis(1));
    assert_eq!(error(world.end_of(id)), CommandError::TimedOut { what: "the handshake" });
    assert!(world.peer("a").sessions().is_empty());
    assert!(world.peer("b").sessions().is_empty(), "the responder forgets the session");
}

#[test]
fn a_session_that_is_kept_is_tried_for_again_until_it_is_there() {
    let mut world = World::new([config("a"), config("b")]);
    world.introduce("b", "a", Some(public_key("a")), false);
    world.unreachable.push("b".to_owned());
    world.introduce("a", "b", Some(public_key("b")), true);
    world.advance(Duration::from_secs(20));
    let failures = |world: &World| {
        let failed = |event: &PeerEvent| matches!(event, PeerEvent::HandshakeFailed { .. });
        world.events.iter().filter(|(_, event)| failed(event)).count()
    };
    // At 0 s, and then after 0.25, 0.5, 1, 2, 4 and 8 s.
    assert_eq!(failures(&world), 7);
    world.unreachable.clear();
    world.advance(Duration::from_secs(16));
    assert_eq!(world.peer("a").sessions().len(), 1);
    assert_eq!(failures(&world), 7);
}

#[test]
fn a_session_that_is_kept_is_opened_anew_when_it_expires() {
    let mut world = World::new([config("a"), config("b")]);
    world.introduce("b", "a", Some(public_key("a")), false);
    world.introduce("a", "b", Some(public_key("b")), true);
    world.settle();
    let first = world.peer("a").sessions()[0].id.clone();
    world.advance(Duration::from_secs(3_601));
    let [session] = &world.peer("a").sessions()[..] else { panic!("one session") };
    assert_ne!(session.id, first);
    assert_eq!(session.state, "ready");
    let reasons: Vec<_> = world
        .events
        .iter()
        .filter_map(|(at, event)| match event {
            PeerEvent::SessionClosed { reason, .. } if at == "a" => Some(*reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [CloseReason::Expired]);
}

#[test]
fn a_session_past_its_age_refuses_what_is_sent_in_it() {
    let mut world = connected();
    world.advance(Duration::from_mins(50));
    let id = world.start("a", Command::Send(message("b", "in time")));
    world.settle();
    receipt(world.end_of(id));
    let body = world.passed.last().unwrap().body.clone();
    world.advance(Duration::from_mins(11));
    assert_eq!(world.inject("b", &body).status, 400);
    assert_eq!(world.peer("b").sessions()[0].state, "expired");
}

#[test]
fn a_peer_that_lost_the_session_is_met_anew() {
    let auto = |id| Config { auto_connect: AutoConnect::Connect, ..config(id) };
    let mut world = World::new([auto("a"), auto("b")]);
    world.acquaint("a", "b");
    world.run("a", Command::OpenSession { to: name("b") }).unwrap().unwrap();
    let now = world.now;
    world.peers.insert("b".to_owned(), Peer::new(auto("b"), key("b"), [9; 32], now));
    world.introduce("b", "a", Some(public_key("a")), false);
    // What is sealed in the lost session cannot be opened. The sender learns it, and starts anew with the next message.
    let refused = error(world.run("a", Command::Send(message("b", "lost"))));
    assert_eq!(refused.code(), ErrorCode::DecryptionFailed);
    let sent = receipt(world.run("a", Command::Send(message("b", "found"))));
    assert!(sent.sealed);
    assert_eq!(world.handled("b"), 1);
}

#[test]
fn a_closed_session_is_gone() {
    let mut world = connected();
    let session = world.peer("a").sessions()[0].id.clone();
    let closed = world.run("a", Command::CloseSession { session: session.clone() });
    assert_eq!(closed, Some(Ok(CommandResult::Done)));
    assert!(world.peer("a").sessions().is_empty());
    let unknown = error(world.run("a", Command::CloseSession { session: session.clone() }));
    assert_eq!(unknown, CommandError::UnknownSession { session });
}

#[test]
fn a_ping_measures_the_way_there_and_back() {
    let mut world = connected();
    let end = world.run("a", Command::Ping { to: name("b") });
    assert_eq!(end, Some(Ok(CommandResult::RoundTrip(Duration::ZERO))));
    assert_eq!(world.received("b")[0].kind, MessageKind::Ping);
}

#[test]
fn capabilities_are_asked_for_and_remembered() {
    let mut world = connected();
    let end = world.run("a", Command::QueryCapabilities { to: name("b") });
    let Some(Ok(CommandResult::Capabilities(report))) = end else { panic!("{end:?}") };
    assert_eq!(report.get("entity_id").and_then(|id| id.as_str()), Some("b"));
    assert_eq!(world.peer("a").capabilities(&name("b")), Some(&report));
}

#[test]
fn a_query_that_nobody_answers_ends_after_10_s() {
    let mut world = World::new([config("a"), config("b")]);
    world.acquaint("a", "b");
    world.unreachable.push("a".to_owned());
    let id = world.start("a", Command::QueryCapabilities { to: name("b") });
    world.advance(Duration::from_millis(9_999));
    assert_eq!(world.end_of(id), None);
    world.advance(Duration::from_millis(1));
    assert_eq!(error(world.end_of(id)), CommandError::TimedOut { what: "the capabilities" });
}

#[test]
fn a_stranger_is_no_peer() {
    let mut world = World::new([config("a")]);
    let expected = CommandError::UnknownPeer { name: name("b") };
    for command in [
        Command::OpenSession { to: name("b") },
        Command::Send(message("b", "hello")),
        Command::Ping { to: name("b") },
        Command::QueryCapabilities { to: name("b") },
    ] {
        assert_eq!(error(world.run("a", command)), expected);
    }
}

#[test]
fn a_key_is_never_replaced() {
    let mut world = pair();
    let peer = AddPeer {
        name: name("b"),
        address: "http://elsewhere".to_owned(),
        key: Some(public_key("mallory")),
        connect: None,
    };
    let refused = error(world.run("a", Command::AddPeer(peer)));
    assert_eq!(refused, CommandError::KeyMismatch { name: name("b") });
    let view = world.peer("a").peer(&name("b")).unwrap();
    assert_eq!((view.key, view.address.as_str()), (Some(public_key("b")), "http://b"));
}

#[test]
fn the_roster_is_bounded() {
    let limits = Limits { peers_max: 1, ..Limits::default() };
    let mut world = World::new([Config { limits, ..config("a") }]);
    world.introduce("a", "b", None, false);
    let peer = AddPeer { name: name("c"), address: String::new(), key: None, connect: None };
    let refused = error(world.run("a", Command::AddPeer(peer)));
    assert_eq!(refused, CommandError::Overloaded { limit: "peers_max" });
}

#[test]
fn what_waits_for_a_session_is_bounded() {
    let limits = Limits { waiting_per_peer_max: 1, ..Limits::default() };
    let mut world = World::new([Config { limits, ..config("a") }, config("b")]);
    world.acquaint("a", "b");
    let first = world.start("a", Command::OpenSession { to: name("b") });
    let second = world.start("a", Command::OpenSession { to: name("b") });
    let refused = error(world.end_of(second));
    assert_eq!(refused, CommandError::Overloaded { limit: "waiting_per_peer_max" });
    world.settle();
    assert!(matches!(world.end_of(first), Some(Ok(CommandResult::Session(_)))));
}

#[test]
fn what_is_under_way_is_bounded() {
    let limits = Limits { deliveries_max: 1, ..Limits::default() };
    let mut world = World::new([Config { limits, ..config("a") }, config("b")]);
    world.acquaint("a", "b");
    let first = world.start("a", Command::Send(message("b", "1")));
    let second = world.start("a", Command::Send(message("b", "2")));
    let refused = error(world.end_of(second));
    assert_eq!(refused, CommandError::Overloaded { limit: "deliveries_max" });
    world.settle();
    receipt(world.end_of(first));
    assert_eq!(world.peer("a").queue_stats().discarded, 1);
}

#[test]
fn a_message_too_large_is_not_sent() {
    let mut world = connected();
    let refused = error(world.run("a", Command::Send(message("b", &"x".repeat(8 << 20)))));
    assert_eq!(refused.code(), ErrorCode::MessageTooLarge);
    assert_eq!(world.handled("b"), 0);
    receipt(world.run("a", Command::Send(message("b", "small"))));
}

#[test]
fn a_command_can_be_withdrawn_while_it_waits() {
    let mut world = pair();
    let waiting = world.start("a", Command::OpenSession { to: name("b") });
    let cancel = world.start("a", Command::Cancel { command: waiting });
    assert_eq!(world.end_of(cancel), Some(Ok(CommandResult::Done)));
    assert_eq!(world.end_of(waiting), Some(Err(CommandError::Cancelled)));
    world.settle();
    assert_eq!(world.end_of(waiting), None, "a command ends once");
}

#[test]
fn a_command_can_be_withdrawn_while_its_message_is_under_way() {
    let mut world = connected();
    for command in [
        Command::Send(message("b", "hello")),
        Command::Ping { to: name("b") },
        Command::QueryCapabilities { to: name("b") },
    ] {
        let waiting = world.start("a", command);
        let cancel = world.start("a", Command::Cancel { command: waiting });
        assert_eq!(world.end_of(cancel), Some(Ok(CommandResult::Done)));
        assert_eq!(world.end_of(waiting), Some(Err(CommandError::Cancelled)));
        world.settle();
        assert_eq!(world.end_of(waiting), None, "a command ends once");
    }
    assert_eq!(world.handled("b"), 3);
}

#[test]
fn handshakes_are_limited_after_they_are_authenticated() {
    let mut world = pair();
    let limited = |world: &World| {
        world.events.iter().any(|(at, event)| {
            let code = ErrorCode::RateLimited;
            at == "b"
                && matches!(event, PeerEvent::MessageRefused { code: other, .. } if *other == code)
        })
    };
    for _ in 0..100 {
        world.run("a", Command::OpenSession { to: name("b") }).unwrap().unwrap();
        let session = world.peer("a").sessions()[0].id.clone();
        world.run("a", Command::CloseSession { session }).unwrap().unwrap();
    }
    assert!(!limited(&world));
    let refused = error(world.run("a", Command::OpenSession { to: name("b") }));
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    assert!(limited(&world));
}

#[test]
fn a_handshake_that_cannot_be_answered_does_not_end_our_own() {
    // The larger key gives way to the smaller one, but only to a handshake that goes on.
    let (small, large) = if public_key("a").as_bytes() < public_key("b").as_bytes() {
        ("a", "b")
    } else {
        ("b", "a")
    };
    let mut world = pair();
    let id = world.start(large, Command::OpenSession { to: name(small) });
    let mut stranger = crate::stranger::Stranger::new(small, key(small));
    let offer = entity_wire::payload::handshake_1_0::Handshake {
        session_id: stranger.session.clone(),
        challenge: entity_wire::payload::handshake_1_0::Challenge::from_bytes(&[5; 32]),
        public_key: public_key("mallory"),
        supported_versions: Vec::new(),
        capabilities: Vec::new(),
        sealing: None,
    };
    let draft = stranger.draft(MessageKind::Handshake, offer.to_object(), 1, world.now);
    assert_eq!(world.inject(large, &stranger.sign(&draft)).status, 200);
    world.settle();
    let end = world.end_of(id);
    assert!(matches!(end, Some(Ok(CommandResult::Session(_)))), "{end:?}");
}

#[test]
fn a_handshake_that_crosses_ours_is_answered_where_ours_leads_nowhere() {
    // The earlier peer knows no rule for two handshakes at once: it may never follow ours, but waits for an answer to its own.
    for (ours, other) in [("a", "b"), ("b", "a")] {
        let mut world = pair();
        // It takes our handshake, and does nothing.
        world.forged = Some(entity_wire::reply::Reply::received(
            other,
            entity_wire::reply::Verification::Passed,
        ));
        world.start(ours, Command::OpenSession { to: name(other) });
        world.settle();
        let mut stranger = crate::stranger::Stranger::new(other, key(other));
        let offer = entity_wire::payload::handshake_1_0::Handshake {
            session_id: stranger.session.clone(),
            challenge: entity_wire::payload::handshake_1_0::Challenge::from_bytes(&[5; 32]),
            public_key: public_key(other),
            supported_versions: Vec::new(),
            capabilities: Vec::new(),
            sealing: None,
        };
        let draft = stranger.draft(MessageKind::Handshake, offer.to_object(), 1, world.now);
        assert_eq!(world.inject(ours, &stranger.sign(&draft)).status, 200);
        world.advance(Duration::from_secs(2));
        let acknowledged = |passed: &crate::world::Passed| {
            let body = crate::stranger::parse(&passed.body);
            body.get("sender_id").and_then(|id| id.as_str()) == Some(ours)
                && body.get("msg_type").and_then(|kind| kind.as_str()) == Some("handshake_ack")
                && body.get("session_id").and_then(|id| id.as_str()) == Some(&stranger.session)
        };
        assert!(world.passed.iter().any(acknowledged), "{ours} never answered");
    }
}

#[test]
fn a_query_ends_once_even_where_its_message_fails_later() {
    let mut world = connected();
    world.unreachable.push("b".to_owned());
    let blocking = world.start("a", Command::Send(message("b", "first")));
    let query = world.start("a", Command::QueryCapabilities { to: name("b") });
    world.advance(Duration::from_mins(1));
    error(world.end_of(blocking));
    error(world.end_of(query));
}

#[test]
fn messages_of_a_session_are_under_way_one_at_a_time_and_in_order() {
    let mut world = connected();
    let ids: Vec<_> =
        ["1", "2", "3"].map(|text| world.start("a", Command::Send(message("b", text)))).into();
    assert_eq!(world.peer("a").queue_stats().size, 1);
    world.settle();
    let sequences: Vec<_> = ids.into_iter().map(|id| receipt(world.end_of(id)).sequence).collect();
    assert_eq!(sequences, [2, 3, 4]);
    let texts: Vec<_> = world
        .received("b")
        .iter()
        .filter_map(|received| received.body.get("text")?.as_str())
        .collect();
    assert_eq!(texts, ["1", "2", "3"]);
}

#[test]
fn a_message_that_waits_for_its_turn_goes_out_with_the_time_of_its_turn() {
    let mut world = connected();
    world.unreachable.push("b".to_owned());
    let ids: Vec<_> = (0..30)
        .map(|number| world.start("a", Command::Send(message("b", &number.to_string()))))
        .collect();
    // Each of the first 29 takes 3 s to fail: the last one would be stale if it had been stamped at the beginning.
    world.advance(Duration::from_secs(87) - Duration::from_micros(1));
    world.unreachable.clear();
    world.advance(Duration::from_secs(10));
    let ends: Vec<_> = ids.into_iter().map(|id| world.end_of(id).unwrap().is_ok()).collect();
    assert_eq!(ends.iter().filter(|is_ok| **is_ok).count(), 2, "{ends:?}");
    assert!(ends[28] && ends[29]);
}

#[test]
fn a_wrong_clock_is_refused_and_a_right_one_is_not() {
    let mut world = connected();
    let offset_us = 61_000_000;
    world.run("a", Command::SetClockOffset { offset_us }).unwrap().unwrap();
    let refused = error(world.run("a", Command::Send(message("b", "late"))));
    assert_eq!(refused.code(), ErrorCode::ExpiredTimestamp);
    assert_eq!(world.handled("b"), 0);
    world.run("a", Command::SetClockOffset { offset_us: -59_000_000 }).unwrap().unwrap();
    receipt(world.run("a", Command::Send(message("b", "in time"))));
}

#[test]
fn the_first_key_is_pinned_when_the_handshake_is_complete() {
    let trusting = |id| Config { trust: Trust::FirstUse, ..config(id) };
    let mut world = World::new([trusting("a"), trusting("b")]);
    world.introduce("a", "b", None, false);
    world.introduce("b", "a", None, false);
    world.run("a", Command::OpenSession { to: name("b") }).unwrap().unwrap();
    for (at, other) in [("a", "b"), ("b", "a")] {
        let view = world.peer(at).peer(&name(other)).unwrap();
        assert_eq!((view.key, view.trust), (Some(public_key(other)), KeyTrust::FirstUse));
        assert_eq!(view.proved, Some(Version::V1_0));
    }
    receipt(world.run("b", Command::Send(message("a", "hello"))));
}

#[test]
fn without_trust_on_first_use_a_peer_without_a_key_is_not_met() {
    let mut world = World::new([config("a"), config("b")]);
    world.introduce("a", "b", None, false);
    world.introduce("b", "a", None, false);
    let refused = error(world.run("a", Command::OpenSession { to: name("b") }));
    assert_eq!(refused, CommandError::NoKey { name: name("b") });
}

#[test]
fn an_unfinished_handshake_pins_nothing() {
    let trusting = |id| Config { trust: Trust::FirstUse, ..config(id) };
    let mut world = World::new([trusting("a"), trusting("b")]);
    world.introduce("a", "b", None, false);
    world.introduce("b", "a", None, false);
    world.unreachable.push("a".to_owned());
    world.start("a", Command::OpenSession { to: name("b") });
    world.advance(Duration::from_secs(31));
    assert_eq!(world.peer("b").peer(&name("a")).unwrap().key, None);
}

#[test]
fn an_established_session_locks_a_new_one_out_in_compat_alone() {
    for (profile, expected) in [(Profile::Compat, Some(400)), (Profile::Hardened, None)] {
        let mut world = World::new([config("a"), Config { profile, ..config("b") }]);
        world.acquaint("a", "b");
        world.run("a", Command::OpenSession { to: name("b") }).unwrap().unwrap();
        let now = world.now;
        world.peers.insert("a".to_owned(), Peer::new(config("a"), key("a"), [9; 32], now));
        world.introduce("a", "b", Some(public_key("b")), false);
        let end = world.run("a", Command::OpenSession { to: name("b") }).unwrap();
        assert_eq!(end.err().and_then(|error| error.status()), expected, "{profile:?}");
    }
}

#[test]
fn counters_tell_what_happened() {
    let mut world = connected();
    receipt(world.run("a", Command::Send(message("b", "hello"))));
    world.unreachable.push("b".to_owned());
    let id = world.start("a", Command::Send(message("b", "lost")));
    world.advance(Duration::from_secs(10));
    error(world.end_of(id));
    let now = world.now;
    let stats = world.peer("a").stats().next().unwrap().1.clone();
    // The handshake, its confirmation and two messages were sent; the acknowledgement was received.
    assert_eq!((stats.messages_sent, stats.messages_received), (4, 1));
    assert_eq!((stats.deliveries_successful, stats.deliveries_failed), (3, 1));
    assert_eq!(stats.last_error.as_deref(), Some("get an answer: Refused"));
    assert!(stats.last_seen.is_some_and(|seen| seen < now));
    let queue = world.peer("a").queue_stats();
    assert_eq!((queue.size, queue.queued, queue.sent, queue.failed), (0, 4, 3, 1));
}

#[test]
fn three_failed_probes_make_a_peer_unhealthy_and_one_answer_healthy() {
    let now = World::new([]).now;
    let probing = Config { liveness: Liveness::Probe, ..config("a") };
    let mut peer = Peer::new(probing, key("a"), [1; 32], now);
    let entry = AddPeer {
        name: name("b"),
        address: "http://b".to_owned(),
        key: None,
        connect: Some(false),
    };
    peer.handle_command(entity_peer::CommandId(1), Command::AddPeer(entry), now);
    let mut health = Vec::new();
    let failed = |kind| entity_peer::Delivery::Failed { kind };
    let late = || failed(FailureKind::TimedOut);
    let lives = entity_peer::Delivery::Answered { status: 200, body: Vec::new().into() };
    // Where nobody was asked nobody is said to be dead or alive.
    for answer in
        [late(), late(), failed(FailureKind::Unasked), late(), failed(FailureKind::Unasked), lives]
    {
        let due = peer.next_deadline().unwrap();
        peer.handle_deadline(due);
        while let Some(output) = peer.poll_output() {
            let Output::Transmit(transmit) = output else { continue };
            assert_eq!(
                (&transmit.request, transmit.timeout),
                (&Request::Health, Duration::from_secs(5))
            );
            peer.handle_delivery(transmit.id, answer.clone(), due);
        }
        health.push(peer.peer(&name("b")).unwrap().health);
    }
    let [unknown, dead] = [Health::Unknown, Health::Unhealthy];
    assert_eq!(health, [unknown, unknown, unknown, dead, dead, Health::Healthy]);
    assert_eq!(peer.next_deadline(), Some(now.plus(Duration::from_secs(210))));
}

#[test]
fn the_inbox_is_read_from_where_one_left() {
    let mut world = connected();
    for text in ["1", "2", "3"] {
        receipt(world.run("a", Command::Send(message("b", text))));
    }
    let read = |world: &mut World, after| -> Vec<u64> {
        world.peer("b").inbox(None, after).filter_map(|received| received.index).collect()
    };
    assert_eq!(read(&mut world, 0), [1, 2, 3]);
    assert_eq!(read(&mut world, 2), [3]);
    assert_eq!(world.peer("b").inbox(Some(&name("c")), 0).count(), 0);
    assert_ne!(world.received("b")[0].session, SessionName(String::new()));
}
