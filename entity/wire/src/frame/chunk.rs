//! What is sealed in a frame of kind 0x12.

use crate::id::MessageNumber;
use crate::json::{FieldError, Problem};
use crate::limits::{CHUNK_SIZE_MAX, CHUNKS_MAX};
use crate::payload::chunk::TransferId;
use crate::time::Timestamp;

/// Everything of a chunk but its data.
///
/// Source: `docs/protocol/1.1.md#frame-of-a-chunk`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// The number of the message.
    pub number: MessageNumber,
    /// The highest number up to which the sender has handled everything; 0 before the first.
    pub ack: u64,
    /// When its sender wrote it.
    pub timestamp: Timestamp,
    /// Of which transfer.
    pub transfer: TransferId,
    /// Which piece, from 0.
    pub index: u32,
}

/// A `chunk` as bytes: no digest, because the tag authenticates it already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkMessage<'a> {
    /// Everything but its data.
    pub header: ChunkHeader,
    /// The piece: 1 to [`CHUNK_SIZE_MAX`] bytes.
    pub data: &'a [u8],
}

impl ChunkHeader {
    /// Bytes before the data.
    pub const LEN: usize = 44;

    /// Writes what stands before the data.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.number.get().to_be_bytes());
        bytes[8..16].copy_from_slice(&self.ack.to_be_bytes());
        // No chunk is written before the epoch.
        let micros = u64::try_from(self.timestamp.micros()).unwrap_or(0);
        bytes[16..24].copy_from_slice(&micros.to_be_bytes());
        bytes[24..40].copy_from_slice(self.transfer.as_bytes());
        bytes[40..].copy_from_slice(&self.index.to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8; Self::LEN]) -> Result<Self, FieldError> {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(word)
        };
        let mut transfer = [0; 16];
        transfer.copy_from_slice(&bytes[24..40]);
        let expected = "a message number, 1 to 2^53 - 1";
        let number = MessageNumber::new(word(0));
        let ack = word(8);
        if ack > MessageNumber::MAX.get() {
            return Err(Problem::Invalid { expected: "0 or a message number" }.of("ack"));
        }
        let timestamp = i64::try_from(word(16)).ok().filter(|m| *m <= Timestamp::MAX.micros());
        let timestamp = timestamp.map(Timestamp::from_micros);
        let index = u32::from_be_bytes([bytes[40], bytes[41], bytes[42], bytes[43]]);
        if index >= CHUNKS_MAX {
            return Err(Problem::Invalid { expected: "the index of a chunk" }.of("index"));
        }
        Ok(Self {
            number: number.ok_or(Problem::Invalid { expected }.of("number"))?,
            ack,
            timestamp: timestamp.ok_or(Problem::Invalid { expected: "a time" }.of("timestamp"))?,
            transfer: TransferId::from_bytes(transfer)
                .ok_or(Problem::Invalid { expected: "a UUID of version 4" }.of("transfer_id"))?,
            index,
        })
    }
}

impl<'a> ChunkMessage<'a> {
    /// Reads an opened frame.
    ///
    /// # Errors
    ///
    /// It is too short, or something in it is out of its bounds.
    pub fn from_slice(opened: &'a [u8]) -> Result<Self, FieldError> {
        let expected = "1 to 524,288 bytes after a head of 44";
        let malformed = || Problem::Invalid { expected }.of("data");
        let (head, data) = opened.split_first_chunk().ok_or_else(malformed)?;
        if data.is_empty() || data.len() > CHUNK_SIZE_MAX as usize {
            return Err(malformed());
        }
        Ok(Self { header: ChunkHeader::read(head)?, data })
    }

    /// Writes the plaintext of a frame.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ChunkHeader::LEN + self.data.len());
        bytes.extend_from_slice(&self.header.to_bytes());
        bytes.extend_from_slice(self.data);
        bytes
    }
}
