//! The record of a run, line by line.

use handfast_scenario::event::read_record;

use crate::corpus::{self, Corpus};
use crate::law;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "record",
    run: target,
    corpus: golden,
    form: Form::Text,
    // A line of few bytes is an event of a few hundred.
    bounds: Bounds { held: 64 * 1024, held_per_byte: 64, worked_per_byte: 512, len_max: None },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    let Ok(events) = read_record(text) else { return Outcome::Refused };
    let write = |events: &[handfast_scenario::Recorded]| {
        events.iter().map(handfast_scenario::Recorded::to_line).collect::<String>().into_bytes()
    };
    law::settles(&write(&events), |bytes| {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        read_record(text).map(|events| write(&events)).map_err(|error| error.to_string())
    });
    Outcome::Taken
}

fn golden() -> Corpus {
    Corpus::of([corpus::text("fuzz/corpus/record.jsonl")])
}
