//! Small signals of 1.0: `heartbeat`, `wake_up`, `wake_up_ack`.
//!
//! Source: `docs/protocol/1.0.md#message-types`.

use crate::json::{FieldError, Fields, Object};
use crate::limits::TEXT_LEN_MAX;
use crate::time::Timestamp;

/// `heartbeat`: `{"sequence"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Counts the heartbeats of the sender.
    pub sequence: u64,
}

impl Heartbeat {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// `sequence` is absent or no non-negative integer.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        Ok(Self { sequence: Fields::new(object).unsigned("sequence")? })
    }

    /// Writes the payload.
    pub fn to_object(self) -> Object {
        Object::new().with("sequence", self.sequence)
    }
}

/// `wake_up`: `{"reason", "timestamp"}`; `wake_up_ack` is the same with `"acknowledged": true` before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WakeUp {
    /// Why; at most [`TEXT_LEN_MAX`] bytes.
    pub reason: String,
    /// When it was sent.
    pub timestamp: Timestamp,
}

impl WakeUp {
    /// Reads the payload of either kind.
    ///
    /// # Errors
    ///
    /// `reason` is absent or too long, or `timestamp` is no ISO text with an offset.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        Ok(Self {
            reason: fields.short_text("reason", TEXT_LEN_MAX)?.to_owned(),
            timestamp: fields.read("timestamp", "ISO 8601 with an offset", |text| {
                Timestamp::from_iso(text).ok()
            })?,
        })
    }

    /// Writes the payload of `wake_up`.
    pub fn to_object(&self) -> Object {
        self.write(Object::new())
    }

    /// Writes the payload of `wake_up_ack`.
    pub fn to_ack_object(&self) -> Object {
        self.write(Object::new().with("acknowledged", true))
    }

    fn write(&self, object: Object) -> Object {
        object.with("reason", self.reason.as_str()).with("timestamp", self.timestamp.to_string())
    }
}
