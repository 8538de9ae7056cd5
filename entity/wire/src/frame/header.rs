//! The first 25 bytes of a frame.

use super::FrameError;
use crate::id::{Generation, Sequence, SessionId};

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Any message: its plaintext is JSON, a [`super::Message`].
    Message = 0x11,
    /// A chunk of a transfer: its plaintext is bytes, a [`super::ChunkMessage`].
    Chunk = 0x12,
}

impl Kind {
    /// Reads the first byte of a frame; `None` for a kind that nobody knows.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x11 => Some(Self::Message),
            0x12 => Some(Self::Chunk),
            _ => None,
        }
    }

    /// The first byte of a frame of this kind.
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

/// Where a frame belongs. Written, it is the associated data of what is sealed after it.
///
/// Source: `docs/protocol/1.1.md#compact-frames`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it carries.
    pub kind: Kind,
    /// In which session.
    pub session: SessionId,
    /// Under which keys of it.
    pub generation: Generation,
    /// The sequence number under these keys, of one counter with sealed envelopes.
    pub sequence: Sequence,
}

impl Header {
    /// Bytes of a header.
    pub const LEN: usize = 25;

    /// Writes the header.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = self.kind.byte();
        bytes[1..17].copy_from_slice(self.session.as_bytes());
        bytes[17..19].copy_from_slice(&self.generation.get().to_be_bytes());
        bytes[19..].copy_from_slice(&self.sequence.get().to_be_bytes()[2..]);
        bytes
    }

    /// Reads a header.
    pub(super) fn read(bytes: &[u8; Self::LEN]) -> Result<Self, FrameError> {
        let kind = Kind::from_byte(bytes[0]).ok_or(FrameError::UnknownKind { kind: bytes[0] })?;
        let mut session = [0; 16];
        session.copy_from_slice(&bytes[1..17]);
        let mut sequence = [0; 8];
        sequence[2..].copy_from_slice(&bytes[19..]);
        Ok(Self {
            kind,
            session: SessionId::from_bytes(session).ok_or(FrameError::Session)?,
            generation: Generation::new(u16::from_be_bytes([bytes[17], bytes[18]])),
            // 48 bits always fit.
            sequence: Sequence::new(u64::from_be_bytes(sequence)).unwrap_or(Sequence::MAX),
        })
    }
}
