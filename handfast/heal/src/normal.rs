//! Failure texts without what differs from run to run.
//!
//! `b did not answer session.open within 5s (pid 4711)` and the same sentence an hour later are one failure. What differs (numbers,
//! ids, addresses, times, paths, digests) becomes a placeholder; [`PLACEHOLDERS`] are all there are.

mod token;

#[cfg(test)]
mod tests;

use std::fmt;

/// What stands in a normalised text for something that differs.
///
/// `<n>` a number, also one of several parts such as a version; `<id>` a UUID; `<hash>` hexadecimal digits; `<base64>` encoded bytes;
/// `<address>` an IP address with or without its port; `<time>` a moment; `<duration>` a length of time; `<path>` a file.
pub const PLACEHOLDERS: [&str; 8] =
    ["<n>", "<id>", "<hash>", "<base64>", "<address>", "<time>", "<duration>", "<path>"];

/// Longest normalised text, in bytes; the beginning says what happened, the rest is a trace.
pub const NORMAL_LEN_MAX: usize = 4 * 1024;

/// A text that has been normalised.
///
/// Shape: lines without blanks at their ends, none of them empty, no control characters, at most [`NORMAL_LEN_MAX`] bytes, and no
/// digit outside a placeholder.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NormalText(String);

impl NormalText {
    /// Normalises a text. The same text always gives the same result, and a normalised one gives itself.
    pub fn of(text: &str) -> Self {
        let mut normal = cut(text, NORMAL_LEN_MAX * READ_FACTOR).to_owned();
        loop {
            // What takes the place of a word changes what stands beside it. A pass that changes something leaves fewer letters outside
            // of placeholders, so that there is a last one.
            let passed = pass(&tidy(&normal));
            let next = cut_whole(&passed, NORMAL_LEN_MAX);
            if next == normal {
                return Self(normal);
            }
            next.clone_into(&mut normal);
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NormalText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// How much longer than its normal form a text may be and still be read to its end.
const READ_FACTOR: usize = 4;

/// The first `len` bytes, or less where that would cut a character.
pub(crate) fn cut(text: &str, len: usize) -> &str {
    &text[..text.floor_char_boundary(len)]
}

/// As [`cut`], without a placeholder that is cut in two.
fn cut_whole(text: &str, len: usize) -> &str {
    if text.len() <= len {
        return text;
    }
    let kept = cut(text, len);
    let open = kept.rfind('<').filter(|at| !kept[*at..].contains('>'));
    let is_placeholder = |at: &usize| placeholder(&text[*at..]).is_some();
    kept[..open.filter(is_placeholder).unwrap_or(kept.len())].trim_end()
}

/// Colours, control characters, and blanks that say nothing are left out.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for line in text.lines() {
        let line = without_escapes(line);
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        if !tidy.is_empty() {
            tidy.push('\n');
        }
        tidy.push_str(&words.join(" "));
    }
    tidy
}

/// Without the escape sequences of terminals (ECMA-48, 5.4) and other control characters; a tab is a blank.
fn without_escapes(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' && letters.peek() == Some(&'[') {
            letters.next();
            while letters.next_if(|inner| matches!(inner, ' '..='?')).is_some() {}
            letters.next_if(|last| matches!(last, '@'..='~'));
        } else if letter.is_whitespace() {
            kept.push(' ');
        } else if !letter.is_control() {
            kept.push(letter);
        }
    }
    kept
}

/// Replaces, from left to right, the longest of what begins at each place.
fn pass(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (len, put) = placeholder(rest)
            .map(|known| (known.len(), known))
            .or_else(|| token::at_border(&normal, rest))
            .or_else(|| token::number(rest))
            .unwrap_or_else(|| {
                let letter = rest.chars().next().map_or(1, char::len_utf8);
                (letter, &rest[..letter])
            });
        normal.push_str(put);
        at += len;
    }
    normal
}

/// The placeholder with which a text begins.
fn placeholder(text: &str) -> Option<&'static str> {
    PLACEHOLDERS.into_iter().find(|known| text.starts_with(known))
}
