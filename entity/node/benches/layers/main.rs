//! What two peers reach over a WebSocket, beside what the same run says is possible:
//! `cargo bench -p entity-node --bench layers [-- --json] [-- --quick] [-- PART ..]`, a part being `messages`, `trips`, `handshake`, `bulk`,
//! `transfers` or `idle`.
//!
//! Messages are volatile and have 256 bytes of text; a message counts when its sender has heard that it was accepted. One node is
//! a process of its own, the other is driven by commands in this one. By WebSocket they travel as compact frames where both nodes have
//! them, by HTTP as signed and sealed envelopes. The limits beside them, each of this run:
//!
//! - *raw TCP*, *raw WebSocket*: the same number of bytes over the same loopback to a process that answers each message and does nothing
//!   else, 64 in flight; for a round trip one at a time, both ends on one core, as the nodes are.
//! - *sealing and opening*, *signing and verifying*: on all cores, nothing else. What signed and sealed envelopes are measured by is
//!   `1 / ceiling = 1 / sign + 1 / verify`.
//!
//! Rates are medians of several rounds, and a share is taken inside its round.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot measure ends")]
#![expect(clippy::print_stdout, reason = "the result of a benchmark is what it prints")]
#![expect(clippy::cast_precision_loss, reason = "counts and times far below 2^52 are averaged")]

mod aead;
#[path = "../peer/crypto.rs"]
#[expect(dead_code, reason = "shared with another benchmark")]
mod crypto;
#[path = "../peer/figures.rs"]
mod figures;
#[path = "../peer/handshakes.rs"]
#[expect(dead_code, reason = "shared with another benchmark")]
mod handshakes;
mod idle;
mod nodes;
#[path = "../token/pair.rs"]
#[expect(dead_code, reason = "shared with another benchmark")]
mod pair;
#[path = "../peer/processes.rs"]
#[expect(dead_code, reason = "shared with another benchmark")]
mod processes;
mod raw;
#[path = "../transfer.rs"]
#[expect(dead_code, reason = "shared with another benchmark")]
mod transfer;

use figures::{Aim, Figures};
use nodes::{Ends, Over};
use raw::{Layer, Raw};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Rounds of each rate; the median counts.
    rounds: usize,
    /// Messages of a round.
    messages: usize,
    /// Messages of a round of envelopes.
    envelopes: usize,
    /// Round trips of a round.
    trips: usize,
    handshakes: usize,
    /// Size of the file.
    mib: usize,
    /// Payments of a round.
    payments: usize,
    /// Peers that are connected and say nothing.
    idle: usize,
}

const FULL: Effort = Effort {
    rounds: 5,
    messages: 200_000,
    envelopes: 20_000,
    trips: 4_000,
    handshakes: 100,
    mib: 512,
    payments: 8_192,
    idle: 1_000,
};
const QUICK: Effort = Effort {
    rounds: 3,
    messages: 50_000,
    envelopes: 5_000,
    trips: 1_000,
    handshakes: 20,
    mib: 128,
    payments: 2_048,
    idle: 1_000,
};

/// Measures some figures.
type Part = fn(Effort, &mut Figures);

/// Messages that are not answered yet, at most.
const IN_FLIGHT: usize = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some(raw::SERVE) {
        return raw::serve(&arguments[1]);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let effort = if has("--quick") { QUICK } else { FULL };
    let mut figures = Figures::default();
    let cores = std::thread::available_parallelism().unwrap().get() as f64;
    figures.add("cores", cores, "", Aim::None);
    let parts: [(&str, Part); 6] = [
        ("messages", messages),
        ("trips", trips),
        ("handshake", handshake),
        ("bulk", bulk),
        ("transfers", transfers),
        ("idle", idle_peers),
    ];
    let is_all = !parts.iter().any(|(name, _)| has(name));
    for (name, part) in parts {
        if is_all || has(name) {
            part(effort, &mut figures);
        }
    }
    if has("--json") {
        println!("{}", figures.to_json());
    } else {
        figures.print();
    }
}

/// One round of everything that loads all cores.
struct Round {
    seal: f64,
    sign: f64,
    verify: f64,
    tcp: f64,
    socket: f64,
    frames: f64,
    envelopes: f64,
}

fn messages(effort: Effort, figures: &mut Figures) {
    let (tcp, socket) = (Raw::start(Layer::Tcp), Raw::start(Layer::Socket));
    let (frames, envelopes) = (Ends::start(Over::Socket), Ends::start(Over::Http));
    let rounds: Vec<_> = (0..effort.rounds)
        .map(|_| {
            let rates = crypto::rates();
            Round {
                seal: aead::rate_of_all(),
                sign: rates.sign_all,
                verify: rates.verify_all,
                tcp: tcp.rate(effort.messages, IN_FLIGHT),
                socket: socket.rate(effort.messages, IN_FLIGHT),
                frames: frames.rate(effort.messages, IN_FLIGHT),
                envelopes: envelopes.rate(effort.envelopes, IN_FLIGHT),
            }
        })
        .collect();
    let mut add = |name, unit, aim, figure: fn(&Round) -> f64| {
        figures.add(name, median(rounds.iter().map(figure).collect()), unit, aim);
    };
    add("sealed and opened, all cores", "/s", Aim::None, |round| round.seal);
    add("raw TCP, 64 in flight", "/s", Aim::None, |round| round.tcp);
    add("raw WebSocket, 64 in flight", "/s", Aim::None, |round| round.socket);
    add("messages by WebSocket, 64 in flight", "/s", Aim::AtLeast(60_000.0), |round| round.frames);
    add("  share of raw WebSocket", "%", Aim::None, |round| 100.0 * round.frames / round.socket);
    add("signatures, all cores", "/s", Aim::None, |round| round.sign);
    add("verifications, all cores", "/s", Aim::None, |round| round.verify);
    add("ceiling of sign + verify", "/s", Aim::None, Round::ceiling);
    add("envelopes by HTTP, 64 in flight", "/s", Aim::None, |round| round.envelopes);
    add("  share of sign + verify", "%", Aim::AtLeast(70.0), |round| {
        100.0 * round.envelopes / round.ceiling()
    });
}

impl Round {
    fn ceiling(&self) -> f64 {
        1.0 / (1.0 / self.sign + 1.0 / self.verify)
    }
}

fn trips(effort: Effort, figures: &mut Figures) {
    let (tcp, socket, ends) = processes::on_one_core(|| {
        (Raw::start(Layer::Tcp), Raw::start(Layer::Socket), Ends::start(Over::Socket))
    });
    let rounds: Vec<_> = (0..effort.rounds)
        .map(|_| {
            processes::on_one_core(|| {
                let raw = (tcp.median_trip(effort.trips), socket.median_trip(effort.trips));
                (raw, ends.median_trip(effort.trips))
            })
        })
        .collect();
    let middle =
        |figure: fn(&((f64, f64), f64)) -> f64| median(rounds.iter().map(figure).collect());
    figures.add("round trip, raw TCP, one core", middle(|round| round.0.0), "us", Aim::None);
    figures.add("round trip, raw WebSocket, one core", middle(|round| round.0.1), "us", Aim::None);
    figures.add("round trip of a message, one core", middle(|round| round.1), "us", Aim::None);
    let times = middle(|((_, socket), frame)| frame / socket);
    figures.add("  times raw WebSocket", times, "", Aim::AtMost(2.0));
}

fn handshake(effort: Effort, figures: &mut Figures) {
    let handshake = handshakes::v1_1(effort.handshakes);
    figures.add_measured("handshake 1.1, p50", handshake, "ms", Aim::AtMost(1.5));
}

fn bulk(effort: Effort, figures: &mut Figures) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    transfer::write_random(&file, effort.mib);
    let tcp = Raw::start(Layer::Tcp).bulk(effort.mib);
    let measured = transfer::transfer(home.path(), &file, effort.mib, &["--ws"]);
    figures.add("raw TCP, in pieces of 64 KiB", tcp, "MB/s", Aim::None);
    figures.add("sealed and opened, all cores", aead::bulk_of_all(), "MB/s", Aim::None);
    figures.add("a file in chunks", measured.rate, "MB/s", Aim::AtLeast(300.0));
    figures.add("  memory of its sender (peak)", measured.peaks.0, "MiB", Aim::None);
    figures.add("  memory of its receiver (peak)", measured.peaks.1, "MiB", Aim::None);
}

fn transfers(effort: Effort, figures: &mut Figures) {
    let mut pair = pair::Pair::start_with(256, &["--ws"]);
    let rounds: Vec<_> = (0..effort.rounds).map(|_| pair.many_at_a_time(effort.payments)).collect();
    let per_second = median(rounds.iter().map(|rate| rate.per_second).collect());
    let nodes_us = median(rounds.iter().map(|rate| rate.nodes_us).collect());
    pair.check();
    let rates = crypto::rates();
    let ceiling = 1.0 / (3.0 / rates.sign_all + 3.0 / rates.verify_all);
    figures.add("ceiling of their own signatures", ceiling, "/s", Aim::None);
    figures.add("certified transfers, 256 in flight", per_second, "/s", Aim::AtLeast(5_000.0));
    figures.add("  processor time of both nodes", nodes_us, "us", Aim::None);
}

fn idle_peers(effort: Effort, figures: &mut Figures) {
    let idle = idle::measured(effort.idle);
    figures.add(
        "idle peers with a WebSocket each",
        idle.peers,
        "",
        Aim::AtLeast(effort.idle as f64),
    );
    figures.add("memory before (resident)", idle.before_mib, "MiB", Aim::None);
    figures.add("memory with them (resident)", idle.with_mib, "MiB", Aim::AtMost(60.0));
}

/// The middle of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
