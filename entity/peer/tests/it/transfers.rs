//! Transfers between two peers of ours.

use std::time::Duration;

use entity_crypto::derivation::sha256;
use entity_crypto::entropy::Entropy;
use entity_peer::command::{Source, Transfer};
use entity_peer::config::Protocols;
use entity_peer::output::{MemoryFiles, TransferView};
use entity_peer::{Command, CommandError, CommandResult, PeerEvent};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::chunk::{BreakReason, TransferId};

use crate::v1_1::world;
use crate::world::{World, config, message, name};

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|byte| u8::try_from(byte % 251).unwrap()).collect()
}

fn transfer(data: &[u8]) -> Command {
    Command::Transfer(Transfer {
        to: name("b"),
        name: Some("data.bin".parse().unwrap()),
        source: Source::File { path: "/data.bin".to_owned(), modified_us: 7 },
        total_size: data.len() as u64,
        sha256: sha256(data),
    })
}

pub(crate) fn offer(world: &mut World, data: &[u8]) -> TransferId {
    let files = world.files.entry("a".to_owned());
    files.or_insert_with(|| MemoryFiles::new(1 << 20)).add_source("/data.bin", 7, data.to_vec());
    match world.run("a", transfer(data)) {
        Some(Ok(CommandResult::Transfer(id))) => id,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn view(world: &mut World, at: &str, id: TransferId) -> TransferView {
    world.peer(at).transfers().find(|view| view.id == id).unwrap()
}

fn large(to: &str, len: usize) -> entity_peer::command::Send {
    let body = Object::new().with("text", "x".repeat(len));
    entity_peer::command::Send { body, ..message(to, "") }
}

#[test]
fn a_file_goes_over_and_both_sides_say_so() {
    let mut world = world();
    let data = bytes(1_000_000);
    let id = offer(&mut world, &data);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.files["b"].file(id), Some(&data[..]));
    for side in ["a", "b"] {
        let view = view(&mut world, side, id);
        assert_eq!((view.standing.as_str(), view.received), ("done", 1_000_000), "{side}");
        let done = |(at, event): &&(String, PeerEvent)| {
            at == side && matches!(event, PeerEvent::TransferDone(view) if view.id == id)
        };
        assert_eq!(world.events.iter().filter(done).count(), 1, "{side}");
    }
    assert!(world.events.iter().any(|(at, event)| at == "b"
        && matches!(event, PeerEvent::TransferOffered(view) if view.id == id)));
}

#[test]
fn a_file_gets_through_bad_weather() {
    let mut world = world();
    crate::world::open(&mut world, "a", "b");
    world.weather = Some(Entropy::from_seed([3; 32]));
    let data = bytes(3_000_000);
    let id = offer(&mut world, &data);
    world.advance(Duration::from_mins(10));
    world.weather = None;
    world.advance(Duration::from_mins(2));
    assert_eq!(world.files["b"].file(id), Some(&data[..]));
    assert_eq!(view(&mut world, "a", id).standing.as_str(), "done");
}

#[test]
fn a_file_waits_for_a_peer_that_is_away_and_goes_on_where_it_was() {
    let mut world = world();
    crate::world::open(&mut world, "a", "b");
    world.unreachable.push("b".to_owned());
    let data = bytes(500_000);
    let id = offer(&mut world, &data);
    world.advance(Duration::from_mins(5));
    assert_eq!(view(&mut world, "a", id).standing.as_str(), "open");
    world.unreachable.clear();
    world.advance(Duration::from_mins(2));
    assert_eq!(world.files["b"].file(id), Some(&data[..]));
}

#[test]
fn a_peer_that_never_comes_ends_the_transfer_after_half_an_hour() {
    let mut world = world();
    world.unreachable.push("b".to_owned());
    let id = offer(&mut world, &bytes(1_000));
    world.advance(Duration::from_mins(29));
    assert_eq!(view(&mut world, "a", id).standing.as_str(), "open");
    world.advance(Duration::from_mins(2));
    assert_eq!(view(&mut world, "a", id).standing.reason(), Some(BreakReason::Expired));
}

#[test]
fn a_message_too_large_for_an_envelope_arrives_as_that_message_once() {
    let mut world = world();
    let len = 2_000_000;
    let id = world.start("a", Command::Send(large("b", len)));
    world.settle();
    world.advance(Duration::from_secs(1));
    let Some(Ok(CommandResult::Sent(receipt))) = world.end_of(id) else {
        panic!("it was not sent")
    };
    assert!(receipt.sealed);
    let received = world.received("b");
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].kind, MessageKind::Message);
    assert_eq!(received[0].body.get("text").and_then(|text| text.as_str()).unwrap().len(), len);
    assert_eq!((&received[0].session, received[0].number), (&receipt.session, None));
}

#[test]
fn a_message_that_fits_goes_in_one_envelope() {
    let mut world = world();
    // The canonical body is {"text":"..."}: 11 bytes around the text.
    for (len, transfers) in [(512 * 1024 - 11, 0), (512 * 1024 - 10, 1)] {
        let id = world.start("a", Command::Send(large("b", len)));
        world.advance(Duration::from_secs(1));
        assert!(matches!(world.end_of(id), Some(Ok(CommandResult::Sent(_)))), "{len}");
        assert_eq!(world.peer("a").transfers().count(), transfers, "{len}");
    }
    assert_eq!(world.handled("b"), 2);
}

#[test]
fn a_message_that_no_peer_takes_is_refused_at_once() {
    let mut world = world();
    let too_large = world.run("a", Command::Send(large("b", 9 << 20)));
    assert!(matches!(too_large, Some(Err(CommandError::TooLarge { .. }))), "{too_large:?}");
    let mut float = large("b", 600_000);
    float.body.insert("half", entity_wire::json::Value::float(0.5));
    let refused = world.run("a", Command::Send(float));
    assert!(matches!(refused, Some(Err(CommandError::Malformed { .. }))), "{refused:?}");
}

#[test]
fn a_transfer_can_be_cancelled_by_either_side() {
    for side in ["a", "b"] {
        let mut world = world();
        crate::world::open(&mut world, "a", "b");
        let data = bytes(5_000_000);
        world.files.entry("a".to_owned()).or_insert_with(|| MemoryFiles::new(1 << 20)).add_source(
            "/data.bin",
            7,
            data.clone(),
        );
        let command = world.start("a", transfer(&data));
        let Some(Ok(CommandResult::Transfer(id))) = world.end_of(command) else { panic!() };
        world.step(20);
        let cancel = Command::CancelTransfer { id };
        assert_eq!(world.run(side, cancel.clone()), Some(Ok(CommandResult::Done)));
        world.advance(Duration::from_secs(5));
        for other in ["a", "b"] {
            let reason = view(&mut world, other, id).standing.reason();
            assert_eq!(reason, Some(BreakReason::Cancelled), "{side} {other}");
        }
        assert!(!world.files["b"].has_parts());
        assert_eq!(world.run(side, cancel), Some(Err(CommandError::UnknownTransfer { id })));
    }
}

#[test]
fn withdrawing_the_command_of_a_large_message_cancels_its_transfer() {
    let mut world = world();
    crate::world::open(&mut world, "a", "b");
    let id = world.start("a", Command::Send(large("b", 3_000_000)));
    world.step(10);
    world.run("a", Command::Cancel { command: id });
    assert_eq!(world.end_of(id), Some(Err(CommandError::Cancelled)));
    world.advance(Duration::from_secs(5));
    assert_eq!(world.handled("b"), 0);
    assert_eq!(
        world.peer("a").transfers().filter(|view| view.standing.as_str() == "open").count(),
        0
    );
}

#[test]
fn nothing_of_a_transfer_goes_to_a_peer_of_1_0() {
    let mut world = World::new([config("a", Protocols::Both), config("b", Protocols::OnlyV1_0)]);
    world.acquaint("a", "b");
    crate::world::open(&mut world, "a", "b");
    let id = offer(&mut world, &bytes(100_000));
    world.advance(Duration::from_secs(10));
    assert_eq!(view(&mut world, "a", id).standing.reason(), Some(BreakReason::Refused));
    let mut world =
        World::new([config("a", Protocols::OnlyV1_0), config("b", Protocols::OnlyV1_0)]);
    world.acquaint("a", "b");
    let refused = world.run("a", transfer(&bytes(1)));
    assert!(matches!(refused, Some(Err(CommandError::Malformed { .. }))), "{refused:?}");
}

#[test]
fn a_transfer_to_nobody_is_refused() {
    let mut world = world();
    let Command::Transfer(transfer) = transfer(&bytes(1)) else { panic!() };
    let refused = world.run("a", Command::Transfer(Transfer { to: name("c"), ..transfer }));
    assert_eq!(refused, Some(Err(CommandError::UnknownPeer { name: name("c") })));
}

fn old_world() -> World {
    let mut world =
        World::new([config("a", Protocols::OnlyV1_0), config("b", Protocols::OnlyV1_0)]);
    world.acquaint("a", "b");
    world
}

#[test]
fn a_large_message_of_1_0_goes_in_pieces_and_arrives_once() {
    for sealed in [true, false] {
        let mut world = old_world();
        if sealed {
            crate::world::open(&mut world, "a", "b");
        }
        let before = world.passed.len();
        let len = 1_200_000;
        let Some(Ok(CommandResult::Sent(receipt))) = world.run("a", Command::Send(large("b", len)))
        else {
            panic!("it was not sent")
        };
        assert_eq!(receipt.sealed, sealed);
        // 1,200,012 bytes of JSON in slices of 8,190.
        assert_eq!(world.passed.len() - before, 147);
        let received = world.received("b");
        assert_eq!(received.len(), 1);
        let received = received[0];
        assert_eq!((received.kind.as_str(), received.sealed), ("message", sealed));
        assert_eq!(received.sequence, receipt.sequence);
        assert_eq!(received.body.get("text").and_then(|text| text.as_str()).unwrap().len(), len);
    }
}

#[test]
fn a_refused_piece_ends_a_large_message_of_1_0() {
    let mut world = old_world();
    crate::world::open(&mut world, "a", "b");
    let id = world.start("a", Command::Send(large("b", 100_000)));
    world.step(3);
    world.forged = Some(entity_wire::reply::Reply::detail(403, "Unknown recipient"));
    world.settle();
    assert!(matches!(world.end_of(id), Some(Err(CommandError::Refused { status: 403, .. }))));
    assert_eq!(world.handled("b"), 0);
    assert!(matches!(world.run("a", Command::Send(message("b", "next"))), Some(Ok(_))));
}

#[test]
fn both_forms_of_chunks_are_received_in_1_0() {
    let inner = r#"{"original_msg_type": "note", "data": {"text": "whole"}}"#;
    let encode = entity_crypto::encoding::base64_encode;
    let text = encode(br#"{"text": "whole"}"#);
    let a = |index: u64, data: &str| {
        let slice = encode(data.as_bytes());
        Object::new()
            .with("message_id", "0".repeat(32))
            .with("chunk_index", index)
            .with("total_chunks", 2_u64)
            .with("data", slice)
            .with("is_last", index == 1)
    };
    let b = |index: u64, data: &str| {
        Object::new()
            .with("chunk_id", "some")
            .with("chunk_index", index)
            .with("total_chunks", 2_u64)
            .with("data", data)
            .with("original_msg_type", "note")
    };
    let forms = [
        [a(0, &inner[..17]), a(1, &inner[17..])],
        [b(0, &text[..7]), b(1, &text[7..])],
        [b(1, &text[7..]), b(0, &text[..7])],
    ];
    for pieces in forms {
        let mut world = old_world();
        crate::world::open(&mut world, "a", "b");
        for body in pieces {
            assert_eq!(world.handled("b"), 0);
            let mut piece = message("b", "");
            (piece.kind, piece.body) = (MessageKind::Chunk, body);
            assert!(matches!(world.run("a", Command::Send(piece)), Some(Ok(_))));
        }
        let received = world.received("b");
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].kind.as_str(), "note");
        assert_eq!(*received[0].body, Object::new().with("text", "whole"));
    }
}

#[test]
fn no_handshake_comes_in_pieces() {
    for kind in ["handshake", "handshake_init", "session_close", "chunk"] {
        let mut world = old_world();
        crate::world::open(&mut world, "a", "b");
        let mut piece = message("b", "");
        piece.kind = MessageKind::Chunk;
        piece.body = Object::new()
            .with("chunk_id", "some")
            .with("chunk_index", 0_u64)
            .with("total_chunks", 1_u64)
            .with("data", "e30=")
            .with("original_msg_type", kind);
        let events = world.events.len();
        assert!(matches!(world.run("a", Command::Send(piece)), Some(Ok(_))));
        assert_eq!(world.events.len(), events, "{kind}");
    }
}
