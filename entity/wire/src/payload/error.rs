//! `error`: one peer tells another that something went wrong.
//!
//! Source: `docs/protocol/1.0.md#message-types`.

use crate::json::{FieldError, Fields, Object};
use crate::limits::{LEGACY_ID_LEN_MAX, TEXT_LEN_MAX};

/// `{"error_code", "error_message", "original_message_id"?}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReport {
    /// A code, of this protocol or not; at most [`LEGACY_ID_LEN_MAX`] bytes.
    pub code: String,
    /// A text for people; at most [`TEXT_LEN_MAX`] bytes.
    pub message: String,
    /// What it is about; at most [`LEGACY_ID_LEN_MAX`] bytes.
    pub original_message_id: Option<String>,
}

impl ErrorReport {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// `error_code` or `error_message` is absent, a field has the wrong type or is too long.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let original = fields.optional("original_message_id");
        let original = original
            .map(|_| fields.short_text("original_message_id", LEGACY_ID_LEN_MAX))
            .transpose()?;
        Ok(Self {
            code: fields.short_text("error_code", LEGACY_ID_LEN_MAX)?.to_owned(),
            message: fields.short_text("error_message", TEXT_LEN_MAX)?.to_owned(),
            original_message_id: original.map(str::to_owned),
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new()
            .with("error_code", self.code.as_str())
            .with("error_message", self.message.as_str());
        if let Some(original) = &self.original_message_id {
            object.insert("original_message_id", original.as_str());
        }
        object
    }
}
