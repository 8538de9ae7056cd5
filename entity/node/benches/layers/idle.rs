//! What peers cost a node that are connected, have a session, and say nothing.

use entity_crypto::signing::SigningKey;
use entity_node::serve::{Serving, Start};
use entity_node::storage::Storage;
use entity_peer::Config;
use entity_peer::command::{AddPeer, Command, CommandResult};
use entity_peer::config::{AutoConnect, Liveness, Protocols};
use tokio::runtime::Runtime;

use crate::processes::Run;
use crate::report::Measured;
use crate::{Bench, lines};

/// What was measured.
struct Idle {
    /// Peers whose connection still stood at the end.
    peers: usize,
    before_mib: f64,
    with_mib: f64,
}

pub(crate) fn measured(bench: &Bench) -> Vec<Measured> {
    bench.busy.look();
    let count = bench.effort.idle;
    let Idle { peers, before_mib, with_mib } = connected_and_silent(count);
    assert_eq!(peers, count, "so many connections still stand");
    let libp2p = bench.libp2p().map(|libp2p| libp2p.ask_all(&format!("idle {count}")));
    let (before, with) = match libp2p.as_deref() {
        Some([before, with]) => (Some(*before), Some(*with)),
        _ => (None, None),
    };
    let line = Measured::new(lines::IDLE, vec![with_mib])
        .beside("the same node before they came", "MiB", [before_mib])
        .beside("rust-libp2p before", "MiB", before)
        .beside("rust-libp2p with as many connections", "MiB", with);
    vec![line]
}

/// Peers without a port of their own, each with an identity, a session and a WebSocket.
fn connected_and_silent(count: usize) -> Idle {
    let settings = "protocol = '1.1'\nwebsocket = true\n";
    // Named by the operator: strangers have half of the roster alone, and have to say where answers go.
    let known = (0..count).map(|number| {
        let key = key_of(number).public_key();
        format!("[[peers]]\nid = 'idle-{number}'\naddress = 'ws://127.0.0.1:9'\nkey = '{key}'\nconnect = false\n")
    });
    let rates = "[rate_limits.other]\nburst = 100000\nper_second = 100000\n";
    let rates = known.chain([rates.to_owned()]).collect::<String>();
    let run = Run::start_with("server", &[], settings, &rates);
    let before_mib = run.process.resident_mib();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let mut peers = Vec::new();
        for number in 0..count {
            peers.push(connected(number, &run).await);
        }
        let peers = peers.iter().filter(|peer| peer.node().sockets().0 == 1).count();
        Idle { peers, before_mib, with_mib: run.process.resident_mib() }
    })
}

async fn connected(number: usize, run: &Run) -> Serving {
    let mut config = Config::new(format!("idle-{number}").parse().unwrap());
    config.protocols = Protocols::OnlyV1_1;
    config.auto_connect = AutoConnect::OnCommand;
    config.liveness = Liveness::Silent;
    config.websocket = true;
    config.http = false;
    let start = Start {
        config,
        key: key_of(number),
        seed: seed_of(number),
        listen: None,
        kept: Storage::volatile(),
        bridge: entity_node::relay::BridgeConfig::default(),
        data_dir: None,
    };
    let (serving, _) = Serving::restore(start).unwrap();
    let add = AddPeer {
        name: "server".parse().unwrap(),
        address: format!("ws://{}", run.address),
        key: Some(run.key),
        connect: None,
    };
    serving.node().command(Command::AddPeer(add)).await.unwrap();
    let open = Command::OpenSession { to: "server".parse().unwrap() };
    let opened = serving.node().command(open).await;
    assert!(matches!(opened, Ok(CommandResult::Session(_))), "{opened:?}");
    serving
}

fn key_of(number: usize) -> SigningKey {
    SigningKey::from_seed(seed_of(number))
}

fn seed_of(number: usize) -> [u8; 32] {
    let mut seed = [9; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    seed
}
