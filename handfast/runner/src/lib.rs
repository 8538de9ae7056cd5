//! Carries out a plan and tells what happens.
//!
//! Everything observable leaves as [`RunEvent`](handfast_scenario::RunEvent)s through [`sink`]s; nothing here
//! prints. Data flows one way: files -> plan -> units and suites -> events -> sinks.
//!
//! Reading order:
//!
//! 1. [`project`]: the project's files on disk; [`place`]: the folders that commands may name.
//! 2. [`run`]: the dispatcher: category by category, within time and number; [`matrix`]: the cells of all pairs of peers.
//! 3. [`absence`], [`build`] and [`probe`]: peers before they play. [`ingredients`]: what they are made of.
//! 4. [`mod@unit`], the executor: one scenario on certain peers, from first process to last.
//! 5. [`suite`]: foreign test tools. [`care`]: what is done about what fails; [`retry`]: how often it is tried again.
//! 6. [`sink`], [`record`], [`chronicle`] and [`tally`]: where events go, what is kept, what they count up to.
//!    [`merge`]: the records of shards, made one.
//! 7. [`selftest`]: the same with peers that have planted flaws, to see that scenarios fail.
//! 8. [`chaos`]: one scenario under schedules of disturbances that a search chooses.
//! 9. [`simulate`]: a simulator and what it says. [`perf`]: how fast peers are, measured. [`mod@interrupt`], which is Ctrl-C.

pub mod place;
pub mod project;

mod idleness;
pub mod matrix;
pub mod run;

pub mod absence;
pub mod build;
pub mod ingredients;
pub mod probe;

pub mod care;
pub mod retry;
pub mod suite;
pub mod unit;

pub mod chaos;
pub mod perf;
pub mod selftest;
pub mod simulate;

pub mod chronicle;
pub mod merge;
mod reach;
pub mod record;
pub mod sink;
pub mod tally;

pub mod interrupt;

pub mod command;
