//! The reviewed results of the matrix.

use handfast_matrix::Expectations;
use handfast_matrix::expected::FILE_LEN_MAX;

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "expected",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 512 * 1024,
        held_per_byte: 256,
        worked_per_byte: 4_096,
        len_max: Some(FILE_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    match Expectations::parse("expected.toml", text) {
        Ok(_) => Outcome::Taken,
        Err(error) => {
            assert!(error.line >= 1 && !error.message.is_empty(), "a refusal without a place");
            Outcome::Refused
        }
    }
}

fn golden() -> Corpus {
    Corpus::of([corpus::text("fuzz/corpus/expected.toml"), corpus::text("expected.toml")])
}
