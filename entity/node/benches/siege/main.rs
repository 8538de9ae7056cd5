//! What an honest peer keeps of its throughput while others are a burden:
//! `cargo bench -p entity-node --bench siege [-- --json] [-- --quick] [-- PART ..]`, a part being `slow`, `silent`, `both`, `http`, `websocket`,
//! `same-host`, `garbage`, `questions`, `handshakes` or `calls`.
//!
//! The server is `entity run`, a process of its own; so are the besiegers. The honest peer sends signed messages of 1.0 with 256 bytes of
//! text over one new connection, one at a time, as fast as they are answered; each has to be answered 200.
//!
//! | part | who besieges |
//! |---|---|
//! | `slow` | 1,000 connections from 4 hosts: silent, a head byte by byte, a body byte by byte, 20 questions and no answer read, half an upgrade to a WebSocket, a WebSocket that says nothing |
//! | `silent` | the same, 1,600 from 3 hosts: more than there are places |
//! | `both` | `slow` and `http` |
//! | `http`, `websocket` | one known identity from another host: signed messages over 16 connections, as many as the network takes, no answer waited for |
//! | `same-host` | `http` from the address of the honest peer |
//! | `garbage`, `questions` | one host: messages that are none; `GET /stats`; likewise |
//! | `handshakes` | one known identity: first messages of handshakes; likewise |
//! | `calls` | one host connects and disconnects |
//!
//! **How it is measured.** Besiegers cost two kinds of time: the server's, which is what is to be shared out, and their own, which is
//! none of the server's. So the server lives on one core, and everybody else on another, alone and besieged alike, where besiegers give way to the
//! honest peer (`nice 19`) and have made their messages before. What the server spends on besiegers, in its program or in the system for it, is in the
//! figure; what besiegers spend is not, but for what the scheduler of the system cannot keep apart. With one core in all nothing is kept apart.
//!
//! Each round measures the honest peer alone, besieged, and alone again; a share is that of the mean of both times alone, and the median of all
//! rounds counts. Memory is the most that was resident at any time of its server, which each kind has for itself.
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
mod slow;

use std::time::Duration;

use besiegers::Besiegers;
use figures::{Aim, Figures};
use honest::Honest;
use processes::{Run, on_core};
use sender::Sender;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    rounds: usize,
    /// How long each part of a round is.
    part: Duration,
    /// Messages of a flood that are signed before, and then sent again and again.
    requests: u32,
}

const FULL: Effort = Effort { rounds: 5, part: Duration::from_secs(2), requests: 30_000 };
const QUICK: Effort = Effort { rounds: 3, part: Duration::from_millis(700), requests: 8_000 };

/// The share that is to be kept, in percent.
const KEPT: Aim = Aim::AtLeast(80.0);

/// What the server may take beside all of it, in MiB.
const MEMORY: Aim = Aim::AtMost(96.0);

/// Another host, and the one of the honest peer.
const ELSEWHERE: u8 = 100;
const HERE: u8 = 1;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some(besiegers::BESIEGE) {
        return besiegers::serve(&arguments[1..]);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let effort = if has("--quick") { QUICK } else { FULL };
    let is_all = !KINDS.iter().any(|kind| has(kind.name));
    let kinds = KINDS.iter().filter(|kind| is_all || has(kind.name));
    let figures = on_core(1, || measure(effort, kinds));
    if has("--json") {
        println!("{}", figures.to_json());
    } else {
        figures.print();
    }
}

/// One way to besiege.
struct Kind {
    name: &'static str,
    title: &'static str,
    besieged: &'static str,
    share: &'static str,
    start: fn(&mut Siege) -> Vec<Besiegers>,
}

const KINDS: [Kind; 10] = [
    kind(
        "slow",
        [
            "1,000 slow or silent, held at the end",
            "  honest peer beside them",
            "  share kept (slow)",
        ],
        |siege| vec![Besiegers::slow(siege.run.address, 1_000, 4)],
    ),
    kind(
        "silent",
        ["1,600 of 3 hosts, held at the end", "  honest peer beside them", "  share kept (silent)"],
        |siege| vec![Besiegers::slow(siege.run.address, 1_600, 3)],
    ),
    kind(
        "both",
        [
            "1,000 slow, and a flood of one identity",
            "  honest peer beside both",
            "  share kept (both)",
        ],
        |siege| {
            let slow = Besiegers::slow(siege.run.address, 1_000, 4);
            vec![slow, siege.messages(ELSEWHERE)]
        },
    ),
    kind(
        "http",
        ["one identity, HTTP, bytes/s", "  honest peer beside it", "  share kept (http)"],
        |siege| vec![siege.messages(ELSEWHERE)],
    ),
    kind(
        "websocket",
        ["one identity, WebSocket, bytes/s", "  honest peer beside it", "  share kept (websocket)"],
        |siege| {
            let texts: Vec<_> = siege.envelopes().iter().map(|body| sender::text(body)).collect();
            vec![Besiegers::flood(siege.run.address, ELSEWHERE, slow::UPGRADE, &texts)]
        },
    ),
    kind(
        "same-host",
        [
            "one identity of the same host, bytes/s",
            "  honest peer beside it",
            "  share kept (same-host)",
        ],
        |siege| vec![siege.messages(HERE)],
    ),
    kind(
        "garbage",
        ["messages that are none, bytes/s", "  honest peer beside them", "  share kept (garbage)"],
        |siege| {
            let garbage = sender::post(&[b'{'; 600]);
            vec![Besiegers::flood(siege.run.address, ELSEWHERE, b"", &vec![garbage; 256])]
        },
    ),
    kind(
        "questions",
        ["GET, bytes/s", "  honest peer beside them", "  share kept (questions)"],
        |siege| {
            let question = b"GET /stats HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
            vec![Besiegers::flood(siege.run.address, ELSEWHERE, b"", &vec![question; 256])]
        },
    ),
    kind(
        "handshakes",
        ["handshakes, bytes/s", "  honest peer beside them", "  share kept (handshakes)"],
        |siege| {
            let handshakes = siege.flooder.handshakes(siege.requests);
            vec![Besiegers::flood(siege.run.address, ELSEWHERE, b"", &handshakes)]
        },
    ),
    kind(
        "calls",
        [
            "connections opened and dropped, a second",
            "  honest peer beside them",
            "  share kept (calls)",
        ],
        |siege| vec![Besiegers::call(siege.run.address, ELSEWHERE)],
    ),
];

const fn kind(
    name: &'static str,
    [title, besieged, share]: [&'static str; 3],
    start: fn(&mut Siege) -> Vec<Besiegers>,
) -> Kind {
    Kind { name, title, besieged, share, start }
}

/// The server and those who know it.
struct Siege {
    run: Run,
    honest: Honest,
    flooder: Sender,
    requests: u32,
}

impl Siege {
    fn envelopes(&mut self) -> Vec<Vec<u8>> {
        (0..self.requests).map(|_| self.flooder.envelope()).collect()
    }

    /// A flood of signed messages from this host.
    fn messages(&mut self, host: u8) -> Besiegers {
        let requests: Vec<_> = self.envelopes().iter().map(|body| sender::post(body)).collect();
        Besiegers::flood(self.run.address, host, b"", &requests)
    }
}

/// One round: messages of the honest peer a second, and what the last of the besiegers say of themselves.
struct Round {
    alone: f64,
    besieged: f64,
    besiegers: f64,
}

impl Round {
    fn measure(siege: &mut Siege, kind: &Kind, part: Duration) -> Self {
        let alone = siege.honest.rate(part);
        let mut besiegers = (kind.start)(siege);
        let besieged = siege.honest.rate(part);
        let said = besiegers.pop().map_or(0.0, Besiegers::end);
        drop(besiegers);
        let alone = f64::midpoint(alone, siege.honest.rate(part));
        Self { alone, besieged, besiegers: said }
    }
}

fn measure<'a>(effort: Effort, kinds: impl Iterator<Item = &'a Kind>) -> Figures {
    let mut figures = Figures::default();
    for kind in kinds {
        // A server of its own: what is remembered of the honest peer for 300 s is not to count for the next kind.
        let (run, honest, flooder) = honest::start();
        let before = run.process.resident_mib();
        let mut siege = Siege { run, honest, flooder, requests: effort.requests };
        siege.honest.rate(effort.part);
        let rounds: Vec<_> =
            (0..effort.rounds).map(|_| Round::measure(&mut siege, kind, effort.part)).collect();
        let middle = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
        figures.add(kind.title, middle(|round| round.besiegers), "", Aim::None);
        figures.add("  honest peer alone", middle(|round| round.alone), "/s", Aim::None);
        figures.add(kind.besieged, middle(|round| round.besieged), "/s", Aim::None);
        figures.add(kind.share, middle(|round| 100.0 * round.besieged / round.alone), "%", KEPT);
        let memory = siege.run.process.resident_most_mib();
        figures.add("  memory before they came", before, "MiB", Aim::None);
        figures.add("  memory, most", memory, "MiB", MEMORY);
    }
    figures
}

/// The middle of some measurements.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
