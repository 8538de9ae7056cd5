//! A scenario file: `docs/guide/write-a-scenario.md`.

use handfast_scenario::Scenario;
use handfast_scenario::scenario::{FILE_LEN_MAX, Vocabulary};

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "scenario",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 512 * 1024,
        held_per_byte: 1_024,
        worked_per_byte: 16_384,
        len_max: Some(FILE_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    match Scenario::parse("a/test_unit_a.toml", text, &Vocabulary::default()) {
        Ok(scenarios) => {
            assert!(!scenarios.is_empty(), "a scenario without a variant");
            Outcome::Taken
        }
        Err(problems) => {
            assert!(!problems.to_string().is_empty(), "a refusal without a word");
            Outcome::Refused
        }
    }
}

fn golden() -> Corpus {
    Corpus::of(corpus::files("scenarios", ".toml")).and(corpus::files("examples", "_back.toml"))
}
