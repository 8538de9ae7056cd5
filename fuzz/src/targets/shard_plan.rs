//! The plan by which shards of a run know their parts.

use handfast_matrix::shard::ShardPlan;
use handfast_matrix::shard::file::LEN_MAX;

use crate::corpus::{self, Corpus};
use crate::law;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "shard_plan",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 128,
        worked_per_byte: 1_024,
        len_max: Some(LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    let Ok(plan) = ShardPlan::parse(text) else { return Outcome::Refused };
    let Ok(written) = plan.to_text() else { panic!("a plan that was read cannot be written") };
    law::settles(written.as_bytes(), |bytes| {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let plan = ShardPlan::parse(text).map_err(|error| error.to_string())?;
        plan.to_text().map(String::into_bytes).map_err(|error| error.to_string())
    });
    Outcome::Taken
}

fn golden() -> Corpus {
    Corpus::of([corpus::text("handfast/matrix/tests/data/shard-plan.json")])
}
