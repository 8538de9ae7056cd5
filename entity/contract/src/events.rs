//! What a peer tells by itself.

use entity_peer::dht::DhtEvent;
use entity_peer::output::PeerEvent;
use serde::Serialize;

use crate::shapes::MessageShape;
use crate::tasks::TaskShape;
use crate::token_shapes;
use crate::transfers::TransferShape;

/// The events of the contract.
pub const EVENTS: &[&str] = &[
    "peer.added",
    "session.ready",
    "session.resumed",
    "session.rekeyed",
    "session.closed",
    "message.received",
    "message.refused",
    "message.acknowledged",
    "message.given_up",
    "peer.health",
    "handshake.failed",
    "task.received",
    "task.accepted",
    "task.refused",
    "task.done",
    "transfer.offered",
    "transfer.done",
    "transfer.failed",
    "token.vote_requested",
    "token.applied",
    "token.received",
    "token.refused",
    "token.receipt",
    "token.equivocation",
    "dht.joined",
    "dht.alone",
    "dht.left",
    "dht.misbehaved",
    "relay.suspected",
];

/// The line of the `n`-th event of a peer; nothing for an event that the contract does not have.
pub fn event_line(event: &PeerEvent, n: u64) -> Option<String> {
    let line = match event {
        PeerEvent::PeerAdded { peer } => notice("peer.added", n, &Added { name: peer.as_str() }),
        PeerEvent::SessionReady { id, peer, version, role } => {
            let ready = Ready {
                id: &id.0,
                peer: peer.as_str(),
                version: version.as_str(),
                role: role.as_str(),
            };
            notice("session.ready", n, &ready)
        }
        PeerEvent::SessionResumed { id, peer, generation } => {
            let resumed = Resumed { id: &id.0, peer: peer.as_str(), generation: *generation };
            notice("session.resumed", n, &resumed)
        }
        PeerEvent::SessionRekeyed { id, generation } => {
            notice("session.rekeyed", n, &Rekeyed { id: &id.0, generation: *generation })
        }
        PeerEvent::SessionClosed { id, peer, reason } => {
            let closed = Closed { id: &id.0, peer: peer.as_str(), reason: reason.as_str() };
            notice("session.closed", n, &closed)
        }
        PeerEvent::MessageReceived(received) => {
            notice("message.received", n, &MessageShape::from(received))
        }
        PeerEvent::MessageRefused { from, code, detail, status } => {
            let refused =
                Refused { from: from.as_deref(), code: code.as_str(), detail, status: *status };
            notice("message.refused", n, &refused)
        }
        PeerEvent::HandshakeFailed { peer, code, reason } => {
            let failed = Failed { peer: peer.as_str(), code: code.as_str(), reason };
            notice("handshake.failed", n, &failed)
        }
        PeerEvent::Token(event) => return token_shapes::event_line(event, n),
        PeerEvent::Dht(event) => of_table(event, n),
        PeerEvent::TaskReceived(task) => notice("task.received", n, &TaskShape::from(task)),
        PeerEvent::TaskAccepted(task) => notice("task.accepted", n, &TaskShape::from(task)),
        PeerEvent::TaskRefused(task) => notice("task.refused", n, &TaskShape::from(task)),
        PeerEvent::TaskDone(task) => notice("task.done", n, &TaskShape::from(task)),
        PeerEvent::MessageAcknowledged { id, peer } => {
            let acknowledged = Acknowledged { id: id.to_string(), peer: peer.as_str() };
            notice("message.acknowledged", n, &acknowledged)
        }
        PeerEvent::MessageGivenUp { id, peer, code } => {
            let (id, peer, code) = (id.to_string(), peer.as_str(), code.as_str());
            notice("message.given_up", n, &GivenUp { id, peer, code })
        }
        PeerEvent::HealthChanged { peer, healthy } => {
            notice("peer.health", n, &HealthShape { peer: peer.as_str(), healthy: *healthy })
        }
        PeerEvent::KeyPinned { .. } => return None,
        PeerEvent::TransferOffered(view) => {
            notice("transfer.offered", n, &TransferShape::from(view))
        }
        PeerEvent::TransferDone(view) => notice("transfer.done", n, &TransferShape::from(view)),
        PeerEvent::TransferFailed(view) => notice("transfer.failed", n, &TransferShape::from(view)),
    };
    Some(line)
}

/// The line of a notification with its number.
pub fn notice<T: Serialize>(method: &str, n: u64, event: &T) -> String {
    #[derive(Serialize)]
    struct Counted<'a, T> {
        n: u64,
        #[serde(flatten)]
        event: &'a T,
    }
    notification_line(method, &Counted { n, event })
}

#[derive(Serialize)]
struct Added<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Ready<'a> {
    id: &'a str,
    peer: &'a str,
    version: &'a str,
    role: &'a str,
}

#[derive(Serialize)]
struct Resumed<'a> {
    id: &'a str,
    peer: &'a str,
    generation: u16,
}

#[derive(Serialize)]
struct Rekeyed<'a> {
    id: &'a str,
    generation: u16,
}

#[derive(Serialize)]
struct Closed<'a> {
    id: &'a str,
    peer: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Refused<'a> {
    from: Option<&'a str>,
    code: &'a str,
    detail: &'a str,
    status: u16,
}

#[derive(Serialize)]
struct Failed<'a> {
    peer: &'a str,
    code: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Acknowledged<'a> {
    id: String,
    peer: &'a str,
}

#[derive(Serialize)]
struct GivenUp<'a> {
    id: String,
    peer: &'a str,
    code: &'a str,
}

#[derive(Serialize)]
struct HealthShape<'a> {
    peer: &'a str,
    healthy: bool,
}

/// The line of a notification.
pub fn notification_line<T: Serialize>(method: &str, params: &T) -> String {
    #[derive(Serialize)]
    struct Notification<'a, T> {
        jsonrpc: &'static str,
        method: &'a str,
        params: &'a T,
    }
    // As above.
    serde_json::to_string(&Notification { jsonrpc: "2.0", method, params }).unwrap_or_default()
}

/// The line of an event of the table.
fn of_table(event: &DhtEvent, n: u64) -> String {
    match event {
        DhtEvent::Joined { contacts } => notice("dht.joined", n, &Joined { contacts: *contacts }),
        DhtEvent::Alone => notice("dht.alone", n, &serde_json::Map::new()),
        DhtEvent::Left => notice("dht.left", n, &serde_json::Map::new()),
        DhtEvent::Misbehaved { node, peer } => {
            notice("dht.misbehaved", n, &Misbehaved { node: node.to_string(), peer: peer.as_str() })
        }
    }
}

#[derive(Serialize)]
struct Joined {
    contacts: usize,
}

#[derive(Serialize)]
struct Misbehaved<'a> {
    node: String,
    peer: &'a str,
}
