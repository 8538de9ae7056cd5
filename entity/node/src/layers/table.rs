//! Open connections, whose they are, and what is under way over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use entity_peer::PeerName;
use entity_peer::output::Transmit;
use entity_transport::ws::{Connection, ConnectionId, Side};

use super::RelayFace;

/// What the lock of the layers guards.
#[derive(Default)]
pub(super) struct Table {
    /// As many as the limits of the server and the roster allow.
    connections: BTreeMap<ConnectionId, Open>,
    /// Those of each peer: the ones we dialled first, then the newest first.
    of_peer: BTreeMap<PeerName, Vec<ConnectionId>>,
    /// Peers that are dialled, or whose connection we dialled.
    ///
    /// The value says whether the last attempt failed.
    kept: BTreeMap<PeerName, bool>,
    /// What is posted and not answered, by ticket: no more than the peer has deliveries under way.
    under_way: BTreeMap<u64, Transmit>,
    pub(super) relay: Option<Arc<dyn RelayFace>>,
    is_closed: bool,
}

struct Open {
    connection: Connection,
    peer: Option<PeerName>,
}

impl Table {
    /// Takes a connection; one that comes after the end is closed.
    pub(super) fn opened(&mut self, connection: &Connection) {
        if self.is_closed {
            connection.close();
        }
        let open = Open { connection: connection.clone(), peer: None };
        self.connections.insert(connection.id(), open);
    }

    /// Notes whose a connection is. The first word counts.
    pub(super) fn belongs(&mut self, connection: &Connection, peer: &PeerName) {
        let Some(open) = self.connections.get_mut(&connection.id()) else { return };
        if open.peer.is_some() {
            return;
        }
        open.peer = Some(peer.clone());
        if let Some(has_failed) = self.kept.get_mut(peer) {
            *has_failed = false;
        }
        let of_peer = self.of_peer.entry(peer.clone()).or_default();
        // What others dialled goes behind what we dialled: of our own we know where it leads.
        let place = match connection.side() {
            Side::Dialled => 0,
            Side::Accepted => {
                let connections = &self.connections;
                let is_dialled = |id: &&ConnectionId| {
                    connections.get(*id).is_some_and(|open| open.connection.side() == Side::Dialled)
                };
                of_peer.iter().take_while(is_dialled).count()
            }
        };
        of_peer.insert(place, connection.id());
    }

    /// Forgets a connection that has ended.
    pub(super) fn closed(&mut self, connection: &Connection) {
        let Some(open) = self.connections.remove(&connection.id()) else { return };
        let Some(peer) = open.peer else { return };
        if let Some(of_peer) = self.of_peer.get_mut(&peer) {
            of_peer.retain(|id| *id != connection.id());
            if of_peer.is_empty() {
                self.of_peer.remove(&peer);
            }
        }
    }

    /// The connection to send to a peer over.
    pub(super) fn connection_to(&self, peer: &PeerName) -> Option<&Connection> {
        let ids = self.of_peer.get(peer)?;
        let open = ids.iter().filter_map(|id| self.connections.get(id));
        open.map(|open| &open.connection).find(|connection| connection.is_open())
    }

    /// Says that somebody dials a peer from here on; `false` where somebody does already, or nobody shall.
    pub(super) fn keep(&mut self, peer: &PeerName) -> bool {
        if self.is_closed || self.kept.contains_key(peer) {
            return false;
        }
        self.kept.insert(peer.clone(), false);
        true
    }

    /// Notes that a peer could not be dialled.
    pub(super) fn failed(&mut self, peer: &PeerName) {
        if let Some(has_failed) = self.kept.get_mut(peer) {
            *has_failed = true;
        }
    }

    /// Whether the last attempt to dial a peer failed.
    pub(super) fn has_failed(&self, peer: &PeerName) -> bool {
        self.kept.get(peer).is_some_and(|has_failed| *has_failed)
    }

    /// Whether somebody dials a peer, or has dialled it.
    pub(super) fn is_kept(&self, peer: &PeerName) -> bool {
        self.kept.contains_key(peer)
    }

    /// Nobody dials that peer any more.
    pub(super) fn let_go(&mut self, peer: &PeerName) {
        self.kept.remove(peer);
    }

    /// Notes that a transmission is posted.
    pub(super) fn posted(&mut self, transmit: Transmit) {
        self.under_way.insert(transmit.id.0, transmit);
    }

    /// Takes a transmission that was posted.
    pub(super) fn settled(&mut self, ticket: u64) -> Option<Transmit> {
        self.under_way.remove(&ticket)
    }

    /// Takes no more connections, and returns those there are.
    pub(super) fn close(&mut self) -> Vec<Connection> {
        self.is_closed = true;
        self.connections.values().map(|open| open.connection.clone()).collect()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn count(&self) -> (usize, usize) {
        let known = self.connections.values().filter(|open| open.peer.is_some()).count();
        (self.connections.len(), known)
    }
}
