//! The values that the messages of a transfer share: its id, its cut, ranges of chunks, a name.

use std::fmt;
use std::str::FromStr;

use crate::id::{InvalidId, SessionId};
use crate::json::{FieldError, Fields, Problem, Value};
use crate::limits::{
    CHUNK_RANGES_MAX, CHUNK_SIZE_MAX, CHUNK_SIZE_MIN, CHUNKS_MAX, TRANSFER_NAME_LEN_MAX,
};

/// The id of a transfer: a UUID of version 4, chosen by its sender.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(SessionId);

impl TransferId {
    /// Makes a UUID of version 4 out of random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(SessionId::from_random(bytes))
    }

    /// The id that these 16 bytes are; `None` where they are no UUID of version 4.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        SessionId::from_bytes(bytes).map(Self)
    }

    /// The 16 bytes in network order.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl FromStr for TransferId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self)
    }
}

impl fmt::Display for TransferId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for TransferId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TransferId({self})")
    }
}

/// How something is cut into chunks: all of the same size but the last, which has what is left.
///
/// Source: `docs/protocol/1.1.md#chunk-init`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    total_size: u64,
    chunk_size: u32,
    total_chunks: u32,
}

impl Cut {
    /// Cuts `total_size` bytes into chunks of `chunk_size`; `None` where a bound of the protocol is broken:
    /// [`CHUNK_SIZE_MIN`], [`CHUNK_SIZE_MAX`], [`CHUNKS_MAX`].
    pub fn new(total_size: u64, chunk_size: u32) -> Option<Self> {
        if !(CHUNK_SIZE_MIN..=CHUNK_SIZE_MAX).contains(&chunk_size) {
            return None;
        }
        let total_chunks = u32::try_from(total_size.div_ceil(u64::from(chunk_size))).ok()?;
        (total_chunks <= CHUNKS_MAX).then_some(Self { total_size, chunk_size, total_chunks })
    }

    /// The bytes of the whole.
    pub const fn total_size(&self) -> u64 {
        self.total_size
    }

    /// The bytes of every chunk but the last.
    pub const fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// How many chunks there are; 0 for nothing at all.
    pub const fn total_chunks(&self) -> u32 {
        self.total_chunks
    }

    /// Where a chunk begins and how many bytes it has; `None` for an index beyond the last.
    pub fn chunk(&self, index: u32) -> Option<(u64, u32)> {
        if index >= self.total_chunks {
            return None;
        }
        let begin = u64::from(index) * u64::from(self.chunk_size);
        let len = (self.total_size - begin).min(u64::from(self.chunk_size));
        // At most the size of a chunk, which is 32 bits wide.
        Some((begin, u32::try_from(len).unwrap_or(self.chunk_size)))
    }
}

/// Ranges of chunk indexes as they are on the wire: both ends inclusive, ascending, neither overlapping nor touching,
/// at most [`CHUNK_RANGES_MAX`], every index below [`CHUNKS_MAX`].
///
/// Source: `docs/protocol/1.1.md#chunk-ranges`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// Takes these ranges; `None` where they are not of the shape.
    pub fn new(ranges: Vec<(u32, u32)>) -> Option<Self> {
        let each = ranges.iter().all(|(first, last)| first <= last && *last < CHUNKS_MAX);
        // Touching ranges would be a second way to say the same.
        let apart = ranges.windows(2).all(|pair| u64::from(pair[0].1) + 1 < u64::from(pair[1].0));
        (each && apart && ranges.len() <= CHUNK_RANGES_MAX).then_some(Self(ranges))
    }

    /// The ranges, both ends inclusive, ascending.
    pub fn as_slice(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the field `field`.
    ///
    /// # Errors
    ///
    /// The field is absent or not of the shape.
    pub fn from_field(fields: Fields<'_>, field: &'static str) -> Result<Self, FieldError> {
        let items = fields.array(field)?;
        if items.len() > CHUNK_RANGES_MAX {
            return Err(Problem::TooLong { max: CHUNK_RANGES_MAX }.of(field));
        }
        let ranges: Option<Vec<_>> = items.iter().map(range_of).collect();
        let expected = "ascending ranges [first, last] of chunks that do not touch";
        ranges.and_then(Self::new).ok_or(Problem::Invalid { expected }.of(field))
    }

    /// Writes them.
    pub fn to_value(&self) -> Value {
        let range = |(first, last): &(u32, u32)| {
            Value::Array(vec![Value::from(u64::from(*first)), Value::from(u64::from(*last))])
        };
        Value::Array(self.0.iter().map(range).collect())
    }
}

fn range_of(item: &Value) -> Option<(u32, u32)> {
    let [first, last] = item.as_array()? else { return None };
    let index =
        |value: &Value| value.as_integer()?.as_u64().and_then(|index| index.try_into().ok());
    Some((index(first)?, index(last)?))
}

/// What the sender calls what it sends: a label for people and never a path.
///
/// Shape: 1 to [`TRANSFER_NAME_LEN_MAX`] bytes without control characters. It may well be `../..`: whoever makes a
/// file of it has to make a file name of it first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransferName(String);

impl TransferName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TransferName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_name = (1..=TRANSFER_NAME_LEN_MAX).contains(&text.len())
            && !text.chars().any(char::is_control);
        let expected = "a name of 1 to 255 bytes without control characters";
        if is_name { Ok(Self(text.to_owned())) } else { Err(InvalidId { expected }) }
    }
}

impl fmt::Display for TransferName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
