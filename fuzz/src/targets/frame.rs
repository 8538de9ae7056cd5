//! A compact frame up to its header: `docs/protocol/1.1.md#compact-frames`.

use entity_wire::frame::Frame;
use entity_wire::limits::FRAME_LEN_MAX;

use crate::corpus::Corpus;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "frame",
    run: target,
    corpus: golden,
    form: Form::Binary,
    bounds: Bounds {
        held: 4 * 1024,
        held_per_byte: 4,
        worked_per_byte: 16,
        len_max: Some(FRAME_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(frame) = Frame::read(input) else { return Outcome::Refused };
    assert!(frame.to_vec() == input, "a frame is written otherwise than it was read");
    Outcome::Taken
}

/// Frames of both kinds.
pub(super) fn golden() -> Corpus {
    let frame = |kind: u8, sealed: &[u8]| {
        let mut frame = vec![kind];
        frame
            .extend_from_slice(b"\x9b\x2f\x7c\x1e\x0d\x1a\x4f\x3b\x8c\x5d\x6e\x7f\x80\x91\xa2\xb3");
        frame.extend_from_slice(&[0, 3, 0, 0, 0, 0, 1, 7]);
        frame.extend_from_slice(sealed);
        frame
    };
    Corpus::of([frame(0x11, &[0x5A; 80]), frame(0x12, &[0xA5; 300]), frame(0x11, &[1; 16])])
}
