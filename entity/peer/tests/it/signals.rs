//! Signals of life: heartbeats, waking, errors, and what silence brings about.

use std::time::Duration;

use entity_peer::command::Send;
use entity_peer::config::{Config, Heartbeat, Liveness, Protocols};
use entity_peer::view::{CircuitState, Health};
use entity_peer::{Command, CommandError, CommandResult, PeerEvent};
use entity_wire::code::ErrorCode;
use entity_wire::json::{Object, Value};

use entity_wire::kind::MessageKind;
use entity_wire::payload::error::ErrorReport;

use crate::world::{World, config, message, name, open};

const SECOND: Duration = Duration::from_secs(1);

fn acquainted(protocols: Protocols) -> World {
    let mut world = World::new([config("a", protocols), config("b", protocols)]);
    world.acquaint("a", "b");
    world
}

fn beating(id: &str, protocols: Protocols) -> Config {
    let heartbeat = Heartbeat::every(3 * SECOND, 3);
    Config { liveness: Liveness::Probe, heartbeat, ..config(id, protocols) }
}

fn health_events(world: &World, at: &str) -> Vec<bool> {
    let health = |event: &PeerEvent| match event {
        PeerEvent::HealthChanged { healthy, .. } => Some(*healthy),
        _ => None,
    };
    world.events.iter().filter(|(id, _)| id == at).filter_map(|(_, event)| health(event)).collect()
}

#[test]
fn a_peer_that_falls_silent_is_noticed_within_ten_seconds_and_its_return_too() {
    for protocols in [Protocols::OnlyV1_1, Protocols::OnlyV1_0] {
        let mut world = World::lively([beating("a", protocols), beating("b", protocols)]);
        world.acquaint("a", "b");
        open(&mut world, "a", "b");
        world.advance(20 * SECOND);
        assert_eq!(health_events(&world, "a"), [true; 0], "{protocols:?}");
        world.unreachable.extend(["a".to_owned(), "b".to_owned()]);
        world.advance(10 * SECOND);
        assert_eq!(health_events(&world, "a"), [false], "{protocols:?}");
        world.unreachable.clear();
        world.advance(10 * SECOND);
        assert_eq!(health_events(&world, "a"), [false, true], "{protocols:?}");
    }
}

#[test]
fn an_answer_that_nobody_signed_is_no_sign_of_life_in_a_session_of_1_1() {
    let mut world =
        World::lively([beating("a", Protocols::OnlyV1_1), config("b", Protocols::OnlyV1_1)]);
    world.acquaint("a", "b");
    open(&mut world, "a", "b");
    world.advance(SECOND);
    // Somebody between answers 200 to everything, and b hears and says nothing.
    world.forged_always = Some(entity_wire::reply::Reply::detail(200, ""));
    world.advance(13 * SECOND);
    assert_eq!(world.peer("a").peer(&name("b")).unwrap().health, Health::Unhealthy);
}

#[test]
fn a_heartbeat_is_counted_and_reaches_no_inbox() {
    let mut world =
        World::lively([beating("a", Protocols::OnlyV1_1), config("b", Protocols::OnlyV1_1)]);
    world.acquaint("a", "b");
    open(&mut world, "a", "b");
    let before = world.peer("b").stats().next().unwrap().1.messages_received;
    world.advance(10 * SECOND);
    let after = world.peer("b").stats().next().unwrap().1.messages_received;
    assert_eq!((after - before, world.handled("b")), (3, 0));
}

#[test]
fn five_failures_in_a_row_open_the_circuit_and_the_peers_return_closes_it() {
    let mut world = acquainted(Protocols::OnlyV1_0);
    open(&mut world, "a", "b");
    world.unreachable.push("b".to_owned());
    let circuit = |world: &mut World| world.peer("a").peer(&name("b")).unwrap().circuit;
    for count in 0..5 {
        assert_eq!(circuit(&mut world), CircuitState::Closed, "after {count}");
        let id = world.start("a", Command::Send(message("b", "lost")));
        // Three attempts, after 1 s and 2 s more.
        world.advance(3 * SECOND);
        let end = world.end_of(id);
        assert!(matches!(end, Some(Err(CommandError::Unreachable { .. }))), "{end:?}");
    }
    assert_eq!(circuit(&mut world), CircuitState::Open);
    let end = world.run("a", Command::Send(message("b", "not tried")));
    let Some(Err(error @ CommandError::CircuitOpen { .. })) = end else { panic!("{end:?}") };
    assert!(error.retry_after().unwrap() <= SECOND);
    assert_eq!(error.code(), ErrorCode::ServiceUnavailable);
    // A durable one waits instead.
    let end = world.run("a", Command::SendDurable(message("b", "kept")));
    assert!(matches!(end, Some(Ok(CommandResult::Kept(_)))), "{end:?}");
    world.unreachable.clear();
    world.advance(40 * SECOND);
    assert_eq!(circuit(&mut world), CircuitState::Closed);
    assert_eq!(world.handled("b"), 1);
    let end = world.run("a", Command::Send(message("b", "tried")));
    assert!(matches!(end, Some(Ok(CommandResult::Sent(_)))), "{end:?}");
}

#[test]
fn a_refusal_opens_no_circuit() {
    let mut world = acquainted(Protocols::OnlyV1_0);
    open(&mut world, "a", "b");
    for _ in 0..10 {
        world.forged = Some(entity_wire::reply::Reply::detail(404, "Not Found"));
        let end = world.run("a", Command::Send(message("b", "refused")));
        assert!(matches!(end, Some(Err(CommandError::Refused { status: 404, .. }))), "{end:?}");
    }
    let circuit = world.peer("a").peer(&name("b")).unwrap().circuit;
    assert_eq!(circuit, CircuitState::Closed);
}

#[test]
fn a_woken_peer_says_that_it_is_awake_and_asks_what_the_other_can_do() {
    for protocols in [Protocols::OnlyV1_1, Protocols::OnlyV1_0] {
        let mut world = acquainted(protocols);
        open(&mut world, "a", "b");
        let wake = Command::Wake { to: name("b"), reason: "work".to_owned() };
        assert_eq!(world.run("a", wake), Some(Ok(CommandResult::Done)));
        let kinds = |world: &World, at| -> Vec<String> {
            world.received(at).iter().map(|received| received.kind.as_str().to_owned()).collect()
        };
        assert_eq!(kinds(&world, "b"), ["wake_up", "capability_response"]);
        assert_eq!(kinds(&world, "a"), ["wake_up_ack", "capability_query"]);
        let ack = world.received("a")[0].body.clone();
        assert_eq!(ack.get("acknowledged").and_then(Value::as_bool), Some(true));
        assert_eq!(ack.get("reason").and_then(|value| value.as_str()), Some("work"));
        assert!(world.peer("b").capabilities(&name("a")).is_some());
    }
}

#[test]
fn nobody_waits_for_ever_for_a_sleeper() {
    let mut world = acquainted(Protocols::OnlyV1_1);
    open(&mut world, "a", "b");
    world.hold_from = Some("b".to_owned());
    let wake = |reason: &str| Command::Wake { to: name("b"), reason: reason.to_owned() };
    let late = world.start("a", wake("late"));
    let withdrawn = world.start("a", wake("withdrawn"));
    world.run("a", Command::Cancel { command: withdrawn });
    assert_eq!(world.end_of(withdrawn), Some(Err(CommandError::Cancelled)));
    world.advance(11 * SECOND);
    assert!(matches!(world.end_of(late), Some(Err(CommandError::TimedOut { .. }))));
    let too_long = world.run("a", wake(&"x".repeat(1_025)));
    assert!(matches!(too_long, Some(Err(CommandError::Malformed { .. }))));
}

fn report(message: &str) -> ErrorReport {
    let (code, message) = ("TRANSFER_REFUSED".to_owned(), message.to_owned());
    ErrorReport { code, message, original_message_id: Some("7".to_owned()) }
}

#[test]
fn the_last_hundred_errors_are_kept() {
    let mut world = acquainted(Protocols::OnlyV1_1);
    open(&mut world, "a", "b");
    for number in 1..=103 {
        let command = Command::NotifyError { to: name("b"), report: report(&number.to_string()) };
        let end = world.run("a", command);
        assert!(matches!(end, Some(Ok(CommandResult::Sent(_)))), "{end:?}");
    }
    let errors: Vec<_> = world.peer("b").errors().cloned().collect();
    assert_eq!((errors.len(), errors[0].index, errors[99].index), (100, 4, 103));
    assert_eq!((errors[0].from.as_str(), errors[0].code.as_str()), ("a", "TRANSFER_REFUSED"));
    assert_eq!((errors[0].message.as_str(), errors[0].original.as_deref()), ("4", Some("7")));
}

#[test]
fn an_error_is_never_answered_with_an_error() {
    let mut world = acquainted(Protocols::OnlyV1_1);
    open(&mut world, "a", "b");
    let send = |kind| Send::new(name("b"), kind, Object::new().with("nonsense", true));
    world.run("a", Command::Send(send(MessageKind::WakeUp)));
    assert_eq!(world.peer("a").errors().count(), 1, "nonsense is answered with an error");
    world.run("a", Command::Send(send(MessageKind::Error)));
    assert_eq!(world.peer("a").errors().count(), 1, "an error that is nonsense is not");
    assert_eq!(world.peer("b").errors().count(), 0);
    let too_long = Command::NotifyError { to: name("b"), report: report(&"x".repeat(1_025)) };
    assert!(matches!(world.run("a", too_long), Some(Err(CommandError::Malformed { .. }))));
}
