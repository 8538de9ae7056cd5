//! From dialling to a ready session: a fresh peer of this process and a node that is a process of its own.

use std::net::SocketAddr;

use entity_crypto::signing::SigningKey;
use entity_node::relay::BridgeConfig;
use entity_node::serve::{Serving, Start};
use entity_node::storage::Storage;
use entity_peer::Config;
use entity_peer::command::{AddPeer, Command, CommandResult};
use entity_peer::config::{AutoConnect, Liveness, Protocols};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::nodes::Over;
use crate::processes::{Known, Run};
use crate::report::Measured;
use crate::{Bench, lines, median};

/// Milliseconds.
struct Round {
    http: f64,
    socket: f64,
    libp2p: Option<f64>,
}

pub(crate) fn measured(bench: &Bench) -> Vec<Measured> {
    let count = bench.effort.handshakes;
    let libp2p = bench.libp2p();
    let rounds: Vec<_> = (0..bench.effort.rounds)
        .map(|_| {
            bench.busy.look();
            Round {
                http: half_took(Over::Http, count),
                socket: half_took(Over::Socket, count),
                libp2p: libp2p.as_ref().map(|libp2p| libp2p.ask(&format!("handshake {count}"))),
            }
        })
        .collect();
    let of = |figure: fn(&Round) -> f64| rounds.iter().map(figure);
    let libp2p = rounds.iter().filter_map(|round| round.libp2p);
    let http = Measured::new(lines::HANDSHAKE_HTTP, of(|round| round.http).collect()).beside(
        "rust-libp2p, TCP, Noise and Yamux",
        "ms",
        libp2p.clone(),
    );
    let socket = Measured::new(lines::HANDSHAKE_SOCKET, of(|round| round.socket).collect()).beside(
        "rust-libp2p, TCP, Noise and Yamux",
        "ms",
        libp2p,
    );
    vec![http, socket]
}

/// The milliseconds that half of some handshakes took at most, each of a peer that was never seen before.
fn half_took(over: Over, count: usize) -> f64 {
    let runtime = Runtime::new().unwrap();
    let callers: Vec<_> = {
        let _context = runtime.enter();
        (0..count).map(|number| caller(number, over)).collect()
    };
    let known: Vec<_> = callers
        .iter()
        .enumerate()
        .map(|(number, caller)| Known {
            name: name(number),
            // One without a port is dialled by nobody.
            address: match over {
                Over::Http => caller.http_address().to_owned(),
                Over::Socket | Over::Envelopes => "ws://127.0.0.1:9".to_owned(),
            },
            key: key_of(number).public_key(),
        })
        .collect();
    let settings = format!("protocol = '1.1'\nwebsocket = {}\n", over == Over::Socket);
    let server = Run::start_with("server", &known, &settings, "");
    let times = callers.iter().map(|caller| {
        runtime.block_on(add(caller, over, &server));
        let node = caller.node().clone();
        // As in a node, by a task of a worker.
        let opening = runtime.spawn(async move {
            let start = Instant::now();
            let opened = node.command(Command::OpenSession { to: "server".parse().unwrap() }).await;
            assert!(matches!(opened, Ok(CommandResult::Session(_))), "{opened:?}");
            start.elapsed().as_secs_f64() * 1e3
        });
        runtime.block_on(opening).unwrap()
    });
    median(times.collect())
}

fn caller(number: usize, over: Over) -> Serving {
    let mut config = Config::new(name(number).parse().unwrap());
    config.protocols = Protocols::OnlyV1_1;
    config.auto_connect = AutoConnect::OnCommand;
    config.liveness = Liveness::Silent;
    config.websocket = over == Over::Socket;
    config.http = over == Over::Http;
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let start = Start {
        config,
        key: key_of(number),
        seed: seed_of(number),
        listen: (over == Over::Http).then_some(any),
        kept: Storage::volatile(),
        bridge: BridgeConfig::default(),
        data_dir: None,
    };
    Serving::restore(start).unwrap().0
}

async fn add(caller: &Serving, over: Over, server: &Run) {
    let scheme = if over == Over::Http { "http" } else { "ws" };
    let add = AddPeer {
        name: "server".parse().unwrap(),
        address: format!("{scheme}://{}", server.address),
        key: Some(server.key),
        connect: None,
    };
    caller.node().command(Command::AddPeer(add)).await.unwrap();
}

fn name(number: usize) -> String {
    format!("caller-{number}")
}

fn key_of(number: usize) -> SigningKey {
    SigningKey::from_seed(seed_of(number))
}

fn seed_of(number: usize) -> [u8; 32] {
    let mut seed = [8; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    seed
}
