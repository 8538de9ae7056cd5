//! The messages of the distributed hash table: `docs/protocol/1.1.md#dht-messages`.

use entity_wire::json::{FieldError, Object, RULES_1_1};
use entity_wire::limits::MESSAGE_LEN_MAX;
use entity_wire::payload::dht::DhtMessage;

use super::bodies;
use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "dht_message",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 64,
        worked_per_byte: 1_024,
        len_max: Some(MESSAGE_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    bodies::target(input, &RULES_1_1, read)
}

fn read(kind: &str, body: &Object) -> Option<Result<Object, FieldError>> {
    Some(DhtMessage::from_object(kind, body)?.map(|read| read.to_object()))
}

fn golden() -> Corpus {
    Corpus::of(corpus::lines("fuzz/corpus/dht_message.jsonl"))
}
