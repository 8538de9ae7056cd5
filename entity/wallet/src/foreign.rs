//! Key files and texts that others write and read.
//!
//! - [`older`]: the two formats of the earlier peer: its key store and its wallet. Nothing but the seed is authenticated
//!   in them.
//! - [`pkcs8`]: PEM, as OpenSSL and most libraries have it.
//! - this file: telling formats apart, and what there is to say about each.
//!
//! *Source*: `docs/protocol/1.0.md#older-key-files`.

pub mod older;
pub mod pkcs8;

use entity_crypto::signing::SigningKey;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::files::FILE_LEN_MAX;
use crate::hygiene::scrubbing;
use crate::key_file::{self, KeyFileError};
use crate::passphrase::Passphrase;

/// A form in which a key is kept or passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A key file of this program.
    EntityKey,
    /// A file of the earlier peer's key store: `entity_id` and `encrypted` beside the key.
    OlderKeystore,
    /// A file of the earlier peer's wallet: no id, always encrypted.
    OlderWallet,
    /// 64 hexadecimal digits, with a line ending or without; lines that begin with `#` before it are comments.
    SeedHex,
    /// `BEGIN PRIVATE KEY`.
    Pkcs8Pem,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] =
        [Self::EntityKey, Self::OlderKeystore, Self::OlderWallet, Self::SeedHex, Self::Pkcs8Pem];

    /// The word for it on the command line and in the peer contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::EntityKey => "entity-key",
            Self::OlderKeystore => "keystore-1.0",
            Self::OlderWallet => "wallet-1.0",
            Self::SeedHex => "seed-hex",
            Self::Pkcs8Pem => "pkcs8-pem",
        }
    }

    /// Tells the format of a file by its beginning; `None` where it looks like none.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.trim_start();
        if text.starts_with("-----BEGIN") {
            Some(Self::Pkcs8Pem)
        } else if text.starts_with('{') {
            Some(match older::sniff(bytes) {
                older::Sniffed::Keystore => Self::OlderKeystore,
                older::Sniffed::Wallet => Self::OlderWallet,
                older::Sniffed::Neither => Self::EntityKey,
            })
        } else {
            let line = seed_line(text)?;
            (line.len() == 64 && line.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .then_some(Self::SeedHex)
        }
    }
}

/// A key that was read from a file of any format.
#[derive(Debug)]
pub struct Foreign {
    /// The key.
    pub key: SigningKey,
    /// What the file was.
    pub format: Format,
    /// The id that the file names. In [`Format::OlderKeystore`] it is not authenticated: anybody could have written it.
    pub id: Option<String>,
    /// What a person should know about this file.
    pub notes: Vec<Note>,
}

/// What a person should know about a file that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// The id in the file is not protected against change.
    IdNotAuthenticated,
    /// The file says another number of rounds than its format has; the number is never used.
    RoundsIgnored {
        /// What the file says.
        said: u64,
    },
    /// The file was not encrypted.
    Unprotected,
}

impl std::fmt::Display for Note {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::IdNotAuthenticated => formatter.write_str(
                "the id in the file is not authenticated: anybody who could write the file could have changed it; \
                 compare the public key with one you know",
            ),
            Self::RoundsIgnored { said } => write!(
                formatter,
                "the file says {said} rounds of PBKDF2; its format always has 600000, which were used"
            ),
            Self::Unprotected => formatter.write_str(
                "the file was not encrypted: whoever could read it or a copy of it has the key",
            ),
        }
    }
}

/// Reads a key from a file of any format.
///
/// # Errors
///
/// [`ForeignError`].
pub fn read(bytes: &[u8], passphrase: Option<&Passphrase>) -> Result<Foreign, ForeignError> {
    if bytes.len() > FILE_LEN_MAX {
        return Err(ForeignError::NoFormat);
    }
    let format = Format::of(bytes).ok_or(ForeignError::NoFormat)?;
    match format {
        Format::OlderKeystore => older::read_keystore(bytes, passphrase),
        Format::OlderWallet => older::read_wallet(bytes, passphrase),
        Format::EntityKey => {
            let (key, info) = key_file::open(bytes, passphrase).map_err(ForeignError::KeyFile)?;
            Ok(Foreign { key, format, id: Some(info.name.to_string()), notes: Vec::new() })
        }
        Format::SeedHex => Ok(Foreign {
            key: scrubbing(|| seed(bytes))?,
            format,
            id: None,
            notes: vec![Note::Unprotected],
        }),
        Format::Pkcs8Pem => {
            let key = pkcs8::read(bytes)?;
            Ok(Foreign { key, format, id: None, notes: vec![Note::Unprotected] })
        }
    }
}

/// Writes a seed as 64 hexadecimal digits and a line feed.
pub fn write_seed(key: &SigningKey) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(65));
    bytes.extend_from_slice(key.seed_hex().as_bytes());
    bytes.push(b'\n');
    bytes
}

fn seed(bytes: &[u8]) -> Result<SigningKey, ForeignError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ForeignError::NoFormat)?;
    let line = seed_line(text).ok_or(ForeignError::NoFormat)?;
    SigningKey::from_seed_hex(line).map_err(|_| ForeignError::Malformed("the seed in lower case"))
}

/// The only line that is neither empty nor a comment.
fn seed_line(text: &str) -> Option<&str> {
    let mut lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next()?;
    lines.next().is_none().then_some(line)
}

/// Why a key cannot be read from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ForeignError {
    /// It looks like no format that is known.
    #[error("read a key: the file is neither a key file, nor 64 hex digits, nor PEM")]
    NoFormat,
    /// It is of a version that does not exist.
    #[error("read an older key file: version {0} is not supported, only 1")]
    Version(u64),
    /// Something is missing or not what it should be; names it.
    #[error("read a key: {0} is missing or malformed")]
    Malformed(&'static str),
    /// It needs a passphrase.
    #[error("open an older key file: it needs its passphrase")]
    PassphraseNeeded,
    /// The seal does not hold.
    #[error("open an older key file: the passphrase is wrong, or the file is damaged")]
    NotOpened,
    /// The seed belongs to another public key than the file names.
    #[error("open a key: the public key in the file is not that of its seed")]
    KeyMismatch,
    /// It is encrypted in a way that is not supported.
    #[error("read PEM: it is encrypted; decrypt it first, for example with `openssl pkey`")]
    PemEncrypted,
    /// A key file of ours cannot be read.
    #[error(transparent)]
    KeyFile(KeyFileError),
}

impl ForeignError {
    /// The code in the peer contract; `docs/contract/README.md`.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoFormat | Self::Malformed(_) | Self::PemEncrypted => MALFORMED,
            Self::Version(_) => "KEY_VERSION",
            Self::PassphraseNeeded => PASSPHRASE_NEEDED,
            Self::NotOpened => NOT_OPENED,
            Self::KeyMismatch => MISMATCH,
            Self::KeyFile(error) => match error {
                KeyFileError::OtherFormat
                | KeyFileError::Malformed(_)
                | KeyFileError::NotCanonical
                | KeyFileError::Name(_)
                | KeyFileError::Handover(_)
                | KeyFileError::Kdf(_) => MALFORMED,
                KeyFileError::PassphraseNeeded => PASSPHRASE_NEEDED,
                KeyFileError::NotOpened | KeyFileError::Changed => NOT_OPENED,
                KeyFileError::KeyMismatch => MISMATCH,
            },
        }
    }
}

const MALFORMED: &str = "KEY_MALFORMED";
const PASSPHRASE_NEEDED: &str = "KEY_PASSPHRASE_NEEDED";
const NOT_OPENED: &str = "KEY_NOT_OPENED";
const MISMATCH: &str = "KEY_MISMATCH";

#[cfg(test)]
mod tests;
