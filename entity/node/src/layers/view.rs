//! What the operator sees of the ways to a peer.

use entity_bridge::route::{Purpose, Target, Tried};
use entity_peer::view::PeerView;
use entity_transport::http::{Address, Scheme};
use entity_transport::ws::{Connection, Side};
use serde::Serialize;

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
    /// Somebody dials, and has not failed since it was open last.
    Dialling,
    /// The last attempt has failed; there will be another one.
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
        let (side, is_kept, has_failed) = {
            let table = self.layers().table();
            let side = table.connection_to(&peer.name).map(Connection::side);
            (side, table.is_kept(&peer.name), table.has_failed(&peer.name))
        };
        let socket = match (side, is_kept, has_failed) {
            (Some(_), ..) => SocketState::Open,
            (None, true, false) => SocketState::Dialling,
            (None, true, true) => SocketState::Failing,
            (None, false, _) => SocketState::None,
        };
        let (layer, relay) = match side {
            Some(_) => (Layer::Websocket, None),
            None => self.without_connection(peer),
        };
        WayView { layer, relay, socket, side }
    }

    /// In the order in which [`Node::carry`] tries them.
    fn without_connection(&self, peer: &PeerView) -> (Layer, Option<String>) {
        let layers = self.layers();
        let Ok(address) = peer.address.parse::<Address>() else { return (Layer::None, None) };
        if layers.has_http() && address.scheme() == Scheme::Http {
            return match peer.address.split_once("/relay/") {
                Some((relay, _)) => (Layer::Relay, Some(relay.to_owned())),
                None => (Layer::Http, None),
            };
        }
        if !layers.has_sockets() {
            return (Layer::None, None);
        }
        let target = Target {
            peer: peer.name.as_str(),
            address: &peer.address,
            key: peer.key,
            purpose: Purpose::Continues,
            tried: Tried::default(),
        };
        let relay = layers.bridge().and_then(|bridge| bridge.relay_to(&target, self.now()));
        match relay {
            Some(relay) => (Layer::Relay, Some(relay.to_string())),
            None => (Layer::Websocket, None),
        }
    }
}
