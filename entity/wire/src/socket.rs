//! What a WebSocket between two peers carries besides envelopes (`docs/protocol/1.1.md#websocket`).
//!
//! A text message is one envelope, untouched. A binary message says by its first byte what it is: [`BinaryKind`]. Those that
//! belong to the connection itself, the answers, are read and written here: [`Notice`].

use crate::limits::SOCKET_ANSWER_LEN_MAX;

/// The capability of a peer whose base address also serves `/ws`.
///
/// Source: docs/protocol/1.1.md#websocket
pub const WEBSOCKET: &str = "websocket";

/// The subprotocol that both sides of the upgrade name.
///
/// Source: docs/protocol/1.1.md#websocket
pub const SUBPROTOCOL: &str = "entity.v1";

/// The path of the upgrade.
pub const PATH: &str = "/ws";

/// What a binary message is, by its first byte.
///
/// Source: docs/protocol/1.1.md#websocket-messages
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryKind {
    /// 0x01, 0x02: an answer to what came over this connection. Not counted.
    Notice,
    /// 0x10: an object about the connection itself. Not counted.
    Control,
    /// 0x11, 0x12: a compact frame, from this byte on.
    Frame,
    /// 0x20: a message for somebody else.
    Forward,
    /// Anything else, and a message without a byte: refused.
    Unknown,
}

impl BinaryKind {
    /// Returns what a binary message is.
    pub fn of(message: &[u8]) -> Self {
        match message.first() {
            Some(&(ACCEPTED | REFUSED)) => Self::Notice,
            Some(&CONTROL) => Self::Control,
            Some(0x11 | 0x12) => Self::Frame,
            Some(&FORWARD) => Self::Forward,
            Some(_) | None => Self::Unknown,
        }
    }

    /// Says whether both sides count a message of this kind: each that may be refused.
    pub fn is_counted(self) -> bool {
        match self {
            Self::Frame | Self::Forward | Self::Unknown => true,
            Self::Notice | Self::Control => false,
        }
    }
}

/// The first byte of a [`BinaryKind::Control`].
pub const CONTROL: u8 = 0x10;

/// The first byte of a [`BinaryKind::Forward`].
pub const FORWARD: u8 = 0x20;

const ACCEPTED: u8 = 0x01;
const REFUSED: u8 = 0x02;

/// What one side tells the other of the messages that came over this connection.
///
/// *Shape*: 0x01, u64be count; or 0x02, u64be index, u16be status, UTF-8 body of at most
/// [`SOCKET_ANSWER_LEN_MAX`] bytes. Messages are counted from 1, each direction and connection on its own.
///
/// Source: docs/protocol/1.1.md#websocket-answers
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice<'a> {
    /// Everything up to the message `count` was accepted, unless it was refused.
    Accepted {
        /// How many messages are answered by now; at least 1.
        count: u64,
    },
    /// One message was refused.
    Refused {
        /// Which; at least 1.
        index: u64,
        /// What HTTP would have answered, 100 to 599 and not 200.
        status: u16,
        /// What HTTP would have answered.
        body: &'a str,
    },
}

/// Bytes that are no [`Notice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNotice {
    /// The first byte is another one.
    #[error("no notice of a connection")]
    Kind,
    /// It is too short, too long, or its body is.
    #[error("a notice of a length that it cannot have")]
    Length,
    /// A message 0.
    #[error("a notice of message 0; the first one is 1")]
    Index,
    /// A status that HTTP does not have, or 200.
    #[error("a refusal with a status that is none")]
    Status,
    /// The body is no UTF-8.
    #[error("a refusal whose body is no UTF-8")]
    Text,
}

impl<'a> Notice<'a> {
    /// Reads a binary message of the kind [`BinaryKind::Notice`].
    ///
    /// # Errors
    ///
    /// [`InvalidNotice`]: the other side does not keep the protocol, and nothing it has counted can be relied on.
    pub fn decode(message: &'a [u8]) -> Result<Self, InvalidNotice> {
        let (&kind, rest) = message.split_first().ok_or(InvalidNotice::Kind)?;
        match kind {
            ACCEPTED => {
                let count = rest.try_into().map_err(|_| InvalidNotice::Length)?;
                let count = counted(u64::from_be_bytes(count))?;
                Ok(Self::Accepted { count })
            }
            REFUSED => {
                let (index, rest) = rest.split_first_chunk().ok_or(InvalidNotice::Length)?;
                let (status, body) = rest.split_first_chunk().ok_or(InvalidNotice::Length)?;
                let index = counted(u64::from_be_bytes(*index))?;
                let status = u16::from_be_bytes(*status);
                if !(100..=599).contains(&status) || status == 200 {
                    return Err(InvalidNotice::Status);
                }
                if body.len() > SOCKET_ANSWER_LEN_MAX {
                    return Err(InvalidNotice::Length);
                }
                let body = std::str::from_utf8(body).map_err(|_| InvalidNotice::Text)?;
                Ok(Self::Refused { index, status, body })
            }
            _ => Err(InvalidNotice::Kind),
        }
    }

    /// Writes it. A body that is too long is left out: nothing of an answer but its status decides.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Accepted { count } => {
                let mut message = Vec::with_capacity(9);
                message.push(ACCEPTED);
                message.extend_from_slice(&count.to_be_bytes());
                message
            }
            Self::Refused { index, status, body } => {
                let body = if body.len() > SOCKET_ANSWER_LEN_MAX { "" } else { body };
                let mut message = Vec::with_capacity(11 + body.len());
                message.push(REFUSED);
                message.extend_from_slice(&index.to_be_bytes());
                message.extend_from_slice(&status.to_be_bytes());
                message.extend_from_slice(body.as_bytes());
                message
            }
        }
    }
}

fn counted(index: u64) -> Result<u64, InvalidNotice> {
    if index == 0 { Err(InvalidNotice::Index) } else { Ok(index) }
}

#[cfg(test)]
mod tests;
