//! How values of the peer look in answers and events of the contract.

use entity_peer::command::Receipt;
use entity_peer::output::{PeerEvent, Received};
use entity_peer::view::{PeerView, SessionView};
use entity_wire::canonical;
use entity_wire::json::Object;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::task::TaskShape;
use super::transfer::TransferShape;
use crate::node::{NodeEvent, Numbered};
use crate::views::is_healthy;

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

/// One peer in `peer.list`.
#[derive(Debug, Serialize)]
pub(crate) struct PeerShape {
    name: String,
    address: String,
    key: Option<String>,
    trust: &'static str,
    proved: Option<&'static str>,
    healthy: bool,
    circuit: &'static str,
}

impl From<PeerView> for PeerShape {
    fn from(view: PeerView) -> Self {
        Self {
            healthy: is_healthy(&view),
            circuit: view.circuit.as_str(),
            name: view.name.to_string(),
            address: view.address,
            key: view.key.map(|key| key.to_hex()),
            trust: view.trust.as_str(),
            proved: view.proved.map(entity_wire::version::Version::as_str),
        }
    }
}

/// One session in `session.list` and `session.open`.
#[derive(Debug, Serialize)]
pub(crate) struct SessionShape {
    id: String,
    peer: String,
    peer_key: Option<String>,
    version: &'static str,
    role: &'static str,
    state: &'static str,
    generation: u16,
    sealed: bool,
}

impl From<SessionView> for SessionShape {
    fn from(view: SessionView) -> Self {
        Self {
            id: view.id.to_string(),
            peer: view.peer.to_string(),
            peer_key: view.peer_key.map(|key| key.to_hex()),
            version: view.version.as_str(),
            role: view.role.as_str(),
            state: view.state,
            generation: view.generation,
            sealed: view.sealed,
        }
    }
}

/// The result of `message.send`.
#[derive(Debug, Serialize)]
pub(crate) struct ReceiptShape {
    session: String,
    sequence: u64,
    number: Option<u64>,
    version: &'static str,
    sealed: bool,
    status: u16,
}

impl From<Receipt> for ReceiptShape {
    fn from(receipt: Receipt) -> Self {
        Self {
            session: receipt.session.to_string(),
            sequence: receipt.sequence,
            number: receipt.number,
            version: receipt.version.as_str(),
            sealed: receipt.sealed,
            status: receipt.status,
        }
    }
}

/// One message in `message.inbox`, and the event `message.received`.
#[derive(Debug, Serialize)]
pub(crate) struct MessageShape {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<u64>,
    from: String,
    #[serde(rename = "type")]
    kind: String,
    body: Box<RawValue>,
    session: String,
    sequence: u64,
    number: Option<u64>,
    version: &'static str,
    sealed: bool,
    received_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    durable: Option<String>,
}

impl MessageShape {
    /// The length of the body in bytes.
    pub(crate) fn body_len(&self) -> usize {
        self.body.get().len()
    }
}

impl From<&Received> for MessageShape {
    fn from(received: &Received) -> Self {
        Self {
            index: received.index,
            from: received.from.to_string(),
            kind: received.kind.as_str().to_owned(),
            body: raw_object(&received.body),
            session: received.session.to_string(),
            sequence: received.sequence,
            number: received.number,
            version: received.version.as_str(),
            sealed: received.sealed,
            received_at: received.received_at.to_string(),
            durable: received.durable.map(|id| id.to_string()),
        }
    }
}

/// An object of the wire as JSON, digit by digit.
pub(crate) fn raw_object(object: &Object) -> Box<RawValue> {
    let text = String::from_utf8(canonical::object_to_vec(object)).unwrap_or_default();
    // The profile `compat` lets NaN and the infinities in, which JSON has not: such a body is shown as a text.
    let shown = RawValue::from_string(text.clone()).or_else(|_| to_raw_value(&text));
    shown.unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The line of an event; nothing for an event that the contract does not have.
pub(crate) fn event_line(numbered: &Numbered) -> Option<String> {
    let n = numbered.n;
    let event = match &numbered.event {
        NodeEvent::Peer(event) => event,
        NodeEvent::RelaySuspected(suspicion) => {
            return Some(super::route::suspicion_line(suspicion, n));
        }
    };
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
        PeerEvent::Token(event) => return super::token_shapes::event_line(event, n),
        PeerEvent::Dht(event) => super::dht::event_line(event, n),
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

pub(super) fn notice<T: Serialize>(method: &str, n: u64, event: &T) -> String {
    #[derive(Serialize)]
    struct Counted<'a, T> {
        n: u64,
        #[serde(flatten)]
        event: &'a T,
    }
    super::notification_line(method, &Counted { n, event })
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
