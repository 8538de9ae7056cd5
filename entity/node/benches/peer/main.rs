//! What a peer can do on this machine, in one run: `cargo bench -p entity-node --bench peer [-- --json] [-- --quick]`.
//!
//! Every figure that has an aim is printed beside it, and every rate beside what the same run says is possible:
//!
//! - *ceiling of a server*: all cores are busy with what a message costs, and nothing else. A message costs one HTTP exchange
//!   (measured with 16 connections, so `cores / exchanges a second` of core time, the load generator's share included), one
//!   verification and, where the generator signs as it goes, one signature:
//!   `1 / ceiling = 1 / http + 1 / (cores * verify) [+ 1 / (cores * sign)]`.
//! - *ceiling of a round trip on one core*: the same things one after the other: `1 / ceiling = http + 1 / verify + 1 / sign`,
//!   with `http` the time of an exchange of the same client and server on that core.
//!
//! Servers, and both ends of the round trips, are processes of their own. Rates are medians of several rounds.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot measure ends")]
#![expect(clippy::print_stdout, reason = "the result of a benchmark is what it prints")]
#![expect(clippy::cast_precision_loss, reason = "counts and times far below 2^52 are averaged")]

mod crypto;
mod figures;
mod handshakes;
mod load;
mod processes;
mod starts;
mod trips;
mod trivial;

use figures::{Aim, Figures};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds of each rate; the median counts.
    rounds: usize,
    /// Exchanges in a round, over all connections.
    exchanges: usize,
    /// Round trips, one after the other.
    trips: usize,
    /// Handshakes of each version.
    handshakes: usize,
    /// Starts of the program.
    starts: usize,
}

const FULL: Effort =
    Effort { rounds: 5, exchanges: 16_000, trips: 4_000, handshakes: 100, starts: 30 };
const QUICK: Effort =
    Effort { rounds: 3, exchanges: 4_800, trips: 1_000, handshakes: 20, starts: 5 };

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(trivial::SERVE) => return trivial::serve(),
        Some(trivial::CALL) => return trivial::call(&arguments[1], arguments[2].parse().unwrap()),
        Some(_) | None => {}
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let effort = if has("--quick") { QUICK } else { FULL };
    let figures = measure(effort);
    if has("--json") {
        println!("{}", figures.to_json());
    } else {
        figures.print();
    }
}

fn measure(effort: Effort) -> Figures {
    let mut figures = Figures::default();
    let cores = std::thread::available_parallelism().unwrap().get() as f64;
    figures.add("cores", cores, "", Aim::None);
    let crypto::Rates { sign, verify } = crypto::rates(effort.rounds);
    figures.add("signatures, one core", sign, "/s", Aim::None);
    figures.add("verifications, one core", verify, "/s", Aim::None);

    let http = load::http_only(effort);
    figures.add("HTTP only, 16 connections", http, "/s", Aim::None);
    let server = load::signed_messages(effort);
    let ceiling_verify = 1.0 / (1.0 / http + 1.0 / (cores * verify));
    let ceiling_both = 1.0 / (1.0 / ceiling_verify + 1.0 / (cores * sign));
    figures.add("ceiling of verify + HTTP", ceiling_verify, "/s", Aim::None);
    figures.add("ceiling of sign + verify + HTTP", ceiling_both, "/s", Aim::None);
    figures.add("server 1.0, signed before", server.signed_before, "/s", Aim::AtLeast(10_000.0));
    figures.add(
        "  share of verify + HTTP",
        100.0 * server.signed_before / ceiling_verify,
        "%",
        Aim::AtLeast(60.0),
    );
    figures.add("server 1.0, signed as sent", server.signed_as_sent, "/s", Aim::None);
    figures.add(
        "  share of sign + verify + HTTP",
        100.0 * server.signed_as_sent / ceiling_both,
        "%",
        Aim::AtLeast(60.0),
    );

    let trip = trips::measured(effort.trips);
    let ceiling = 1e6 / (trip.http_us + 1e6 / verify + 1e6 / sign);
    figures.add("HTTP only, one core, one at a time", 1e6 / trip.http_us, "/s", Aim::None);
    figures.add("ceiling of a round trip", ceiling, "/s", Aim::None);
    figures.add("round trips 1.0, one core", 1e6 / trip.message_us, "/s", Aim::None);
    figures.add(
        "  share of sign + verify + HTTP",
        100.0 * 1e6 / trip.message_us / ceiling,
        "%",
        Aim::AtLeast(60.0),
    );

    figures.add_measured(
        "handshake 1.0, p50",
        handshakes::v1_0(effort.handshakes),
        "ms",
        Aim::None,
    );
    figures.add_measured(
        "handshake 1.1, p50",
        handshakes::v1_1(effort.handshakes),
        "ms",
        Aim::AtMost(3.0),
    );
    figures.add("start to ready, p50", starts::to_ready(effort.starts), "ms", Aim::AtMost(50.0));
    figures.add("idle memory (resident)", starts::idle_memory(), "MiB", Aim::AtMost(15.0));
    figures.add("memory after the load (resident)", server.memory_mib, "MiB", Aim::None);
    figures
}

/// The middle of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
