//! Durable messages: kept, sent until they are acknowledged, handled once and in order.

use std::time::Duration;

use entity_crypto::entropy::Entropy;
use entity_peer::command::{Seal, Send};
use entity_peer::config::{Config, Protocols};
use entity_peer::output::Received;
use entity_peer::view::KeptState;
use entity_peer::{Command, CommandError, CommandResult, PeerEvent};

use crate::world::{Crash, World, config, message, name, open};

const SECOND: Duration = Duration::from_secs(1);

/// Two peers that know each other, without a session.
fn acquainted(protocols: Protocols) -> World {
    let mut world = World::new([config("a", protocols), config("b", protocols)]);
    world.acquaint("a", "b");
    world
}

#[track_caller]
fn keep(world: &mut World, text: &str) {
    let end = world.run("a", Command::SendDurable(message("b", text)));
    assert!(matches!(end, Some(Ok(CommandResult::Kept(_)))), "{end:?}");
}

/// What reached the handler of `b`, in order.
fn texts(world: &World) -> Vec<String> {
    let received = world.received("b");
    received
        .iter()
        .filter_map(|received| Some(received.body.get("text")?.as_str()?.to_owned()))
        .collect()
}

fn acknowledged(world: &World) -> usize {
    let is_it = |event: &PeerEvent| matches!(event, PeerEvent::MessageAcknowledged { .. });
    world.events.iter().filter(|(at, event)| at == "a" && is_it(event)).count()
}

#[test]
fn a_durable_message_is_done_when_it_is_kept_and_gone_when_it_is_acknowledged() {
    let mut world = acquainted(Protocols::OnlyV1_1);
    open(&mut world, "a", "b");
    keep(&mut world, "one");
    assert_eq!(texts(&world), ["one"]);
    let kept: Vec<_> = world.peer("a").kept().collect();
    assert_eq!((kept.len(), kept[0].state, kept[0].attempts), (1, KeptState::Sent, 1));
    assert_eq!(
        (world.record_count("a", "outbox"), world.record_count("a", "outbox.place")),
        (1, 1)
    );
    world.advance(2 * SECOND);
    assert_eq!((acknowledged(&world), world.peer("a").kept_count()), (1, 0));
    assert_eq!(
        (world.record_count("a", "outbox"), world.record_count("a", "outbox.place")),
        (0, 0)
    );
    assert_eq!(world.received("b")[0].durable.map(|_| ()), Some(()));
    world.advance(100 * SECOND);
    assert_eq!(texts(&world), ["one"]);
}

#[test]
fn what_is_kept_for_somebody_absent_arrives_in_order_when_he_is_back() {
    for protocols in [Protocols::OnlyV1_1, Protocols::OnlyV1_0] {
        let mut world = acquainted(protocols);
        world.unreachable.push("b".to_owned());
        let sent: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        for text in &sent {
            keep(&mut world, text);
        }
        world.advance(300 * SECOND);
        assert_eq!(texts(&world), [""; 0]);
        world.unreachable.clear();
        world.advance(100 * SECOND);
        assert_eq!(texts(&world), sent, "{protocols:?}");
        assert_eq!((acknowledged(&world), world.peer("a").kept_count()), (20, 0));
    }
}

/// Whoever was away opens the session again, perhaps from another place, while attempts to reach him where he was may still be under way.
#[track_caller]
fn check_return(protocols: Protocols, away: u32, hangs: bool) {
    let mut world = acquainted(protocols);
    open(&mut world, "a", "b");
    world.unreachable.push("b".to_owned());
    keep(&mut world, "before");
    world.advance(away * SECOND);
    if hangs {
        world.unreachable.clear();
        world.hold_from = Some("a".to_owned());
        world.advance(40 * SECOND);
    }
    world.restart("b");
    world.unreachable.clear();
    world.hold_from = None;
    open(&mut world, "b", "a");
    keep(&mut world, "after");
    world.advance(2 * SECOND);
    assert_eq!(texts(&world), ["before", "after"], "{protocols:?}, away {away} s, {hangs}");
}

#[test]
fn whoever_comes_back_gets_at_once_what_waits_for_him_and_what_is_sent_then() {
    for away in [1, 3, 7, 15, 40, 100, 300] {
        for hangs in [false, true] {
            check_return(Protocols::OnlyV1_1, away, hangs);
        }
    }
}

/// Who was away for long, says nothing when he is back, and does not know the session any more, answers the next attempt. That answer shows
/// that he is there: the pause that grew while he was away does not come a second time.
#[test]
fn whoever_answers_that_the_session_is_unknown_gets_at_once_what_waits_for_him() {
    for away in [3, 7, 15, 40, 100] {
        let mut world = acquainted(Protocols::OnlyV1_1);
        open(&mut world, "a", "b");
        world.unreachable.push("b".to_owned());
        keep(&mut world, "one");
        world.advance(away * SECOND);
        world.restart("b");
        world.unreachable.clear();
        let refused = |world: &World| {
            let is_it = |event: &PeerEvent| matches!(event, PeerEvent::MessageRefused { .. });
            world.events.iter().any(|(at, event)| at == "b" && is_it(event))
        };
        while !refused(&world) {
            world.advance(SECOND);
        }
        world.advance(SECOND);
        assert_eq!(texts(&world), ["one"], "away {away} s");
    }
}

#[test]
fn a_lost_message_is_sent_again_after_two_seconds_under_its_number() {
    let mut world = acquainted(Protocols::OnlyV1_1);
    open(&mut world, "a", "b");
    world.unreachable.push("b".to_owned());
    keep(&mut world, "one");
    world.unreachable.clear();
    world.advance(SECOND * 9 / 10);
    assert_eq!(texts(&world), [""; 0]);
    world.advance(2 * SECOND);
    assert_eq!(texts(&world), ["one"]);
    assert_eq!(world.received("b")[0].number, Some(1));
    world.advance(3 * SECOND);
    assert_eq!(acknowledged(&world), 1);
}

#[test]
fn a_full_queue_says_which_limit_is_reached() {
    type Change = fn(&mut Config);
    let cases: [(Change, &str); 4] = [
        (|config| config.limits.durable_messages_per_peer_max = 2, "durable_messages_per_peer_max"),
        (|config| config.limits.durable_bytes_per_peer_max = 22, "durable_bytes_per_peer_max"),
        (|config| config.limits.durable_messages_max = 2, "durable_messages_max"),
        (|config| config.limits.durable_bytes_max = 22, "durable_bytes_max"),
    ];
    for (change, limit) in cases {
        let mut strict = config("a", Protocols::OnlyV1_1);
        change(&mut strict);
        let mut world = World::new([strict, config("b", Protocols::OnlyV1_1)]);
        world.acquaint("a", "b");
        world.unreachable.push("b".to_owned());
        keep(&mut world, "");
        keep(&mut world, "");
        let end = world.run("a", Command::SendDurable(message("b", "")));
        assert_eq!(end, Some(Err(CommandError::Overloaded { limit })));
        assert_eq!(world.record_count("a", "outbox"), 2);
        world.unreachable.clear();
        world.advance(60 * SECOND);
        keep(&mut world, "");
        world.restart("a");
        world.advance(60 * SECOND);
        assert_eq!(texts(&world), ["", "", ""]);
    }
}

#[test]
fn what_no_peer_would_take_is_refused_before_it_is_kept() {
    let mut world = acquainted(Protocols::OnlyV1_1);
    let floating = Send {
        body: entity_wire::json::Object::new().with("x", entity_wire::json::Value::float(0.5)),
        ..message("b", "")
    };
    let end = world.run("a", Command::SendDurable(floating));
    assert!(matches!(end, Some(Err(CommandError::Malformed { .. }))), "{end:?}");
    let end = world.run("a", Command::SendDurable(message("b", &"x".repeat(512 << 10))));
    assert!(matches!(end, Some(Err(CommandError::TooLarge { .. }))), "{end:?}");
    let end = world.run("a", Command::SendDurable(message("nobody", "")));
    assert!(matches!(end, Some(Err(CommandError::UnknownPeer { .. }))), "{end:?}");
    assert_eq!(world.record_count("a", "outbox"), 0);
}

#[test]
fn a_message_that_1_0_refuses_for_good_is_given_up_and_the_next_one_goes() {
    let mut world = acquainted(Protocols::OnlyV1_0);
    world.forged = Some(entity_wire::reply::Reply::detail(404, "Not Found"));
    keep(&mut world, "refused");
    keep(&mut world, "taken");
    assert_eq!(texts(&world), ["taken"]);
    let given_up =
        world.events.iter().filter(|(_, event)| matches!(event, PeerEvent::MessageGivenUp { .. }));
    assert_eq!((given_up.count(), acknowledged(&world)), (1, 1));
}

#[test]
fn nothing_is_lost_or_repeated_across_a_new_session() {
    let mut world = acquainted(Protocols::OnlyV1_1);
    let session = open(&mut world, "a", "b");
    keep(&mut world, "one");
    // It arrived, and its acknowledgement never will.
    world.run("a", Command::CloseSession { session: session.id });
    assert_eq!(texts(&world), ["one"]);
    world.advance(60 * SECOND);
    assert_eq!(texts(&world), ["one"]);
    assert_eq!((acknowledged(&world), world.peer("a").kept_count()), (1, 0));
}

#[test]
fn a_forgotten_peer_takes_what_waits_for_it_along() {
    let mut world = acquainted(Protocols::OnlyV1_1);
    world.unreachable.push("b".to_owned());
    keep(&mut world, "one");
    let end = world.run("a", Command::RemovePeer { name: name("b") });
    assert_eq!(end, Some(Ok(CommandResult::Done)));
    for space in ["outbox", "outbox.place", "roster", "inbox.seen"] {
        assert_eq!(world.record_count("a", space), 0, "{space}");
    }
    world.advance(100 * SECOND);
    assert_eq!(world.peer("a").kept_count(), 0);
}

/// Sends messages through bad weather with crashes on both sides, and returns what arrived and how many ended.
fn through_everything(seed: u8, count: usize) -> (Vec<String>, usize) {
    let mut world = acquainted(Protocols::OnlyV1_1);
    let mut dice = Entropy::from_seed([seed; 32]);
    world.weather = Some(Entropy::from_seed([seed.wrapping_add(1); 32]));
    let mut kept = 0;
    for number in 0..count {
        let [chance, after, who] = dice.bytes::<3>();
        if chance < 128 {
            let id = if who < 128 { "a" } else { "b" };
            let crash = Crash { after: usize::from(after % 4), keeps_batch: after >= 128 };
            world.crash = Some((id.to_owned(), crash));
        }
        let before = world.peer("a").kept_count();
        let id = world.start("a", Command::SendDurable(message("b", &number.to_string())));
        // A command whose end nobody heard of may have been done or not: both are right.
        let is_done = world.end_of(id).is_some();
        if is_done || world.record_count("a", "outbox") > before {
            kept += 1;
        }
        world.advance(SECOND * u32::from(after % 8));
        world.crash = None;
    }
    world.weather = None;
    world.advance(1_000 * SECOND);
    assert_eq!(world.peer("a").kept_count(), 0, "seed {seed}");
    // The inbox survives; an event that was about to be told when the power went does not.
    let inbox = world.peer("b").inbox(None, 0);
    let text = |received: &Received| Some(received.body.get("text")?.as_str()?.to_owned());
    (inbox.filter_map(text).collect(), kept)
}

#[test]
fn each_message_is_handled_once_and_in_order_through_loss_repetition_and_crashes() {
    for seed in 0..100 {
        let (texts, kept) = through_everything(seed, 12);
        let numbers: Vec<u32> = texts.iter().map(|text| text.parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "seed {seed}: {numbers:?}");
        assert_eq!(numbers.len(), kept, "seed {seed}: {numbers:?}");
    }
}

#[test]
fn after_a_restart_nothing_of_1_0_is_handled_again() {
    let mut world = acquainted(Protocols::OnlyV1_0);
    open(&mut world, "a", "b");
    let end = world.run("a", Command::Send(message("b", "once")));
    assert!(matches!(end, Some(Ok(CommandResult::Sent(_)))), "{end:?}");
    let seen = world.passed.last().unwrap().body.clone();
    world.advance(SECOND);
    world.restart("b");
    let reply = world.inject("b", &seen);
    assert_eq!((reply.status, world.handled("b")), (400, 1));
    let since = Send { seal: Seal::Never, ..message("b", "signed since") };
    let end = world.run("a", Command::Send(since));
    assert!(matches!(end, Some(Ok(CommandResult::Sent(_)))), "{end:?}");
    assert_eq!(world.handled("b"), 2);
}
