//! Messages of our own that go by a relay.

use std::time::Duration;

use bytes::Bytes;
use entity_bridge::route::{Layers, Purpose, RelayId, Route, Target, Tried};
use entity_crypto::signing::PublicKey;
use entity_peer::output::{Delivery, Request, Transmit};
use entity_transport::ws::{Connection, Outcome, Outgoing};
use entity_wire::relay::{Form, ForwardId, Header};

use super::Bridge;
use crate::node::Node;
use crate::seed;

/// A way round.
pub(crate) struct WayRound {
    connection: Connection,
    recipient: PublicKey,
}

impl Bridge {
    /// The way by a relay, where both sides have no layer in common.
    pub(crate) fn way_round(&self, node: &Node, transmit: &Transmit) -> Option<WayRound> {
        let name = transmit.peer.as_str();
        let key = node.look(|peer, _| {
            peer.peers().find(|one| one.name == transmit.peer).and_then(|one| one.key)
        });
        let target = Target {
            peer: name,
            address: &transmit.address,
            key,
            purpose: Purpose::Continues,
            tried: Tried::default(),
        };
        let now = node.now();
        let mut state = self.state();
        if transmit.takes_sockets {
            state.router.handle_capabilities(name, Layers { http: true, ws: true });
        }
        match state.router.choose(&target, now) {
            Route::Relay { relay: RelayId(index), recipient, .. } => {
                let connection = state.members.get(index)?.connection.clone()?;
                Some(WayRound { connection, recipient })
            }
            // That way is the layers' own.
            Route::Dial(_) => {
                state.router.handle_dial_failed(name, now);
                None
            }
            Route::Socket(_) | Route::Http(_) | Route::Wait { .. } | Route::None(_) => None,
        }
    }
}

impl WayRound {
    /// Sends one message; `None` where the connection to the relay broke.
    pub(crate) async fn carry(self, request: &Request, timeout: Duration) -> Option<Delivery> {
        let (form, message) = match request {
            Request::Message(body) => (Form::Envelope, body.clone()),
            Request::Frame(frame) => (Form::Frame, frame.clone()),
            // A relay says nothing of how its members are.
            Request::Health => {
                return Some(Delivery::Answered { status: 200, body: Bytes::new() });
            }
        };
        let mut id = [0; 16];
        // Without randomness nothing is sent at all: the same id would be taken for a loop.
        id.copy_from_slice(&seed::from_system().ok()?[..16]);
        let id = ForwardId::from_bytes(id);
        let header = Header { hops: 0, id, recipient: self.recipient, form };
        let forward = Outgoing::binary(header.write(&message).into());
        match self.connection.send(forward, timeout).await {
            Outcome::Answered(answer) => {
                Some(Delivery::Answered { status: answer.status, body: answer.body })
            }
            Outcome::TimedOut => {
                Some(Delivery::Failed { kind: entity_peer::output::FailureKind::TimedOut })
            }
            Outcome::Broken => None,
        }
    }
}
