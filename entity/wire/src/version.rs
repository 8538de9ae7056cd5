//! The protocol versions that an entity knows.

use std::fmt;

/// A protocol version.
///
/// The order is that of the versions themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `"0.3"`: the envelope of 1.0 without session rules.
    V0_3,
    /// `"1.0"`.
    V1_0,
    /// `"1.1"`.
    V1_1,
}

impl Version {
    /// Reads the text of a `version` field; anything but the three exact texts is `None`.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "0.3" => Some(Self::V0_3),
            "1.0" => Some(Self::V1_0),
            "1.1" => Some(Self::V1_1),
            _ => None,
        }
    }

    /// The text of the `version` field.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V0_3 => "0.3",
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
