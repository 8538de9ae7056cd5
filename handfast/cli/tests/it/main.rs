//! The program as its users call it: with files, arguments, outputs, an exit code, and nothing left behind.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests are tests, too")]

mod broken_peers;
mod budgets;
mod ci;
mod disturbances;
mod doctor;
mod exercises;
mod fail_fast;
mod github;
mod guides;
mod heal;
mod history;
mod infra;
mod killing;
mod killing_networks;
mod known;
mod lab;
mod limits;
mod matrix;
mod merge;
mod moments;
mod networks;
mod outputs;
mod perf;
mod retries;
mod schedule;
mod secrets;
mod selftest;
mod shards;
mod simulate;
mod stranger;
mod suites;
mod support;
mod telling;
mod usage;
mod verdicts;

#[path = "../../benches/budgets/trial.rs"]
mod budget_trial;
#[path = "../../benches/incidents/laws.rs"]
mod laws;
#[path = "../../benches/incidents/trial.rs"]
mod trial;
