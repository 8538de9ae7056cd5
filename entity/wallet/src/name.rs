//! The name of a key, and the name of the file it is kept in.

use std::fmt;
use std::str::FromStr;

use entity_crypto::derivation::sha256;
use entity_crypto::encoding::hex_encode;
use thiserror::Error;

/// Names a key in a wallet: the id of the entity whose key it is.
///
/// *Shape*: 1 to [`KEY_NAME_LEN_MAX`] bytes of UTF-8 without control characters, without white space at either end. Wider
/// than a peer id of protocol 1.1, because ids in older key files are free text. Compared bytewise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The file this key is kept in. Two names never share one, on file systems that fold case or normalise Unicode
    /// included.
    ///
    /// *Shape*: `a-z 0-9 _ -`, and `.` where it is not the first character, stand for themselves; every other byte is
    /// `%` and two lower-case digits. A name whose encoding is longer than [`ENCODED_LEN_MAX`] is the beginning of the
    /// encoding, `~`, and the SHA-256 of the name. Then `.key`.
    pub fn file_name(&self) -> FileName {
        let mut encoded = String::with_capacity(self.0.len() * 3);
        for (index, byte) in self.0.bytes().enumerate() {
            let plain = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')
                || byte == b'.' && index > 0;
            if plain {
                encoded.push(char::from(byte));
            } else {
                encoded.push('%');
                encoded.push_str(&hex_encode(&[byte]));
            }
        }
        if encoded.len() > ENCODED_LEN_MAX {
            // All of it is ASCII, so any byte is a boundary.
            encoded.truncate(HASHED_PREFIX_LEN);
            encoded.push('~');
            encoded.push_str(&hex_encode(&sha256(self.0.as_bytes())));
        }
        encoded.push_str(FileName::KEY_SUFFIX);
        FileName(encoded)
    }
}

impl FromStr for KeyName {
    type Err = InvalidKeyName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > KEY_NAME_LEN_MAX {
            return Err(InvalidKeyName::Length { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidKeyName::Control);
        }
        if text.trim() != text {
            return Err(InvalidKeyName::Space);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// A text that is not the name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidKeyName {
    /// It is empty or too long.
    #[error("name a key with {bytes} bytes: a name has 1 to {KEY_NAME_LEN_MAX}")]
    Length {
        /// The length of the text in bytes.
        bytes: usize,
    },
    /// It has a control character, which could hide what is shown.
    #[error("name a key with a control character")]
    Control,
    /// It begins or ends with white space, which nobody sees.
    #[error("name a key with white space at its beginning or end")]
    Space,
}

/// Names a file of a wallet.
///
/// *Shape*: 1 to 255 bytes of `a-z 0-9 % . _ ~ -`, the first not a dot. It is never a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

impl FileName {
    /// What the file of a key ends with.
    pub const KEY_SUFFIX: &'static str = ".key";
    /// The file that names the default key.
    pub const DEFAULT: &'static str = "default";

    /// The file that names the default key.
    pub fn default_marker() -> Self {
        Self(Self::DEFAULT.to_owned())
    }

    /// Reads the name of a file; `None` where no file of a wallet is called so.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed =
            |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'%' | b'.' | b'_' | b'~' | b'-');
        let is_name = !text.is_empty()
            && text.len() <= FILE_NAME_LEN_MAX
            && !text.starts_with('.')
            && text.bytes().all(allowed)
            && (text == Self::DEFAULT || text.ends_with(Self::KEY_SUFFIX));
        is_name.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a key is kept there.
    pub fn is_key(&self) -> bool {
        self.0.ends_with(Self::KEY_SUFFIX)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Bytes in the longest [`KeyName`]: a peer id and the mark of a retired key.
pub const KEY_NAME_LEN_MAX: usize = 160;

/// Bytes in the longest encoding that is used as it is; with the suffix it fits the 255 bytes that file systems allow.
pub const ENCODED_LEN_MAX: usize = 180;

/// Bytes of the encoding that stay readable where it is too long.
const HASHED_PREFIX_LEN: usize = 100;

/// Bytes in the longest file name of common file systems.
const FILE_NAME_LEN_MAX: usize = 255;

#[cfg(test)]
mod tests;
