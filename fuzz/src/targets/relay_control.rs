//! What a relay and its members say about their connection: `docs/protocol/1.1.md#relay-registration`.

use entity_wire::relay::Control;

use crate::corpus::{self, Corpus};
use crate::law;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "relay_control",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 64,
        worked_per_byte: 512,
        len_max: Some(entity_wire::relay::control::CONTROL_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(control) = Control::read(input) else { return Outcome::Refused };
    law::settles(&control.to_json(), |bytes| Control::read(bytes).map(|again| again.to_json()));
    Outcome::Taken
}

fn golden() -> Corpus {
    Corpus::of(corpus::lines("fuzz/corpus/relay_control.jsonl"))
}
