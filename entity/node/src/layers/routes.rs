//! What the router wants and tells; its deadlines.

use std::sync::atomic::Ordering;
use std::time::Duration;

use entity_bridge::route::{Output, Router};
use entity_crypto::signing::PublicKey;
use entity_peer::PeerName;
use entity_wire::id::MessageId;
use tracing::warn;

use super::table::Table;
use crate::node::Node;

/// How long the timer of the router sleeps at most, so that its task ends with its node.
const LOOK_AFTER: Duration = Duration::from_secs(5);

impl Node {
    /// Gives the router an input under the lock of the table, and carries out what comes of it. Not to be called under the
    /// lock of the peer.
    pub(super) fn routed<T>(&self, input: impl FnOnce(&mut Table) -> T) -> T {
        let layers = self.layers();
        let (outcome, outputs) = {
            let mut table = layers.table();
            let outcome = input(&mut table);
            let outputs: Vec<_> = std::iter::from_fn(|| table.router.poll_output()).collect();
            layers.is_listening.store(table.router.is_listening(), Ordering::Relaxed);
            let deadline = table.router.next_deadline();
            if deadline != table.deadline {
                table.deadline = deadline;
                layers.moved.notify_one();
            }
            (outcome, outputs)
        };
        for output in outputs {
            match output {
                Output::Dial { peer, address } => self.dial(&peer, &address),
                Output::RelaySuspected(suspicion) => {
                    let key = suspicion.key.map(|key: PublicKey| key.to_hex());
                    warn!(relay = %suspicion.relay, key, why = suspicion.why.as_str(), "relay suspected");
                    self.tell_suspicion(suspicion);
                }
            }
        }
        outcome
    }

    /// The same for who has to do with the router alone.
    pub(crate) fn router<T>(&self, input: impl FnOnce(&mut Router) -> T) -> T {
        self.routed(|table| input(&mut table.router))
    }

    /// Something came that only this peer can have said.
    pub(crate) fn note_heard(&self, peer: &PeerName) {
        let now = self.now();
        self.router(|router| router.handle_heard(peer.as_str(), now));
    }

    /// A peer is gone from the roster: nothing is remembered of the ways to it.
    pub(crate) fn forget_ways(&self, peer: &PeerName) {
        self.router(|router| router.handle_removed(peer.as_str()));
        self.layers().tell_changed();
    }

    /// Whether somebody wants to know who is heard.
    pub(crate) fn notes_heard(&self) -> bool {
        self.layers().is_listening.load(Ordering::Relaxed)
    }

    /// Durable messages that were acknowledged by a peer, or given up.
    pub(crate) fn note_ended(&self, ended: &[(MessageId, Option<PeerName>)]) {
        if ended.is_empty() || !self.notes_heard() {
            return;
        }
        let now = self.now();
        self.router(|router| {
            for (message, by) in ended {
                match by {
                    Some(peer) => router.handle_acknowledged(peer.as_str(), *message, now),
                    None => router.handle_given_up(*message),
                }
            }
        });
    }

    /// Keeps the deadlines of the router, as long as the node lives.
    pub(crate) fn keep_routes(&self) {
        let node = self.downgrade();
        tokio::spawn(async move {
            loop {
                let Some(held) = node.upgrade() else { return };
                if held.layers().is_closed() {
                    return;
                }
                let deadline = held.layers().table().router.next_deadline();
                let latest = held.now().plus(LOOK_AFTER);
                let until = deadline.map_or(latest, |deadline| deadline.min(latest));
                tokio::select! {
                    () = held.sleep_until(until) => {}
                    () = held.layers().moved.notified() => continue,
                }
                let now = held.now();
                held.router(|router| router.handle_deadline(now));
            }
        });
    }
}
