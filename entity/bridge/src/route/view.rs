//! What the operator of a router sees.

use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_wire::time::Timestamp;

use super::vocabulary::{Layers, RelayId, Route, Target, Why};
use super::{Base, Reach, RelayState, Router};

/// How often each way was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// Over a connection to the peer.
    pub socket: u64,
    /// By HTTP.
    pub http: u64,
    /// Over a connection to a relay.
    pub relay: u64,
}

impl Sent {
    pub(super) fn count(&mut self, route: &Route) {
        match route {
            Route::Socket(_) => self.socket += 1,
            Route::Http(_) => self.http += 1,
            Route::Relay { .. } => self.relay += 1,
            Route::Dial(_) | Route::Wait { .. } | Route::None(_) => {}
        }
    }
}

/// How L2 to a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketState {
    /// There is a connection.
    Connected,
    /// Somebody connects.
    Connecting,
    /// It worked once, and the last attempt has failed.
    Partitioned,
    /// There is none at the moment.
    Idle,
}

impl SocketState {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Connecting => "connecting",
            Self::Partitioned => "partitioned",
            Self::Idle => "idle",
        }
    }
}

/// The ways to one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Its name.
    pub peer: Arc<str>,
    /// What it said it has; `None` before a handshake said so.
    pub layers: Option<Layers>,
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
    /// The key it has to show.
    pub key: PublicKey,
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

    /// Every relay, the preferred first.
    pub fn relays(&self) -> impl Iterator<Item = RelayView> {
        self.relays.iter().map(RelayState::view)
    }

    /// The relay whose connection a transmission would take now; `None` where it would go another way.
    ///
    /// Answers what [`Router::choose`] would, and changes nothing.
    pub fn way_round(&self, target: &Target<'_>, now: Timestamp) -> Option<RelayId> {
        let (own, base) = (self.config.own, Base::of(target.address));
        let reach = self.peers.get(target.peer);
        let listed = reach.and_then(|reach| reach.layers);
        let has_ws = matches!(base, Base::Ws(_)) || listed.is_some_and(|layers| layers.ws);
        let may_dial = own.ws && !target.tried.socket && has_ws && base.socket().is_some();
        let is_due = reach.is_none_or(|reach| {
            reach.dial.is_under_way() || reach.dial.again_at().is_none_or(|at| at <= now)
        });
        let is_connected =
            own.ws && !target.tried.socket && self.connection_to(target.peer).is_some();
        let posts = own.http && !target.tried.http && matches!(base, Base::Http(_));
        if is_connected || (may_dial && is_due) || posts {
            return None;
        }
        match self.relay_for(target, &base)? {
            Route::Relay { relay, .. } => Some(relay),
            Route::Socket(_)
            | Route::Dial(_)
            | Route::Http(_)
            | Route::Wait { .. }
            | Route::None(_) => None,
        }
    }
}

impl Reach {
    fn view(&self, peer: &Arc<str>) -> PeerView {
        let socket = if !self.connections.is_empty() {
            SocketState::Connected
        } else if self.dial.is_under_way() {
            SocketState::Connecting
        } else if self.dial.is_partitioned() {
            SocketState::Partitioned
        } else {
            SocketState::Idle
        };
        let again_at = self.dial.again_at().filter(|_| self.connections.is_empty());
        PeerView { peer: Arc::clone(peer), layers: self.layers, socket, again_at, sent: self.sent }
    }
}

impl RelayState {
    fn view(&self) -> RelayView {
        RelayView {
            address: Arc::clone(&self.target.address),
            key: self.target.key,
            is_registered: self.connection.is_some(),
            suspected: self.watch.suspicions().collect(),
            taken: self.watch.taken_count,
            acknowledged: self.watch.acknowledged_count,
            outstanding: self.watch.outstanding(),
        }
    }
}
