//! A message for somebody else, with the name of whom it is for.

use std::fmt;

use entity_crypto::encoding::{hex_decode_array, hex_encode};
use entity_crypto::signing::PublicKey;

use crate::socket::FORWARD;

/// The bytes before the message that is handed on.
pub const HEADER_LEN: usize = 1 + 1 + 16 + 32 + 1;

/// Most relays that a message passes; `hops` of what the last of them sends on.
///
/// Source: `docs/protocol/1.1.md#relay-forward`.
pub const HOPS_MAX: u8 = 8;

/// Names a message on its way through relays: 16 random bytes, chosen by whoever gives it to the first one.
///
/// *Shape*: its text is 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForwardId([u8; 16]);

impl ForwardId {
    /// The id of these random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads 32 lower-case hex digits; `None` for any other text.
    pub fn from_hex(text: &str) -> Option<Self> {
        hex_decode_array(text).ok().map(Self)
    }
}

impl fmt::Display for ForwardId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex_encode(&self.0))
    }
}

impl fmt::Debug for ForwardId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ForwardId({self})")
    }
}

/// What is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// A signed envelope of any version, as in the body of `POST /message`.
    Envelope,
    /// One compact frame, as on a WebSocket.
    Frame,
}

impl Form {
    /// Its byte.
    pub fn byte(self) -> u8 {
        match self {
            Self::Envelope => 0,
            Self::Frame => 1,
        }
    }

    /// The form of a byte; `None` for any other.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Envelope, Self::Frame].into_iter().find(|form| form.byte() == byte)
    }
}

/// What stands before a message that is handed on.
///
/// Source: `docs/protocol/1.1.md#relay-forward`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many relays it has passed: 0 to [`HOPS_MAX`].
    pub hops: u8,
    /// Its name.
    pub id: ForwardId,
    /// Whom it is for.
    pub recipient: PublicKey,
    /// What it is.
    pub form: Form,
}

/// Why bytes are no forward: `INVALID_MESSAGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// There are fewer bytes than a header has, or nothing after it.
    #[error("a forward has more than {HEADER_LEN} bytes")]
    TooShort,
    /// The first byte is another one.
    #[error("not a forward")]
    Kind,
    /// It has passed more relays than any may.
    #[error("more than {HOPS_MAX} hops")]
    Hops,
    /// The recipient is no public key.
    #[error("the recipient is no public key")]
    Recipient,
    /// There is no such form.
    #[error("no such form")]
    Form,
}

impl Header {
    /// Reads a forward: its header, and the message, untouched.
    ///
    /// # Errors
    ///
    /// [`ForwardError`].
    pub fn read(bytes: &[u8]) -> Result<(Self, &[u8]), ForwardError> {
        let (header, message) =
            bytes.split_first_chunk::<HEADER_LEN>().ok_or(ForwardError::TooShort)?;
        let [kind, hops, rest @ ..] = header;
        if *kind != FORWARD {
            return Err(ForwardError::Kind);
        }
        if *hops > HOPS_MAX {
            return Err(ForwardError::Hops);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&rest[..16]);
        let mut key = [0; 32];
        key.copy_from_slice(&rest[16..48]);
        let recipient = PublicKey::from_bytes(&key).map_err(|_| ForwardError::Recipient)?;
        let form = Form::from_byte(rest[48]).ok_or(ForwardError::Form)?;
        if message.is_empty() {
            return Err(ForwardError::TooShort);
        }
        Ok((Self { hops: *hops, id: ForwardId(id), recipient, form }, message))
    }

    /// Writes a forward of `message`.
    pub fn write(&self, message: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN + message.len());
        bytes.extend([FORWARD, self.hops]);
        bytes.extend(self.id.0);
        bytes.extend(self.recipient.as_bytes());
        bytes.push(self.form.byte());
        bytes.extend(message);
        bytes
    }
}
