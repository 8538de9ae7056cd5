//! How fast certified transfers are, beside what the same run says is possible:
//! `cargo bench -p entity-node --bench token [-- --json] [-- --quick]`.
//!
//! Two nodes, each a process with its store on disk, are the committee; A pays B. Everything is durable before it is answered.
//!
//! - *one at a time*: how long a payment takes from the command to its answer, half of them at most.
//! - *one order in flight on each of 256 accounts*: payments a second, in frames over one WebSocket, and beside it once over HTTP in
//!   signed and sealed envelopes.
//! - *processor time*: what both nodes spend on one of those payments; it says something on a machine that does other things too.
//! - *limits*: in a committee of two a payment costs 3 messages (request with A's vote, B's vote, receipt) and 3 signatures and 3
//!   verifications of its own: the order and two votes, each made once and checked once by the other side. All on the same cores:
//!   `1 / ceiling = 3 / sign + 3 / verify`. Envelopes cost as many again. The store is measured apart: commits of 64 batches of the size
//!   of a payment's, durable, on the same disk.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot measure ends")]
#![expect(clippy::print_stdout, reason = "the result of a benchmark is what it prints")]
#![expect(clippy::cast_precision_loss, reason = "counts and times far below 2^52 are averaged")]

#[path = "../peer/crypto.rs"]
#[expect(dead_code, reason = "shared with the other benchmark")]
mod crypto;
#[path = "../peer/figures.rs"]
mod figures;
mod http;
mod pair;
#[path = "../peer/processes.rs"]
#[expect(dead_code, reason = "shared with the other benchmark")]
mod processes;
mod store;
#[path = "../peer/trivial.rs"]
#[expect(dead_code, reason = "shared with the other benchmark")]
mod trivial;

use figures::{Aim, Figures};
use pair::Pair;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Rounds of each rate; the median counts.
    rounds: usize,
    /// Payments one after the other.
    singles: usize,
    /// Payments of a round of many at a time.
    payments: usize,
    /// Accounts with one order in flight each.
    accounts: u32,
}

const FULL: Effort = Effort { rounds: 5, singles: 400, payments: 8_192, accounts: 256 };
const QUICK: Effort = Effort { rounds: 3, singles: 100, payments: 2_048, accounts: 256 };

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some(trivial::SERVE) {
        return trivial::serve();
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

/// One round of everything that loads all cores. Shares are taken inside a round: what else the machine does meets all of it.
struct Round {
    sign: f64,
    verify: f64,
    store: f64,
    payments: pair::Rate,
    ceiling: f64,
}

impl Round {
    fn measure(pair: &mut Pair, effort: Effort) -> Self {
        let rates = crypto::rates();
        let store = store::batches();
        let payments = pair.many_at_a_time(effort.payments);
        let (sign, verify) = (rates.sign_all, rates.verify_all);
        let ceiling = 1.0 / (3.0 / sign + 3.0 / verify);
        Self { sign, verify, store, payments, ceiling }
    }
}

/// Payments a second that the nodes are built for, on two cores.
const GOAL: f64 = 5_000.0;

fn measure(effort: Effort) -> Figures {
    let mut figures = Figures::default();
    let cores = std::thread::available_parallelism().unwrap().get() as f64;
    figures.add("cores", cores, "", Aim::None);
    over_http(effort, &mut figures);
    let mut pair = Pair::start_with(effort.accounts, &["--ws"]);
    let single = pair.one_at_a_time(effort.singles);
    figures.add("one transfer at a time, p50", single, "ms", Aim::None);
    figures.add("one durable commit, p50", store::one_ms(), "ms", Aim::None);
    let rounds: Vec<_> = (0..effort.rounds).map(|_| Round::measure(&mut pair, effort)).collect();
    let mut add = |name, unit, aim, figure: fn(&Round) -> f64| {
        figures.add(name, median(rounds.iter().map(figure).collect()), unit, aim);
    };
    add("signatures, all cores", "/s", Aim::None, |round| round.sign);
    add("verifications, all cores", "/s", Aim::None, |round| round.verify);
    add("durable batches, 64 a commit", "/s", Aim::None, |round| round.store);
    add("ceiling of their own signatures", "/s", Aim::None, |round| round.ceiling);
    add("certified transfers, 256 in flight", "/s", Aim::AtLeast(GOAL), |round| {
        round.payments.per_second
    });
    add("  share of the ceiling", "%", Aim::None, |round| {
        100.0 * round.payments.per_second / round.ceiling
    });
    add("  from command to answer, p50", "ms", Aim::None, |round| round.payments.p50_ms);
    add("  from command to answer, p99", "ms", Aim::None, |round| round.payments.p99_ms);
    // All cores for as long as so many a second leave them.
    let most = cores * 1e6 / GOAL;
    add("  processor time of both nodes", "us", Aim::AtMost(most), |round| round.payments.nodes_us);
    let (a, b) = pair.memory_mib();
    figures.add("memory of A after it (resident)", a, "MiB", Aim::None);
    figures.add("memory of B after it (resident)", b, "MiB", Aim::None);
    pair.check();
    figures
}

/// The same payments without WebSocket and frames.
fn over_http(effort: Effort, figures: &mut Figures) {
    let exchanges = http::Http::start().exchanges();
    figures.add("HTTP only, 16 connections", exchanges, "/s", Aim::None);
    let mut pair = Pair::start(effort.accounts);
    let rate = pair.many_at_a_time(effort.payments);
    pair.check();
    figures.add("by HTTP in envelopes, 256 in flight", rate.per_second, "/s", Aim::None);
    figures.add("  processor time of both nodes", rate.nodes_us, "us", Aim::None);
}

/// The middle of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
