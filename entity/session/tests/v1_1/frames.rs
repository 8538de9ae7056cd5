//! Compact frames: agreed, sealed under the counter of envelopes, checked in their order (`docs/protocol/1.1.md#compact-frames`).

use std::time::Duration;

use entity_session::rate_limit::Rate;
use entity_session::replay_window::SequenceRefusal;
use entity_session::v1_1::author::Form;
use entity_session::v1_1::channel::PositionRefusal;
use entity_session::v1_1::handshake::Offer;
use entity_session::v1_1::numbers::Fate;
use entity_session::v1_1::refusal::Refusal;
use entity_session::v1_1::session::{Content, IDLE_LIMIT, SendError, Sent};
use entity_session::v1_1::sessions::{Config, Received, Sessions};
use entity_wire::code::ErrorCode;
use entity_wire::frame::{self, Frame, Header};
use entity_wire::id::{MessageId, MessageNumber, Sequence};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::limits::CHUNK_SIZE_MAX;
use entity_wire::payload::chunk::TransferId;
use entity_wire::payload::handshake_1_1::{Capabilities, REQUIRED_CAPABILITIES};

use crate::pair::{Node, Pair, texts_of};

/// A configuration that lists frames.
fn framing() -> Config {
    let capabilities =
        Capabilities::new(REQUIRED_CAPABILITIES.into_iter().chain([frame::CAPABILITY]));
    Config { offer: Offer { capabilities, ..Offer::default() }, ..Config::default() }
}

/// Two sides in a session; each sends frames where both have listed them.
fn ready(alice: Config, bob: Config) -> Pair {
    let mut pair = Pair::pinned();
    pair.alice.sessions = Sessions::new(alice.clone());
    pair.alice.config = alice;
    pair.bob.sessions = Sessions::new(bob.clone());
    pair.bob.config = bob;
    let session = pair.connect();
    pair.alice.sessions.prefer(session, Form::Frame);
    pair.bob.sessions.prefer(session, Form::Frame);
    pair
}

fn framed() -> Pair {
    ready(framing(), framing())
}

fn take(node: &mut Node, bytes: &[u8]) -> Result<Received, Refusal> {
    let frame = Frame::read(bytes).unwrap();
    node.with(|sessions, author| sessions.receive_frame(frame, author))
}

fn sent(pair: &mut Pair, text: &str) -> Sent {
    let bob = pair.bob.id.clone();
    let sent = pair.alice.send(&bob, text);
    assert_eq!(sent.outbound.form, Form::Frame);
    sent
}

#[test]
fn messages_flow_both_ways_as_frames() {
    let mut pair = framed();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    let to_bob = pair.alice.send(&bob, "to bob");
    let to_alice = pair.bob.send(&alice, "to alice");
    assert_eq!((to_bob.outbound.form, to_alice.outbound.form), (Form::Frame, Form::Frame));
    assert_eq!(texts_of(take(&mut pair.bob, &to_bob.outbound.body).unwrap()), ["to bob"]);
    assert_eq!(texts_of(take(&mut pair.alice, &to_alice.outbound.body).unwrap()), ["to alice"]);
    let bytes = to_bob.outbound.body;
    assert!(!bytes.windows(6).any(|window| window == b"to bob"), "nothing is readable");
}

#[test]
fn frames_and_envelopes_share_one_counter_and_one_window() {
    let mut pair = framed();
    let (bob, session) = (pair.bob.id.clone(), pair.alice.sessions.current(&pair.bob.id).unwrap());
    let framed = sent(&mut pair, "framed");
    pair.alice.sessions.prefer(session, Form::Envelope);
    let enveloped = pair.alice.send(&bob, "enveloped");
    assert_eq!((framed.sequence.get(), enveloped.sequence.get()), (3, 4));
    assert_eq!(enveloped.outbound.form, Form::Envelope);
    assert_eq!(texts_of(pair.bob.receive(&enveloped.outbound.body).unwrap()), [""; 0]);
    let both = texts_of(take(&mut pair.bob, &framed.outbound.body).unwrap());
    assert_eq!(both, ["framed", "enveloped"]);
}

#[test]
fn where_one_side_lists_no_frames_both_keep_to_envelopes_and_take_none() {
    for (alice, bob) in [(framing(), Config::default()), (Config::default(), framing())] {
        let mut pair = ready(alice, bob);
        let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
        let to_bob = pair.alice.send(&bob, "to bob");
        let to_alice = pair.bob.send(&alice, "to alice");
        assert_eq!(texts_of(pair.bob.receive(&to_bob.outbound.body).unwrap()), ["to bob"]);
        assert_eq!(texts_of(pair.alice.receive(&to_alice.outbound.body).unwrap()), ["to alice"]);
        let header = Header {
            kind: frame::Kind::Message,
            session: to_bob.outbound.session,
            generation: to_bob.generation,
            sequence: Sequence::new(9).unwrap(),
        };
        let forged = Frame { header, sealed: vec![0; 40] }.to_vec();
        let refused = take(&mut pair.bob, &forged).unwrap_err();
        assert_eq!(
            (&refused, refused.code()),
            (&Refusal::FramesNotAgreed, ErrorCode::InvalidMessage)
        );
    }
}

#[test]
fn what_changes_a_session_is_signed() {
    let mut pair = framed();
    let bob = pair.bob.id.clone();
    let session = pair.alice.sessions.current(&bob).unwrap();
    let closed = pair.alice.with(|sessions, author| sessions.close(session, "enough", author));
    let closed = closed.unwrap().outbound;
    assert_eq!(closed.form, Form::Envelope);
    assert_eq!(pair.bob.receive(&closed.body), Ok(Received::Closed));
}

#[test]
fn a_side_that_takes_no_frames_any_more_gives_up_the_sessions_that_agreed_on_them() {
    let mut pair = framed();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    pair.alice.restart();
    assert!(pair.alice.sessions.current(&bob).is_some(), "it still lists them");
    pair.bob.config = Config::default();
    pair.bob.restart();
    assert_eq!(pair.bob.sessions.current(&alice), None);
    pair.bob.restart();
    assert_eq!(pair.bob.sessions.current(&alice), None, "it is kept no more");
}

#[test]
fn each_bit_of_a_frame_counts_and_a_refused_one_uses_nothing_up() {
    let mut pair = framed();
    let genuine = sent(&mut pair, "genuine").outbound.body;
    for bit in 0..genuine.len() * 8 {
        let mut tampered = genuine.to_vec();
        tampered[bit / 8] ^= 1 << (bit % 8);
        let Ok(frame) = Frame::read(&tampered) else { continue };
        let refused = pair.bob.with(|sessions, author| sessions.receive_frame(frame, author));
        let expected = match bit / 8 {
            1..17 => ErrorCode::SessionNotFound,
            17..19 => ErrorCode::SequenceError,
            // Another sequence: used up, beyond the generation, or a place where this does not open.
            19..25 => {
                let code = refused.unwrap_err().code();
                let is_place =
                    matches!(code, ErrorCode::SequenceError | ErrorCode::DecryptionFailed);
                assert!(is_place, "bit {bit}: {code:?}");
                continue;
            }
            _ => ErrorCode::DecryptionFailed,
        };
        assert_eq!(refused.unwrap_err().code(), expected, "bit {bit}");
    }
    for len in frame::LEN_MIN..genuine.len() {
        let refused = take(&mut pair.bob, &genuine[..len]).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::DecryptionFailed, "{len} bytes");
    }
    assert_eq!(texts_of(take(&mut pair.bob, &genuine).unwrap()), ["genuine"]);
    let replayed = take(&mut pair.bob, &genuine).unwrap_err();
    assert_eq!(
        replayed,
        Refusal::Position(PositionRefusal::Window(SequenceRefusal::Repeated { sequence: 3 }))
    );
}

#[test]
fn the_checks_have_their_order() {
    let mut config = framing();
    config.rate_limits.set(MessageKind::Message, Rate::per_second(1, 1));
    let mut pair = ready(framing(), config);
    let first = sent(&mut pair, "first").outbound.body;
    let code = |pair: &mut Pair, bytes: &[u8]| take(&mut pair.bob, bytes).unwrap_err().code();
    let other = |place: usize, bytes: &[u8]| {
        let mut other = bytes.to_vec();
        other[place] ^= 1;
        other
    };
    // Each breaks its own check and all that come after it; the clock is wrong for all of them.
    pair.bob.clock_offset = 61_000_000;
    let last = first.len() - 1;
    assert_eq!(
        code(&mut pair, &other(5, &other(18, &other(last, &first)))),
        ErrorCode::SessionNotFound
    );
    assert_eq!(code(&mut pair, &other(18, &other(last, &first))), ErrorCode::SequenceError);
    assert_eq!(code(&mut pair, &other(last, &first)), ErrorCode::DecryptionFailed);
    assert_eq!(code(&mut pair, &first), ErrorCode::ExpiredTimestamp);
    pair.bob.clock_offset = 0;
    assert_eq!(texts_of(take(&mut pair.bob, &first).unwrap()), ["first"]);
    let second = sent(&mut pair, "second").outbound.body;
    assert_eq!(code(&mut pair, &second), ErrorCode::RateLimited);
    pair.bob.clock_offset = 61_000_000;
    assert_eq!(
        code(&mut pair, &second),
        ErrorCode::ExpiredTimestamp,
        "the time comes before the limit"
    );
    pair.bob.clock_offset = 0;
    pair.advance(Duration::from_secs(1));
    assert_eq!(texts_of(take(&mut pair.bob, &second).unwrap()), ["second"], "nothing was used up");
    pair.advance(IDLE_LIMIT);
    assert_eq!(code(&mut pair, &other(18, &second)), ErrorCode::SessionExpired);
}

#[test]
fn a_frame_of_a_session_that_is_shaking_hands_may_come_again() {
    let mut pair = framed();
    let genuine = sent(&mut pair, "x").outbound.body;
    let mut fresh = Pair::pinned();
    let step = fresh.half_open(1);
    let mut early = genuine.to_vec();
    early[1..17].copy_from_slice(step.session.as_bytes());
    assert_eq!(take(&mut fresh.bob, &early).unwrap_err().code(), ErrorCode::EncryptionNotReady);
}

#[test]
fn a_chunk_travels_as_bytes() {
    let mut pair = framed();
    let (alice, bob) = (pair.alice.id.clone(), pair.bob.id.clone());
    let transfer = TransferId::from_random([5; 16]);
    let chunk = |node: &mut Node, to, data: &[u8]| {
        node.with(|sessions, author| sessions.send_chunk(to, (transfer, 7), data, author))
    };
    let data = vec![3; CHUNK_SIZE_MAX as usize];
    let sent = chunk(&mut pair.alice, &bob, &data).unwrap();
    let outbound = &sent.outbound;
    assert_eq!((outbound.body[0], outbound.body.len()), (0x12, 25 + 44 + data.len() + 16));
    let Received::Deliver(deliveries) = take(&mut pair.bob, &outbound.body).unwrap() else {
        panic!()
    };
    let [delivery] = deliveries.as_slice() else { panic!("{deliveries:?}") };
    assert_eq!(delivery.kind, MessageKind::Chunk);
    assert_eq!(delivery.number.get(), 1);
    let Content::Chunk(received) = &delivery.content else { panic!("{delivery:?}") };
    assert_eq!((received.transfer, received.index, &received.data), (transfer, 7, &data));
    assert_eq!(chunk(&mut pair.alice, &bob, &[]), Err(SendError::ChunkSize));
    let too_long = vec![0; CHUNK_SIZE_MAX as usize + 1];
    assert_eq!(chunk(&mut pair.alice, &bob, &too_long), Err(SendError::ChunkSize));
    // Only what is agreed on and wanted has this form.
    let session = pair.bob.sessions.current(&alice).unwrap();
    pair.bob.sessions.prefer(session, Form::Envelope);
    assert_eq!(chunk(&mut pair.bob, &alice, b"x"), Err(SendError::NoFrames));
}

#[test]
fn a_durable_message_keeps_its_id_and_number_as_a_frame() {
    let mut pair = framed();
    let bob = pair.bob.id.clone();
    let id = MessageId::from_random([9; 16]);
    let first = pair.alice.send_durable(&bob, id, "once");
    let place = (first.outbound.session, first.number.unwrap(), id);
    let again = pair.alice.with(|sessions, author| {
        let body = Object::new().with("text", "once");
        sessions.resend(place, MessageKind::Message, body, author)
    });
    let again = again.unwrap();
    assert_eq!((again.number, again.outbound.form), (first.number, Form::Frame));
    assert_ne!(again.outbound.body, first.outbound.body);
    assert_eq!(texts_of(take(&mut pair.bob, &again.outbound.body).unwrap()), ["once"]);
    assert_eq!(texts_of(take(&mut pair.bob, &first.outbound.body).unwrap()), [""; 0]);
}

#[test]
fn acknowledgements_are_frames_too() {
    let mut pair = framed();
    let first = sent(&mut pair, "first").outbound.body;
    take(&mut pair.bob, &first).unwrap();
    pair.advance(Duration::from_secs(1));
    let due = pair.bob.attend();
    let [ack] = due.as_slice() else { panic!("{due:?}") };
    assert_eq!((&ack.outbound.kind, ack.outbound.form), (&MessageKind::Ack, Form::Frame));
    take(&mut pair.alice, &ack.outbound.body).unwrap();
    let bob = pair.bob.id.clone();
    let fate = pair.alice.with(|sessions, _| {
        let session = sessions.current(&bob).unwrap();
        sessions.fate(session, MessageNumber::FIRST)
    });
    assert_eq!(fate, Some(Fate::Acknowledged));
}
