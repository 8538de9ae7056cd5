//! The pieces of a payload of 1.0: `docs/protocol/1.0.md#chunks`.

use entity_wire::decode;
use entity_wire::json::RULES_1_0_HARDENED;
use entity_wire::limits::{CHUNKED_1_0_PIECES_MAX, MESSAGE_LEN_MAX};
use entity_wire::payload::chunk_1_0::{Piece, cut, join};

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "chunk_1_0",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 96,
        worked_per_byte: 1_024,
        len_max: Some(MESSAGE_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(object) = decode::read_object(&RULES_1_0_HARDENED, input) else {
        return Outcome::Refused;
    };
    let Ok(piece) = Piece::from_object(&object) else { return Outcome::Refused };
    assert!(piece.index < piece.total && piece.total <= CHUNKED_1_0_PIECES_MAX);
    // As if it were all there is.
    let Some((kind, payload)) = join(&piece.form, &[&piece.data], &RULES_1_0_HARDENED) else {
        return Outcome::Taken;
    };
    // What is long enough to be cut is put together again as it was.
    let Some(pieces) = cut(&payload, &kind, || "id".to_owned()) else { return Outcome::Taken };
    let pieces: Vec<_> = pieces.iter().map(Piece::from_object).collect();
    let Ok(pieces) = pieces.into_iter().collect::<Result<Vec<_>, _>>() else {
        panic!("a piece that was cut is none")
    };
    let data: Vec<_> = pieces.iter().map(|piece| piece.data.as_str()).collect();
    let joined = pieces.first().and_then(|first| join(&first.form, &data, &RULES_1_0_HARDENED));
    assert_eq!(joined, Some((kind, payload)), "put together, it is another payload");
    Outcome::Taken
}

fn golden() -> Corpus {
    let recorded = corpus::json("entity/wire/tests/data/chunks_1_0.json");
    let some = |form: &str| {
        let pieces = recorded[form].as_array().into_iter().flatten().take(2);
        pieces.map(|piece| piece.to_string().into_bytes()).collect::<Vec<_>>()
    };
    Corpus::of(some("a")).and(some("b")).and(corpus::lines("fuzz/corpus/chunk_1_0.jsonl"))
}
