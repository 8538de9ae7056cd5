//! The name of a peer, as protocol 1.1 spells it.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// Names a peer.
///
/// *Shape*: 1 to [`PEER_ID_LEN_MAX`] characters of `A-Z a-z 0-9 . _ -`, compared bytewise and
/// case-sensitively. Cloning is cheap. Sender ids of protocol 1.0 are free text and are not of this
/// type.
///
/// *Source*: `docs/protocol/1.1.md#identifiers`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Arc<str>);

impl PeerId {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PeerId {
    type Err = InvalidPeerId;

    /// Parses a name.
    ///
    /// # Errors
    /// [`InvalidPeerId::Length`] for an empty or too long text, [`InvalidPeerId::Character`] for
    /// the first character outside the grammar.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > PEER_ID_LEN_MAX {
            return Err(InvalidPeerId::Length { bytes: text.len() });
        }
        let outside =
            |byte: u8| !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        match text.bytes().position(outside) {
            Some(index) => Err(InvalidPeerId::Character { index }),
            None => Ok(Self(Arc::from(text))),
        }
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PeerId({})", self.0)
    }
}

impl AsRef<str> for PeerId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for PeerId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A text that is not a peer's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidPeerId {
    /// The text is empty or longer than [`PEER_ID_LEN_MAX`].
    #[error("parse a peer id of {bytes} bytes: it has 1 to {PEER_ID_LEN_MAX}")]
    Length {
        /// The length of the text in bytes.
        bytes: usize,
    },
    /// A character is outside the grammar.
    #[error("parse a peer id: the character at byte {index} is not one of A-Z a-z 0-9 . _ -")]
    Character {
        /// The byte index of the first such character.
        index: usize,
    },
}

/// Bytes in the longest [`PeerId`]; specified in `docs/protocol/1.1.md#identifiers`.
pub const PEER_ID_LEN_MAX: usize = 128;

#[cfg(test)]
mod tests;
