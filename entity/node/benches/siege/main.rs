//! What an honest peer keeps of its throughput while others are a burden: `cargo bench -p entity-node --bench siege [-- --json] [-- --quick]`.
//!
//! The server is `entity run`, a process of its own; so are the besiegers, who come from other addresses of this machine.
//!
//! - *slow and silent*: 1,000 connections are held at once: a quarter says nothing, a quarter sends its head byte by byte, a
//!   quarter its body, and a quarter asks 20 times and reads no answer.
//! - *flood*: beside those one identity, known and with a session, sends signed messages over 16 connections as fast as they are
//!   answered.
//! - *honest*: another identity sends signed messages, one at a time, as fast as they are answered.
//!
//! Each round measures the honest peer alone, beside the slow and silent, beside all of them, and alone again; a share is that of the
//! mean of both times alone, and the median of all rounds counts. What besiegers and honest peer take of the cores to make their
//! load is taken from the server; the flood was signed before, so that it is little.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot measure ends")]
#![expect(clippy::print_stdout, reason = "the result of a benchmark is what it prints")]
#![expect(clippy::cast_precision_loss, reason = "counts and times far below 2^52 are averaged")]

mod besiegers;
#[path = "../peer/figures.rs"]
mod figures;
mod honest;
#[path = "../peer/processes.rs"]
#[expect(dead_code, reason = "shared with the other benchmark")]
mod processes;
mod sender;

use std::time::Duration;

use besiegers::Besiegers;
use figures::{Aim, Figures};
use honest::Honest;
use processes::Run;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    rounds: usize,
    /// How long each part of a round is.
    part: Duration,
}

const FULL: Effort = Effort { rounds: 5, part: Duration::from_secs(3) };
const QUICK: Effort = Effort { rounds: 3, part: Duration::from_secs(1) };

/// Connections that are held at once, in all.
const HELD: usize = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some(besiegers::BESIEGE) {
        return besiegers::serve(&arguments[1..]);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let figures = measure(if has("--quick") { QUICK } else { FULL });
    if has("--json") {
        println!("{}", figures.to_json());
    } else {
        figures.print();
    }
}

/// One round, in messages a second.
struct Round {
    alone: f64,
    beside_slow: f64,
    beside_all: f64,
    flood: f64,
    held: f64,
    slow_mib: f64,
    all_mib: f64,
}

impl Round {
    fn measure(
        effort: Effort,
        run: &Run,
        honest: &mut Honest,
        flooder: &mut sender::Sender,
    ) -> Self {
        let alone = honest.rate(effort.part);
        let mut slow = Besiegers::slow(run.address, HELD);
        let beside_slow = honest.rate(effort.part);
        let slow_mib = run.process.resident_mib();
        let flood = Besiegers::flood(run.address, flooder);
        let beside_all = honest.rate(effort.part);
        let all_mib = run.process.resident_mib();
        let (flood, held) = (flood.end(), slow.held());
        drop(slow);
        let alone = f64::midpoint(alone, honest.rate(effort.part));
        Self { alone, beside_slow, beside_all, flood, held, slow_mib, all_mib }
    }
}

fn measure(effort: Effort) -> Figures {
    let mut figures = Figures::default();
    let (run, mut honest, mut flooder) = honest::start();
    let idle = run.process.resident_mib();
    let rounds: Vec<_> = (0..effort.rounds)
        .map(|_| Round::measure(effort, &run, &mut honest, &mut flooder))
        .collect();
    let mut add = |name, unit, aim, figure: fn(&Round) -> f64| {
        figures.add(name, median(rounds.iter().map(figure).collect()), unit, aim);
    };
    add("honest peer alone", "/s", Aim::None, |round| round.alone);
    add("connections held beside it", "", Aim::AtLeast(HELD as f64), |round| round.held);
    add("honest peer beside them", "/s", Aim::None, |round| round.beside_slow);
    add("  share of alone", "%", Aim::AtLeast(80.0), |round| {
        100.0 * round.beside_slow / round.alone
    });
    add("flood of one identity, answered", "/s", Aim::None, |round| round.flood);
    add("honest peer beside all of it", "/s", Aim::None, |round| round.beside_all);
    add("  share of alone", "%", Aim::AtLeast(80.0), |round| {
        100.0 * round.beside_all / round.alone
    });
    add("memory beside the slow (resident)", "MiB", Aim::AtMost(64.0), |round| round.slow_mib);
    add("memory beside all of it (resident)", "MiB", Aim::AtMost(64.0), |round| round.all_mib);
    figures.add("memory before (resident)", idle, "MiB", Aim::None);
    figures
}

/// The middle of some measurements.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
