//! What renews the keys of a session of 1.1: `rekey`, its answer `rekey_ack`, and `rekey_request`.
//!
//! Source: `docs/protocol/1.1.md#rekey`.

use entity_crypto::agreement::AgreementKey;

use super::resume::{ephemeral, generation};
use crate::id::Generation;
use crate::json::{FieldError, Fields, Object};

/// `{"generation", "ephemeral_public_key"}`: the body of `rekey` and of `rekey_ack`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rekey {
    /// `h`: the generation that is to be made.
    pub generation: Generation,
    /// The sender's half of a fresh key agreement.
    pub ephemeral_public_key: AgreementKey,
}

impl Rekey {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// A field is absent, of another type or out of its range.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        Ok(Self {
            generation: generation(fields, "generation")?,
            ephemeral_public_key: ephemeral(fields)?,
        })
    }

    /// Writes the body.
    pub fn to_object(&self) -> Object {
        Object::new()
            .with("generation", u64::from(self.generation.get()))
            .with("ephemeral_public_key", self.ephemeral_public_key.to_base64())
    }
}

/// `rekey_request`: `{}`. The responder asks the initiator for new keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RekeyRequest;

impl RekeyRequest {
    /// Writes the body.
    pub fn to_object(self) -> Object {
        Object::new()
    }
}
