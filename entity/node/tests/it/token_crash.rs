//! Payments between two processes that are killed at random points.

use crate::crash::{self, Effort, judge::judge};

/// The long form, with 1,000 payments and 200 kills: `cargo bench -p entity-node --bench crash`.
#[test]
fn payments_happen_once_or_are_refused_wherever_a_process_is_killed() {
    let effort = Effort { seed: 20_261_122, payments: 100, kills: 20 };
    let mut run = crash::run(effort);
    let found = judge(&mut run);
    assert!(run.kills >= effort.kills, "{}", crash::report(&run, &found));
    assert!(found.applied >= 50 && found.refused >= 1, "{}", crash::report(&run, &found));
}
