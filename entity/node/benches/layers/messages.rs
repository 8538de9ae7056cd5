//! Messages with 64 in flight: as compact frames over one WebSocket, and as signed and sealed envelopes over one and by HTTP.

use crate::libp2p::Libp2p;
use crate::nodes::{Ends, Over};
use crate::raw::{Layer, Raw};
use crate::report::Measured;
use crate::{Bench, aead, crypto, lines, prepared};

/// Messages that are not answered yet, at most.
const IN_FLIGHT: usize = 64;

/// One round of everything, one after the other on all cores.
struct Round {
    seal: f64,
    sign: f64,
    verify: f64,
    verify_prepared: f64,
    tcp: f64,
    socket: f64,
    frames: f64,
    envelopes: f64,
    envelopes_http: f64,
    libp2p: Option<(f64, f64)>,
}

pub(crate) fn measured(bench: &Bench) -> Vec<Measured> {
    let effort = bench.effort;
    let (tcp, socket) = (Raw::start(Layer::Tcp), Raw::start(Layer::Socket));
    let (frames, envelopes) = (Ends::start(Over::Socket), Ends::start(Over::Envelopes));
    let http = Ends::start(Over::Http);
    let libp2p = bench.libp2p();
    let rounds: Vec<_> = (0..effort.rounds)
        .map(|_| {
            bench.busy.look();
            let rates = crypto::rates();
            Round {
                seal: aead::rate_of_all(),
                sign: rates.sign_all,
                verify: rates.verify_all,
                verify_prepared: prepared::rate_of_all(),
                tcp: tcp.rate(effort.messages, IN_FLIGHT),
                socket: socket.rate(effort.messages, IN_FLIGHT),
                frames: frames.rate(effort.messages, IN_FLIGHT),
                envelopes: envelopes.rate(effort.envelopes, IN_FLIGHT),
                envelopes_http: http.rate(effort.envelopes, IN_FLIGHT),
                libp2p: libp2p.as_ref().map(|libp2p| ask(libp2p, bench)),
            }
        })
        .collect();
    let of = |figure: fn(&Round) -> f64| rounds.iter().map(figure);
    let of_libp2p = |figure: fn((f64, f64)) -> f64| {
        rounds.iter().filter_map(move |round| round.libp2p.map(figure))
    };
    let frames = Measured::new(lines::FRAMES, of(|round| round.frames).collect())
        .beside("sealing and opening, all cores", "/s", of(|round| round.seal))
        .beside("raw TCP, 64 in flight", "/s", of(|round| round.tcp))
        .beside("raw WebSocket, 64 in flight", "/s", of(|round| round.socket))
        .beside("share of raw WebSocket", "%", of(|round| 100.0 * round.frames / round.socket))
        .beside("rust-libp2p request-response", "/s", of_libp2p(|(requests, _)| requests))
        .beside("rust-libp2p raw stream", "/s", of_libp2p(|(_, stream)| stream));
    let envelopes = Measured::new(lines::ENVELOPES, of(Round::share).collect())
        .beside("signatures, all cores", "/s", of(|round| round.sign))
        .beside("verifications, all cores", "/s", of(|round| round.verify))
        .beside("what sign + verify allow", "/s", of(Round::ceiling))
        .beside("verifications under a prepared key", "/s", of(|round| round.verify_prepared))
        .beside("envelopes over one WebSocket, 64 in flight", "/s", of(|round| round.envelopes))
        .beside("envelopes by HTTP, 64 in flight", "/s", of(|round| round.envelopes_http));
    vec![frames, envelopes]
}

fn ask(libp2p: &Libp2p, bench: &Bench) -> (f64, f64) {
    let (requests, messages) = (bench.effort.envelopes, bench.effort.messages);
    (
        libp2p.ask(&format!("requests {requests} {IN_FLIGHT}")),
        libp2p.ask(&format!("stream {messages} {IN_FLIGHT}")),
    )
}

impl Round {
    /// Signatures made and checked a second, where nothing else is done.
    fn ceiling(&self) -> f64 {
        1.0 / (1.0 / self.sign + 1.0 / self.verify)
    }

    fn share(&self) -> f64 {
        100.0 * self.envelopes / self.ceiling()
    }
}
