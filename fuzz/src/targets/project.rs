//! `handfast.toml`, the project file: `docs/guide/project-file.md`.

use handfast_scenario::Project;
use handfast_scenario::scenario::FILE_LEN_MAX;

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "project",
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
    match Project::parse("handfast.toml", text) {
        Ok(_) => Outcome::Taken,
        Err(problems) => {
            assert!(!problems.to_string().is_empty(), "a refusal without a word");
            Outcome::Refused
        }
    }
}

fn golden() -> Corpus {
    Corpus::of([corpus::text("handfast.toml"), corpus::text("examples/echo-peer/handfast.toml")])
}
