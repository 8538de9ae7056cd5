//! `chunk_complete`: how a transfer ends, well or not.

use std::fmt;

use entity_crypto::encoding::hex_encode;

use super::{Digest, TransferId, digest_of, transfer_of};
use crate::json::{FieldError, Fields, Object};
use crate::limits::KIND_LEN_MAX;

/// `chunk_complete`: the end of a transfer.
///
/// Source: `docs/protocol/1.1.md#chunk-complete`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkComplete {
    /// Which transfer.
    pub transfer: TransferId,
    /// How it ended.
    pub ending: Ending,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The receiver has all of it, durably, and it has this SHA-256. Only a receiver says so.
    Whole {
        /// The digest.
        sha256: Digest,
    },
    /// One side does not go on; on the wire the code is `CHUNK_ERROR`.
    Broken {
        /// Why.
        reason: BreakReason,
    },
}

/// Why a side does not go on with a transfer: one word on the wire, and no more than the other side may know.
///
/// Source: `docs/protocol/1.1.md#chunk-complete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakReason {
    /// It is larger than the receiver takes.
    TooLarge,
    /// The receiver has too much under way with this peer; it may be offered again later.
    Overloaded,
    /// The receiver does not know it (any more); it may be offered again.
    Unknown,
    /// The whole does not have the digest that was promised, or is not the message it was said to be.
    Mismatch,
    /// Somebody withdrew it.
    Cancelled,
    /// Nothing came for too long.
    Expired,
    /// The side that says so cannot read or write it.
    Storage,
    /// Anything else, also every word that this version does not know.
    Refused,
}

impl BreakReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::TooLarge,
        Self::Overloaded,
        Self::Unknown,
        Self::Mismatch,
        Self::Cancelled,
        Self::Expired,
        Self::Storage,
        Self::Refused,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Overloaded => "overloaded",
            Self::Unknown => "unknown",
            Self::Mismatch => "mismatch",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Storage => "storage",
            Self::Refused => "refused",
        }
    }

    /// Reads the word.
    pub fn from_text(text: &str) -> Self {
        let known = Self::ALL.into_iter().find(|reason| reason.as_str() == text);
        known.unwrap_or(Self::Refused)
    }
}

impl fmt::Display for BreakReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl ChunkComplete {
    /// Reads the payload: with `error` the transfer broke, without it `sha256` is wanted.
    ///
    /// # Errors
    ///
    /// A field is absent or not of its shape.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let transfer = transfer_of(fields)?;
        if !object.contains_key("error") {
            return Ok(Self { transfer, ending: Ending::Whole { sha256: digest_of(fields)? } });
        }
        let error = Fields::new(fields.object("error")?);
        error.exactly("code", CHUNK_ERROR)?;
        let reason = BreakReason::from_text(error.short_text("reason", KIND_LEN_MAX)?);
        Ok(Self { transfer, ending: Ending::Broken { reason } })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let object = Object::new().with("transfer_id", self.transfer.to_string());
        match self.ending {
            Ending::Whole { sha256 } => object.with("sha256", hex_encode(&sha256)),
            Ending::Broken { reason } => {
                let error = Object::new().with("code", CHUNK_ERROR).with("reason", reason.as_str());
                object.with("error", error)
            }
        }
    }
}

/// The code of a broken transfer, as in the table of codes.
const CHUNK_ERROR: &str = "CHUNK_ERROR";
