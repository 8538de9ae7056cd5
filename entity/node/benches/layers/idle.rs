//! What peers cost a node that are connected, have a session, and say nothing.

use entity_crypto::signing::SigningKey;
use entity_node::serve::{Serving, Start};
use entity_node::storage::Storage;
use entity_peer::Config;
use entity_peer::command::{AddPeer, Command, CommandResult};
use entity_peer::config::{AutoConnect, Liveness, Protocols};
use tokio::runtime::Runtime;

use crate::processes::Run;

/// What was measured.
pub(crate) struct Idle {
    /// Peers whose connection still stood at the end.
    pub(crate) peers: f64,
    pub(crate) before_mib: f64,
    pub(crate) with_mib: f64,
}

/// Peers without a port of their own, each with an identity, a session and a WebSocket.
pub(crate) fn measured(count: usize) -> Idle {
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
        let standing = peers.iter().filter(|peer| peer.node().sockets().0 == 1).count();
        Idle { peers: standing as f64, before_mib, with_mib: run.process.resident_mib() }
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
