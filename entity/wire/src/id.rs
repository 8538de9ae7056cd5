//! The identifiers and counters of protocol 1.1: session id, message id, nonce, sequence, generation, message number.

mod uuid;

use std::fmt;
use std::str::FromStr;

/// A text that is not the identifier it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}")]
pub struct InvalidId {
    /// What the text should have been.
    pub expected: &'static str,
}

/// The id of a session: a UUID of version 4.
///
/// Shape: 16 bytes in network order; its text is 36 characters, lower-case, with hyphens.
///
/// Source: `docs/protocol/1.1.md#identifiers`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 16]);

/// The id of a durable message: a UUID of version 4, its sender's choice, the same in every session it is sent in.
///
/// Shape: as [`SessionId`].
///
/// Source: `docs/protocol/1.1.md#durable-messages`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 16]);

/// The id of a task: a UUID of version 4, chosen by who delegates it, the same whoever tells of it.
///
/// Shape: as [`SessionId`].
///
/// Source: `docs/protocol/1.1.md#tasks`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId([u8; 16]);

/// What these ids are able to do.
macro_rules! uuid_of_version_4 {
    ($name:ident) => {
        impl $name {
            /// Makes a UUID of version 4 out of random bytes: version and variant bits are set here.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(uuid::of_random(bytes))
            }

            /// The 16 bytes in network order.
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Reads the lower-case text with hyphens of a UUID of version 4 and of the usual variant, and nothing else.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                uuid::read(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(std::str::from_utf8(&uuid::text(&self.0)).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

uuid_of_version_4!(SessionId);
uuid_of_version_4!(MessageId);
uuid_of_version_4!(TaskId);

impl SessionId {
    /// The id that these 16 bytes are; `None` where they are no UUID of version 4.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        (uuid::of_random(bytes) == bytes).then_some(Self(bytes))
    }

    /// The text of [`SessionId`]'s `Display`, without the cost of a formatter: every message has one.
    pub(crate) fn text(&self) -> [u8; 36] {
        uuid::text(&self.0)
    }
}

/// The nonce of a message: 16 bytes, on the wire 32 lower-case hex digits.
///
/// Source: `docs/protocol/1.1.md#envelope`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// A nonce of these 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The text of [`Nonce`]'s `Display`.
    pub(crate) fn text(&self) -> [u8; 32] {
        lower_hex_of_bytes(&self.0)
    }
}

impl FromStr for Nonce {
    type Err = InvalidId;

    /// Reads exactly 32 lower-case hex digits.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        const REFUSED: InvalidId = InvalidId { expected: "a nonce of 32 lower-case hex digits" };
        let digits: &[u8; 32] = text.as_bytes().try_into().map_err(|_| REFUSED)?;
        bytes_of_lower_hex(digits).map(Self).ok_or(REFUSED)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Nonce({self})")
    }
}

/// The sequence number of a message within a generation: 0 to 2^48 - 1.
///
/// Source: `docs/protocol/1.1.md#envelope`, `docs/protocol/1.1.md#generations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(u64);

impl Sequence {
    /// The first number, that of handshake steps 1 and 2.
    pub const ZERO: Self = Self(0);
    /// The last number that fits the 48 bits of the sealing nonce.
    pub const MAX: Self = Self((1 << 48) - 1);

    /// The sequence number `value`; `None` above [`Sequence::MAX`].
    pub fn new(value: u64) -> Option<Self> {
        (value <= Self::MAX.0).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The number after this one; `None` after [`Sequence::MAX`].
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The generation of the keys of a session; the handshake is generation 0.
///
/// Source: `docs/protocol/1.1.md#generations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u16);

impl Generation {
    /// The generation that the handshake makes.
    pub const ZERO: Self = Self(0);

    /// The generation `value`.
    pub fn new(value: u16) -> Self {
        Self(value)
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }

    /// The generation after this one; `None` after 65,535.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The number of a sealed message in one direction of a session: 1, 2, 3, ...
///
/// Source: `docs/protocol/1.1.md#numbers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageNumber(u64);

impl MessageNumber {
    /// The number of the first message.
    pub const FIRST: Self = Self(1);
    /// The last number: 2^53 - 1, so that every JSON reader keeps it exactly.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The number `value`; `None` for 0 and above [`MessageNumber::MAX`].
    pub fn new(value: u64) -> Option<Self> {
        (1..=Self::MAX.0).contains(&value).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The number after this one; `None` after [`MessageNumber::MAX`].
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

impl fmt::Display for MessageNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The digits of hexadecimal and, first, of decimal.
pub(crate) const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

fn lower_hex_of_bytes(bytes: &[u8; 16]) -> [u8; 32] {
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = HEX_DIGITS[usize::from(byte >> 4)];
        pair[1] = HEX_DIGITS[usize::from(byte & 15)];
    }
    digits
}

fn bytes_of_lower_hex(digits: &[u8; 32]) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (lower_hex_value(pair[0])? << 4) | lower_hex_value(pair[1])?;
    }
    Some(bytes)
}

fn lower_hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn refused(text: &str) {
        assert!(text.parse::<SessionId>().is_err(), "{text}");
    }

    #[test]
    fn a_session_id_is_a_lower_case_uuid_of_version_4() {
        let text = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
        assert_eq!(text.parse::<SessionId>().map(|id| id.to_string()), Ok(text.to_owned()));
        refused("6F9619FF-8B86-4D01-B42D-00CF4FC964FF");
        refused("6f9619ff-8b86-1d01-b42d-00cf4fc964ff");
        refused("6f9619ff-8b86-4d01-742d-00cf4fc964ff");
        refused("6f9619ff8b864d01b42d00cf4fc964ff");
        refused("6f9619ff-8b86-4d01-b42d-00cf4fc964f");
        refused("6f9619ff-8b86-4d01-b42d-00cf4fc964ff ");
        refused("6f9619ff-8b86-4d01-b42d_00cf4fc964ff");
        refused("gf9619ff-8b86-4d01-b42d-00cf4fc964ff");
        refused("");
    }

    #[test]
    fn a_nonce_is_32_lower_case_hex_digits() {
        let text = "000102030405060708090a0b0c0d0e0f";
        assert_eq!(text.parse::<Nonce>().map(|nonce| nonce.to_string()), Ok(text.to_owned()));
        for text in [
            "",
            "000102030405060708090A0B0C0D0E0F",
            "000102030405060708090a0b0c0d0e0",
            "AAECAwQFBgcICQoLDA0ODw==",
        ] {
            assert!(text.parse::<Nonce>().is_err(), "{text}");
        }
    }

    #[test]
    fn counters_end_where_their_bits_end() {
        assert_eq!(Sequence::new(1 << 48), None);
        assert_eq!(Sequence::MAX.next(), None);
        assert_eq!(Generation::new(u16::MAX).next(), None);
        assert_eq!(MessageNumber::new(0), None);
        assert_eq!(MessageNumber::MAX.next(), None);
        assert_eq!(MessageNumber::FIRST.next(), MessageNumber::new(2));
    }

    proptest! {
        #[test]
        fn ids_read_back(bytes: [u8; 16]) {
            let session = SessionId::from_random(bytes);
            prop_assert_eq!(session.to_string().parse(), Ok(session));
            let message = MessageId::from_random(bytes);
            prop_assert_eq!(message.to_string().parse(), Ok(message));
            prop_assert_eq!(message.as_bytes(), session.as_bytes());
            let nonce = Nonce::from_bytes(bytes);
            prop_assert_eq!(nonce.to_string().parse(), Ok(nonce));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<SessionId>();
            let _ = text.parse::<Nonce>();
        }
    }
}
