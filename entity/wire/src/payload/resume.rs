//! What resumes a session of 1.1: `session_resume` and its answer `session_resumed`.
//!
//! Source: `docs/protocol/1.1.md#resumption`.

use entity_crypto::agreement::AgreementKey;
use entity_crypto::encoding::{base64_decode_array, base64_encode};

use crate::id::{Generation, MessageNumber, SessionId};
use crate::json::{FieldError, Fields, Object, Problem};

/// The field that is left out where a binder is computed.
pub const BINDER: &str = "binder";

/// How long a binder is, in bytes.
pub const BINDER_LEN: usize = 32;

/// `{"session_id", "base_generation", "generation", "ephemeral_public_key", "acknowledged", "binder"}`: the payload of both
/// messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The session, as in the envelope.
    pub session_id: SessionId,
    /// `g`: the generation whose secret binds the message.
    pub base_generation: Generation,
    /// `h`: the generation that is to be made.
    pub generation: Generation,
    /// The sender's half of a fresh key agreement.
    pub ephemeral_public_key: AgreementKey,
    /// The number up to which the sender has handled everything and kept it; 0 before the first.
    pub acknowledged: u64,
    /// What shows that the sender holds the secret of `g`; absent only while it is computed.
    pub binder: Option<[u8; BINDER_LEN]>,
}

impl Resume {
    /// Reads the payload. A missing binder reads as `None`.
    ///
    /// # Errors
    ///
    /// A field is absent, of another type or out of its range.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let acknowledged = fields.unsigned("acknowledged")?;
        if acknowledged > MessageNumber::MAX.get() {
            return Err(Problem::Invalid { expected: "0 or a message number" }.of("acknowledged"));
        }
        let expected = "base64 of 32 bytes";
        let binder = if object.contains_key(BINDER) {
            Some(fields.read(BINDER, expected, |text| base64_decode_array(text).ok())?)
        } else {
            None
        };
        Ok(Self {
            session_id: fields.parsed("session_id", "a lower-case UUID of version 4")?,
            base_generation: generation(fields, "base_generation")?,
            generation: generation(fields, "generation")?,
            ephemeral_public_key: ephemeral(fields)?,
            acknowledged,
            binder,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let object = Object::new()
            .with("session_id", self.session_id.to_string())
            .with("base_generation", u64::from(self.base_generation.get()))
            .with("generation", u64::from(self.generation.get()))
            .with("ephemeral_public_key", self.ephemeral_public_key.to_base64())
            .with("acknowledged", self.acknowledged);
        match &self.binder {
            Some(binder) => object.with(BINDER, base64_encode(binder)),
            None => object,
        }
    }
}

/// Reads a generation.
pub(super) fn generation(fields: Fields<'_>, name: &'static str) -> Result<Generation, FieldError> {
    let value = u16::try_from(fields.unsigned(name)?);
    let refused = Problem::Invalid { expected: "an integer of 16 bits" }.of(name);
    value.map(Generation::new).map_err(|_| refused)
}

/// Reads `ephemeral_public_key`.
pub(super) fn ephemeral(fields: Fields<'_>) -> Result<AgreementKey, FieldError> {
    let expected = "base64 of an X25519 public key";
    fields.read("ephemeral_public_key", expected, |text| AgreementKey::from_base64(text).ok())
}
