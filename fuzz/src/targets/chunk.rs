//! The messages of a chunked transfer: `docs/protocol/1.1.md#chunked-transfer`.

use entity_wire::json::{FieldError, Object, RULES_1_1};
use entity_wire::limits::MESSAGE_LEN_MAX;
use entity_wire::payload::chunk::{
    Chunk, ChunkAck, ChunkComplete, ChunkHead, ChunkInit, ChunkResend, Piece,
};

use super::bodies;
use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "chunk",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 64,
        worked_per_byte: 512,
        len_max: Some(MESSAGE_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    bodies::target(input, &RULES_1_1, read)
}

fn read(kind: &str, body: &Object) -> Option<Result<Object, FieldError>> {
    Some(match kind {
        "chunk_init" => ChunkInit::from_object(body).map(|read| read.to_object()),
        "chunk" => chunk(body),
        "chunk_ack" => ChunkAck::from_object(body).map(|read| read.to_object()),
        "chunk_resend" => ChunkResend::from_object(body).map(|read| read.to_object()),
        "chunk_complete" => ChunkComplete::from_object(body).map(|read| read.to_object()),
        _ => return None,
    })
}

/// A chunk is read twice, its head where the peer is and its data elsewhere: both have to say the same.
fn chunk(body: &Object) -> Result<Object, FieldError> {
    let head = ChunkHead::from_object(body);
    let chunk = Chunk::from_object(body)?;
    match head {
        Ok(head) => {
            assert_eq!((head.transfer, head.index), (chunk.transfer, chunk.index));
            assert_eq!(
                u32::try_from(chunk.data.len()),
                Ok(head.len),
                "the head counts other bytes"
            );
        }
        Err(error) => panic!("a chunk without a head ({error:?})"),
    }
    let written = Piece::new(&chunk.data).into_object(chunk.transfer, chunk.index);
    assert!(Chunk::from_object(&written)?.is_intact(), "a chunk that was written is not intact");
    Ok(written)
}

fn golden() -> Corpus {
    Corpus::of(corpus::lines("fuzz/corpus/chunk.jsonl"))
}
