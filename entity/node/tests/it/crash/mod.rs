//! Payments between two processes that are killed at random points, and what must be true at the end.
//!
//! - [`plan`]: what is to be paid, from a seed.
//! - [`side`]: one process, killed and started again in the same directory at the same address.
//! - [`drive`]: pays and kills.
//! - [`judge`]: compares what both sides say with each other, with the plan and with the proofs.

pub(crate) mod drive;
pub(crate) mod judge;
pub(crate) mod plan;
pub(crate) mod side;

pub(crate) use drive::{Effort, Run, run};

use judge::Findings;

/// What was done and found, for people.
pub(crate) fn report(run: &Run, found: &Findings) -> String {
    let [own, other, none] = run.kills_while;
    let starts: u64 = run.sides.iter().map(|side| side.start).sum();
    format!(
        "{} kills (with a payment of the killed side under way: {own}, of the other side: {other}, with none: {none}), {starts} starts\n\
         {} payments: {} applied once, {} refused, {} without an answer that happened once, {} without an answer that never happened\n\
         both histories equal, balances and sums right on both sides, {} certificates verified from files",
        run.kills,
        run.payments.len(),
        found.applied,
        found.refused,
        found.unknown_and_happened,
        found.unknown_and_not,
        found.proofs,
    )
}
