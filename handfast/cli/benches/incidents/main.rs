//! Must show: nothing that a run finds stays untold, whatever is killed and whatever the weather of the channel.
//!
//! `cargo bench -p handfast-cli --bench incidents -- [--incidents 300] [--seed N] [--workers 4] [--handfast FILE]` plays red and green runs of real
//! `handfast` processes against a fake Slack that refuses, breaks, stays silent and resets, and kills runner, courier, both, or
//! the runner's process group at random moments. It ends with 1 when a law is broken.

#![expect(clippy::print_stdout, reason = "its result")]
#![expect(clippy::unwrap_used, reason = "a trial that cannot be carried out has failed")]

mod laws;
mod trial;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use trial::Order;

fn main() -> ExitCode {
    let mut order =
        Order { incidents: 300, seed: 1, workers: 4, half_within: Some(Duration::from_secs(2)) };
    let mut handfast = PathBuf::from(env!("CARGO_BIN_EXE_handfast"));
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    for pair in words.chunks(2) {
        let number = pair.get(1).and_then(|number| number.parse::<u64>().ok());
        match (pair[0].as_str(), number) {
            ("--incidents", Some(number)) => order.incidents = number,
            ("--seed", Some(number)) => order.seed = number,
            ("--workers", Some(number)) => order.workers = number.max(1),
            ("--handfast", None) if pair.len() == 2 => handfast = PathBuf::from(&pair[1]),
            _ => {
                println!(
                    "usage: incidents [--incidents N] [--seed N] [--workers N] [--handfast FILE]"
                );
                return ExitCode::from(2);
            }
        }
    }
    let outcome = trial::run(&order, &handfast);
    println!("{}", outcome.report);
    for broken in &outcome.broken {
        println!("BROKEN: {broken}");
    }
    if outcome.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
