//! Frames in one request, and its answer: `docs/protocol/1.1.md#frames-over-http`.

use entity_wire::frame::batch;
use entity_wire::limits::MESSAGE_LEN_MAX;

use super::frame;
use crate::corpus::Corpus;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "frame_batch",
    run: target,
    corpus: golden,
    form: Form::Binary,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 64,
        worked_per_byte: 512,
        len_max: Some(MESSAGE_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    if let Some(outcomes) = batch::read_results(input, 2) {
        assert_eq!(batch::read_results(&batch::results(&outcomes), 2), Some(outcomes));
        return Outcome::Taken;
    }
    let Ok(frames) = batch::split(input) else { return Outcome::Refused };
    let mut written = Vec::new();
    for frame in &frames {
        batch::push(&mut written, frame);
    }
    assert!(written == input, "a batch is written otherwise than it was read");
    Outcome::Taken
}

fn golden() -> Corpus {
    let frames = frame::golden();
    let mut body = Vec::new();
    for frame in frames.entries() {
        batch::push(&mut body, frame);
    }
    let refused = Err(entity_wire::code::ErrorCode::SequenceError);
    Corpus::of([body, batch::results(&[Ok(()), refused])])
}
