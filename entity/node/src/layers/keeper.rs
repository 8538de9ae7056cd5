//! Dials a peer, and again when the connection breaks (`docs/protocol/1.1.md#websocket-keep-alive`).

use std::sync::Arc;
use std::time::Duration;

use entity_peer::PeerName;
use entity_transport::http::{Address, Scheme};
use entity_transport::ws::{ConnectFailure, Receiver, connect};
use tracing::debug;

use super::receive::Socket;
use crate::node::{Node, WeakNode};
use crate::seed;

/// The pause after the first failure; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(250);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long the one of two peers waits that both dial each other, where it can wait: the other's connection serves both.
const COURTESY: Duration = Duration::from_secs(1);

/// How often it is looked whether the peer is still known under that address.
const LOOK_AFTER: Duration = Duration::from_secs(30);

impl Node {
    /// Keeps a connection to a peer open from here on, as long as it is known there. The table has been told.
    pub(super) fn keep_socket(&self, peer: PeerName, address: Address) {
        // Who has the lesser name begins, as in a simultaneous handshake.
        let waits = self.layers().has_http()
            && address.scheme() == Scheme::Http
            && self.look(|own, _| own.config().id.as_str() > peer.as_str());
        let node = self.downgrade();
        tokio::spawn(async move {
            if waits {
                tokio::time::sleep(COURTESY).await;
            }
            keep(node, peer, address).await;
        });
    }

    /// Whether a connection to the peer is still to be kept: it is known at that address, and has none that it dialled.
    fn wants_socket(&self, peer: &PeerName, address: &Address) -> bool {
        let text = self.look(|known, _| known.address_of(peer));
        text.and_then(|text| text.parse::<Address>().ok()).as_ref() == Some(address)
            && !self.layers().table().is_closed()
    }
}

async fn keep(node: WeakNode, peer: PeerName, address: Address) {
    let mut failures = 0;
    while let Some(held) = node.upgrade() {
        let is_reached = held.layers().table().connection_to(&peer).is_some();
        if is_reached || !held.wants_socket(&peer, &address) {
            break;
        }
        let limits = held.layers().limits;
        let socket = Arc::new(Socket::dialled(node.clone(), peer.clone()));
        let receiver = Arc::clone(&socket) as Arc<dyn Receiver>;
        drop(held);
        match connect(&address, limits, receiver).await {
            Ok(connection) => {
                // Whoever upgrades, and no more, is asked ever more seldom.
                while tokio::time::timeout(LOOK_AFTER, connection.closed()).await.is_err() {
                    failures = 0;
                    match node.upgrade() {
                        Some(held) if held.wants_socket(&peer, &address) => {}
                        Some(_) | None => connection.close(),
                    }
                }
                if socket.has_carried() {
                    failures = 0;
                }
            }
            Err(error) => {
                debug!(%peer, %address, error = %describe(&error), "no connection");
                if let Some(held) = node.upgrade() {
                    held.layers().table().failed(&peer);
                    held.layers().changed.notify_waiters();
                }
            }
        }
        let Some(pause) = node.upgrade().map(|_| pause(failures, jitter())) else { return };
        failures += 1;
        tokio::time::sleep(pause).await;
    }
    if let Some(held) = node.upgrade() {
        held.layers().table().let_go(&peer);
        held.layers().changed.notify_waiters();
    }
}

/// Half fixed, half drawn, so that those who lost each other do not come back all at once.
fn pause(failures: u32, jitter: u8) -> Duration {
    let whole = PAUSE_MIN.saturating_mul(1 << failures.min(16)).min(PAUSE_MAX);
    whole / 2 + whole * u32::from(jitter) / 512
}

/// Something drawn; without randomness everybody waits alike.
fn jitter() -> u8 {
    seed::from_system().map_or(0, |random| random[0])
}

fn describe(error: &ConnectFailure) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute_and_have_a_random_part() {
        for (failures, whole_ms) in
            [(0, 250), (1, 500), (6, 16_000), (7, 30_000), (u32::MAX, 30_000)]
        {
            let whole = Duration::from_millis(whole_ms);
            assert_eq!(pause(failures, 0), whole / 2);
            assert!(pause(failures, 255) > whole * 9 / 10 && pause(failures, 255) <= whole);
        }
    }
}
