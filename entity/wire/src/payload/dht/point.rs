//! Points of the space in which nodes and records lie.

use std::fmt;
use std::str::FromStr;

use entity_crypto::derivation::sha256;
use entity_crypto::encoding::{hex_decode_array, hex_encode};
use entity_crypto::signing::{PublicKey, labelled};

use super::record::{RecordKind, RecordName};
use crate::id::InvalidId;

/// A point of 256 bits whose text is 64 lower-case hex digits.
macro_rules! point {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The value of these 32 bytes, the most significant first.
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

point! {
    /// Where a node lies: the hash of its key.
    ///
    /// Source: `docs/protocol/1.1.md#node-ids-and-keys`.
    NodeId
}

point! {
    /// Where a record lies: the hash of its kind and name.
    ///
    /// Source: `docs/protocol/1.1.md#node-ids-and-keys`.
    RecordKey
}

point! {
    /// Any point: what a lookup is for.
    ///
    /// Source: `docs/protocol/1.1.md#node-ids-and-keys`.
    Point
}

impl NodeId {
    /// Where the node with this key lies.
    pub fn of(key: &PublicKey) -> Self {
        Self(sha256(key.as_bytes()))
    }
}

impl RecordKey {
    /// Where the records of this name lie.
    pub fn of(kind: RecordKind, name: &RecordName) -> Self {
        let mut data = Vec::with_capacity(8 + 16 + name.as_str().len());
        for text in [kind.as_str(), name.as_str()] {
            // A name has at most 128 bytes.
            data.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            data.extend_from_slice(text.as_bytes());
        }
        Self(sha256(&labelled("peer-v1.1-dht-key", &data)))
    }
}

impl From<NodeId> for Point {
    fn from(id: NodeId) -> Self {
        Self(id.0)
    }
}

impl From<RecordKey> for Point {
    fn from(key: RecordKey) -> Self {
        Self(key.0)
    }
}
