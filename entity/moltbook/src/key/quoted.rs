//! Where a text quotes a key, in whatever form.
//!
//! A service that quotes a key back need not do it plainly: within JSON each character may be an escape (`\u006d`), an address has
//! `%6D`, a page `&#109;`, and a header that is quoted whole may stand there in base64 or as hexadecimal digits. All of that is read here
//! as the key, also mixed, and also where a quotation is quoted once more (`\\u006d`, `%256D`).
//!
//! What is not found: a key in pieces with something else between them, and encodings that are none of these.

use std::ops::Range;

use entity_crypto::encoding::{base64_encode, base64url_encode, hex_encode};
use zeroize::Zeroizing;

/// Most backslashes before one character: those of a quotation within a quotation within a quotation within a quotation.
const BACKSLASHES_MAX: usize = 8;
/// Most times that a percent sign is a percent sign again.
const PERCENTS_MAX: usize = 3;
/// Most digits of a character reference of HTML.
const REFERENCE_MAX: usize = 8;

/// A form of the key: a text that stands for it wherever it occurs.
struct Form {
    text: Zeroizing<String>,
    /// Whether a character of base64 behind it holds its last bits beside those of somebody else.
    goes_on: bool,
    ignores_case: bool,
}

/// Where in `text` the key stands, from the front, without overlaps.
pub(super) fn places(text: &[u8], key: &str) -> Vec<Range<usize>> {
    let forms = forms(key);
    let mut places = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match forms.iter().filter_map(|form| form.at(text, at)).max() {
            Some(end) => {
                places.push(at..end);
                at = end;
            }
            None => at += 1,
        }
    }
    places
}

/// The key itself, its hexadecimal digits, and what base64 makes of it after 0, 1 and 2 bytes of something else.
fn forms(key: &str) -> Vec<Form> {
    let whole = |text: String, ignores_case| Form {
        text: Zeroizing::new(text),
        goes_on: false,
        ignores_case,
    };
    let mut forms = vec![whole(key.to_owned(), false), whole(hex_encode(key.as_bytes()), true)];
    for before in 0..3 {
        let mut bytes = Zeroizing::new(vec![0; before]);
        bytes.extend_from_slice(key.as_bytes());
        for encode in [base64_encode, base64url_encode] {
            let mut encoded = Zeroizing::new(encode(&bytes));
            // Of the characters at either end some bits are somebody else's.
            let first = (before * 8).div_ceil(6);
            let length = (before + key.len()) * 8 / 6 - first;
            encoded.drain(..first);
            encoded.truncate(length);
            let goes_on = !(before + key.len()).is_multiple_of(3);
            forms.push(Form { text: encoded, goes_on, ignores_case: false });
        }
    }
    forms
}

impl Form {
    /// Where the form ends that begins at `start`, if one does: as it stands, or read as escapes.
    fn at(&self, text: &[u8], start: usize) -> Option<usize> {
        let length = self.text.len();
        let plain = text.get(start..start + length) == Some(self.text.as_bytes());
        let end = if plain { start + length } else { self.escaped_at(text, start)? };
        let more = self.goes_on && text.get(end).is_some_and(|byte| is_base64(*byte));
        Some(end + usize::from(more))
    }

    fn escaped_at(&self, text: &[u8], start: usize) -> Option<usize> {
        let mut at = start;
        for wanted in self.text.bytes() {
            at = self.character_at(text, at, wanted)?;
        }
        Some(at)
    }

    /// Where the character at `at` ends, if it is `wanted` or an escape of it.
    fn character_at(&self, text: &[u8], at: usize, wanted: u8) -> Option<usize> {
        let first = *text.get(at)?;
        let is = |code: u32| {
            let byte = u8::try_from(code).unwrap_or(0);
            byte == wanted || self.ignores_case && byte.to_ascii_lowercase() == wanted
        };
        let meant = match first {
            // A backslash that is meant stands there twice, except where it is plain or has a number.
            b'\\' if wanted == b'\\' && text.get(at + 1) == Some(&b'\\') => return Some(at + 2),
            b'\\' => escaped(text, at),
            b'%' => percent(text, at),
            b'&' => reference(text, at),
            _ => None,
        };
        let meant = meant.filter(|meant| is(meant.code)).map(|meant| meant.end);
        meant.or_else(|| is(u32::from(first)).then_some(at + 1))
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// What an escape means, and where it ends.
struct Character {
    code: u32,
    end: usize,
}

/// `\u006d`, `\x6d`, `\/`, with any number of backslashes.
fn escaped(text: &[u8], at: usize) -> Option<Character> {
    let run =
        text[at..].iter().take(BACKSLASHES_MAX + 1).take_while(|byte| **byte == b'\\').count();
    let after = at + run;
    let of = |digits: usize| {
        let (from, to) = (after + 1, after + 1 + digits);
        Some(Character { code: number(text.get(from..to)?, 16)?, end: to })
    };
    let numbered = match text.get(after)? {
        b'u' => of(4),
        b'x' => of(2),
        _ => None,
    };
    numbered.or_else(|| Some(Character { code: u32::from(*text.get(after)?), end: after + 1 }))
}

/// `%6D`, `%256D`.
fn percent(text: &[u8], at: usize) -> Option<Character> {
    let again = text[at + 1..].chunks(2).take(PERCENTS_MAX).take_while(|two| *two == b"25").count();
    let from = at + 1 + again * 2;
    Some(Character { code: number(text.get(from..from + 2)?, 16)?, end: from + 2 })
}

/// `&#109;`, `&#x6d;`.
fn reference(text: &[u8], at: usize) -> Option<Character> {
    let rest = text.get(at..)?.strip_prefix(b"&#")?;
    let (rest, radix, head) = match rest.first()? {
        b'x' | b'X' => (&rest[1..], 16, 3),
        _ => (rest, 10, 2),
    };
    let length = rest.iter().take(REFERENCE_MAX + 1).position(|byte| *byte == b';')?;
    Some(Character { code: number(&rest[..length], radix)?, end: at + head + length + 1 })
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok()?;
    // Signs are none of them.
    let all = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    all.then(|| u32::from_str_radix(digits, radix).ok())?
}
