//! A line that a node is told through its shim: `docs/contract/README.md`.

use entity_node::rpc::Incoming;

use super::contract_line;
use crate::corpus::Corpus;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "node_line",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds { held: 64 * 1024, held_per_byte: 16, worked_per_byte: 64, len_max: None },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    match Incoming::parse(text) {
        Ok(incoming) => {
            drop(incoming);
            Outcome::Taken
        }
        Err(error) => {
            assert!(!error.message.is_empty(), "a refusal without a word");
            Outcome::Refused
        }
    }
}

fn golden() -> Corpus {
    let requests = contract_line::golden();
    let requests = requests.entries().iter().filter(|line| target(line) == Outcome::Taken);
    Corpus::of(requests.cloned().collect::<Vec<_>>())
}
