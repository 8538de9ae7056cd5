//! What protects a key.
//!
//! The same passphrase reaches a program as different bytes: a Japanese input method gives `が` as one character or as two,
//! and a wide space between words. Before it is used for a key file of ours it is brought to one form, that of RFC 8265
//! (profile `OpaqueString`): every Unicode space becomes U+0020, then Unicode normalisation form C. Nothing else is
//! changed: case, width and emoji count. NFKC is not used, because it takes different passphrases for the same.
//!
//! Older formats use the bytes as they came, and so does their reading (`Passphrase::raw`).
//!
//! *Source*: `docs/design/wallet.md#passphrases`.

use std::fmt;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_public_assigned;
use zeroize::Zeroizing;

/// A passphrase. Wiped on drop.
pub struct Passphrase {
    raw: Zeroizing<Vec<u8>>,
    prepared: Zeroizing<Vec<u8>>,
}

impl Passphrase {
    /// Takes what a person typed or a file holds, without the line ending.
    ///
    /// # Errors
    ///
    /// [`InvalidPassphrase::Empty`], [`InvalidPassphrase::TooLong`], [`InvalidPassphrase::NotText`].
    pub fn new(bytes: &[u8]) -> Result<Self, InvalidPassphrase> {
        if bytes.is_empty() {
            return Err(InvalidPassphrase::Empty);
        }
        if bytes.len() > PASSPHRASE_LEN_MAX {
            return Err(InvalidPassphrase::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| InvalidPassphrase::NotText)?;
        let prepared = prepare(text);
        Ok(Self { raw: Zeroizing::new(bytes.to_vec()), prepared })
    }

    /// Checks that this passphrase may protect a key from now on. One that already does is never measured again.
    ///
    /// # Errors
    ///
    /// [`InvalidPassphrase::TooShort`] below [`PASSPHRASE_CHARS_MIN`] characters; [`InvalidPassphrase::Control`], because few
    /// keyboards can type it again; [`InvalidPassphrase::Unassigned`] for a
    /// character that this program's Unicode does not know yet: its normal form could change.
    pub fn check_new(&self) -> Result<(), InvalidPassphrase> {
        // It was text when it came, and normalisation keeps it text.
        let text = std::str::from_utf8(&self.prepared).map_err(|_| InvalidPassphrase::NotText)?;
        if text.chars().count() < PASSPHRASE_CHARS_MIN {
            return Err(InvalidPassphrase::TooShort);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidPassphrase::Control);
        }
        if !text.chars().all(is_public_assigned) {
            return Err(InvalidPassphrase::Unassigned);
        }
        Ok(())
    }

    /// The bytes for a key file of ours.
    pub(crate) fn prepared(&self) -> &[u8] {
        &self.prepared
    }

    /// The bytes as they came, for older formats.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }
}

impl PartialEq for Passphrase {
    /// Whether both are the same passphrase, as when a person types it twice.
    fn eq(&self, other: &Self) -> bool {
        self.prepared == other.prepared
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Passphrase(..)")
    }
}

fn prepare(text: &str) -> Zeroizing<Vec<u8>> {
    // Normalisation form C makes a text at most three times as long (Unicode Annex 15). Reserved at once: a buffer that
    // grows leaves copies behind.
    let mut prepared = Zeroizing::new(Vec::with_capacity(text.len() * 3));
    let spaces = |character: char| if is_space(character) { ' ' } else { character };
    let mut utf8 = Zeroizing::new([0; 4]);
    for character in text.chars().map(spaces).nfc() {
        prepared.extend_from_slice(character.encode_utf8(&mut *utf8).as_bytes());
    }
    prepared
}

/// Unicode's space separators, the category Zs.
fn is_space(character: char) -> bool {
    matches!(
        character,
        ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Why a text is no passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidPassphrase {
    /// There is none.
    #[error("use an empty passphrase")]
    Empty,
    /// It is longer than [`PASSPHRASE_LEN_MAX`].
    #[error("use a passphrase of more than {PASSPHRASE_LEN_MAX} bytes")]
    TooLong,
    /// It is no UTF-8.
    #[error("use a passphrase that is not UTF-8")]
    NotText,
    /// It has a control character, such as a line feed or a tabulator.
    #[error("protect a key with a passphrase that has a control character")]
    Control,
    /// It is shorter than [`PASSPHRASE_CHARS_MIN`].
    #[error("protect a key with a passphrase of fewer than {PASSPHRASE_CHARS_MIN} characters")]
    TooShort,
    /// It has a character that Unicode has not assigned, or only lately.
    #[error("protect a key with a passphrase that has a character unknown to this program")]
    Unassigned,
}

/// Bytes of the longest passphrase.
pub const PASSPHRASE_LEN_MAX: usize = 1024;

/// Characters of the shortest passphrase that a key is newly protected with; NIST SP 800-63B section 3.1.1.
pub const PASSPHRASE_CHARS_MIN: usize = 8;

#[cfg(test)]
mod tests;
