//! Every decoder under inputs that nobody meant.
//!
//! A *target* is one decoder with its law, in one file of [`targets`]: it reads bytes and says whether it took them. What holds
//! for all of them is held in one place, [`mod@check`]: no input makes a target panic, and none makes it take more memory than its
//! length allows, nor any memory worth speaking of where it is longer than the format is. What a target takes it writes and
//! reads again, and that is the same ([`law`]).
//!
//! Reading order:
//!
//! 1. [`target`]: what a target is. [`law`]: what it owes for what it takes.
//! 2. [`corpus`]: the golden bytes that inputs are made from. [`mutate`]: how. [`random`]: from which numbers.
//! 3. [`mod@check`]: one input. [`runner`]: so many of them, from one seed.
//! 4. [`targets`]: all of them.
//!
//! Nothing here measures time: work is counted in allocations, so that a run says the same on every machine. The same targets
//! run under libFuzzer, which looks for new paths: `fuzz/libfuzzer/README.md`.

pub mod target;

pub mod law;

pub mod corpus;
pub mod mutate;
pub mod random;

pub mod check;
pub mod runner;

pub mod targets;

pub use check::{Finding, check};
pub use runner::{Plan, Tally, input, run};
pub use target::{Bounds, Form, Outcome, Target};
