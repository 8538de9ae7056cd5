//! What a peer can do on this machine, in one run: `cargo bench -p entity-node --bench peer [-- --json] [-- --quick]`.
//!
//! Every figure that has an aim is printed beside it, and every rate beside what the same run says is possible:
//!
//! - *ceiling of a server*: all cores are busy with what a message costs, and nothing else. A message costs one HTTP exchange
//!   (measured with 16 connections on all cores, the load generator's share included), one verification and, where the
//!   generator signs as it goes, one signature; the last two are measured on all cores at once as well:
//!   `1 / ceiling = 1 / http + 1 / verify [+ 1 / sign]`.
//! - *ceiling of a round trip on one core*: the same things one after the other: `1 / ceiling = http + verify + sign`, each the
//!   median time on that core, `http` that of an exchange of the same client and server.
//!
//! Servers, and both ends of the round trips, are processes of their own. Rates are medians of several rounds; a share is taken
//! inside a round, because on a shared machine only ratios of neighbours mean something.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot measure ends")]
#![expect(clippy::print_stdout, reason = "the result of a benchmark is what it prints")]
#![expect(clippy::cast_precision_loss, reason = "counts and times far below 2^52 are averaged")]

mod crypto;
mod figures;
mod handshakes;
mod load;
#[expect(dead_code, reason = "shared with other benchmarks")]
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
    under_load(effort, &mut figures);

    let trip = trips::measured(effort.trips);
    let ceiling = 1e6 / (trip.http + trip.signing_and_verifying);
    figures.add("HTTP only, one core, one at a time", 1e6 / trip.http, "/s", Aim::None);
    figures.add("ceiling of a round trip", ceiling, "/s", Aim::None);
    figures.add("round trips 1.0, one core", 1e6 / trip.message, "/s", Aim::None);
    figures.add(
        "  share of sign + verify + HTTP",
        100.0 * 1e6 / trip.message / ceiling,
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
    figures
}

/// One round of everything that loads all cores. Shares are taken inside a round: what else the machine does meets all of it.
struct Round {
    rates: crypto::Rates,
    http: f64,
    signed_before: f64,
    signed_as_sent: f64,
    /// Processor time of the server for an HTTP exchange, and of the peer for a message.
    http_us: f64,
    message_us: f64,
    ceiling_verify: f64,
    ceiling_both: f64,
}

impl Round {
    fn measure(loads: &mut load::Loads) -> Self {
        let rates = crypto::rates();
        let exchanges = loads.exchanges() as f64;
        let (trivial_before, peer_before) = loads.processor_us();
        let http = loads.http_only();
        let signed_before = loads.signed_before();
        let (trivial_after, peer_after) = loads.processor_us();
        let (http_us, message_us) =
            ((trivial_after - trivial_before) / exchanges, (peer_after - peer_before) / exchanges);
        let signed_as_sent = loads.signed_as_sent();
        let ceiling_verify = 1.0 / (1.0 / http + 1.0 / rates.verify_all);
        let ceiling_both = 1.0 / (1.0 / ceiling_verify + 1.0 / rates.sign_all);
        Self {
            rates,
            http,
            signed_before,
            signed_as_sent,
            http_us,
            message_us,
            ceiling_verify,
            ceiling_both,
        }
    }
}

fn under_load(effort: Effort, figures: &mut Figures) {
    let mut loads = load::Loads::start(effort.exchanges);
    let rounds: Vec<_> = (0..effort.rounds).map(|_| Round::measure(&mut loads)).collect();
    let mut add = |name, unit, aim, figure: fn(&Round) -> f64| {
        figures.add(name, median(rounds.iter().map(figure).collect()), unit, aim);
    };
    add("signatures, one core", "/s", Aim::None, |round| round.rates.sign);
    add("verifications, one core", "/s", Aim::None, |round| round.rates.verify);
    add("signatures, all cores", "/s", Aim::None, |round| round.rates.sign_all);
    add("verifications, all cores", "/s", Aim::None, |round| round.rates.verify_all);
    add("HTTP only, 16 connections", "/s", Aim::None, |round| round.http);
    add("ceiling of verify + HTTP", "/s", Aim::None, |round| round.ceiling_verify);
    add("ceiling of sign + verify + HTTP", "/s", Aim::None, |round| round.ceiling_both);
    add("server 1.0, signed before", "/s", Aim::AtLeast(10_000.0), |round| round.signed_before);
    add("  share of verify + HTTP", "%", Aim::AtLeast(60.0), |round| {
        100.0 * round.signed_before / round.ceiling_verify
    });
    add("server 1.0, signed as sent", "/s", Aim::None, |round| round.signed_as_sent);
    add("  share of sign + verify + HTTP", "%", Aim::AtLeast(60.0), |round| {
        100.0 * round.signed_as_sent / round.ceiling_both
    });
    add("processor time of an HTTP exchange", "us", Aim::None, |round| round.http_us);
    add("processor time of a message", "us", Aim::None, |round| round.message_us);
    figures.add("memory after the load (resident)", loads.memory_mib(), "MiB", Aim::None);
}

/// The middle of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
