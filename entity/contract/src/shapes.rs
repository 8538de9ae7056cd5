//! How values of the peer look in answers and events of the contract.

use entity_peer::command::Receipt;
use entity_peer::output::Received;
use entity_peer::view::{PeerView, SessionView};
use entity_wire::canonical;
use entity_wire::json::Object;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::stats::is_healthy;

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
pub fn raw_object(object: &Object) -> Box<RawValue> {
    let text = String::from_utf8(canonical::object_to_vec(object)).unwrap_or_default();
    // The profile `compat` lets NaN and the infinities in, which JSON has not: such a body is shown as a text.
    let shown = RawValue::from_string(text.clone()).or_else(|_| to_raw_value(&text));
    shown.unwrap_or_else(|_| RawValue::NULL.to_owned())
}
