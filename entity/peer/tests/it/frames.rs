//! Compact frames between whole peers: chosen by configuration and capability, refused in their order.

use std::time::Duration;

use entity_crypto::entropy::Entropy;
use entity_peer::config::{Frames, Protocols};
use entity_peer::{Command, CommandResult, PeerEvent};
use entity_wire::code::ErrorCode;
use entity_wire::id::SessionId;
use entity_wire::reply::Reply;

use crate::v1_1::{send, texts};
use crate::world::{World, config, message, open};

fn world(a: Frames, b: Frames) -> World {
    let with = |id, frames| {
        let mut config = config(id, Protocols::OnlyV1_1);
        config.frames = frames;
        config
    };
    let mut world = World::new([with("a", a), with("b", b)]);
    world.acquaint("a", "b");
    world
}

/// How many of what travelled since `from` are frames.
fn frames(world: &World, from: usize) -> usize {
    world.passed[from..].iter().filter(|passed| passed.body[0] == 0x11).count()
}

/// A conversation both ways; returns how many messages travelled as frames.
#[track_caller]
fn converse(world: &mut World) -> usize {
    open(world, "a", "b");
    let from = world.passed.len();
    send(world, "a", "b", "there");
    send(world, "b", "a", "back");
    assert_eq!(texts(world, "b"), ["there"]);
    assert_eq!(texts(world, "a"), ["back"]);
    frames(world, from)
}

#[test]
fn where_both_want_them_everything_after_the_handshake_is_a_frame() {
    let mut world = world(Frames::Always, Frames::Always);
    assert_eq!(converse(&mut world), 2);
    let handshake = &world.passed[..6];
    assert!(handshake.iter().all(|passed| passed.body[0] == b'{'));
    world.advance(Duration::from_secs(5));
    assert!(world.passed[6..].iter().all(|passed| passed.body[0] == 0x11 && passed.status == 200));
}

#[test]
fn each_side_chooses_for_itself_and_takes_both_forms() {
    assert_eq!(converse(&mut world(Frames::Always, Frames::Socket)), 1);
    assert_eq!(converse(&mut world(Frames::Socket, Frames::Always)), 1);
    assert_eq!(converse(&mut world(Frames::Socket, Frames::Socket)), 0);
}

#[test]
fn where_one_side_has_them_off_both_directions_work_by_envelopes() {
    assert_eq!(converse(&mut world(Frames::Always, Frames::Never)), 0);
    assert_eq!(converse(&mut world(Frames::Never, Frames::Always)), 0);
    assert_eq!(converse(&mut world(Frames::Never, Frames::Never)), 0);
}

#[test]
fn a_peer_that_insists_on_envelopes_refuses_every_frame() {
    let mut source = world(Frames::Always, Frames::Always);
    converse(&mut source);
    let frame = source.passed.iter().find(|passed| passed.body[0] == 0x11).unwrap().body.clone();
    let mut world = world(Frames::Never, Frames::Never);
    converse(&mut world);
    let unknown = Reply::error(ErrorCode::SessionNotFound);
    let mut of_another = frame.to_vec();
    of_another[1] ^= 1;
    assert_eq!(
        world.inject("b", &of_another),
        unknown,
        "whoever has forgotten is asked for a session"
    );
    let session: SessionId = open(&mut world, "a", "b").id.to_string().parse().unwrap();
    let mut of_this_session = frame.to_vec();
    of_this_session[1..17].copy_from_slice(session.as_bytes());
    assert_eq!(world.inject("b", &of_this_session), Reply::error(ErrorCode::InvalidMessage));
}

#[test]
fn frames_go_on_after_a_restart_with_resumption() {
    let mut world = world(Frames::Always, Frames::Always);
    let before = open(&mut world, "a", "b");
    send(&mut world, "a", "b", "one");
    world.restart("b");
    world.restart("a");
    let from = world.passed.len();
    send(&mut world, "a", "b", "two");
    send(&mut world, "b", "a", "three");
    assert_eq!(open(&mut world, "a", "b").id, before.id, "the session is the same");
    assert!(frames(&world, from) >= 2);
    assert_eq!(texts(&world, "b"), ["one", "two"]);
}

#[test]
fn a_durable_message_reaches_a_peer_that_has_turned_frames_off_meanwhile() {
    let mut world = world(Frames::Always, Frames::Always);
    open(&mut world, "a", "b");
    world.unreachable.push("b".to_owned());
    let kept = world.run("a", Command::SendDurable(message("b", "durable")));
    assert!(matches!(kept, Some(Ok(CommandResult::Kept(_)))), "{kept:?}");
    world.advance(Duration::from_secs(3));
    world.reconfigure("b", |config| config.frames = Frames::Never);
    world.restart("b");
    world.unreachable.clear();
    world.advance(Duration::from_mins(5));
    assert_eq!(texts(&world, "b"), ["durable"]);
    let is_acknowledged = |(at, event): &(String, PeerEvent)| {
        at == "a" && matches!(event, PeerEvent::MessageAcknowledged { .. })
    };
    assert!(world.events.iter().any(is_acknowledged));
}

#[test]
fn the_refusal_of_a_frame_names_whose_session_it_claims() {
    let mut world = world(Frames::Always, Frames::Always);
    converse(&mut world);
    let mut tampered = world.passed[6].body.to_vec();
    *tampered.last_mut().unwrap() ^= 1;
    let before = world.events.len();
    // The window is looked at first: this place is used up.
    assert_eq!(world.inject("b", &tampered), Reply::error(ErrorCode::SequenceError));
    tampered[24] = 99;
    assert_eq!(world.inject("b", &tampered), Reply::error(ErrorCode::DecryptionFailed));
    let mut refused = world.events[before..].iter().filter_map(|(_, event)| match event {
        PeerEvent::MessageRefused { from, code, .. } => Some((from.clone(), *code)),
        _ => None,
    });
    assert_eq!(refused.next(), Some((Some("a".to_owned()), ErrorCode::SequenceError)));
    assert_eq!(refused.next(), Some((Some("a".to_owned()), ErrorCode::DecryptionFailed)));
}

#[test]
fn a_transfer_goes_over_frames() {
    let mut world = world(Frames::Always, Frames::Always);
    let data: Vec<u8> = (0..400_000).map(|byte| u8::try_from(byte % 251).unwrap()).collect();
    open(&mut world, "a", "b");
    let from = world.passed.len();
    let id = crate::transfers::offer(&mut world, &data);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.files["b"].file(id), Some(&data[..]));
    let passed = &world.passed[from..];
    assert!(passed.iter().all(|passed| passed.body[0] != b'{'));
    let chunks = passed.iter().filter(|passed| passed.body[0] == 0x12);
    let bytes: usize = chunks.map(|passed| passed.body.len() - 25 - 44 - 16).sum();
    assert_eq!(bytes, data.len(), "each chunk travels as it is, once");
}

#[test]
fn ten_thousand_mutations_of_frames_are_refused_without_harm() {
    let mut world = world(Frames::Always, Frames::Always);
    open(&mut world, "a", "b");
    for text in ["one", "two"] {
        send(&mut world, "a", "b", text);
    }
    let conversation: Vec<_> = world.passed[6..].iter().map(|passed| passed.body.clone()).collect();
    assert!(conversation.iter().all(|body| body[0] == 0x11));
    let mut dice = Entropy::from_seed([44; 32]);
    let mut below =
        |bound: usize| usize::try_from(u32::from_be_bytes(dice.bytes())).unwrap() % bound;
    let handled = world.handled("b");
    for _ in 0..10_000 {
        let mut mutated = conversation[below(conversation.len())].to_vec();
        for _ in 0..=below(3) {
            if mutated.is_empty() {
                break;
            }
            let at = below(mutated.len());
            match below(4) {
                0 => mutated[at] ^= 1 << below(8),
                1 => drop(mutated.remove(at)),
                2 => mutated.insert(at, u8::try_from(below(256)).unwrap()),
                _ => mutated.truncate(at.max(1)),
            }
        }
        assert_ne!(world.inject("b", &mutated).status, 200, "{mutated:?}");
    }
    assert_eq!(world.handled("b"), handled, "nothing reached a handler");
    send(&mut world, "a", "b", "three");
    assert_eq!(texts(&world, "b"), ["one", "two", "three"]);
}
