//! The payload that is sealed under the identity keys in 1.0.
//!
//! Source: `docs/protocol/1.0.md#static-key-sealing`.

use entity_crypto::encoding::{base64_decode_array, base64_decode_strict, base64_encode};

use crate::json::{FieldError, Fields, Object};

/// `{"_encrypted_payload": {"ciphertext", "nonce"}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticSealed {
    /// Ciphertext followed by the tag of 16 bytes.
    pub ciphertext: Vec<u8>,
    /// The nonce, of 16 bytes and not 12.
    pub nonce: [u8; 16],
}

impl StaticSealed {
    /// Whether a payload is of this form.
    pub fn is_form_of(payload: &Object) -> bool {
        payload.contains_key(FIELD)
    }

    /// Reads a payload of this form.
    ///
    /// # Errors
    ///
    /// A field is absent or of another type; base64 is not strict; the nonce is not 16 bytes.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(Fields::new(object).object(FIELD)?);
        Ok(Self {
            ciphertext: fields
                .read("ciphertext", "base64", |text| base64_decode_strict(text).ok())?,
            nonce: fields
                .read("nonce", "base64 of 16 bytes", |text| base64_decode_array(text).ok())?,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let inner = Object::new()
            .with("ciphertext", base64_encode(&self.ciphertext))
            .with("nonce", base64_encode(&self.nonce));
        Object::new().with(FIELD, inner)
    }
}

const FIELD: &str = "_encrypted_payload";
