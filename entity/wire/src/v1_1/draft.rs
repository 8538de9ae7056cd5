//! A message of 1.1 to be signed and sent.

use entity_crypto::signing::{Signature, SigningKey};

use super::Header;
use super::header::{Payload, write};
use crate::id::Generation;
use crate::json::Object;

/// A message of 1.1 that is not signed yet.
///
/// A sealed message is drafted with its body, sealed under [`Draft::associated_data`], and given the sealed payload
/// before it is signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Every field but payload and signature.
    pub header: Header,
    /// `payload`. Without floats: [`Draft::sign`] does not look, and every receiver refuses them.
    pub payload: Object,
}

/// The bytes of a signed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The body of the request: the canonical envelope with its signature.
    pub body: Vec<u8>,
    /// `C(m)`: what the signature covers, and what a transcript takes.
    pub signed_bytes: Vec<u8>,
    /// The signature.
    pub signature: Signature,
}

impl Draft {
    /// `C(m)`: the canonical envelope without the signature.
    ///
    /// Source: `docs/protocol/1.1.md#signature`.
    pub fn signed_bytes(&self) -> Vec<u8> {
        write(&self.header, Payload::Whole(&self.payload), &Object::new(), None)
    }

    /// `C(m)` as if the payload lacked `field`: what a challenge signature or a binder covers.
    ///
    /// Source: `docs/protocol/1.1.md#transcript`.
    pub fn signed_bytes_without(&self, field: &str) -> Vec<u8> {
        write(&self.header, Payload::Without(&self.payload, field), &Object::new(), None)
    }

    /// The associated data under which the payload is sealed in `generation`; the payload itself does not matter.
    ///
    /// Source: `docs/protocol/1.1.md#associated-data`.
    pub fn associated_data(&self, generation: Generation) -> Vec<u8> {
        write(&self.header, Payload::Generation(generation), &Object::new(), None)
    }

    /// Signs the message and writes it.
    pub fn sign(&self, key: &SigningKey) -> Signed {
        let signed_bytes = self.signed_bytes();
        let signature = key.sign(&signed_bytes);
        let body =
            write(&self.header, Payload::Whole(&self.payload), &Object::new(), Some(&signature));
        Signed { body, signed_bytes, signature }
    }
}
