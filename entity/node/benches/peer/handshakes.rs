//! How long two fresh peers take to a ready session, over HTTP on this machine.

use entity_crypto::signing::SigningKey;
use entity_node::serve::Serving;
use entity_peer::Config;
use entity_peer::command::{AddPeer, Command, CommandResult};
use entity_peer::config::{AutoConnect, Liveness, Protocols};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::median;

pub(crate) fn v1_0(count: usize) -> Option<f64> {
    measured(count, Protocols::OnlyV1_0)
}

pub(crate) fn v1_1(count: usize) -> Option<f64> {
    measured(count, Protocols::OnlyV1_1)
}

/// The median in milliseconds; nothing where a handshake does not succeed.
fn measured(count: usize, protocols: Protocols) -> Option<f64> {
    let runtime = Runtime::new().unwrap();
    let times: Option<Vec<f64>> = (0..count).map(|_| runtime.block_on(one(protocols))).collect();
    times.map(median)
}

async fn one(protocols: Protocols) -> Option<f64> {
    let (a, b) = (start("a", protocols), start("b", protocols));
    introduce(&a, &b).await;
    introduce(&b, &a).await;
    let node = a.node().clone();
    let time = tokio::spawn(async move {
        let start = Instant::now();
        let opened = node.command(Command::OpenSession { to: "b".parse().unwrap() }).await;
        let time = start.elapsed().as_secs_f64() * 1e3;
        matches!(opened, Ok(CommandResult::Session(_))).then_some(time)
    });
    let time = time.await.unwrap();
    let (a, b) = tokio::join!(a.stop(), b.stop());
    a.and(b).unwrap();
    time
}

fn start(name: &str, protocols: Protocols) -> Serving {
    let mut config = Config::new(name.parse().unwrap());
    config.protocols = protocols;
    config.auto_connect = AutoConnect::OnCommand;
    config.liveness = Liveness::Silent;
    let first = name.as_bytes()[0];
    let listen = "127.0.0.1:0".parse().unwrap();
    Serving::start(config, SigningKey::from_seed([first; 32]), [first + 1; 32], listen).unwrap()
}

async fn introduce(to: &Serving, other: &Serving) {
    let (name, key) = other
        .node()
        .look(|peer, _| (peer.config().id.as_str().parse().unwrap(), peer.public_key()));
    let peer =
        AddPeer { name, address: other.http_address().to_owned(), key: Some(key), connect: None };
    to.node().command(Command::AddPeer(peer)).await.unwrap();
}
