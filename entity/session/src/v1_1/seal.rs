//! Sealing a message and opening one (`docs/protocol/1.1.md#sealing`).

use bytes::Bytes;
use entity_crypto::identity::PeerId;
use entity_crypto::sealing::TAG_LEN;
use entity_wire::frame::{self, ChunkHeader};
use entity_wire::id::SessionId;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::sealed::{Plaintext, Sealed};
use entity_wire::v1_1::Envelope;

use super::author::{Author, Form, Outbound, Place};
use super::channel::{ReceiveChannel, Slot};
use super::refusal::Refusal;

/// Seals a plaintext in its slot, signs the envelope, and returns it with the bytes that were signed.
///
/// Sealing comes first: the signature covers what is on the wire, and the associated data what the
/// signature covers, except for the ciphertext itself.
pub(super) fn message(
    slot: Slot<'_>,
    (kind, peer, session): (MessageKind, &PeerId, SessionId),
    plaintext: &Plaintext,
    author: &mut Author<'_>,
) -> (Outbound, Vec<u8>) {
    let generation = slot.generation();
    let sequence = slot.sequence();
    let mut draft = author.draft(Place { kind, peer, session, sequence }, Object::new());
    let associated = draft.associated_data(generation);
    let sealed = slot.seal(&associated, &plaintext.to_vec());
    draft.payload = Sealed { generation, sealed }.to_object();
    author.sign(&draft)
}

/// Writes a frame in its slot: what is sealed is written straight after its header, and sealed where it stands.
pub(super) fn frame(
    slot: Slot<'_>,
    (kind, peer, session): (MessageKind, &PeerId, SessionId),
    plaintext: &Plaintext,
    author: &Author<'_>,
) -> Outbound {
    let mut bytes = Vec::with_capacity(FRAME_CAPACITY);
    bytes.extend_from_slice(&header_of(&slot, frame::Kind::Message, session).to_bytes());
    frame::write(&kind, author.wall, plaintext, &mut bytes);
    slot.seal_after(frame::Header::LEN, &mut bytes);
    let (peer, body) = (peer.clone(), Bytes::from(bytes));
    Outbound { peer, session, kind, form: Form::Frame, body }
}

/// Writes the frame of a chunk in its slot.
pub(super) fn chunk(
    slot: Slot<'_>,
    (peer, session): (&PeerId, SessionId),
    (header, data): (&ChunkHeader, &[u8]),
) -> Outbound {
    let len = frame::Header::LEN + ChunkHeader::LEN + data.len() + TAG_LEN;
    let mut bytes = Vec::with_capacity(len);
    bytes.extend_from_slice(&header_of(&slot, frame::Kind::Chunk, session).to_bytes());
    bytes.extend_from_slice(&header.to_bytes());
    bytes.extend_from_slice(data);
    slot.seal_after(frame::Header::LEN, &mut bytes);
    let (peer, body) = (peer.clone(), Bytes::from(bytes));
    Outbound { peer, session, kind: MessageKind::Chunk, form: Form::Frame, body }
}

fn header_of(slot: &Slot<'_>, kind: frame::Kind, session: SessionId) -> frame::Header {
    frame::Header { kind, session, generation: slot.generation(), sequence: slot.sequence() }
}

/// Enough for a frame of a short message, so that it is written without moving; a guess.
const FRAME_CAPACITY: usize = 640;

/// Opens a sealed payload and reads the plaintext. Changes nothing.
///
/// # Errors
///
/// [`Refusal::NotOpened`] where the payload was not sealed for this place, [`Refusal::Plaintext`] where the
/// plaintext is malformed.
pub(super) fn open(
    channel: &ReceiveChannel,
    message: &Envelope,
    sealed: &Sealed,
) -> Result<Plaintext, Refusal> {
    let associated = message.associated_data(sealed.generation);
    let sequence = message.header().sequence.get();
    let opened = channel.open(sequence, &associated, &sealed.sealed)?;
    Ok(Plaintext::from_slice(&opened)?)
}
