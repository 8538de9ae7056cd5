//! The two ways of writing an envelope of 1.0.

use entity_crypto::encoding::{base64_encode, hex_encode};

use crate::json::{Number, Value};
use crate::kind::MessageKind;
use crate::time::{InvalidTimestamp, Timestamp};

/// A way of writing an envelope; a receiver takes both.
///
/// Source: `docs/protocol/1.0.md#flavours`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flavour {
    /// Timestamp as ISO text, nonce as hex.
    #[default]
    Iso,
    /// Timestamp as a float of Unix seconds, nonce as base64, absent values as null.
    Dataclass,
}

impl Flavour {
    /// The flavour that a message of `kind` is written in by a peer that prefers `self`: the first message of a
    /// handshake is always [`Flavour::Iso`].
    #[must_use]
    pub fn of_kind(self, kind: &MessageKind) -> Self {
        if *kind == MessageKind::Handshake { Self::Iso } else { self }
    }

    /// The nonce in this flavour.
    pub fn nonce(self, bytes: &[u8; 16]) -> String {
        match self {
            Self::Iso => hex_encode(bytes),
            Self::Dataclass => base64_encode(bytes),
        }
    }

    /// The timestamp in this flavour.
    pub fn stamp(self, time: Timestamp) -> Stamp {
        match self {
            Self::Iso => Stamp::Text(time.to_string()),
            Self::Dataclass => Stamp::Number(Number::Float(time.as_seconds())),
        }
    }
}

/// A timestamp as it is written: its exact form is signed.
#[derive(Clone, Debug, PartialEq)]
pub enum Stamp {
    /// ISO 8601 text, or any other text.
    Text(String),
    /// Unix seconds.
    Number(Number),
}

impl Stamp {
    /// The point in time.
    ///
    /// # Errors
    ///
    /// A text that is no date with an offset; a number outside the years 1 to 9999.
    pub fn time(&self) -> Result<Timestamp, InvalidTimestamp> {
        match self {
            Self::Text(text) => Timestamp::from_iso(text),
            Self::Number(number) => Timestamp::from_seconds(number.as_f64()),
        }
    }

    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Number(number) => Value::Number(number.clone()),
        }
    }
}
