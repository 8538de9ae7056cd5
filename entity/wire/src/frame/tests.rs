use proptest::prelude::*;

use super::batch::{self, BatchError};
use super::*;
use crate::code::ErrorCode;
use crate::id::{Generation, MessageNumber, Sequence, SessionId};
use crate::json::Object;
use crate::kind::MessageKind;
use crate::limits::{CHUNK_SIZE_MAX, CHUNKS_MAX, FRAMES_PER_BATCH_MAX, MESSAGE_LEN_MAX};
use crate::payload::chunk::TransferId;
use crate::payload::sealed::{Plaintext, PlaintextError};
use crate::time::Timestamp;

const SESSION: [u8; 16] = [7, 7, 7, 7, 7, 7, 0x47, 7, 0x87, 7, 7, 7, 7, 7, 7, 7];

fn header(kind: Kind) -> Header {
    Header {
        kind,
        session: SessionId::from_bytes(SESSION).unwrap(),
        generation: Generation::new(0x0102),
        sequence: Sequence::new(0x0304_0506_0708).unwrap(),
    }
}

fn chunk_header() -> ChunkHeader {
    ChunkHeader {
        number: MessageNumber::new(1).unwrap(),
        ack: 2,
        timestamp: Timestamp::from_micros(3),
        transfer: TransferId::from_bytes(SESSION).unwrap(),
        index: 4,
    }
}

#[test]
fn a_header_is_25_bytes_in_network_order() {
    let bytes = header(Kind::Message).to_bytes();
    let expected = [&[0x11][..], &SESSION, &[1, 2], &[3, 4, 5, 6, 7, 8]].concat();
    assert_eq!(bytes[..], expected[..]);
    assert_eq!(header(Kind::Chunk).to_bytes()[0], 0x12);
}

#[test]
fn size_is_looked_at_before_the_kind_and_the_kind_before_the_session() {
    let mut bytes = vec![0xff; LEN_MIN];
    let refused = |bytes: &[u8]| Frame::read(bytes).unwrap_err();
    assert_eq!(refused(&bytes[..LEN_MIN - 1]), FrameError::TooShort { len: LEN_MIN - 1 });
    assert_eq!(refused(&[]), FrameError::TooShort { len: 0 });
    assert_eq!(refused(&bytes), FrameError::UnknownKind { kind: 0xff });
    bytes[0] = 0x12;
    assert_eq!(refused(&bytes), FrameError::Session);
    bytes[1..17].copy_from_slice(&SESSION);
    assert!(Frame::read(&bytes).is_ok());
    bytes.resize(FRAME_LEN_MAX, 0);
    assert!(Frame::read(&bytes).is_ok());
    bytes.push(0);
    let too_long = refused(&bytes);
    assert_eq!(too_long, FrameError::TooLong { len: FRAME_LEN_MAX + 1 });
    assert_eq!(too_long.code(), ErrorCode::MessageTooLarge);
    assert_eq!(FrameError::Session.code(), ErrorCode::InvalidMessage);
}

#[test]
fn a_message_is_written_canonically_and_reads_back() {
    let message = Message {
        kind: MessageKind::Message,
        timestamp: Timestamp::from_micros(1),
        plaintext: Plaintext {
            number: MessageNumber::new(9),
            ack: 8,
            durable: None,
            body: Object::new().with("text", "hi"),
        },
    };
    let written = message.to_vec();
    assert_eq!(
        std::str::from_utf8(&written).unwrap(),
        r#"{"ack":8,"body":{"text":"hi"},"msg_type":"message","number":9,"timestamp":"1970-01-01T00:00:00.000001+00:00"}"#
    );
    assert_eq!(Message::from_slice(&written), Ok(message));
}

#[track_caller]
fn malformed(text: &str) {
    let read = Message::from_slice(text.as_bytes());
    assert!(matches!(read, Err(PlaintextError::Field(_))), "{text}: {read:?}");
}

#[test]
fn a_message_without_its_type_or_time_is_refused() {
    const TIME: &str = r#""timestamp":"1970-01-01T00:00:00.000001+00:00""#;
    malformed(&format!(r#"{{"ack":0,"body":{{}},{TIME}}}"#));
    malformed(&format!(r#"{{"ack":0,"body":{{}},"msg_type":"",{TIME}}}"#));
    let long = "k".repeat(65);
    malformed(&format!(r#"{{"ack":0,"body":{{}},"msg_type":"{long}",{TIME}}}"#));
    malformed(r#"{"ack":0,"body":{},"msg_type":"ack"}"#);
    malformed(r#"{"ack":0,"body":{},"msg_type":"ack","timestamp":"1970-01-01T00:00:00Z"}"#);
    malformed(&format!(r#"{{"body":{{}},"msg_type":"ack",{TIME}}}"#));
    malformed(&format!(r#"{{"ack":0,"body":[],"msg_type":"ack",{TIME}}}"#));
    assert!(matches!(Message::from_slice(b"[]"), Err(PlaintextError::NotAnObject)));
    assert!(matches!(Message::from_slice(&[0xff]), Err(PlaintextError::Json(_))));
    let float = format!(r#"{{"ack":0,"body":{{"x":1.5}},"msg_type":"ack",{TIME}}}"#);
    assert!(matches!(Message::from_slice(float.as_bytes()), Err(PlaintextError::Json(_))));
    let unknown = format!(r#"{{"ack":0,"body":{{}},"msg_type":"ack",{TIME},"x":1}}"#);
    assert!(Message::from_slice(unknown.as_bytes()).is_ok());
}

#[test]
fn a_chunk_is_44_bytes_and_its_data() {
    let written = ChunkMessage { header: chunk_header(), data: b"data" }.to_vec();
    let mut expected = Vec::new();
    for word in [1_u64, 2, 3] {
        expected.extend_from_slice(&word.to_be_bytes());
    }
    expected.extend_from_slice(&SESSION);
    expected.extend_from_slice(&[0, 0, 0, 4]);
    expected.extend_from_slice(b"data");
    assert_eq!(written, expected);
    let read = ChunkMessage::from_slice(&written).unwrap();
    assert_eq!((read.header, read.data), (chunk_header(), &b"data"[..]));
}

#[test]
fn a_chunk_out_of_its_bounds_names_what_is_wrong() {
    let check = |change: &dyn Fn(&mut Vec<u8>), field: &str| {
        let mut bytes = ChunkMessage { header: chunk_header(), data: b"data" }.to_vec();
        change(&mut bytes);
        assert_eq!(ChunkMessage::from_slice(&bytes).unwrap_err().field, field);
    };
    check(&|bytes| bytes[7] = 0, "number");
    check(&|bytes| bytes[0] = 0xff, "number");
    check(&|bytes| bytes[8] = 0xff, "ack");
    check(&|bytes| bytes[16] = 0xff, "timestamp");
    check(&|bytes| bytes[16] = 0x7f, "timestamp");
    check(&|bytes| bytes[30] = 0, "transfer_id");
    check(&|bytes| bytes[40..44].copy_from_slice(&CHUNKS_MAX.to_be_bytes()), "index");
    check(&|bytes| bytes.truncate(44), "data");
    check(&|bytes| bytes.truncate(43), "data");
    check(&|bytes| bytes.resize(44 + CHUNK_SIZE_MAX as usize + 1, 0), "data");
    let mut largest = ChunkMessage { header: chunk_header(), data: b"data" }.to_vec();
    largest.resize(44 + CHUNK_SIZE_MAX as usize, 0);
    assert!(ChunkMessage::from_slice(&largest).is_ok());
}

#[test]
fn a_batch_is_read_as_a_whole_or_not_at_all() {
    let mut body = Vec::new();
    batch::push(&mut body, b"one");
    batch::push(&mut body, b"");
    assert_eq!(body, b"\0\0\0\x03one\0\0\0\0");
    assert_eq!(batch::split(&body), Ok(vec![&b"one"[..], b""]));
    assert_eq!(batch::split(b""), Ok(Vec::new()));
    body.push(0);
    assert_eq!(batch::split(&body), Err(BatchError::Length { index: 2 }));
    assert_eq!(batch::split(b"\0\0\0\x04one"), Err(BatchError::Length { index: 0 }));
    assert_eq!(batch::split(b"\xff\xff\xff\xffone"), Err(BatchError::Length { index: 0 }));
    let many = vec![0; 4 * FRAMES_PER_BATCH_MAX];
    assert_eq!(batch::split(&many).unwrap().len(), FRAMES_PER_BATCH_MAX);
    assert_eq!(batch::split(&[many, vec![0; 4]].concat()), Err(BatchError::TooMany));
    let too_long = batch::split(&vec![0; MESSAGE_LEN_MAX + 1]).unwrap_err();
    assert_eq!(too_long.code(), ErrorCode::MessageTooLarge);
    assert_eq!(BatchError::TooMany.code(), ErrorCode::InvalidMessage);
    let mut largest = Vec::new();
    batch::push(&mut largest, &vec![0; FRAME_LEN_MAX]);
    assert_eq!(batch::split(&largest).unwrap().len(), 1);
}

#[test]
fn results_stand_in_the_order_of_the_frames() {
    let outcomes = [Ok(()), Err(ErrorCode::SequenceError), Ok(())];
    let body = batch::results(&outcomes);
    assert_eq!(std::str::from_utf8(&body).unwrap(), r#"{"results":["ok","SEQUENCE_ERROR","ok"]}"#);
    assert_eq!(batch::read_results(&body, 3), Some(outcomes.to_vec()));
    assert_eq!(batch::read_results(&body, 2), None);
    for other in ["", "{}", "[]", r#"{"results":["fine"]}"#, r#"{"results":[1]}"#] {
        assert_eq!(batch::read_results(other.as_bytes(), 1), None, "{other}");
    }
}

proptest! {
    #[test]
    fn frames_read_back(kind: bool, generation: u16, sequence in 0..1_u64 << 48, sealed in prop::collection::vec(any::<u8>(), 16..99)) {
        let header = Header {
            kind: if kind { Kind::Message } else { Kind::Chunk },
            generation: Generation::new(generation),
            sequence: Sequence::new(sequence).unwrap(),
            ..header(Kind::Message)
        };
        let frame = Frame { header, sealed };
        prop_assert_eq!(Frame::read(&frame.to_vec()), Ok(frame));
    }

    #[test]
    fn batches_read_back(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let mut body = Vec::new();
        for frame in &frames {
            batch::push(&mut body, frame);
        }
        let read = batch::split(&body).unwrap();
        prop_assert!(read.iter().eq(frames.iter()));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        drop(Frame::read(&bytes));
        drop(Message::from_slice(&bytes));
        let _ = ChunkMessage::from_slice(&bytes);
        drop(batch::split(&bytes));
        drop(batch::read_results(&bytes, 1));
    }
}
