//! Who writes messages, when, and with what randomness.

use bytes::Bytes;
use entity_crypto::entropy::Entropy;
use entity_crypto::identity::PeerId;
use entity_crypto::signing::SigningKey;
use entity_wire::id::{Nonce, Sequence, SessionId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::time::Timestamp;
use entity_wire::v1_1::{Draft, Header, Signed};

/// This node, as far as writing a message needs it.
///
/// Borrowed for one call: sessions hold neither the identity key nor a generator.
#[derive(Debug)]
pub struct Author<'a> {
    /// This node's name.
    pub id: &'a PeerId,
    /// This node's identity key.
    pub key: &'a SigningKey,
    /// Where nonces, ids, challenges and ephemeral keys come from.
    pub entropy: &'a mut Entropy,
    /// The monotone time that deadlines are counted in.
    pub now: Timestamp,
    /// The time of day that messages are stamped with and checked against.
    pub wall: Timestamp,
}

/// A message to be delivered to a peer, as the bytes that every attempt sends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an outbound message has to be delivered"]
pub struct Outbound {
    /// Whom it is for.
    pub peer: PeerId,
    /// The session it belongs to.
    pub session: SessionId,
    /// Its type.
    pub kind: MessageKind,
    /// What the bytes are.
    pub form: Form,
    /// The whole signed envelope, or the whole frame. A repetition sends these bytes, never new ones.
    pub body: Bytes,
}

/// The form in which a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// A signed envelope.
    #[default]
    Envelope,
    /// A compact frame (`docs/protocol/1.1.md#compact-frames`).
    Frame,
}

/// Where a message goes and what place it has there.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) kind: MessageKind,
    pub(super) peer: &'a PeerId,
    pub(super) session: SessionId,
    pub(super) sequence: Sequence,
}

impl Author<'_> {
    /// Drafts a message with a fresh nonce and the time of day.
    pub(super) fn draft(&mut self, place: Place<'_>, payload: Object) -> Draft {
        let header = Header {
            kind: place.kind,
            sender: self.id.clone(),
            recipient: place.peer.clone(),
            session: place.session,
            sequence: place.sequence,
            timestamp: self.wall,
            nonce: Nonce::from_bytes(self.entropy.bytes()),
            expires_at: None,
        };
        Draft { header, payload }
    }

    /// Signs a draft and returns it as it goes out, together with the bytes that were signed.
    pub(super) fn sign(&self, draft: &Draft) -> (Outbound, Vec<u8>) {
        let Signed { body, signed_bytes, signature: _ } = draft.sign(self.key);
        let outbound = Outbound {
            peer: draft.header.recipient.clone(),
            session: draft.header.session,
            kind: draft.header.kind.clone(),
            form: Form::Envelope,
            body: Bytes::from(body),
        };
        (outbound, signed_bytes)
    }
}
