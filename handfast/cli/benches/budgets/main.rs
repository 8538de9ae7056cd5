//! Must show: no run takes more than 2 s beyond its budget, and no result is lost when handfast is killed at a random moment.
//!
//! `cargo bench -p handfast-cli --bench budgets -- [--runs 200] [--seed N] [--workers 2]` plays runs of scenarios and suites, some of which pass, wait,
//! hang, crash, or need the machine alone, in budgets of one to three seconds, and kills about every third run with `kill -9`. It ends with 1 when a law is broken.

#![expect(clippy::print_stdout, reason = "its result")]
#![expect(clippy::unwrap_used, reason = "a trial that cannot be carried out has failed")]

#[path = "../../tests/it/support.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod support;
mod trial;

use std::process::ExitCode;

use trial::Order;

fn main() -> ExitCode {
    let mut order = Order { runs: 200, seed: 1, workers: 2 };
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    for pair in words.chunks(2) {
        let number = pair.get(1).and_then(|number| number.parse::<u64>().ok());
        match (pair[0].as_str(), number) {
            ("--runs", Some(number)) => order.runs = number.max(1),
            ("--seed", Some(number)) => order.seed = number,
            ("--workers", Some(number)) => order.workers = number.max(1),
            _ => {
                println!("usage: budgets [--runs N] [--seed N] [--workers N]");
                return ExitCode::from(2);
            }
        }
    }
    let outcome = trial::run(&order);
    println!("seed {}: {}", order.seed, outcome.report());
    for broken in &outcome.broken {
        println!("BROKEN: {broken}");
    }
    if outcome.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
