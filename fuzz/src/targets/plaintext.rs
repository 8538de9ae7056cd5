//! What a sealed message says once it is opened: `docs/protocol/1.1.md#sealing`.

use entity_wire::limits::MESSAGE_LEN_MAX;
use entity_wire::payload::sealed::Plaintext;

use crate::corpus::{self, Corpus};
use crate::law;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "plaintext",
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
    let Ok(plaintext) = Plaintext::from_slice(input) else { return Outcome::Refused };
    let written = plaintext.to_vec();
    if written.len() <= MESSAGE_LEN_MAX {
        law::settles(&written, |bytes| Plaintext::from_slice(bytes).map(|again| again.to_vec()));
    }
    Outcome::Taken
}

fn golden() -> Corpus {
    let files = ["handshake_1_1.json", "rekey_1_1.json", "resume_1_1.json"];
    let plaintexts = files.into_iter().flat_map(|file| {
        let vectors = corpus::json(&format!("docs/protocol/vectors/{file}"));
        corpus::objects_with(&vectors, &["ack", "body"])
    });
    Corpus::of(plaintexts).and(corpus::lines("fuzz/corpus/plaintext.jsonl"))
}
