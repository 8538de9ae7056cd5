//! How a text may be spelt in bytes that somebody keeps or sends: in clear, in base64, in hexadecimal.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shortest text that can be looked for, in bytes: a shorter one is met by chance in base64 of ciphertext.
pub const MARKER_LEN_MIN: usize = 8;

/// One text in all its spellings.
#[derive(Debug)]
pub struct Spellings {
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Spellings {
    /// Spells a text of at least [`MARKER_LEN_MIN`] bytes.
    pub fn new(marker: &str) -> Self {
        Self { forms: forms(marker).collect() }
    }

    /// Says in which form `bytes` have the text, if they have it.
    pub fn find(&self, bytes: &[u8]) -> Option<&'static str> {
        let lower = bytes.to_ascii_lowercase();
        let found = self.forms.iter().find(|(form, needle)| {
            // Hexadecimal is one form in either case; everything else is compared as it is.
            contains(if *form == "hexadecimal" { &lower } else { bytes }, needle)
        });
        found.map(|(form, _)| *form)
    }
}

/// How a marker may stand in a body.
fn forms(marker: &str) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let mut forms = vec![
        ("clear", marker.as_bytes().to_vec()),
        ("hexadecimal", hex::encode(marker).into_bytes()),
    ];
    let escaped = serde_json::Value::from(marker).to_string();
    forms.push(("clear", escaped.trim_matches('"').as_bytes().to_vec()));
    forms.push(("clear", ascii_json(marker).into_bytes()));
    for shift in 0..3 {
        forms.push(("base64", base64_inside(marker.as_bytes(), shift, &STANDARD_NO_PAD)));
        forms.push(("base64", base64_inside(marker.as_bytes(), shift, &URL_SAFE_NO_PAD)));
    }
    forms.into_iter()
}

/// The letters that `marker` has in base64 wherever it begins `shift` bytes after a multiple of three: those
/// made of its own bits alone.
fn base64_inside(
    marker: &[u8],
    shift: usize,
    engine: &base64::engine::general_purpose::GeneralPurpose,
) -> Vec<u8> {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(marker);
    let text = engine.encode(&padded).into_bytes();
    let first = (shift * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    text[first..last].to_vec()
}

/// The marker as JSON writers spell it that keep to ASCII.
fn ascii_json(marker: &str) -> String {
    let mut text = String::new();
    let mut units = [0; 2];
    for letter in marker.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut units) {
                // Writing to a text cannot fail.
                write!(text, "\\u{unit:04x}").unwrap_or_default();
            }
        }
    }
    text
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return true };
    let mut hay = hay;
    while let Some(at) = hay.iter().position(|byte| byte == first) {
        if hay[at + 1..].starts_with(rest) {
            return true;
        }
        hay = &hay[at + 1..];
    }
    false
}
