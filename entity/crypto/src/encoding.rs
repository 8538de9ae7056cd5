//! Strict base64 and lower-case hexadecimal: one text for each byte string, so that what was signed
//! cannot be respelt.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use thiserror::Error;

/// Encodes bytes as standard base64 with padding.
pub fn base64_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes standard base64, accepting only the text that [`base64_encode`] would have produced.
///
/// # Errors
/// [`InvalidBase64::Text`] for a character outside the alphabet (white space included), missing or
/// surplus padding, or trailing bits that are not zero. *Source*: `docs/protocol/1.1.md#notation`.
pub fn base64_decode_strict(text: &str) -> Result<Vec<u8>, InvalidBase64> {
    STANDARD.decode(text).map_err(|_| InvalidBase64::Text)
}

/// Decodes strict base64 that must hold exactly `N` bytes.
///
/// # Errors
/// As [`base64_decode_strict`], and [`InvalidBase64::Length`] when the text holds another number of
/// bytes.
pub fn base64_decode_array<const N: usize>(text: &str) -> Result<[u8; N], InvalidBase64> {
    let bytes = base64_decode_strict(text)?;
    bytes
        .as_slice()
        .try_into()
        .map_err(|_| InvalidBase64::Length { expected: N, found: bytes.len() })
}

/// Encodes bytes as base64 for URLs, without padding; RFC 4648 section 5.
pub fn base64url_encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64 for URLs without padding, accepting only the text that [`base64url_encode`] would
/// have produced.
///
/// # Errors
/// As [`base64_decode_strict`].
pub fn base64url_decode_strict(text: &str) -> Result<Vec<u8>, InvalidBase64> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidBase64::Text)
}

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// Encodes bytes as lower-case hexadecimal.
#[expect(clippy::missing_panics_doc, reason = "sixteen digits of ASCII are text")]
pub fn hex_encode(bytes: &[u8]) -> String {
    let digit = |nibble: u8| DIGITS[usize::from(nibble)];
    // Pairs in a buffer that has its length: pushing each digit, as the library does, costs several times as much.
    let mut text = vec![0; bytes.len() * 2];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    String::from_utf8(text).expect("sixteen digits of ASCII are text")
}

/// Decodes lower-case hexadecimal.
///
/// # Errors
/// [`InvalidHex::Digit`] for any character outside `0-9a-f`, upper case included,
/// [`InvalidHex::Length`] for an odd number of digits. *Source*: `docs/protocol/1.1.md#notation`.
pub fn hex_decode_lower(text: &str) -> Result<Vec<u8>, InvalidHex> {
    check_lower(text)?;
    hex::decode(text).map_err(|_| InvalidHex::Length)
}

/// Decodes lower-case hexadecimal that must hold exactly `N` bytes.
///
/// # Errors
/// As [`hex_decode_lower`], and [`InvalidHex::Length`] when the text holds another number of bytes.
pub fn hex_decode_array<const N: usize>(text: &str) -> Result<[u8; N], InvalidHex> {
    let mut bytes = [0; N];
    hex_decode_into(text, &mut bytes)?;
    Ok(bytes)
}

/// Decodes lower-case hexadecimal into a buffer that it must fill exactly, leaving no copy
/// elsewhere.
pub(crate) fn hex_decode_into(text: &str, bytes: &mut [u8]) -> Result<(), InvalidHex> {
    check_lower(text)?;
    hex::decode_to_slice(text, bytes).map_err(|_| InvalidHex::Length)
}

fn check_lower(text: &str) -> Result<(), InvalidHex> {
    match text.bytes().position(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        Some(index) => Err(InvalidHex::Digit { index }),
        None => Ok(()),
    }
}

/// A text that is not the base64 it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidBase64 {
    /// The text is not canonical base64.
    #[error("decode base64 that is not canonical")]
    Text,
    /// The text holds another number of bytes.
    #[error("decode base64 of {found} bytes where {expected} belong")]
    Length {
        /// Bytes that belong there.
        expected: usize,
        /// Bytes the text holds.
        found: usize,
    },
}

/// A text that is not the hexadecimal it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidHex {
    /// A character is not one of `0-9a-f`.
    #[error("decode hexadecimal: the character at byte {index} is not one of 0-9 a-f")]
    Digit {
        /// The byte index of the first such character.
        index: usize,
    },
    /// The number of digits is wrong.
    #[error("decode hexadecimal of the wrong length")]
    Length,
}

#[cfg(test)]
mod tests;
