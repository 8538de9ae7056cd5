//! What is sealed in a frame of a chunk: `docs/protocol/1.1.md#frame-of-a-chunk`.

use entity_wire::frame::{ChunkHeader, ChunkMessage};
use entity_wire::limits::CHUNK_SIZE_MAX;

use crate::corpus::Corpus;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "frame_chunk",
    run: target,
    corpus: golden,
    form: Form::Binary,
    bounds: Bounds {
        held: 4 * 1024,
        held_per_byte: 4,
        worked_per_byte: 16,
        len_max: Some(CHUNK_SIZE_MAX as usize + ChunkHeader::LEN),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(chunk) = ChunkMessage::from_slice(input) else { return Outcome::Refused };
    assert!(chunk.to_vec() == input, "a chunk is written otherwise than it was read");
    Outcome::Taken
}

fn golden() -> Corpus {
    let mut chunk = Vec::new();
    chunk.extend_from_slice(&9_u64.to_be_bytes());
    chunk.extend_from_slice(&3_u64.to_be_bytes());
    chunk.extend_from_slice(&1_700_000_000_000_000_u64.to_be_bytes());
    chunk.extend_from_slice(b"\x9b\x2f\x7c\x1e\x0d\x1a\x4f\x3b\x8c\x5d\x6e\x7f\x80\x91\xa2\xb3");
    chunk.extend_from_slice(&7_u32.to_be_bytes());
    chunk.extend_from_slice(b"data");
    Corpus::of([chunk])
}
