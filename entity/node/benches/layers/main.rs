//! What two peers reach, beside what the same run says is possible, and beside rust-libp2p:
//! `cargo bench -p entity-node --bench layers [-- --quick] [-- --json] [-- --libp2p] [-- PART ..]`, a part being `messages`, `trips`,
//! `handshake`, `bulk`, `transfers` or `idle`. How it measures, and what its figures mean: `docs/design/measuring.md`.
//!
//! ```text
//! lines      the lines with their aims
//! effort     how much is measured
//! messages, trips, handshake, bulk, transfers, idle   one part each
//! nodes      our two ends; raw: the same bytes with nothing done to them; aead: sealing and opening alone;
//!            prepared: verifying alone under a prepared key
//! libp2p     the driver of bench/libp2p
//! machine    how much of the cores others take
//! spread     medians and quartiles
//! report     what is printed
//! ```
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot measure ends")]
#![expect(clippy::print_stdout, reason = "the result of a benchmark is what it prints")]
#![expect(clippy::cast_precision_loss, reason = "counts and times far below 2^52 are averaged")]

mod aead;
mod bulk;
#[path = "../peer/crypto.rs"]
#[expect(dead_code, reason = "shared with another benchmark")]
mod crypto;
mod effort;
mod handshake;
mod idle;
mod libp2p;
mod lines;
mod machine;
mod messages;
mod nodes;
#[path = "../token/pair.rs"]
#[expect(dead_code, reason = "shared with another benchmark")]
mod pair;
mod prepared;
#[path = "../peer/processes.rs"]
#[expect(dead_code, reason = "shared with another benchmark")]
mod processes;
mod raw;
mod report;
mod spread;
#[path = "../transfer.rs"]
#[expect(dead_code, reason = "shared with another benchmark")]
mod transfer;
mod transfers;
mod trips;

use std::path::PathBuf;

use effort::{Effort, FULL, QUICK};
use libp2p::Libp2p;
use machine::Busy;
use report::Measured;

/// One run.
pub(crate) struct Bench {
    pub(crate) effort: Effort,
    /// How busy the machine was, looked at before each round.
    pub(crate) busy: Busy,
    /// rust-libp2p's driver, where it is asked for.
    libp2p: Option<PathBuf>,
}

impl Bench {
    /// rust-libp2p, on the cores that this thread may use.
    pub(crate) fn libp2p(&self) -> Option<Libp2p> {
        self.libp2p.as_deref().map(Libp2p::start)
    }
}

/// Measures some lines.
type Part = fn(&Bench) -> Vec<Measured>;

const PARTS: [(&str, Part); 6] = [
    ("messages", messages::measured),
    ("trips", trips::measured),
    ("handshake", handshake::measured),
    ("bulk", bulk::measured),
    ("transfers", transfers::measured),
    ("idle", idle::measured),
];

/// `cargo bench` adds the last of them.
const FLAGS: [&str; 4] = ["--quick", "--json", "--libp2p", "--bench"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some(raw::SERVE) {
        return raw::serve(&arguments[1]);
    }
    if let Some(unknown) = arguments.iter().find(|argument| !is_known(argument)) {
        let parts = PARTS.map(|(name, _)| name).join(", ");
        panic!("{unknown:?} is neither a part ({parts}) nor --quick, --json, --libp2p");
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let bench = Bench {
        effort: if has("--quick") { QUICK } else { FULL },
        busy: Busy::default(),
        libp2p: has("--libp2p").then(libp2p::build),
    };
    let is_all = !PARTS.iter().any(|(name, _)| has(name));
    let parts = PARTS.into_iter().filter(|(name, _)| is_all || has(name));
    let mut measured: Vec<_> = parts.flat_map(|(_, part)| part(&bench)).collect();
    measured.sort_by_key(Measured::place);
    if has("--json") {
        report::print_json(&measured, &bench.busy);
    } else {
        report::print(&measured, &bench.busy);
        if !has("--libp2p") {
            println!(
                "rust-libp2p beside it: -- --libp2p (builds bench/libp2p first, some minutes once)"
            );
        }
    }
}

fn is_known(argument: &str) -> bool {
    FLAGS.contains(&argument) || PARTS.iter().any(|(name, _)| *name == argument)
}

/// The middle of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
