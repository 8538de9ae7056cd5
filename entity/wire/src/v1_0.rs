//! The envelope of protocol 1.0 (and 0.3).
//!
//! - [`Flavour`], [`Stamp`]: the two ways of writing one envelope.
//! - [`Draft`]: a message to sign and send.
//! - [`Unverified`]: a message as it came; it reads nothing that is not needed to find the sender's key.
//! - [`Envelope`]: a message whose signature held. Only [`Unverified::verify`] makes one.
//!
//! Source: `docs/protocol/1.0.md#envelope`.

mod draft;
mod envelope;
mod flavour;

pub use draft::Draft;
pub use envelope::{Envelope, SequenceField, Unverified, VerifyError};
pub use flavour::{Flavour, Stamp};

use entity_flaw::{Flaw, planted};

use crate::json::{Layout, ObjectWriter, Value};

/// The fields that the signature covers, in the order in which the earlier peer looks for them.
///
/// Source: `docs/protocol/1.0.md#signature`.
pub const SIGNED_FIELDS: [&str; 6] =
    ["version", "msg_type", "sender_id", "payload", "timestamp", "nonce"];

/// The six signed fields in canonical form.
fn signed_bytes(
    version: &Value,
    kind: &Value,
    sender: &Value,
    payload: &Value,
    stamp: &Value,
    nonce: &Value,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let mut writer = ObjectWriter::new(&mut out, Layout::Canonical);
    writer.value("msg_type", kind);
    if !planted(Flaw::LeavesNonceUnsigned) {
        writer.value("nonce", nonce);
    }
    writer.value("payload", payload);
    writer.value("sender_id", sender);
    writer.value("timestamp", stamp);
    writer.value("version", version);
    writer.end();
    out
}

#[cfg(test)]
mod tests;
