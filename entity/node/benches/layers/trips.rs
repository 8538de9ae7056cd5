//! One message at a time, both ends on one core.

use crate::nodes::{Ends, Over};
use crate::processes::on_one_core;
use crate::raw::{Layer, Raw};
use crate::report::Measured;
use crate::{Bench, lines};

/// Microseconds.
struct Round {
    tcp: f64,
    socket: f64,
    frame: f64,
    libp2p: Option<(f64, f64)>,
}

pub(crate) fn measured(bench: &Bench) -> Vec<Measured> {
    let trips = bench.effort.trips;
    let (tcp, socket, ends, libp2p) = on_one_core(|| {
        let raw = (Raw::start(Layer::Tcp), Raw::start(Layer::Socket));
        (raw.0, raw.1, Ends::start(Over::Socket), bench.libp2p())
    });
    let rounds: Vec<_> = (0..bench.effort.rounds)
        .map(|_| {
            bench.busy.look();
            on_one_core(|| Round {
                tcp: tcp.median_trip(trips),
                socket: socket.median_trip(trips),
                frame: ends.median_trip(trips),
                libp2p: libp2p.as_ref().map(|libp2p| {
                    let of = |what| libp2p.ask(&format!("{what}-trip {trips}"));
                    (of("request"), of("stream"))
                }),
            })
        })
        .collect();
    let of = |figure: fn(&Round) -> f64| rounds.iter().map(figure);
    let of_libp2p = |figure: fn((f64, f64)) -> f64| {
        rounds.iter().filter_map(move |round| round.libp2p.map(figure))
    };
    let line = Measured::new(lines::TRIP, of(|round| round.frame / round.socket).collect())
        .beside("raw TCP", "us", of(|round| round.tcp))
        .beside("raw WebSocket", "us", of(|round| round.socket))
        .beside("a compact frame", "us", of(|round| round.frame))
        .beside("rust-libp2p request-response", "us", of_libp2p(|(request, _)| request))
        .beside("rust-libp2p raw stream", "us", of_libp2p(|(_, stream)| stream));
    vec![line]
}
