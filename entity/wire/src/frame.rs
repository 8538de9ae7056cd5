//! Compact frames: sealed messages of a ready session without JSON and signature around them.
//!
//! ```text
//! kind (1) | session (16) | generation (2) | sequence (6) | ciphertext | tag (16)
//! ```
//!
//! - [`Header`]: the first 25 bytes, which are the associated data as well.
//! - [`Frame`]: what came, read up to its header. Nothing in it is proved yet.
//! - [`Message`], [`ChunkMessage`]: what is sealed in the two kinds of frames.
//! - [`batch`]: several frames in one `POST /frame`, and its answer.
//!
//! Source: `docs/protocol/1.1.md#compact-frames`.

pub mod batch;
mod chunk;
mod header;
mod message;

pub use chunk::{ChunkHeader, ChunkMessage};
pub use header::{Header, Kind};
pub use message::{Message, write};

use entity_crypto::sealing::TAG_LEN;

use crate::code::ErrorCode;
use crate::limits::FRAME_LEN_MAX;

/// The capability of a handshake that agrees on frames.
///
/// Source: `docs/protocol/1.1.md#compact-frames`.
pub const CAPABILITY: &str = "compact_frames";

/// The shortest frame: a header and the tag of nothing, in bytes.
pub const LEN_MIN: usize = Header::LEN + TAG_LEN;

/// A frame as it came: where it claims to belong, and what is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it claims to belong.
    pub header: Header,
    /// Ciphertext followed by the tag of 16 bytes.
    pub sealed: Vec<u8>,
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// More than [`FRAME_LEN_MAX`] bytes.
    #[error("a frame of {len} bytes is longer than {FRAME_LEN_MAX}")]
    TooLong {
        /// How many there are.
        len: usize,
    },
    /// Fewer than [`LEN_MIN`] bytes.
    #[error("a frame of {len} bytes is shorter than {LEN_MIN}")]
    TooShort {
        /// How many there are.
        len: usize,
    },
    /// The first byte is that of no kind.
    #[error("no frame is of kind {kind:#04x}")]
    UnknownKind {
        /// The byte.
        kind: u8,
    },
    /// The session is no UUID of version 4.
    #[error("the session is no UUID of version 4")]
    Session,
}

impl FrameError {
    /// The code that the sender is told.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::TooLong { .. } => ErrorCode::MessageTooLarge,
            Self::TooShort { .. } | Self::UnknownKind { .. } | Self::Session => {
                ErrorCode::InvalidMessage
            }
        }
    }
}

impl Frame {
    /// Reads the header: first the size is looked at, then the kind, then the session.
    ///
    /// # Errors
    ///
    /// [`FrameError`].
    pub fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        let len = bytes.len();
        if len > FRAME_LEN_MAX {
            return Err(FrameError::TooLong { len });
        }
        let (header, sealed) = match bytes.split_first_chunk::<{ Header::LEN }>() {
            Some(parts) if len >= LEN_MIN => parts,
            Some(_) | None => return Err(FrameError::TooShort { len }),
        };
        Ok(Self { header: Header::read(header)?, sealed: sealed.to_vec() })
    }

    /// Writes the frame as it travels.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Header::LEN + self.sealed.len());
        bytes.extend_from_slice(&self.header.to_bytes());
        bytes.extend_from_slice(&self.sealed);
        bytes
    }
}

#[cfg(test)]
mod tests;
