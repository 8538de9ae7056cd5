//! What the operator of a router sees.

use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_wire::time::Timestamp;

use super::vocabulary::{ConnectionId, RelayId, Route, Target, Why};
use super::{Reach, RelayState, Router};

/// How often each way was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// Over a connection to the peer.
    pub socket: u64,
    /// By HTTP.
    pub http: u64,
    /// By a relay.
    pub relay: u64,
}

impl Sent {
    pub(super) fn count(&mut self, route: &Route) {
        match route {
            Route::Socket(_) => self.socket += 1,
            Route::Http => self.http += 1,
            Route::Relay { .. } | Route::Mailbox { .. } => self.relay += 1,
            Route::Wait { .. } | Route::None(_) => {}
        }
    }
}

/// How L2 to a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketState {
    /// There is a connection.
    Connected,
    /// Somebody connects, or will.
    Connecting,
    /// It worked once, and the last attempt has failed.
    Partitioned,
    /// It never worked, and the last attempt has failed.
    Failing,
    /// There is none, and nobody wants one.
    Idle,
}

impl SocketState {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Connecting => "connecting",
            Self::Partitioned => "partitioned",
            Self::Failing => "failing",
            Self::Idle => "idle",
        }
    }
}

/// The ways to one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Its name.
    pub peer: Arc<str>,
    /// L2.
    pub socket: SocketState,
    /// When L2 is tried again.
    pub again_at: Option<Timestamp>,
    /// How often each way was chosen.
    pub sent: Sent,
}

/// One relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayView {
    /// Its address.
    pub address: Arc<str>,
    /// The key it has to show; `None` where only a mailbox has named it.
    pub key: Option<PublicKey>,
    /// Whether we are registered there now.
    pub is_registered: bool,
    /// What it is suspected of.
    pub suspected: Vec<Why>,
    /// Durable messages it said were taken.
    pub taken: u64,
    /// Of these, acknowledged by whom they were for.
    pub acknowledged: u64,
    /// Of these, watched still.
    pub outstanding: usize,
}

impl Router {
    /// The ways to every peer that something is known of, by name.
    pub fn peers(&self) -> impl Iterator<Item = PeerView> {
        self.peers.iter().map(|(peer, reach)| reach.view(peer))
    }

    /// Every relay: those of the operator, the preferred first, then those that mailboxes have named.
    pub fn relays(&self) -> impl Iterator<Item = RelayView> {
        self.all_relays().map(|(_, relay)| relay.view())
    }

    /// The way that a transmission would take now: what [`Router::choose`] would answer, but that a relay which only this
    /// mailbox names is not remembered for it. Changes nothing.
    pub fn look(&self, target: &Target<'_>, now: Timestamp) -> Route {
        self.decide(target, now).0
    }

    /// The address of a relay.
    pub fn address_of(&self, relay: RelayId) -> Option<Arc<str>> {
        self.relay(relay).map(|relay| Arc::clone(&relay.address))
    }

    /// How L2 to a peer is.
    pub fn socket_to(&self, peer: &str) -> SocketState {
        self.peers.get(peer).map_or(SocketState::Idle, Reach::socket)
    }

    /// How often connecting to a peer has failed, since anything of it is remembered.
    pub fn dials_failed(&self, peer: &str) -> u64 {
        self.peers.get(peer).map_or(0, |reach| reach.dial.failed_count())
    }

    /// The connection to a peer, where there is one.
    pub fn connection(&self, peer: &str) -> Option<ConnectionId> {
        self.connection_to(peer, None)
    }

    /// How many connections belong to somebody who is known.
    pub fn connections_count(&self) -> usize {
        self.connections.len()
    }
}

impl Reach {
    fn socket(&self) -> SocketState {
        if self.is_connected() {
            SocketState::Connected
        } else if self.dial.is_partitioned() {
            SocketState::Partitioned
        } else if self.dial.has_failed() {
            SocketState::Failing
        } else if self.dial.is_wanted() {
            SocketState::Connecting
        } else {
            SocketState::Idle
        }
    }

    fn view(&self, peer: &Arc<str>) -> PeerView {
        let again_at = self.dial.again_at().filter(|_| !self.is_connected());
        PeerView { peer: Arc::clone(peer), socket: self.socket(), again_at, sent: self.sent }
    }
}

impl RelayState {
    fn view(&self) -> RelayView {
        RelayView {
            address: Arc::clone(&self.address),
            key: self.key,
            is_registered: self.connection.is_some(),
            suspected: self.watch.suspicions().collect(),
            taken: self.watch.taken_count,
            acknowledged: self.watch.acknowledged_count,
            outstanding: self.watch.outstanding(),
        }
    }
}
