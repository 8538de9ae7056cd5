//! `entity.toml`, the configuration of a node.

use entity_node::config::file;

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "node_config",
    run: target,
    corpus: golden,
    form: Form::Text,
    // Whoever reads the file in refuses one of more than 1 MiB by its size, before any of it is read.
    bounds: Bounds { held: 256 * 1024, held_per_byte: 128, worked_per_byte: 1_024, len_max: None },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    match file::parse("entity.toml", text) {
        Ok(config) => {
            drop(config.rate_limits.limits());
            Outcome::Taken
        }
        Err(error) => {
            assert!(!error.to_string().is_empty(), "a refusal without a word");
            Outcome::Refused
        }
    }
}

fn golden() -> Corpus {
    // The example of its own documentation, and one that says as little as possible.
    Corpus::of([corpus::text("fuzz/corpus/entity.toml"), "id = 'a'\n".to_owned()])
}
