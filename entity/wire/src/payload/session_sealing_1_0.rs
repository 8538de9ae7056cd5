//! The payload that is sealed under a session's key in 1.0.
//!
//! Source: `docs/protocol/1.0.md#session-sealing`.

use entity_crypto::encoding::{base64_decode_array, base64_decode_strict, base64_encode};

use super::bounded;
use crate::json::{FieldError, Fields, Object, Value};
use crate::limits::LEGACY_ID_LEN_MAX;

/// `{"_e2e_encrypted": true, "session_id", "data", "nonce"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSealed {
    /// The id of the sealed session, not that of the envelope; at most [`LEGACY_ID_LEN_MAX`] bytes.
    pub session_id: String,
    /// Ciphertext followed by the tag of 16 bytes.
    pub data: Vec<u8>,
    /// The nonce.
    pub nonce: [u8; 12],
}

impl SessionSealed {
    /// Whether a payload says that it is of this form.
    pub fn is_form_of(payload: &Object) -> bool {
        payload.get("_e2e_encrypted").and_then(Value::as_bool) == Some(true)
    }

    /// Reads a payload of this form.
    ///
    /// # Errors
    ///
    /// A field is absent or of another type; base64 is not strict; the nonce is not 12 bytes.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        fields.exactly_true("_e2e_encrypted")?;
        Ok(Self {
            session_id: bounded("session_id", fields.text("session_id")?, LEGACY_ID_LEN_MAX)?,
            data: fields.read("data", "base64", |text| base64_decode_strict(text).ok())?,
            nonce: fields
                .read("nonce", "base64 of 12 bytes", |text| base64_decode_array(text).ok())?,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        Object::new()
            .with("_e2e_encrypted", true)
            .with("session_id", self.session_id.as_str())
            .with("data", base64_encode(&self.data))
            .with("nonce", base64_encode(&self.nonce))
    }
}
