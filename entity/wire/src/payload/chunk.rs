//! The messages of a chunked transfer: `chunk_init`, `chunk`, `chunk_ack`, `chunk_resend`, `chunk_complete`.
//!
//! - [`TransferId`], [`Cut`], [`Ranges`], [`TransferName`]: the values they share.
//! - [`ChunkInit`] offers, [`Chunk`] carries, [`ChunkAck`] and [`ChunkResend`] steer, [`ChunkComplete`] ends.
//!
//! Source: `docs/protocol/1.1.md#chunked-transfer`.

use std::fmt;

use entity_crypto::derivation::sha256;
use entity_crypto::encoding::{base64_decode_strict, base64_encode, hex_decode_array, hex_encode};

use crate::json::{FieldError, Fields, Object, Problem};
use crate::limits::{CHUNK_SIZE_MAX, CHUNKS_MAX, KIND_LEN_MAX};

mod complete;
mod values;

pub use complete::{BreakReason, ChunkComplete, Ending};
pub use values::{Cut, Ranges, TransferId, TransferName};

/// The bytes of a SHA-256.
pub type Digest = [u8; 32];

/// `chunk_init`: offers a transfer, or asks how far it has come.
///
/// Source: `docs/protocol/1.1.md#chunk-init`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkInit {
    /// Which.
    pub transfer: TransferId,
    /// How it is cut.
    pub cut: Cut,
    /// SHA-256 of the whole.
    pub sha256: Digest,
    /// What the whole is: the type of the message whose payload it is, or [`FILE`]; 1 to [`KIND_LEN_MAX`] bytes.
    pub kind: String,
    /// What the sender calls it.
    pub name: Option<TransferName>,
}

/// The `msg_type` of a transfer that is no message but a file.
pub const FILE: &str = "file";

impl ChunkInit {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent, of another type or out of its bounds, or `total_chunks` is not what the sizes make it.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let chunk_size = fields.unsigned("chunk_size")?;
        let cut = u32::try_from(chunk_size)
            .ok()
            .and_then(|chunk_size| Some((chunk_size, fields.unsigned("total_size").ok()?)))
            .and_then(|(chunk_size, total_size)| Cut::new(total_size, chunk_size));
        fields.unsigned("total_size")?;
        let expected = "a size of chunks within the limits";
        let cut = cut.ok_or(Problem::Invalid { expected }.of("chunk_size"))?;
        if fields.unsigned("total_chunks")? != u64::from(cut.total_chunks()) {
            let expected = "the number of chunks that the sizes make";
            return Err(Problem::Invalid { expected }.of("total_chunks"));
        }
        let kind = fields.short_text("msg_type", KIND_LEN_MAX)?;
        if kind.is_empty() {
            return Err(Problem::Invalid { expected: "a type" }.of("msg_type"));
        }
        let expected = "a name of 1 to 255 bytes without control characters";
        Ok(Self {
            transfer: transfer_of(fields)?,
            cut,
            sha256: digest_of(fields)?,
            kind: kind.to_owned(),
            name: fields.read_optional("name", expected, |text| text.parse().ok())?,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new()
            .with("transfer_id", self.transfer.to_string())
            .with("total_size", self.cut.total_size())
            .with("chunk_size", u64::from(self.cut.chunk_size()))
            .with("total_chunks", u64::from(self.cut.total_chunks()))
            .with("sha256", hex_encode(&self.sha256))
            .with("msg_type", self.kind.as_str());
        if let Some(name) = &self.name {
            object.insert("name", name.as_str());
        }
        object
    }
}

/// `chunk`: a piece.
///
/// Source: `docs/protocol/1.1.md#chunk`.
#[derive(Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Of which transfer.
    pub transfer: TransferId,
    /// Which piece, from 0.
    pub index: u32,
    /// The piece: 1 to [`CHUNK_SIZE_MAX`] bytes.
    pub data: Vec<u8>,
    /// SHA-256 of the piece, as its sender claims.
    pub sha256: Digest,
}

impl Chunk {
    /// Reads the payload. Whether `sha256` is true is not looked at.
    ///
    /// # Errors
    ///
    /// A field is absent, of another type or out of its bounds.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let data = fields.read("data", "base64 of a chunk", |text| {
            base64_decode_strict(text).ok().filter(|data| is_chunk_len(data.len()))
        })?;
        Ok(Self {
            transfer: transfer_of(fields)?,
            index: index_of(fields)?,
            data,
            sha256: digest_of(fields)?,
        })
    }
}

impl Chunk {
    /// Whether the data has the digest that its sender claims.
    pub fn is_intact(&self) -> bool {
        sha256(&self.data) == self.sha256
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transfer, index, data, .. } = self;
        write!(formatter, "Chunk({transfer}, {index}, {} bytes)", data.len())
    }
}

/// Everything of a `chunk` but its data, which may be looked at elsewhere: whoever reads the head decides whether the
/// data is worth decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHead {
    /// Of which transfer.
    pub transfer: TransferId,
    /// Which piece, from 0.
    pub index: u32,
    /// How many bytes `data` says it has, from its length and padding alone.
    pub len: u32,
}

impl ChunkHead {
    /// Reads the head of a payload. What it leaves out, [`Chunk::from_object`] reads.
    ///
    /// # Errors
    ///
    /// A field is absent, of another type or out of its bounds.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let expected = "base64 of a chunk";
        let len = fields.read("data", expected, decoded_len)?;
        digest_of(fields)?;
        Ok(Self { transfer: transfer_of(fields)?, index: index_of(fields)?, len })
    }
}

fn index_of(fields: Fields<'_>) -> Result<u32, FieldError> {
    let index = u32::try_from(fields.unsigned("index")?).ok();
    let index = index.filter(|index| *index < CHUNKS_MAX);
    index.ok_or(Problem::Invalid { expected: "the index of a chunk" }.of("index"))
}

fn decoded_len(text: &str) -> Option<u32> {
    let padding = text.bytes().rev().take(2).take_while(|byte| *byte == b'=').count();
    let is_whole = text.len().is_multiple_of(4);
    let len = (text.len() / 4 * 3).checked_sub(padding)?;
    (is_whole && is_chunk_len(len)).then(|| u32::try_from(len).ok()).flatten()
}

/// The data of a chunk on its way out: bytes, as frames carry them. Envelopes carry text, which is made once.
#[derive(Clone)]
pub struct Piece {
    data: Vec<u8>,
    text: Option<Text>,
}

/// What an envelope carries of a chunk.
#[derive(Clone)]
struct Text {
    data: String,
    sha256: Digest,
}

impl Text {
    fn of(data: &[u8]) -> Self {
        Self { data: base64_encode(data), sha256: sha256(data) }
    }
}

impl Piece {
    /// A copy of these bytes.
    pub fn new(data: &[u8]) -> Self {
        Self::from(data.to_vec())
    }

    /// Its bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Encodes and hashes it where there is time for that, for whoever writes it as an object later.
    #[must_use]
    pub fn encoded(self) -> Self {
        let text = self.text.unwrap_or_else(|| Text::of(&self.data));
        Self { data: self.data, text: Some(text) }
    }

    /// Writes the payload of the chunk that this is the data of.
    pub fn into_object(self, transfer: TransferId, index: u32) -> Object {
        let Text { data, sha256 } = self.text.unwrap_or_else(|| Text::of(&self.data));
        Object::new()
            .with("transfer_id", transfer.to_string())
            .with("index", u64::from(index))
            .with("data", data)
            .with("sha256", hex_encode(&sha256))
    }
}

impl From<Vec<u8>> for Piece {
    fn from(data: Vec<u8>) -> Self {
        Self { data, text: None }
    }
}

/// The text follows from the bytes.
impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl Eq for Piece {}

impl fmt::Debug for Piece {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Piece({} bytes)", self.data.len())
    }
}

/// A piece and its place: all that a chunk is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedPiece {
    /// Of which transfer.
    pub transfer: TransferId,
    /// Which piece, from 0.
    pub index: u32,
    /// Its data.
    pub piece: Piece,
}

impl PlacedPiece {
    /// Writes the payload of the chunk, for an envelope.
    pub fn into_object(self) -> Object {
        self.piece.into_object(self.transfer, self.index)
    }
}

fn is_chunk_len(len: usize) -> bool {
    u32::try_from(len).is_ok_and(|len| (1..=CHUNK_SIZE_MAX).contains(&len))
}

/// `chunk_ack`: what the receiver has; never more than it has.
///
/// Source: `docs/protocol/1.1.md#chunk-ack`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkAck {
    /// Of which transfer.
    pub transfer: TransferId,
    /// What is there.
    pub received: Ranges,
}

impl ChunkAck {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent or not of its shape.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let received = Ranges::from_field(fields, "received")?;
        Ok(Self { transfer: transfer_of(fields)?, received })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        Object::new()
            .with("transfer_id", self.transfer.to_string())
            .with("received", self.received.to_value())
    }
}

/// `chunk_resend`: what the receiver wants again. At least one range.
///
/// Source: `docs/protocol/1.1.md#chunk-resend`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkResend {
    /// Of which transfer.
    pub transfer: TransferId,
    /// What to send again.
    pub ranges: Ranges,
}

impl ChunkResend {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent or not of its shape, or there is no range.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let ranges = Ranges::from_field(fields, "ranges")?;
        if ranges.is_empty() {
            return Err(Problem::Invalid { expected: "at least one range" }.of("ranges"));
        }
        Ok(Self { transfer: transfer_of(fields)?, ranges })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        Object::new()
            .with("transfer_id", self.transfer.to_string())
            .with("ranges", self.ranges.to_value())
    }
}

fn transfer_of(fields: Fields<'_>) -> Result<TransferId, FieldError> {
    fields.parsed("transfer_id", "a lower-case UUID of version 4")
}

fn digest_of(fields: Fields<'_>) -> Result<Digest, FieldError> {
    fields.read("sha256", "64 lower-case hex digits", |text| hex_decode_array(text).ok())
}

#[cfg(test)]
mod tests;
