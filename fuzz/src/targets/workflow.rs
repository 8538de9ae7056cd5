//! The workflow's files: YAML as the services read it, and the regions between which people write.

use handfast_workflow::region::Parts;
use handfast_workflow::yaml::{self, FILE_LEN_MAX};

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "workflow",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 1024 * 1024,
        held_per_byte: 512,
        worked_per_byte: 4_096,
        len_max: Some(FILE_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    if text.len() <= FILE_LEN_MAX {
        drop(Parts::parse(text));
    }
    Outcome::of(&yaml::read(text))
}

fn golden() -> Corpus {
    Corpus::of([corpus::text(".gitlab-ci.yml"), "a: [1, 'b']\nc: &x {d: null}\ne: *x\n".to_owned()])
}
