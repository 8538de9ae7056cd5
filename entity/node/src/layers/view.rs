//! What the operator sees of the ways to a peer.

use entity_bridge::route::{self, Purpose, RelayId, RelayView, Route, Router, Target, Tried};
use entity_peer::view::PeerView;
use entity_transport::ws::{Connection, Side};
use serde::Serialize;

use super::Layers;
use crate::node::Node;

/// Which layer a transmission takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    /// HTTP to its base address.
    Http,
    /// A WebSocket to it, open or to be opened.
    Websocket,
    /// A relay hands it on.
    Relay,
    /// None: its address is for a layer that this node does not have.
    None,
}

/// How a WebSocket to a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SocketState {
    /// There is one.
    Open,
    /// Somebody dials, or will, and has not failed since it was open last.
    Dialling,
    /// It was open once, and the last attempt has failed; there will be another one.
    Partitioned,
    /// It was never open, and the last attempt has failed; there will be another one.
    Failing,
    /// There is none, and nobody dials.
    None,
}

/// The way to one peer at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WayView {
    pub(crate) layer: Layer,
    /// Which relay, where it is one.
    pub(crate) relay: Option<String>,
    pub(crate) socket: SocketState,
    /// Which side dialled the open connection.
    pub(crate) side: Option<Side>,
}

impl Node {
    /// The way that a transmission to a peer would take now.
    pub(crate) fn way_to(&self, peer: &PeerView) -> WayView {
        let target = Target {
            peer: peer.name.as_str(),
            address: &peer.address,
            takes_sockets: peer.takes_sockets,
            key: peer.key,
            is_named: true,
            purpose: Purpose::Other,
            tried: Tried::default(),
        };
        let now = self.now();
        let table = self.layers().table();
        let router = &table.router;
        let route = router.look(&target, now);
        let over = router.connection(target.peer).and_then(|over| table.connection(over));
        let named = |relay: Option<RelayId>| relay.and_then(|relay| router.address_of(relay));
        let relay = named(route.relay()).map(|relay| relay.to_string());
        let mailbox = |route: &Route| {
            let Route::Mailbox { base, .. } = route else { return None };
            base.split_once("/relay/").map(|(at, _)| at.to_owned())
        };
        let relay = relay.or_else(|| mailbox(&route));
        let layer = match route {
            Route::Socket(_) | Route::Wait { .. } => Layer::Websocket,
            Route::Http => Layer::Http,
            Route::Mailbox { .. } | Route::Relay { .. } => Layer::Relay,
            Route::None(_) => Layer::None,
        };
        let socket = SocketState::from(router.socket_to(target.peer));
        WayView { layer, relay, socket, side: over.map(Connection::side) }
    }
}

impl Layers {
    /// The relays: those it is a member of, the preferred first, then those that mailboxes have named.
    pub(crate) fn relays(&self) -> Vec<RelayView> {
        Router::relays(&self.table().router).collect()
    }
}

impl From<route::SocketState> for SocketState {
    fn from(state: route::SocketState) -> Self {
        match state {
            route::SocketState::Connected => Self::Open,
            route::SocketState::Connecting => Self::Dialling,
            route::SocketState::Partitioned => Self::Partitioned,
            route::SocketState::Failing => Self::Failing,
            route::SocketState::Idle => Self::None,
        }
    }
}
