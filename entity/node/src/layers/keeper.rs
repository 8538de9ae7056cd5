//! Connects to a peer, when the router wants that (`docs/protocol/1.1.md#websocket-keep-alive`).

use std::sync::Arc;
use std::time::Duration;

use entity_bridge::route::socket_of;
use entity_peer::PeerName;
use entity_transport::http::Address;
use entity_transport::ws::{ConnectFailure, Receiver, connect};
use tracing::debug;

use super::receive::Socket;
use crate::node::{Node, WeakNode};

/// How often it is looked whether the peer is still known under that address.
const LOOK_AFTER: Duration = Duration::from_secs(30);

impl Node {
    /// Connects to a peer, and says how that ended.
    pub(super) fn dial(&self, peer: &str, address: &str) {
        let now = self.now();
        // The client adds the path itself.
        let base = address.strip_suffix(entity_wire::socket::PATH).unwrap_or(address);
        let (Ok(name), Ok(to)) = (peer.parse::<PeerName>(), base.parse::<Address>()) else {
            return self.router(|router| router.handle_dial_failed(peer, now));
        };
        let node = self.downgrade();
        let address = address.to_owned();
        tokio::spawn(async move { keep(node, name, (address, to)).await });
    }

    /// Whether a connection to the peer is still to be kept: it is known there.
    fn wants_socket(&self, peer: &PeerName, address: &str) -> bool {
        let known = self.look(|known, _| known.address_of(peer));
        known.and_then(|known| socket_of(&known)).as_deref() == Some(address)
            && !self.layers().is_closed()
    }
}

async fn keep(node: WeakNode, peer: PeerName, (address, to): (String, Address)) {
    let Some(held) = node.upgrade() else { return };
    if !held.wants_socket(&peer, &address) {
        let now = held.now();
        held.router(|router| router.handle_unwanted(peer.as_str(), now));
        return held.layers().changed.notify_waiters();
    }
    let (limits, turns) = (held.layers().limits, held.layers().turns().clone());
    let receiver = Arc::new(Socket::dialled(node.clone(), peer.clone())) as Arc<dyn Receiver>;
    drop(held);
    match connect(&to, limits, receiver, &turns).await {
        Ok(connection) => {
            while tokio::time::timeout(LOOK_AFTER, connection.closed()).await.is_err() {
                match node.upgrade() {
                    Some(held) if held.wants_socket(&peer, &address) => {}
                    Some(_) | None => connection.close(),
                }
            }
        }
        Err(error) => {
            debug!(%peer, %address, error = %describe(&error), "no connection");
            if let Some(held) = node.upgrade() {
                let now = held.now();
                held.router(|router| router.handle_dial_failed(peer.as_str(), now));
                held.layers().changed.notify_waiters();
            }
        }
    }
}

fn describe(error: &ConnectFailure) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
