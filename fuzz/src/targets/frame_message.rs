//! What is sealed in a frame of a message: `docs/protocol/1.1.md#frame-of-a-message`.

use entity_wire::frame::Message;
use entity_wire::limits::MESSAGE_LEN_MAX;

use crate::corpus::{self, Corpus};
use crate::law;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "frame_message",
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
    let Ok(message) = Message::from_slice(input) else { return Outcome::Refused };
    let written = message.to_vec();
    if written.len() <= MESSAGE_LEN_MAX {
        law::settles(&written, |bytes| Message::from_slice(bytes).map(|again| again.to_vec()));
    }
    Outcome::Taken
}

fn golden() -> Corpus {
    Corpus::of(corpus::lines("fuzz/corpus/frame_message.jsonl"))
}
