//! Somebody stands between two peers: reads, drops, replays, redirects, writes answers, and changes what is not signed.

use std::time::Duration;

use entity_peer::command::Seal;
use entity_peer::config::{AutoConnect, Config, Flavour, Limits, Profile, Protocols, Trust};
use entity_peer::{Command, CommandError, CommandResult, Peer, PeerEvent};
use entity_wire::code::ErrorCode;
use entity_wire::kind::MessageKind;
use entity_wire::reply::{Answer, Reply};
use entity_wire::version::Version;

use crate::stranger::{bytes_of, parse};
use crate::world::{World, config, key, message, name, open, public_key};

/// A peer that opens a session before it sends.
fn opening(id: &str, protocols: Protocols) -> Config {
    Config { auto_connect: AutoConnect::Connect, ..config(id, protocols) }
}

/// Two acquainted peers.
fn pair(a: Config, b: Config) -> World {
    let mut world = World::new([a, b]);
    world.acquaint("a", "b");
    world
}

/// Sends a message that is not sealed where that is allowed; returns the version it went by, or the code of its failure.
fn send(world: &mut World, from: &str, to: &str, text: &str) -> Result<Version, ErrorCode> {
    match world.run(from, Command::Send(message(to, text))) {
        Some(Ok(CommandResult::Sent(receipt))) => Ok(receipt.version),
        Some(Err(error)) => Err(error.code()),
        other => panic!("{other:?}"),
    }
}

fn restart(world: &mut World, id: &str, protocols: Protocols) {
    let now = world.now;
    let peer = Peer::new(config(id, protocols), key(id), [99; 32], now);
    world.peers.insert(id.to_owned(), peer);
    world.introduce(id, "a", Some(public_key("a")), false);
}

fn failures(world: &World, at: &str) -> usize {
    let failed = |(peer, event): &&(String, PeerEvent)| {
        peer == at && matches!(event, PeerEvent::HandshakeFailed { .. })
    };
    world.events.iter().filter(failed).count()
}

/// How many messages of a type were delivered.
fn passed(world: &World, kind: &MessageKind) -> usize {
    let is_it = |body: &[u8]| {
        parse(body).get("msg_type").and_then(|text| text.as_str()) == Some(kind.as_str())
    };
    world.passed.iter().filter(|passed| is_it(&passed.body)).count()
}

/// Hands everything that went from one peer to another to a third one, which knows them both.
#[track_caller]
fn check_redirect(flavour: Flavour) {
    let with = |id| Config { flavour, ..config(id, Protocols::OnlyV1_0) };
    let mut world = World::new([with("a"), with("b"), with("c")]);
    world.acquaint("a", "b");
    world.introduce("c", "a", Some(public_key("a")), false);
    world.introduce("c", "b", Some(public_key("b")), false);
    open(&mut world, "a", "b");
    assert_eq!(send(&mut world, "a", "b", "sealed"), Ok(Version::V1_0));
    let plain = entity_peer::command::Send { seal: Seal::Never, ..message("a", "plain") };
    assert!(matches!(world.run("b", Command::Send(plain)), Some(Ok(_))));
    let seen: Vec<_> = world.passed.iter().map(|passed| passed.body.clone()).collect();
    assert_eq!(seen.len(), 5, "handshake, acknowledgement, confirmation and two messages");
    for body in seen {
        let reply = world.inject("c", &body);
        let answer = Answer::read(reply.status, &reply.body);
        assert_eq!((answer.status, answer.detail.as_deref()), (400, Some("Unknown recipient")));
    }
    assert_eq!(world.handled("c"), 0);
    assert!(world.peer("c").sessions().is_empty());
}

#[test]
fn whatever_a_peer_sends_by_1_0_is_refused_by_anybody_but_its_recipient() {
    check_redirect(Flavour::Iso);
    check_redirect(Flavour::Dataclass);
}

#[test]
fn a_peer_that_has_only_1_0_is_met_without_a_word_of_failure() {
    let mut world = pair(config("a", Protocols::Both), config("b", Protocols::OnlyV1_0));
    assert_eq!(open(&mut world, "a", "b").version, Version::V1_0);
    assert_eq!((failures(&world, "a"), failures(&world, "b")), (0, 0));
}

#[test]
fn a_fallback_that_fails_as_well_is_one_failure() {
    let mut world = World::new([config("a", Protocols::Both), config("b", Protocols::OnlyV1_0)]);
    world.introduce("a", "b", Some(public_key("b")), false);
    let end = world.run("a", Command::OpenSession { to: name("b") });
    assert!(matches!(end, Some(Err(_))), "b does not know a: {end:?}");
    assert_eq!(failures(&world, "a"), 1);
}

#[test]
fn after_step_2_no_answer_leads_to_1_0() {
    for steps in [2, 4] {
        let mut world = pair(config("a", Protocols::Both), config("b", Protocols::Both));
        let id = world.start("a", Command::OpenSession { to: name("b") });
        world.step(steps);
        world.forged = Some(Reply::detail(400, "Unsupported version: 1.1"));
        world.settle();
        let end = world.end_of(id);
        assert!(matches!(end, Some(Err(_))), "{steps}: {end:?}");
        assert_eq!(passed(&world, &MessageKind::Handshake), 0, "{steps}: 1.0 was never tried");
        world.advance(Duration::from_millis(1));
        assert_eq!(open(&mut world, "a", "b").version, Version::V1_1, "{steps}");
    }
}

#[test]
fn a_forged_answer_does_not_lock_out_a_peer_that_refuses_a_second_session() {
    let compat = Config { profile: Profile::Compat, ..config("b", Protocols::OnlyV1_0) };
    let mut world = pair(opening("a", Protocols::OnlyV1_0), compat);
    let session = open(&mut world, "a", "b");
    world.forged = Some(Reply::detail(400, "SESSION_EXPIRED"));
    assert_eq!(send(&mut world, "a", "b", "lost"), Err(ErrorCode::SessionExpired));
    // A new session is refused: the old one is as good as ever.
    for text in ["one", "two"] {
        assert_eq!(send(&mut world, "a", "b", text), Ok(Version::V1_0));
    }
    assert!(world.received("b").iter().all(|received| received.session == session.id));
    assert_eq!(world.handled("b"), 2);
}

#[test]
fn a_forged_answer_in_1_1_costs_a_message_and_not_the_session() {
    let mut world = pair(config("a", Protocols::OnlyV1_1), config("b", Protocols::OnlyV1_1));
    let session = open(&mut world, "a", "b");
    world.forged = Some(Reply::error(ErrorCode::SessionNotFound));
    assert_eq!(send(&mut world, "a", "b", "lost"), Err(ErrorCode::SessionNotFound));
    assert_eq!(send(&mut world, "a", "b", "one"), Ok(Version::V1_1));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.handled("b"), 1);
    assert_eq!(world.received("b")[0].session, session.id, "it has resumed");
    assert_eq!(passed(&world, &MessageKind::HandshakeInit), 1);
}

#[test]
fn a_session_outlives_forged_refusals_of_its_resumption_and_of_the_handshake_after_it() {
    let mut world = pair(config("a", Protocols::OnlyV1_1), config("b", Protocols::OnlyV1_1));
    let session = open(&mut world, "a", "b");
    world.forged = Some(Reply::error(ErrorCode::SessionNotFound));
    assert_eq!(send(&mut world, "a", "b", "lost"), Err(ErrorCode::SessionNotFound));
    world.forged = Some(Reply::error(ErrorCode::SessionNotFound));
    world.forged_next.push_back(Reply::error(ErrorCode::UnknownSender));
    assert_eq!(send(&mut world, "a", "b", "one"), Ok(Version::V1_1));
    world.advance(Duration::from_secs(1));
    assert_eq!(world.received("b")[0].session, session.id, "messages go in it as before");
    assert_eq!(passed(&world, &MessageKind::SessionResume), 0, "no resumption arrived");
    assert_eq!(passed(&world, &MessageKind::HandshakeInit), 1);
}

#[test]
fn a_raised_number_costs_the_message_after_it_and_no_more() {
    let mut world = pair(opening("a", Protocols::OnlyV1_0), config("b", Protocols::OnlyV1_0));
    open(&mut world, "a", "b");
    let plain = |text| entity_peer::command::Send { seal: Seal::Never, ..message("b", text) };
    world.unreachable.push("b".to_owned());
    let held = world.start("a", Command::Send(plain("held up")));
    let body = world.under_way().pop().expect("it is under way");
    world.settle();
    let mut changed = parse(&body);
    changed.insert("sequence_num", 1_u64 << 40);
    assert_eq!(world.inject("b", &bytes_of(&changed)).status, 200, "the number is not signed");
    world.unreachable.clear();
    world.advance(Duration::from_secs(10));
    assert!(matches!(world.end_of(held), Some(Err(_))), "its own copy is a replay");
    assert_eq!(send(&mut world, "a", "b", "next"), Err(ErrorCode::SequenceError));
    assert_eq!(send(&mut world, "a", "b", "after"), Ok(Version::V1_0));
    assert_eq!(world.handled("b"), 2);
}

#[test]
fn a_peer_that_was_given_1_1_leaves_1_0_behind() {
    let mut world = pair(opening("a", Protocols::Both), config("b", Protocols::OnlyV1_0));
    assert_eq!(open(&mut world, "a", "b").version, Version::V1_0);
    restart(&mut world, "b", Protocols::Both);
    let refused = send(&mut world, "a", "b", "sealed in a session that b has lost");
    assert_eq!(refused, Err(ErrorCode::DecryptionFailed));
    assert_eq!(send(&mut world, "a", "b", "anew"), Ok(Version::V1_1));
    assert_eq!(send(&mut world, "a", "b", "again"), Ok(Version::V1_1));
    assert_eq!(passed(&world, &MessageKind::HandshakeInit), 2, "one refused, one followed");
    assert_eq!(world.peer("a").sessions().len(), 1);
}

#[test]
fn a_session_of_1_0_is_no_way_around_a_proof_of_1_1() {
    let mut world = pair(opening("a", Protocols::Both), config("b", Protocols::OnlyV1_0));
    let before = open(&mut world, "a", "b");
    restart(&mut world, "b", Protocols::Both);
    let session = open(&mut world, "b", "a");
    assert_eq!((before.version, session.version), (Version::V1_0, Version::V1_1));
    world.run("a", Command::CloseSession { session: session.id });
    assert_eq!(send(&mut world, "a", "b", "hello"), Ok(Version::V1_1));
}

#[test]
fn a_key_given_while_a_first_meeting_goes_on_is_the_one_that_counts() {
    let trusting = Config { trust: Trust::FirstUse, ..config("a", Protocols::OnlyV1_0) };
    let mut world = World::new([trusting, config("b", Protocols::OnlyV1_0)]);
    world.introduce("a", "b", None, false);
    world.introduce("b", "a", Some(public_key("a")), false);
    let id = world.start("a", Command::OpenSession { to: name("b") });
    world.step(2);
    world.introduce("a", "b", Some(public_key("mallory")), false);
    world.settle();
    let end = world.end_of(id);
    let Some(Err(CommandError::Handshake { code, .. })) = end else { panic!("{end:?}") };
    assert_eq!(code, ErrorCode::UnknownSender);
    assert!(world.peer("a").sessions().is_empty());
    assert_eq!(world.peer("a").peer(&name("b")).unwrap().proved, None);
}

#[test]
fn strangers_leave_half_of_the_roster_to_the_operator() {
    let trusting = |id: &str, peers_max| Config {
        trust: Trust::FirstUse,
        address: Some(format!("http://{id}")),
        limits: Limits { peers_max, ..Limits::default() },
        ..config(id, Protocols::OnlyV1_1)
    };
    let mut world =
        World::new([trusting("a", 8), trusting("b", 2), trusting("c", 8), trusting("d", 8)]);
    world.introduce("a", "b", Some(public_key("b")), false);
    world.introduce("c", "b", Some(public_key("b")), false);
    open(&mut world, "a", "b");
    let end = world.run("c", Command::OpenSession { to: name("b") });
    let Some(Err(error)) = end else { panic!("{end:?}") };
    assert_eq!((error.code(), error.status()), (ErrorCode::ServiceUnavailable, Some(503)));
    assert_eq!((world.peer("b").peers().count(), world.peer("b").sessions().len()), (1, 1));
    world.introduce("b", "d", Some(public_key("d")), false);
    assert!(open(&mut world, "b", "d").sealed);
}

#[test]
fn a_clock_at_either_end_of_time_harms_nobody() {
    for protocols in [Protocols::OnlyV1_0, Protocols::OnlyV1_1] {
        for offset_us in [i64::MIN, i64::MAX] {
            let mut world = pair(opening("a", protocols), opening("b", protocols));
            open(&mut world, "a", "b");
            world.run("a", Command::SetClockOffset { offset_us });
            assert_eq!(send(&mut world, "a", "b", "then"), Err(ErrorCode::ExpiredTimestamp));
            assert_eq!(send(&mut world, "b", "a", "now"), Err(ErrorCode::ExpiredTimestamp));
            world.advance(Duration::from_secs(90));
            world.run("a", Command::SetClockOffset { offset_us: 0 });
            assert!(send(&mut world, "a", "b", "one").is_ok());
            assert!(send(&mut world, "b", "a", "two").is_ok());
            // In 1.1 the skip of the number that was lost is repeated within a minute.
            world.advance(Duration::from_mins(1));
            assert_eq!((world.handled("a"), world.handled("b")), (1, 1));
        }
    }
}

#[test]
fn a_step_replayed_a_thousand_times_brings_about_one_answer_at_a_time() {
    let mut world = pair(config("a", Protocols::OnlyV1_1), config("b", Protocols::OnlyV1_1));
    open(&mut world, "a", "b");
    let step = world.passed[0].body.clone();
    for _ in 0..1_000 {
        assert_eq!(world.inject("b", &step).status, 200);
    }
    assert_eq!(world.under_way().len(), 1);
    world.settle();
    world.inject("b", &step);
    assert_eq!(world.under_way().len(), 1, "the next replay is answered again");
}

#[test]
fn a_peer_that_asks_much_and_answers_slowly_leaves_room_for_the_others() {
    for protocols in [Protocols::OnlyV1_0, Protocols::OnlyV1_1] {
        let limits = Limits { deliveries_max: 64, ..Limits::default() };
        let small = Config { limits, ..config("b", protocols) };
        let mut world = World::new([config("a", protocols), small, config("c", protocols)]);
        world.acquaint("a", "b");
        world.acquaint("b", "c");
        if protocols == Protocols::OnlyV1_1 {
            open(&mut world, "a", "b");
        }
        world.hold_from = Some("b".to_owned());
        for _ in 0..100 {
            world.start("a", Command::QueryCapabilities { to: name("b") });
        }
        world.settle();
        assert_eq!(world.held_count(), 64 / 16, "{protocols:?}");
        world.hold_from = None;
        assert!(send(&mut world, "b", "c", "still here").is_ok(), "{protocols:?}");
    }
}

#[test]
fn a_retry_that_was_told_it_is_late_waits_for_the_acknowledgement() {
    for is_acknowledged in [true, false] {
        let mut world = pair(config("a", Protocols::OnlyV1_1), config("b", Protocols::OnlyV1_1));
        open(&mut world, "a", "b");
        world.hold_from = Some("b".to_owned());
        world.answers_lost = 1;
        let id = world.start("a", Command::Send(message("b", "once")));
        world.advance(Duration::from_secs(10));
        assert_eq!(world.end_of(id), None, "a status says nothing either way");
        if is_acknowledged {
            world.release();
            world.settle();
            assert!(matches!(world.end_of(id), Some(Ok(CommandResult::Sent(_)))));
        } else {
            world.advance(Duration::from_secs(30));
            let end = world.end_of(id);
            let Some(Err(error)) = end else { panic!("{end:?}") };
            assert_eq!(error.code(), ErrorCode::SequenceError);
        }
        assert_eq!(world.handled("b"), 1);
    }
}
