//! Sessions that survive: kept across restarts of either side, resumed before anything else is tried, renewed on command
//! and when their keys are used up.

use std::time::Duration;

use entity_peer::command::Send;
use entity_peer::config::{Config, Protocols, RenewalLimits, Trust};
use entity_peer::{Command, CommandError, CommandResult, PeerEvent};
use entity_wire::code::ErrorCode;
use entity_wire::kind::MessageKind;
use entity_wire::reply::Reply;

use crate::world::{World, config, message, name, open};

const SECOND: Duration = Duration::from_secs(1);

fn pair_with(renewal: RenewalLimits) -> World {
    let with = |id| Config { renewal, ..config(id, Protocols::OnlyV1_1) };
    let mut world = World::new([with("a"), with("b")]);
    world.acquaint("a", "b");
    world
}

fn pair() -> World {
    pair_with(RenewalLimits::default())
}

/// How many messages of a type were delivered.
fn passed(world: &World, kind: &MessageKind) -> usize {
    let field = format!("\"msg_type\":\"{kind}\"");
    let is_it = |body: &[u8]| String::from_utf8_lossy(body).contains(&field);
    world.passed.iter().filter(|passed| is_it(&passed.body)).count()
}

fn resumed(world: &World, at: &str) -> Vec<(String, u16)> {
    let event = |(peer, event): &(String, PeerEvent)| match event {
        PeerEvent::SessionResumed { id, generation, .. } if peer == at => {
            Some((id.0.clone(), *generation))
        }
        _ => None,
    };
    world.events.iter().filter_map(event).collect()
}

fn send(world: &mut World, from: &str, to: &str) -> Result<CommandResult, CommandError> {
    world.run(from, Command::Send(message(to, "hello"))).expect("it ends")
}

#[test]
fn a_message_after_a_restart_of_either_side_resumes_the_session() {
    for restarted in ["a", "b"] {
        let mut world = pair();
        let session = open(&mut world, "a", "b");
        world.restart(restarted);
        let state = world.peer(restarted).sessions()[0].state;
        assert_eq!(state, "suspended");
        let (other, at) = if restarted == "a" { ("b", "a") } else { ("a", "b") };
        let sent = send(&mut world, restarted, other).unwrap();
        let CommandResult::Sent(receipt) = sent else { panic!("{sent:?}") };
        assert_eq!(receipt.session, session.id);
        assert_eq!(passed(&world, &MessageKind::HandshakeInit), 1, "only the first time");
        world.advance(SECOND);
        assert_eq!(resumed(&world, at), [(session.id.0.clone(), 1)]);
        assert_eq!(resumed(&world, other), [(session.id.0.clone(), 1)]);
        assert!(send(&mut world, other, restarted).is_ok());
    }
}

#[test]
fn who_did_not_restart_learns_it_from_a_refusal_and_resumes() {
    let mut world = pair();
    let session = open(&mut world, "a", "b");
    world.restart("b");
    let lost = send(&mut world, "a", "b").unwrap_err();
    assert_eq!(lost.code(), ErrorCode::SessionNotFound);
    let CommandResult::Sent(receipt) = send(&mut world, "a", "b").unwrap() else { panic!() };
    assert_eq!(receipt.session, session.id);
    assert_eq!(passed(&world, &MessageKind::HandshakeInit), 1);
}

#[test]
fn a_kept_link_resumes_by_itself() {
    let mut world =
        World::new([config("a", Protocols::OnlyV1_1), config("b", Protocols::OnlyV1_1)]);
    world.acquaint("a", "b");
    world.introduce("a", "b", Some(crate::world::public_key("b")), true);
    world.settle();
    let session = world.peer("a").sessions()[0].id.clone();
    for restart in 1..=100_u16 {
        world.restart(if restart % 2 == 0 { "a" } else { "b" });
        // Whoever is kept waiting resumes; the other side is heard of by a heartbeat or a message.
        if restart % 2 == 1 {
            drop(send(&mut world, "a", "b"));
        }
        world.advance(SECOND);
        assert!(send(&mut world, "a", "b").is_ok(), "{restart}");
    }
    for id in ["a", "b"] {
        let sessions = world.peer(id).sessions();
        assert_eq!(sessions.len(), 1);
        assert_eq!((&sessions[0].id, sessions[0].state), (&session, "ready"));
    }
    assert_eq!(passed(&world, &MessageKind::HandshakeInit), 1);
}

#[test]
fn a_session_closed_while_the_other_side_is_suspended_leads_to_a_handshake() {
    let mut world = pair();
    let session = open(&mut world, "a", "b");
    world.restart("a");
    world.unreachable.push("a".to_owned());
    world.run("b", Command::CloseSession { session: session.id.clone() });
    world.unreachable.clear();
    let next = open(&mut world, "a", "b");
    assert_ne!(next.id, session.id);
    assert_eq!(world.peer("a").sessions().len(), 1);
    assert_eq!(world.record_count("a", "session"), 1);
    // Closed while it is suspended on this side, it is forgotten here, and there when that wants to resume.
    world.restart("a");
    world.run("a", Command::CloseSession { session: next.id.clone() });
    assert_eq!(world.record_count("a", "session"), 0);
    let lost = send(&mut world, "b", "a").unwrap_err();
    assert_eq!(lost.code(), ErrorCode::SessionNotFound);
    assert_ne!(open(&mut world, "b", "a").id, next.id);
}

#[test]
fn an_expired_session_is_followed_by_a_handshake() {
    let mut world = pair();
    let session = open(&mut world, "a", "b");
    world.restart("a");
    world.advance(3_700 * SECOND);
    assert_ne!(open(&mut world, "a", "b").id, session.id);
    assert_eq!(passed(&world, &MessageKind::SessionResume), 0);
}

#[test]
fn keys_are_renewed_on_command_from_either_side() {
    for from in ["a", "b"] {
        let mut world = pair();
        let session = open(&mut world, "a", "b");
        let id = world.start(from, Command::Rekey { session: session.id.clone() });
        world.advance(SECOND);
        assert_eq!(world.end_of(id), Some(Ok(CommandResult::Generation(1))), "{from}");
        let rekeyed = |(_, event): &&(String, PeerEvent)| {
            *event == PeerEvent::SessionRekeyed { id: session.id.clone(), generation: 1 }
        };
        assert_eq!(world.events.iter().filter(rekeyed).count(), 2);
        assert!(send(&mut world, "a", "b").is_ok());
        assert!(send(&mut world, "b", "a").is_ok());
    }
    let mut world = pair();
    let unknown = entity_peer::view::SessionName("6f9619ff-8b86-4d01-b42d-00cf4fc964ff".to_owned());
    let end = world.run("a", Command::Rekey { session: unknown });
    assert!(matches!(end, Some(Err(CommandError::UnknownSession { .. }))), "{end:?}");
}

#[test]
fn new_keys_that_do_not_come_are_not_waited_for_longer_than_30_s() {
    let mut world = pair();
    let session = open(&mut world, "a", "b");
    world.unreachable.push("b".to_owned());
    let id = world.start("a", Command::Rekey { session: session.id });
    world.advance(31 * SECOND);
    assert!(matches!(world.end_of(id), Some(Err(CommandError::TimedOut { .. }))));
}

#[test]
fn keys_that_have_carried_all_they_may_carry_no_more_and_the_session_resumes() {
    // A rekey is never due here, so that the last message of a generation comes.
    let limits = RenewalLimits { messages_max: 8, ..RenewalLimits::default() };
    let mut world = pair_with(limits);
    let session = open(&mut world, "a", "b");
    for _ in 0..40 {
        let sent = send(&mut world, "a", "b").unwrap();
        let CommandResult::Sent(receipt) = sent else { panic!("{sent:?}") };
        assert!(receipt.sequence < 8);
        assert_eq!(receipt.session, session.id);
    }
    assert_eq!(world.handled("b"), 40);
    assert!(resumed(&world, "a").len() >= 4);
    assert_eq!(passed(&world, &MessageKind::HandshakeInit), 1);
}

#[test]
fn keys_are_renewed_while_messages_flow() {
    let limits = RenewalLimits { due_after_messages: 16, ..RenewalLimits::default() };
    let mut world = pair_with(limits);
    let session = open(&mut world, "a", "b");
    for _ in 0..50 {
        assert!(send(&mut world, "a", "b").is_ok());
        world.advance(Duration::from_millis(1));
    }
    assert_eq!(world.handled("b"), 50);
    assert!(world.peer("a").sessions()[0].generation >= 3);
    assert_eq!(world.peer("b").sessions()[0].id, session.id);
}

#[test]
fn a_proposal_that_nobody_answers_ends_in_a_handshake_and_the_session_is_kept_till_then() {
    let mut world = pair();
    let session = open(&mut world, "a", "b");
    world.restart("a");
    // Somebody between says 200 and delivers nothing.
    let nothing = Reply::received("b", entity_wire::reply::Verification::Passed);
    world.forged_always = Some(nothing);
    let id = world.start("a", Command::OpenSession { to: name("b") });
    world.settle();
    assert_eq!(world.end_of(id), None);
    assert_eq!(world.peer("a").sessions()[0].id, session.id);
    world.advance(31 * SECOND);
    world.forged_always = None;
    world.advance(2 * SECOND);
    let end = world.end_of(id);
    let Some(Ok(CommandResult::Session(next))) = end else { panic!("{end:?}") };
    assert_ne!(next.id, session.id);
    assert_eq!(world.peer("a").sessions().len(), 1);
}

#[test]
fn a_proposal_that_got_lost_behind_its_answer_is_said_again() {
    let mut world = pair();
    let session = open(&mut world, "a", "b");
    world.restart("a");
    world.forged = Some(Reply::received("b", entity_wire::reply::Verification::Passed));
    let id = world.start("a", Command::OpenSession { to: name("b") });
    world.settle();
    assert_eq!(world.end_of(id), None);
    world.advance(2 * SECOND);
    let end = world.end_of(id);
    let Some(Ok(CommandResult::Session(resumed))) = end else { panic!("{end:?}") };
    assert_eq!(resumed.id, session.id);
}

#[test]
fn two_that_resume_at_once_come_to_one_session() {
    let mut world = pair();
    let session = open(&mut world, "a", "b");
    world.restart("a");
    world.restart("b");
    let of_a = world.start("a", Command::Send(Send { ..message("b", "to b") }));
    let of_b = world.start("b", Command::Send(Send { ..message("a", "to a") }));
    world.advance(40 * SECOND);
    for id in [of_a, of_b] {
        let end = world.end_of(id);
        let Some(Ok(CommandResult::Sent(receipt))) = end else { panic!("{end:?}") };
        assert_eq!(receipt.session, session.id);
    }
    assert_eq!(passed(&world, &MessageKind::HandshakeInit), 1);
}

#[test]
fn a_handshake_with_a_peer_that_is_removed_comes_to_nothing() {
    let configs = ["a", "b"].map(|id| {
        let trust = Trust::FirstUse;
        Config { trust, ..config(id, Protocols::OnlyV1_1) }
    });
    let mut world = World::new(configs);
    world.acquaint("a", "b");
    world.start("a", Command::OpenSession { to: name("b") });
    world.step(2);
    assert_eq!(world.peer("b").sessions().len(), 1);
    world.start("b", Command::RemovePeer { name: name("a") });
    assert_eq!(world.peer("b").sessions(), []);
    world.settle();
    assert_eq!(world.peer("b").sessions(), []);
}

/// Which messages of a handshake there are.
const STEPS: [&str; 6] = [
    "handshake_init",
    "handshake_init_ack",
    "challenge_response",
    "session_established",
    "session_confirm",
    "ready",
];

/// Lets what is under way arrive, message by message, until one of this type is to be next.
#[track_caller]
fn reach(world: &mut World, kind: &str) {
    let field = format!("\"msg_type\":\"{kind}\"");
    let is_next = |world: &World| {
        let next = world.under_way();
        next.first().is_some_and(|body| String::from_utf8_lossy(body).contains(&field))
    };
    for _ in 0..10 {
        if is_next(world) {
            return;
        }
        world.step(1);
    }
    panic!("no {kind} came");
}

/// One side dies when it has this step, or before, and is back a second later: `senders` reach the other side soon.
#[track_caller]
fn check_death(
    kind: &str,
    (opener, answerer): (&'static str, &'static str),
    victim: &'static str,
    (arrives, senders): (bool, &[&'static str]),
) {
    let shown = format!("{kind} of {opener} and {answerer}, {victim}, {arrives}, {senders:?}");
    let mut world = pair();
    world.start(opener, Command::OpenSession { to: name(answerer) });
    reach(&mut world, kind);
    if arrives {
        world.step(1);
    }
    // Whatever the victim wanted to say is lost with it, and its peer was told that all arrived.
    world.restart(victim);
    let other = if victim == opener { answerer } else { opener };
    world.unreachable.push(victim.to_owned());
    world.advance(SECOND);
    world.unreachable.clear();
    let mut sent = Vec::new();
    for &sender in senders {
        let to = if sender == victim { other } else { victim };
        sent.push((world.start(sender, Command::SendDurable(message(to, "hello"))), to));
    }
    world.advance(10 * SECOND);
    for (command, to) in sent {
        assert!(matches!(world.end_of(command), Some(Ok(_))), "{shown}");
        assert_eq!(world.handled(to), 1, "{shown}");
    }
}

/// The same in the resumption that a restart of the proposer leads to.
#[track_caller]
fn check_death_in_resumption(
    kind: &str,
    (proposer, answerer): (&'static str, &'static str),
    victim: &'static str,
    arrives: bool,
) {
    let shown = format!("{kind} of {proposer} and {answerer}, {victim}, {arrives}");
    let mut world = pair();
    open(&mut world, proposer, answerer);
    world.advance(SECOND);
    world.restart(proposer);
    world.start(proposer, Command::SendDurable(message(answerer, "hello")));
    reach(&mut world, kind);
    if arrives {
        world.step(1);
    }
    world.restart(victim);
    world.unreachable.push(victim.to_owned());
    world.advance(SECOND);
    world.unreachable.clear();
    world.start(answerer, Command::SendDurable(message(proposer, "hello")));
    world.advance(10 * SECOND);
    assert_eq!((world.handled(proposer), world.handled(answerer)), (1, 1), "{shown}");
}

#[test]
fn a_death_at_any_step_of_a_resumption_costs_seconds() {
    for kind in ["session_resume", "session_resumed"] {
        for sides in [("a", "b"), ("b", "a")] {
            for victim in ["a", "b"] {
                for arrives in [true, false] {
                    check_death_in_resumption(kind, sides, victim, arrives);
                }
            }
        }
    }
}

#[test]
fn a_death_at_any_step_of_a_handshake_costs_seconds() {
    for kind in STEPS {
        // Of either side the key may be the smaller one.
        for sides in [("a", "b"), ("b", "a")] {
            for victim in ["a", "b"] {
                for arrives in [true, false] {
                    for senders in [&["a"][..], &["b"], &["a", "b"]] {
                        check_death(kind, sides, victim, (arrives, senders));
                    }
                }
            }
        }
    }
}
