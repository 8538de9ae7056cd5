//! Sealing a message and opening one (`docs/protocol/1.1.md#sealing`).

use entity_crypto::identity::PeerId;
use entity_wire::id::SessionId;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::sealed::{Plaintext, Sealed};
use entity_wire::v1_1::Envelope;

use super::author::{Author, Outbound, Place};
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
