//! A file in chunks from one node to another, over a WebSocket.

use crate::raw::{Layer, Raw};
use crate::report::Measured;
use crate::{Bench, aead, lines, transfer};

/// Megabytes a second, and the memory of both ends in MiB.
struct Round {
    tcp: f64,
    seal: f64,
    file: f64,
    peaks: (f64, f64),
    libp2p: Option<f64>,
}

pub(crate) fn measured(bench: &Bench) -> Vec<Measured> {
    let mib = bench.effort.mib;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    transfer::write_random(&file, mib);
    let libp2p = bench.libp2p();
    let rounds: Vec<_> = (0..bench.effort.files)
        .map(|_| {
            bench.busy.look();
            // Both nodes keep what they wrote below it.
            let home = tempfile::tempdir().unwrap();
            let measured = transfer::transfer(home.path(), &file, mib, &["--ws"]);
            Round {
                tcp: Raw::start(Layer::Tcp).bulk(mib),
                seal: aead::bulk_of_all(),
                file: measured.rate,
                peaks: measured.peaks,
                libp2p: libp2p.as_ref().map(|libp2p| libp2p.ask(&format!("bulk {mib}"))),
            }
        })
        .collect();
    let of = |figure: fn(&Round) -> f64| rounds.iter().map(figure);
    let line = Measured::new(lines::BULK, of(|round| round.file).collect())
        .beside("raw TCP, in pieces of 64 KiB", "MB/s", of(|round| round.tcp))
        .beside("sealing and opening, all cores", "MB/s", of(|round| round.seal))
        .beside("memory of its sender, most", "MiB", of(|round| round.peaks.0))
        .beside("memory of its receiver, most", "MiB", of(|round| round.peaks.1))
        .beside(
            "rust-libp2p raw stream, no file",
            "MB/s",
            rounds.iter().filter_map(|round| round.libp2p),
        );
    vec![line]
}
