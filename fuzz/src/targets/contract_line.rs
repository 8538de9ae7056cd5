//! A line of the peer contract, as the platform reads it: `docs/contract/README.md`.

use handfast_contract::Initialized;
use handfast_contract::codec::{LINE_LEN_MAX, decode, encode};
use handfast_contract::message::Message;

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "contract_line",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 128,
        worked_per_byte: 512,
        // With the end of the line.
        len_max: Some(LINE_LEN_MAX + 2),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(message) = decode(input) else { return Outcome::Refused };
    if let Message::Response { outcome: Ok(result), .. } = &message {
        drop(Initialized::from_result(result));
    }
    let Ok(written) = encode(&message) else { return Outcome::Taken };
    match decode(&written) {
        Ok(again) => assert!(again == message, "a message that was written is another"),
        Err(error) => panic!("a message that was written is refused: {error}"),
    }
    Outcome::Taken
}

/// Lines of either direction.
pub(super) fn golden() -> Corpus {
    Corpus::of(corpus::lines("fuzz/corpus/contract_line.jsonl"))
}
