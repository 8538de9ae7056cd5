//! Frames that another implementation has sealed: `docs/protocol/vectors/frame_1_1.json`.

use entity_crypto::encoding::{hex_decode_array, hex_encode};
use entity_crypto::sealing::SealingKey;
use entity_wire::frame::{ChunkMessage, Frame, Header, Kind, Message};
use serde_json::Value;

use crate::data::{list, text};

fn bytes(value: &Value, key: &str) -> Vec<u8> {
    let digits = text(value, key).as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn frames_that_another_implementation_has_sealed_open_and_are_made_again_byte_for_byte() {
    let file = include_str!("../../../../docs/protocol/vectors/frame_1_1.json");
    let vectors: Value = serde_json::from_str(file).unwrap();
    let key = SealingKey::new(hex_decode_array(text(&vectors, "key")).unwrap());
    assert_eq!(list(&vectors, "frames").len(), 4);
    for vector in list(&vectors, "frames") {
        let frame = Frame::read(&bytes(vector, "frame")).unwrap();
        let header = frame.header;
        assert_eq!(Some(u64::from(header.kind.byte())), vector["kind"].as_u64());
        assert_eq!(Some(u64::from(header.generation.get())), vector["generation"].as_u64());
        assert_eq!(Some(header.sequence.get()), vector["sequence"].as_u64());
        assert_eq!(header.session.to_string(), text(&vectors, "session_id"));
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&header.to_bytes()[17..]);
        let opened = key.open_owned(&nonce, &header.to_bytes(), frame.sealed).unwrap();
        assert_eq!(hex_encode(&opened), text(vector, "plaintext"));
        let written = match header.kind {
            Kind::Message => Message::from_slice(&opened).unwrap().to_vec(),
            Kind::Chunk => ChunkMessage::from_slice(&opened).unwrap().to_vec(),
        };
        let mut made = header.to_bytes().to_vec();
        made.extend_from_slice(&written);
        key.seal_after(&nonce, Header::LEN, &mut made);
        assert_eq!(hex_encode(&made), text(vector, "frame"));
    }
}
