//! What things of a ledger are called and counted by.

use std::fmt;
use std::str::FromStr;

use entity_crypto::encoding::{hex_decode_array, hex_encode};

use crate::id::InvalidId;

/// A 32-byte hash whose text is 64 lower-case hex digits.
macro_rules! hash {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The value of these 32 bytes.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                const REFUSED: InvalidId = InvalidId { expected: "64 lower-case hex digits" };
                hex_decode_array(text).map(Self).map_err(|_| REFUSED)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&hex_encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

hash! {
    /// The name of a ledger: the hash of its genesis.
    ///
    /// Source: `docs/protocol/1.1.md#genesis`.
    LedgerId
}

hash! {
    /// The digest of an order, which is also the identity of its certificate.
    ///
    /// Source: `docs/protocol/1.1.md#order`.
    Digest
}

/// The name that an owner gives a transfer, for it to happen once.
///
/// Shape: 16 bytes; its text is that of a UUID of any version, lower-case, with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId([u8; 16]);

impl TransferId {
    /// The id of these 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for TransferId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        const REFUSED: InvalidId = InvalidId { expected: "a lower-case UUID" };
        let hyphens = [8, 13, 18, 23];
        let bytes = text.as_bytes();
        if bytes.len() != 36 || hyphens.iter().any(|position| bytes[*position] != b'-') {
            return Err(REFUSED);
        }
        // A hyphen elsewhere is missed here and makes the digits too few.
        let digits = text.replace('-', "");
        hex_decode_array(&digits).map(Self).map_err(|_| REFUSED)
    }
}

impl fmt::Display for TransferId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex_encode(&self.0);
        let (parts, rest) = digits.split_at(20);
        let part = |from: usize, to: usize| parts.get(from..to).unwrap_or_default();
        write!(formatter, "{}-{}-{}-{}-{rest}", part(0, 8), part(8, 12), part(12, 16), part(16, 20))
    }
}

impl fmt::Debug for TransferId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TransferId({self})")
    }
}

/// The name of a token.
///
/// Shape: `[A-Za-z0-9._-]{1,32}`, compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenName(Box<str>);

impl TokenName {
    /// Longest name, in bytes.
    pub const LEN_MAX: usize = 32;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        const REFUSED: InvalidId = InvalidId { expected: "1 to 32 of A-Z a-z 0-9 . _ -" };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if (1..=Self::LEN_MAX).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(REFUSED)
        }
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What an owner writes to a transfer: any text of at most [`Memo::LEN_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Memo(Box<str>);

impl Memo {
    /// Longest memo, in bytes of UTF-8.
    pub const LEN_MAX: usize = 256;

    /// The memo of this text; `None` where it is too long.
    pub fn new(text: &str) -> Option<Self> {
        (text.len() <= Self::LEN_MAX).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which committee a ledger has: 0 is the one of its genesis. At most 2^53 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch of the genesis.
    pub const FIRST: Self = Self(0);

    /// The epoch `value`; `None` above 2^53 - 1.
    pub fn new(value: u64) -> Option<Self> {
        (value < 1 << 53).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// The place of an order among those of its account: 1, 2, 3 and so on, at most 2^53 - 1.
///
/// Source: `docs/protocol/1.1.md#order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderSequence(u64);

impl OrderSequence {
    /// The first.
    pub const FIRST: Self = Self(1);

    /// The sequence `value`; `None` for 0 and above 2^53 - 1.
    pub fn new(value: u64) -> Option<Self> {
        (1..1 << 53).contains(&value).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The one after this; the last stays, and nobody gets that far.
    #[must_use]
    pub fn next(self) -> Self {
        Self::new(self.0 + 1).unwrap_or(self)
    }
}
