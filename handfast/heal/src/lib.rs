//! Whose failure it is, which fault of the machine it was, what to repair and what to run again.
//!
//! This crate is pure: it opens no file, reads no clock and repairs nothing. What a run said and what was measured on the machine go
//! in; classes with their evidence, remedies, retries, notes and the lines of the ledger come out.
//! [`docs/design/healing.md`](../../../docs/design/healing.md) says why it is so careful, and what is not carried out yet.
//!
//! Reading order:
//!
//! 1. [`failure`]: what a record says of a failure; [`normal`]: its text without what differs from run to run.
//! 2. [`fact`]: what was measured on the machine; [`mod@fault`]: the twelve faults, by what each is recognised, what is repaired.
//! 3. [`class`]: product, infra, flaky or known, with the evidence.
//! 4. [`known`]: reviewed rules that end by themselves; [`quarantine`]: tests that run and decide nothing; [`pattern`]: what both are
//!    written with.
//! 5. [`retry`]: how often what failed is tried again; [`repair`]: what is repaired after a round, and what is run again.
//! 6. [`ledger`]: every act of healing with what came of it, and the budget of a run for them.

pub mod failure;
pub mod normal;

pub mod fact;
pub mod fault;

pub mod class;

pub mod known;
pub mod pattern;
pub mod quarantine;

pub mod repair;
pub mod retry;

pub mod ledger;

#[cfg(test)]
mod sample;
