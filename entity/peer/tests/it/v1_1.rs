//! Protocol 1.1 between two peers of ours.

use std::time::Duration;

use entity_crypto::entropy::Entropy;
use entity_peer::command::Seal;
use entity_peer::config::{AutoConnect, Config, Protocols, Rate, RateLimits, SessionLimits};
use entity_peer::inbound::{Check, decode};
use entity_peer::output::CloseReason;
use entity_peer::view::Role;
use entity_peer::{Command, CommandError, CommandResult, Peer, PeerEvent};
use entity_wire::code::ErrorCode;
use entity_wire::json::{Object, Value};
use entity_wire::kind::MessageKind;
use entity_wire::reply::{Answer, Reply};
use entity_wire::version::Version;

use crate::world::{World, config, key, message, name, open, public_key};

/// Two acquainted peers that speak 1.1.
pub(crate) fn world() -> World {
    let mut world =
        World::new([config("a", Protocols::OnlyV1_1), config("b", Protocols::OnlyV1_1)]);
    world.acquaint("a", "b");
    world
}

#[track_caller]
pub(crate) fn send(world: &mut World, from: &str, to: &str, text: &str) -> (u64, Option<u64>) {
    match world.run(from, Command::Send(message(to, text))) {
        Some(Ok(CommandResult::Sent(receipt))) => {
            assert_eq!((receipt.version, receipt.sealed), (Version::V1_1, true));
            (receipt.sequence, receipt.number)
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn texts(world: &World, at: &str) -> Vec<String> {
    let text = |body: &Object| body.get("text").and_then(|text| text.as_str()).map(str::to_owned);
    world.received(at).iter().filter_map(|received| text(&received.body)).collect()
}

fn ready_events(world: &World, at: &str) -> Vec<(String, Version, Role)> {
    let ready = |(peer, event): &(String, PeerEvent)| match event {
        PeerEvent::SessionReady { id, version, role, .. } if peer == at => {
            Some((id.to_string(), *version, *role))
        }
        _ => None,
    };
    world.events.iter().filter_map(ready).collect()
}

#[test]
fn two_peers_shake_hands_and_send_a_sealed_message_each_way() {
    let mut world = world();
    let session = open(&mut world, "a", "b");
    assert_eq!((session.version, session.role), (Version::V1_1, Role::Initiator));
    assert_eq!((session.state, session.generation, session.sealed), ("ready", 0, true));
    assert_eq!(session.peer_key, Some(public_key("b")));
    for (from, to) in [("a", "b"), ("b", "a")] {
        assert_eq!(send(&mut world, from, to, "hello"), (3, Some(1)));
        let [received] = world.received(to)[..] else { panic!("one message for {to}") };
        assert_eq!((received.version, received.sealed), (Version::V1_1, true));
        assert_eq!((received.sequence, received.number), (3, Some(1)));
    }
    assert_eq!(
        ready_events(&world, "a"),
        [(session.id.to_string(), Version::V1_1, Role::Initiator)]
    );
    assert_eq!(
        ready_events(&world, "b"),
        [(session.id.to_string(), Version::V1_1, Role::Responder)]
    );
    assert_eq!(world.peer("a").peer(&name("b")).unwrap().proved, Some(Version::V1_1));
    assert!(world.passed.iter().all(|passed| passed.status == 200));
}

#[test]
fn a_message_without_a_session_opens_one_first() {
    let mut world = world();
    assert_eq!(send(&mut world, "a", "b", "first"), (3, Some(1)));
    assert_eq!(texts(&world, "b"), ["first"]);
}

#[test]
fn signatures_verified_ahead_are_judged_each_by_itself() {
    let mut world = world();
    open(&mut world, "a", "b");
    for text in ["one", "two", "three"] {
        world.start("a", Command::Send(message("b", text)));
    }
    let mut bodies: Vec<_> = world.under_way().iter().map(|body| body.to_vec()).collect();
    let signature = b"\"signature\":\"";
    let place = bodies[1].windows(signature.len()).position(|text| text == signature).unwrap();
    let first = &mut bodies[1][place + signature.len()];
    *first = if *first == b'A' { b'B' } else { b'A' };
    let now = world.now;
    let peer = world.peer("b");
    let rules = peer.decode_rules();
    let checks = bodies.iter().map(|body| peer.admit_ahead(decode(&rules, body).unwrap()).unwrap());
    let checked = Check::run_all(checks.collect());
    let codes: Vec<_> =
        checked.iter().map(|checked| checked.as_ref().err().map(|refusal| refusal.code)).collect();
    assert_eq!(codes, [None, Some(ErrorCode::InvalidSignature), None]);
    let replies = checked.into_iter().map(|checked| match checked {
        Ok(checked) => peer.handle_checked(checked, now).status,
        Err(refusal) => peer.handle_refusal(refusal).status,
    });
    assert_eq!(replies.collect::<Vec<_>>(), [200, 401, 200]);
}

#[test]
fn what_something_before_it_may_change_is_not_admitted_ahead() {
    let mut world = world();
    world.start("a", Command::OpenSession { to: name("b") });
    let [init] = &world.under_way()[..] else { panic!("step 1") };
    let init = init.clone();
    let mut is_ahead = |at: &str| {
        let peer = world.peer(at);
        peer.admit_ahead(decode(&peer.decode_rules(), &init).unwrap()).is_ok()
    };
    assert!(is_ahead("b"));
    assert!(!is_ahead("a"), "it is for somebody else");
    // The first step of a stranger, whose key counts once it is handled.
    let mut strangers = World::new([config("b", Protocols::OnlyV1_1)]);
    let peer = strangers.peer("b");
    assert!(peer.admit_ahead(decode(&peer.decode_rules(), &init).unwrap()).is_err());
}

/// Opens from `a` to `b`; returns the version of the session, or the code of the failure.
fn negotiate(a: Protocols, b: Protocols) -> Result<Version, ErrorCode> {
    let mut world = World::new([config("a", a), config("b", b)]);
    world.acquaint("a", "b");
    match world.run("a", Command::OpenSession { to: name("b") }) {
        Some(Ok(CommandResult::Session(session))) => {
            assert_eq!(world.peer("b").sessions().len(), 1);
            Ok(session.version)
        }
        Some(Err(error)) => Err(error.code()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_nine_pairs_of_versions_negotiate_as_documented() {
    use Protocols::{Both, OnlyV1_0, OnlyV1_1};
    let refused = Err(ErrorCode::InvalidVersion);
    let table = [
        (OnlyV1_0, OnlyV1_0, Ok(Version::V1_0)),
        (OnlyV1_0, OnlyV1_1, refused),
        (OnlyV1_0, Both, Ok(Version::V1_0)),
        (OnlyV1_1, OnlyV1_0, refused),
        (OnlyV1_1, OnlyV1_1, Ok(Version::V1_1)),
        (OnlyV1_1, Both, Ok(Version::V1_1)),
        (Both, OnlyV1_0, Ok(Version::V1_0)),
        (Both, OnlyV1_1, Ok(Version::V1_1)),
        (Both, Both, Ok(Version::V1_1)),
    ];
    for (a, b, expected) in table {
        assert_eq!(negotiate(a, b), expected, "{a:?} to {b:?}");
    }
}

#[test]
fn both_sides_may_open_at_once_and_get_one_session() {
    for (first, second) in [("a", "b"), ("b", "a")] {
        let mut world = world();
        let one = world.start(first, Command::OpenSession { to: name(second) });
        let other = world.start(second, Command::OpenSession { to: name(first) });
        world.settle();
        let ends = [one, other].map(|id| match world.end_of(id) {
            Some(Ok(CommandResult::Session(session))) => session.id,
            end => panic!("{end:?}"),
        });
        assert_eq!(ends[0], ends[1]);
        assert_eq!((world.peer("a").sessions().len(), world.peer("b").sessions().len()), (1, 1));
        let failed = |event: &PeerEvent| matches!(event, PeerEvent::HandshakeFailed { .. });
        assert!(!world.events.iter().any(|(_, event)| failed(event)), "nobody failed");
    }
}

#[test]
fn peers_that_connect_by_themselves_meet_once() {
    let auto = |id: &str| Config {
        auto_connect: AutoConnect::Connect,
        ..Config::new(id.parse().unwrap())
    };
    let mut world = World::new([auto("a"), auto("b")]);
    world.introduce("a", "b", Some(public_key("b")), true);
    world.settle();
    // The other side does not know us yet; it refuses, and is tried again.
    assert_eq!(ready_events(&world, "a").len(), 0);
    world.introduce("b", "a", Some(public_key("a")), true);
    world.advance(Duration::from_secs(2));
    assert_eq!(ready_events(&world, "a").len(), 1);
    assert_eq!(ready_events(&world, "b").len(), 1);
    assert_eq!(ready_events(&world, "a")[0].0, ready_events(&world, "b")[0].0);
    world.advance(Duration::from_mins(2));
    assert_eq!(ready_events(&world, "a").len(), 1);
}

#[test]
fn the_responder_may_send_the_moment_it_is_ready() {
    let mut world = world();
    let opening = world.start("a", Command::OpenSession { to: name("b") });
    world.step(3);
    let waiting = world.start("b", Command::Send(message("a", "at once")));
    world.settle();
    assert!(matches!(world.end_of(opening), Some(Ok(CommandResult::Session(_)))));
    assert!(matches!(world.end_of(waiting), Some(Ok(CommandResult::Sent(_)))));
    assert_eq!(texts(&world, "a"), ["at once"]);
    assert!(world.passed.iter().all(|passed| passed.status == 200), "nothing came too early");
}

#[test]
fn closing_a_session_closes_it_on_both_sides() {
    let mut world = world();
    let session = open(&mut world, "a", "b");
    let closed = world.run("a", Command::CloseSession { session: session.id.clone() });
    assert_eq!(closed, Some(Ok(CommandResult::Done)));
    for (at, peer, reason) in
        [("a", "b", CloseReason::Closed), ("b", "a", CloseReason::ClosedByPeer)]
    {
        let event = PeerEvent::SessionClosed { id: session.id.clone(), peer: name(peer), reason };
        assert!(world.events.contains(&(at.to_owned(), event)), "{at}");
        assert!(world.peer(at).sessions().is_empty(), "{at}");
    }
    let again = world.run("a", Command::CloseSession { session: session.id.clone() });
    assert_eq!(again, Some(Err(CommandError::UnknownSession { session: session.id })));
    assert_eq!(send(&mut world, "a", "b", "anew"), (3, Some(1)));
}

#[test]
fn a_peer_that_forgot_the_session_gets_a_new_one() {
    let mut world = world();
    open(&mut world, "a", "b");
    restart(&mut world, "b", Protocols::OnlyV1_1);
    world.introduce("b", "a", Some(public_key("a")), false);
    let lost = world.run("a", Command::Send(message("b", "lost")));
    let Some(Err(error)) = lost else { panic!("{lost:?}") };
    assert_eq!((error.code(), error.status()), (ErrorCode::SessionNotFound, Some(404)));
    assert_eq!(send(&mut world, "a", "b", "found"), (3, Some(1)));
    assert_eq!(texts(&world, "b"), ["found"]);
}

/// Ends a peer and starts one with the same key and other randomness.
fn restart(world: &mut World, id: &str, protocols: Protocols) {
    let now = world.now;
    let peer = Peer::new(config(id, protocols), key(id), [99; 32], now);
    world.peers.insert(id.to_owned(), peer);
}

#[test]
fn a_peer_whose_key_has_proved_1_1_is_not_spoken_to_in_1_0() {
    let mut world = World::new([config("a", Protocols::Both), config("b", Protocols::Both)]);
    world.acquaint("a", "b");
    let session = open(&mut world, "a", "b");
    assert_eq!(session.version, Version::V1_1);
    world.run("a", Command::CloseSession { session: session.id });
    restart(&mut world, "b", Protocols::OnlyV1_0);
    world.introduce("b", "a", Some(public_key("a")), false);
    let end = world.run("a", Command::OpenSession { to: name("b") });
    let Some(Err(CommandError::Refused { status, detail, .. })) = end else { panic!("{end:?}") };
    assert_eq!((status, detail.as_str()), (400, "Unsupported version: 1.1"));

    let end = world.run("b", Command::OpenSession { to: name("a") });
    let Some(Err(CommandError::Refused { status, detail, .. })) = end else { panic!("{end:?}") };
    assert_eq!((status, detail.as_str()), (400, "Unsupported version: 1.0"));
}

#[test]
fn a_forged_refusal_of_1_1_ends_in_1_1_all_the_same() {
    let mut world = World::new([config("a", Protocols::Both), config("b", Protocols::Both)]);
    world.acquaint("a", "b");
    world.forged = Some(Reply::detail(400, "Unsupported version: 1.1"));
    let session = open(&mut world, "a", "b");
    assert_eq!(session.version, Version::V1_1);
    let downgraded = world.passed.iter().filter(|passed| passed.status == 400).count();
    assert_eq!(downgraded, 1, "b refused to speak 1.0 with a peer that has 1.1");
}

#[test]
fn questions_are_asked_in_the_session() {
    let mut world = world();
    let ping = world.run("a", Command::Ping { to: name("b") });
    assert!(matches!(ping, Some(Ok(CommandResult::RoundTrip(_)))), "{ping:?}");
    let query = world.run("a", Command::QueryCapabilities { to: name("b") });
    let Some(Ok(CommandResult::Capabilities(capabilities))) = query else { panic!("{query:?}") };
    assert_eq!(capabilities.get("protocol_version").and_then(|text| text.as_str()), Some("1.1"));
    let never = entity_peer::command::Send { seal: Seal::Never, ..message("b", "in the clear") };
    let refused = world.run("a", Command::Send(never));
    assert!(matches!(refused, Some(Err(CommandError::Sealing { .. }))), "{refused:?}");
}

#[test]
fn a_message_longer_than_a_peer_takes_is_not_sent_and_does_not_block_the_next() {
    let mut world = world();
    open(&mut world, "a", "b");
    let long = "x".repeat(8 * 1024 * 1024);
    let refused = world.run("a", Command::Send(message("b", &long)));
    assert!(matches!(refused, Some(Err(CommandError::TooLarge { .. }))), "{refused:?}");
    send(&mut world, "a", "b", "short");
    world.advance(Duration::from_secs(1));
    assert_eq!(texts(&world, "b"), ["short"]);
}

#[test]
fn a_message_whose_answer_was_lost_is_confirmed_by_its_acknowledgement() {
    let mut world = world();
    open(&mut world, "a", "b");
    world.answers_lost = 1;
    let id = world.start("a", Command::Send(message("b", "once")));
    world.settle();
    assert_eq!(world.end_of(id), None, "the first attempt had no answer");
    world.advance(Duration::from_secs(5));
    assert!(matches!(world.end_of(id), Some(Ok(CommandResult::Sent(_)))));
    assert_eq!(texts(&world, "b"), ["once"]);
}

#[test]
fn what_a_peer_refuses_it_refuses_with_its_code() {
    let mut world = world();
    open(&mut world, "a", "b");
    let body = world.passed.last().unwrap().body.clone();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let check = |world: &mut World, changed: &[u8], code: ErrorCode| {
        let reply = world.inject("b", changed);
        let answer = Answer::read(reply.status, &reply.body);
        assert_eq!((answer.status, answer.code), (code.status(), Some(code)));
        assert!(answer.detail.is_some(), "a 1.0 peer reads the detail");
    };
    // The last message went from b to a: its sender is not whom b hears.
    check(&mut world, &body, ErrorCode::UnknownRecipient);
    let session_of_a = world.passed.iter().rev().nth(1).unwrap().body.clone();
    let to_b = String::from_utf8(session_of_a.to_vec()).unwrap();
    check(
        &mut world,
        to_b.replace("\"sender_id\":\"a\"", "\"sender_id\":\"x\"").as_bytes(),
        ErrorCode::UnknownSender,
    );
    // Nobody speaks in our own name, not even where the operator has put it into the roster.
    world.introduce("b", "b", Some(public_key("b")), false);
    check(
        &mut world,
        to_b.replace("\"sender_id\":\"a\"", "\"sender_id\":\"b\"").as_bytes(),
        ErrorCode::UnknownSender,
    );
    check(
        &mut world,
        to_b.replace("\"sequence_num\":2", "\"sequence_num\":3").as_bytes(),
        ErrorCode::InvalidSignature,
    );
    check(
        &mut world,
        to_b.replace("\"sequence_num\":2", "\"sequence_num\":2.0").as_bytes(),
        ErrorCode::InvalidMessage,
    );
    check(
        &mut world,
        to_b.replace("\"payload\":{", "\"payload\":{\"a\":1,\"a\":1,").as_bytes(),
        ErrorCode::InvalidMessage,
    );
    check(&mut world, b"{", ErrorCode::InvalidMessage);
    check(
        &mut world,
        text.replace("\"version\":\"1.1\"", "\"version\":\"1.0\"").as_bytes(),
        ErrorCode::InvalidVersion,
    );
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    check(
        &mut world,
        to_b.replace("\"payload\":{", &format!("\"payload\":{{\"a\":{deep},")).as_bytes(),
        ErrorCode::InvalidMessage,
    );
    let long = vec![b' '; 1024 * 1024 + 1];
    check(&mut world, &long, ErrorCode::MessageTooLarge);
}

#[test]
fn a_rate_limited_sender_is_told_when_to_come_back() {
    let rate_limits = RateLimits::uniform(Rate::per_second(6, 1));
    let limited = Config { rate_limits, ..config("b", Protocols::OnlyV1_1) };
    let mut world = World::new([config("a", Protocols::OnlyV1_1), limited]);
    world.acquaint("a", "b");
    open(&mut world, "a", "b");
    for text in ["1", "2", "3"] {
        send(&mut world, "a", "b", text);
    }
    let id = world.start("a", Command::Send(message("b", "4")));
    world.settle();
    assert_eq!(world.passed.last().unwrap().status, 429);
    world.advance(Duration::from_secs(2));
    assert!(matches!(world.end_of(id), Some(Ok(CommandResult::Sent(_)))), "it came back in time");
    assert_eq!(texts(&world, "b"), ["1", "2", "3", "4"]);
}

#[test]
fn an_expired_session_is_opened_again_where_one_is_to_be_kept() {
    let mut world =
        World::new([config("a", Protocols::OnlyV1_1), config("b", Protocols::OnlyV1_1)]);
    world.introduce("b", "a", Some(public_key("a")), false);
    world.introduce("a", "b", Some(public_key("b")), true);
    world.settle();
    assert_eq!(ready_events(&world, "a").len(), 1);
    world.advance(Duration::from_mins(61));
    assert_eq!(ready_events(&world, "a").len(), 2);
    assert_eq!(world.peer("a").sessions().len(), 1);
}

#[test]
fn a_session_that_ended_earlier_on_the_other_side_gives_way_to_a_new_one() {
    let mut short = config("b", Protocols::OnlyV1_1);
    let hour = Duration::from_hours(1);
    short.sessions = SessionLimits::new(hour, Duration::from_secs(2)).unwrap();
    let mut world = World::new([config("a", Protocols::OnlyV1_1), short]);
    world.acquaint("a", "b");
    let first = open(&mut world, "a", "b").id;
    send(&mut world, "a", "b", "in time");
    world.advance(Duration::from_secs(2));
    assert!(world.peer("b").sessions().is_empty());
    assert_eq!(world.peer("a").sessions()[0].id, first, "nobody told it");

    let late = world.run("a", Command::Send(message("b", "too late"))).expect("it ends");
    let Err(refused) = late else { panic!("{late:?}") };
    assert_eq!(refused.code(), ErrorCode::SessionNotFound);
    send(&mut world, "a", "b", "in the next one");
    world.advance(Duration::from_secs(1));
    assert_eq!(texts(&world, "b"), ["in time", "in the next one"]);
    let mut ready = |at| {
        let ready =
            world.peer(at).sessions().into_iter().filter(|session| session.state == "ready");
        ready.map(|session| session.id).collect::<Vec<_>>()
    };
    assert_eq!((ready("a").len(), ready("a")), (1, ready("b")));
    assert_ne!(ready("a"), [first]);
}

/// Sends messages both ways in bad weather, and returns how many were confirmed.
#[track_caller]
fn storm(seed: u8) -> usize {
    let auto =
        |id: &str| Config { auto_connect: AutoConnect::Connect, ..config(id, Protocols::OnlyV1_1) };
    let mut world = World::new([auto("a"), auto("b")]);
    world.acquaint("a", "b");
    world.weather = Some(Entropy::from_seed([seed; 32]));
    let mut sent = Vec::new();
    for number in 0..40 {
        let (from, to) = if number % 2 == 0 { ("a", "b") } else { ("b", "a") };
        let text = format!("{number}");
        let id = world.start(from, Command::Send(message(to, &text)));
        sent.push((id, to, text));
        world.advance(Duration::from_millis(700));
    }
    world.advance(Duration::from_mins(3));
    let mut confirmed = 0;
    for (id, to, text) in sent {
        let end = world.end_of(id).unwrap_or_else(|| panic!("seed {seed}: {text} has an end"));
        let arrived = texts(&world, to).iter().filter(|said| **said == text).count();
        assert!(arrived <= 1, "seed {seed}: {text} arrived {arrived} times");
        if matches!(end, Ok(CommandResult::Sent(_))) {
            assert_eq!(arrived, 1, "seed {seed}: {text} was confirmed");
            confirmed += 1;
        }
    }
    for at in ["a", "b"] {
        for session in world.received(at).chunk_by(|one, next| one.session == next.session) {
            let numbers: Vec<u64> = session.iter().filter_map(|received| received.number).collect();
            assert!(numbers.is_sorted(), "seed {seed}: {numbers:?}");
        }
    }
    confirmed
}

#[test]
fn in_bad_weather_every_command_ends_and_messages_are_handled_once_in_order() {
    let confirmed: usize = (1..=30).map(storm).sum();
    assert!(confirmed > 30 * 40 / 2, "{confirmed} of {}", 30 * 40);
}

#[test]
fn what_no_peer_would_take_does_not_leave_and_takes_no_number() {
    let mut world = world();
    open(&mut world, "a", "b");
    let passed = world.passed.len();
    let nested =
        |depth: usize| (1..depth).fold(Object::new(), |inner, _| Object::new().with("x", inner));
    let mut bad = vec![message("b", ""), message("b", ""), message("b", "")];
    bad[0].body = Object::new().with("price", Value::float(1.5));
    bad[1].body = nested(32);
    bad[2].body = Object::new().with("text", "x".repeat(8 * 1024 * 1024));
    for kind in ["session_close", "ack", "handshake", "handshake_init", "session_resume", ""] {
        let mut own = message("b", "");
        own.kind = MessageKind::from_text(kind);
        bad.push(own);
    }
    let mut long = message("b", "");
    long.kind = MessageKind::from_text(&"k".repeat(65));
    bad.push(long);
    for message in bad {
        let shown = format!("{:?} {:?}", message.kind, message.body.len());
        let end = world.run("a", Command::Send(message));
        let Some(Err(error)) = end else { panic!("{shown}: {end:?}") };
        let codes = [ErrorCode::InvalidMessage, ErrorCode::MessageTooLarge];
        assert!(codes.contains(&error.code()), "{shown}: {error}");
    }
    assert_eq!(world.passed.len(), passed, "nothing left");
    let mut deepest = message("b", "");
    deepest.body = nested(31);
    assert!(matches!(world.run("a", Command::Send(deepest)), Some(Ok(_))));
    assert_eq!(send(&mut world, "a", "b", "fine"), (4, Some(2)), "no number was lost");
}
