//! Untrusted text to tree.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::key::{Key, key};
use super::scan::plain_len;
use super::{
    DuplicateKeys, Floats, Integer, NonFinite, Number, Object, ParseError, ParseErrorKind, Rules,
    Seen, Unit, Value,
};
use crate::limits;

/// Parses a whole text under `rules`.
///
/// # Errors
///
/// The first fault found; see [`ParseErrorKind`].
pub fn parse(text: &[u8], rules: &Rules) -> Result<Value, ParseError> {
    parse_noting(text, rules).map(|(value, _)| value)
}

/// Parses a whole text under `rules` and tells what was seen, to judge it by [`Seen::satisfies`] later.
///
/// # Errors
///
/// The first fault found; see [`ParseErrorKind`].
pub fn parse_noting(text: &[u8], rules: &Rules) -> Result<(Value, Seen), ParseError> {
    if text.len() > rules.len_max {
        return Err(ParseErrorKind::too_many_bytes(rules.len_max));
    }
    let text = std::str::from_utf8(text)
        .map_err(|error| ParseErrorKind::NotUtf8.at(error.valid_up_to()))?;
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
        values: 0,
        // The parser uses a stack frame a level: no rules may lift the bound of the stack.
        depth_max: rules.depth_max.min(limits::COMPAT_DEPTH_MAX),
        rules: *rules,
        seen: Seen { len: text.len(), ..Seen::default() },
        items: Vec::new(),
        // Room for an envelope.
        entries: Vec::with_capacity(PAIRWISE_MAX),
    };
    parser.skip_space();
    let value = parser.value()?;
    parser.skip_space();
    if parser.at < text.len() {
        return Err(ParseErrorKind::TrailingCharacters.at(parser.at));
    }
    Ok((value, parser.seen))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    depth_max: usize,
    /// Values begun so far.
    values: usize,
    rules: Rules,
    seen: Seen,
    /// Items of all open arrays, innermost last: each array gets its own allocation once, of the right size.
    items: Vec<Value>,
    /// Entries of all open objects, likewise.
    entries: Vec<(Key, Value)>,
}

impl<'a> Parser<'a> {
    fn value(&mut self) -> Result<Value, ParseError> {
        self.values += 1;
        if self.values > limits::VALUES_MAX {
            let (max, unit) = (limits::VALUES_MAX, Unit::Values);
            return Err(ParseErrorKind::TooLong { max, unit }.at(self.at));
        }
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'N') => self.non_finite("NaN", f64::NAN),
            Some(b'I') => self.non_finite("Infinity", f64::INFINITY),
            Some(_) => Err(ParseErrorKind::UnexpectedCharacter.at(self.at)),
            None => Err(ParseErrorKind::UnexpectedEnd.at(self.at)),
        }
    }

    fn object(&mut self) -> Result<Value, ParseError> {
        let begin = self.at;
        self.enter()?;
        let base = self.entries.len();
        self.skip_space();
        if self.peek() != Some(b'}') {
            loop {
                if self.peek() != Some(b'"') {
                    return Err(self.unexpected());
                }
                let key = self.key()?;
                self.skip_space();
                self.expect(b':')?;
                self.skip_space();
                let value = self.value()?;
                self.entries.push((key, value));
                self.skip_space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.at += 1;
                self.skip_space();
            }
        }
        self.expect(b'}')?;
        self.depth -= 1;
        let mut entries = self.entries.split_off(base);
        if has_duplicate(&entries) {
            if self.rules.duplicate_keys == DuplicateKeys::Refuse {
                return Err(ParseErrorKind::DuplicateKey.at(begin));
            }
            self.seen.duplicate_key_at.get_or_insert(begin);
            entries = last_counts(entries);
        }
        Ok(Value::Object(Object::from_distinct(entries)))
    }

    fn array(&mut self) -> Result<Value, ParseError> {
        self.enter()?;
        let base = self.items.len();
        self.skip_space();
        if self.peek() != Some(b']') {
            loop {
                let value = self.value()?;
                self.items.push(value);
                self.skip_space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.at += 1;
                self.skip_space();
            }
        }
        self.expect(b']')?;
        self.depth -= 1;
        Ok(Value::Array(self.items.split_off(base)))
    }

    /// Passes the opening bracket of an array or object.
    fn enter(&mut self) -> Result<(), ParseError> {
        self.depth += 1;
        if self.depth > self.depth_max {
            return Err(ParseErrorKind::TooDeep { max: self.depth_max }.at(self.at));
        }
        if self.depth > self.seen.depth {
            self.seen.depth = self.depth;
            self.seen.depth_at = self.at;
        }
        self.at += 1;
        Ok(())
    }

    fn key(&mut self) -> Result<Key, ParseError> {
        let begin = self.at + 1;
        match self.plain_string() {
            Some(text) => Ok(key(text)),
            None => self.escaped_string(begin).map(Cow::Owned),
        }
    }

    fn string(&mut self) -> Result<String, ParseError> {
        let begin = self.at + 1;
        match self.plain_string() {
            Some(text) => Ok(text.to_owned()),
            None => self.escaped_string(begin),
        }
    }

    /// Passes a string in which every character stands for itself; `None`, within the string, for another.
    fn plain_string(&mut self) -> Option<&'a str> {
        self.at += 1;
        let begin = self.at;
        self.skip_plain();
        let text = self.text.get(begin..self.at)?;
        (self.peek() == Some(b'"')).then(|| {
            self.at += 1;
            text
        })
    }

    /// Goes on in a string that began at `begin` and was plain up to here.
    fn escaped_string(&mut self, begin: usize) -> Result<String, ParseError> {
        let mut text = self.text[begin..self.at].to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(ParseErrorKind::ControlCharacter.at(self.at)),
                None => return Err(ParseErrorKind::UnexpectedEnd.at(self.at)),
            }
            let begin = self.at;
            self.skip_plain();
            text.push_str(&self.text[begin..self.at]);
        }
    }

    /// Passes the characters of a string that stand for themselves.
    fn skip_plain(&mut self) {
        self.at += plain_len(&self.text.as_bytes()[self.at..]);
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let begin = self.at;
        self.at += 1;
        let escaped = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape(begin);
            }
            Some(_) => return Err(ParseErrorKind::MalformedEscape.at(begin)),
            None => return Err(ParseErrorKind::UnexpectedEnd.at(self.at)),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn unicode_escape(&mut self, begin: usize) -> Result<char, ParseError> {
        let first = self.four_hex_digits(begin)?;
        let scalar = if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u")
        {
            self.at += 2;
            let second = self.four_hex_digits(begin)?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(ParseErrorKind::LoneSurrogate.at(begin));
            }
            0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(scalar).ok_or(ParseErrorKind::LoneSurrogate.at(begin))
    }

    fn four_hex_digits(&mut self, begin: usize) -> Result<u32, ParseError> {
        let malformed = ParseErrorKind::MalformedEscape.at(begin);
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or(malformed)?;
        let mut value = 0;
        for digit in digits {
            value = value * 16 + char::from(*digit).to_digit(16).ok_or(malformed)?;
        }
        self.at += 4;
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let begin = self.at;
        let malformed = ParseErrorKind::MalformedNumber.at(begin);
        if self.peek() == Some(b'-') {
            self.at += 1;
            if self.peek() == Some(b'I') {
                return self.non_finite("Infinity", f64::NEG_INFINITY);
            }
        }
        let leading_zero = self.peek() == Some(b'0');
        let digits = self.skip_digits();
        if digits == 0 || (leading_zero && digits > 1) {
            return Err(malformed);
        }
        let mut float = false;
        if self.peek() == Some(b'.') {
            self.at += 1;
            float = true;
            if self.skip_digits() == 0 {
                return Err(malformed);
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            float = true;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.skip_digits() == 0 {
                return Err(malformed);
            }
        }
        let text = &self.text[begin..self.at];
        if float {
            return self.float(text.parse().map_err(|_| malformed)?, begin);
        }
        if digits > limits::INTEGER_DIGITS_MAX {
            return Err(ParseErrorKind::IntegerTooLong.at(begin));
        }
        Ok(Value::Number(Number::Integer(Integer::from_checked_text(text))))
    }

    /// Passes one of the three words that are numbers to the earlier peer; `self.at` is behind a minus sign.
    fn non_finite(&mut self, word: &str, value: f64) -> Result<Value, ParseError> {
        let begin = self.at;
        self.word(word, Value::Null)?;
        self.float(value, begin)
    }

    fn float(&mut self, value: f64, begin: usize) -> Result<Value, ParseError> {
        if !value.is_finite() {
            if self.rules.non_finite == NonFinite::Refuse {
                return Err(ParseErrorKind::NonFinite.at(begin));
            }
            self.seen.non_finite_at.get_or_insert(begin);
        }
        if self.rules.floats == Floats::Refuse {
            return Err(ParseErrorKind::Float.at(begin));
        }
        self.seen.float_at.get_or_insert(begin);
        Ok(Value::float(value))
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, ParseError> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(ParseErrorKind::UnexpectedCharacter.at(self.at))
        }
    }

    /// Passes decimal digits and tells how many.
    fn skip_digits(&mut self) -> usize {
        let rest = &self.text.as_bytes()[self.at..];
        let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.at += digits;
        digits
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), ParseError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn unexpected(&self) -> ParseError {
        let end = self.at >= self.text.len();
        let kind =
            if end { ParseErrorKind::UnexpectedEnd } else { ParseErrorKind::UnexpectedCharacter };
        kind.at(self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// Whether two entries have the same key; in n log n for many entries, so that a hostile object costs no more.
fn has_duplicate(entries: &[(Key, Value)]) -> bool {
    if entries.len() <= PAIRWISE_MAX {
        return entries.iter().enumerate().any(|(position, (key, _))| {
            entries[..position].iter().any(|(earlier, _)| earlier == key)
        });
    }
    let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_ref()).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

/// Keeps the last value of each key at the place of the first, as the earlier peer does.
fn last_counts(entries: Vec<(Key, Value)>) -> Vec<(Key, Value)> {
    let mut last: BTreeMap<Key, (usize, Value)> = BTreeMap::new();
    for (position, (key, value)) in entries.into_iter().enumerate() {
        match last.get_mut(&key) {
            Some((_, slot)) => *slot = value,
            None => drop(last.insert(key, (position, value))),
        }
    }
    let mut kept: Vec<_> = last.into_iter().collect();
    kept.sort_unstable_by_key(|(_, (position, _))| *position);
    kept.into_iter().map(|(key, (_, value))| (key, value)).collect()
}

/// Up to this many entries, comparing all pairs is faster than sorting; measured on envelopes of 10 to 13 fields.
const PAIRWISE_MAX: usize = 16;
