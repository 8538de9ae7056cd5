//! From contacts of the table to peers of the roster, and back.

use std::sync::Arc;

use entity_dht::Node;
use entity_wire::code::ErrorCode;
use entity_wire::kind::MessageKind;
use entity_wire::payload::dht::{Contact, DhtMessage};

use crate::command::{CommandError, Send};
use crate::config::Trust;
use crate::core::{Core, News, Reason};
use crate::name::PeerName;
use crate::output::{PeerEvent, Received};
use crate::roster::Origin;

/// Pins a contact that the operator named; says whether it is known under this key.
pub(super) fn pin(core: &mut Core, contact: &Contact) -> bool {
    let name = PeerName::from(contact.entity_id());
    if name.as_str() == core.config.id.as_str() {
        return false;
    }
    let (address, key) = (contact.address().to_string(), Some(*contact.public_key()));
    let before = core.roster.record(&name);
    let added = core.roster.add(name.clone(), address, key, Origin::Operator);
    if core.roster.record(&name) != before {
        core.keep_peer(&name);
    }
    if added.is_err() {
        let error = CommandError::KeyMismatch { name: name.clone() };
        let (code, reason) = (error.code(), error.to_string());
        core.event(PeerEvent::HandshakeFailed { peer: name, code, reason });
    }
    added.is_ok()
}

/// Says whether a contact can be asked: who is known under another key cannot, and strangers only where they may be met.
pub(super) fn reach(core: &mut Core, contact: &Contact) -> bool {
    let name = PeerName::from(contact.entity_id());
    if let Some(entry) = core.roster.get(name.as_str()) {
        return entry.key == Some(*contact.public_key());
    }
    let may_be_met = core.config.trust == Trust::FirstUse && core.roster.has_room_for_strangers();
    if !may_be_met || name.as_str() == core.config.id.as_str() {
        return false;
    }
    let (address, key) = (contact.address().to_string(), Some(*contact.public_key()));
    let is_added = core.roster.add_guest(name.clone(), address, key);
    if is_added {
        core.keep_peer(&name);
    }
    is_added
}

pub(super) fn send(core: &mut Core, to: &Node, message: &DhtMessage, reason: Reason) {
    let name = PeerName::from(to.contact().entity_id());
    let kind = MessageKind::from_text(message.kind());
    core.tell(News::Send(reason, Send::new(name, kind, message.to_object())));
}

/// The node behind a peer that there was a session with: its key was proved, and messages reached it at its address.
pub(super) fn node_of(core: &Core, peer: &PeerName) -> Option<Arc<Node>> {
    let entry = core.roster.get(peer.as_str())?;
    let contact = Contact::new(peer.as_peer_id()?, entry.key?, entry.address.parse().ok()?);
    Some(Node::new(contact))
}

/// Says that a message was accepted by its session and refused here.
pub(super) fn refuse(core: &mut Core, received: &Received, detail: &str) {
    core.event(PeerEvent::MessageRefused {
        from: Some(received.from.to_string()),
        code: ErrorCode::DhtError,
        detail: detail.to_owned(),
        status: 200,
    });
}
