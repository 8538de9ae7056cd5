//! Tree to text: ASCII only, with Python's escapes and floats, in the spacings and orders that are on the wire.

use std::io::Write as _;

use entity_flaw::{Flaw, planted};

use super::float::write_float;
use super::key::Key;
use super::scan::plain_ascii_len;
use super::{Integer, Number, Object, Value};
use crate::id::HEX_DIGITS;

/// Spacing and key order of a written text; escapes and numbers are the same in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// No white space, keys sorted by code point: the form that is signed.
    Canonical,
    /// No white space, keys in the order of the object: answers.
    Compact,
    /// A space after `:` and `,`, keys in the order of the object: how the earlier peer sends messages.
    Spaced,
}

/// Writes a value.
pub fn to_vec(value: &Value, layout: Layout) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_value(&mut out, value, layout);
    out
}

/// Writes an object, leaving one key out.
pub(crate) fn write_object_without(
    out: &mut Vec<u8>,
    object: &Object,
    omitted: &str,
    layout: Layout,
) {
    let mut writer = ObjectWriter::new(out, layout);
    in_order(object, layout, |key, value| {
        if key != omitted {
            writer.value(key, value);
        }
    });
    writer.end();
}

/// Writes an object field by field, in the order of the calls; under [`Layout::Canonical`] the caller calls in
/// sorted order.
pub(crate) struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    layout: Layout,
    first: bool,
}

impl<'a> ObjectWriter<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, layout: Layout) -> Self {
        out.push(b'{');
        Self { out, layout, first: true }
    }

    pub(crate) fn value(&mut self, key: &str, value: &Value) {
        self.key(key);
        write_value(self.out, value, self.layout);
    }

    pub(crate) fn object(&mut self, key: &str, value: &Object) {
        self.key(key);
        write_object(self.out, value, self.layout);
    }

    pub(crate) fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        write_string(self.out, text);
    }

    pub(crate) fn integer(&mut self, key: &str, value: u64) {
        self.key(key);
        write_integer(self.out, &value.into());
    }

    pub(crate) fn null(&mut self, key: &str) {
        self.value(key, &Value::Null);
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    /// Writes a key and its colon, and gives the buffer for a value that the caller writes.
    pub(crate) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.first {
            separate(self.out, self.layout);
        }
        self.first = false;
        write_string(self.out, key);
        self.out.extend_from_slice(if self.layout == Layout::Spaced { b": " } else { b":" });
        self.out
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value, layout: Layout) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(Number::Integer(integer)) => write_integer(out, integer),
        Value::Number(Number::Float(float)) => write_float(out, *float),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => write_array(out, items, layout),
        Value::Object(object) => write_object(out, object, layout),
    }
}

fn write_array(out: &mut Vec<u8>, items: &[Value], layout: Layout) {
    out.push(b'[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            separate(out, layout);
        }
        write_value(out, item, layout);
    }
    out.push(b']');
}

pub(crate) fn write_object(out: &mut Vec<u8>, object: &Object, layout: Layout) {
    let mut writer = ObjectWriter::new(out, layout);
    in_order(object, layout, |key, value| writer.value(key, value));
    writer.end();
}

/// Visits the entries in the order of the layout.
///
/// The byte order of UTF-8 is the order of code points, so keys compare as they are.
fn in_order(object: &Object, layout: Layout, mut visit: impl FnMut(&str, &Value)) {
    let entries = object.entries();
    if layout != Layout::Canonical || entries.is_sorted_by(|a, b| a.0 < b.0) {
        for (key, value) in entries {
            visit(key, value);
        }
        return;
    }
    let mut sorted: Vec<&(Key, Value)> = entries.iter().collect();
    sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    for (key, value) in sorted {
        visit(key, value);
    }
}

fn separate(out: &mut Vec<u8>, layout: Layout) {
    out.extend_from_slice(if layout == Layout::Spaced { b", " } else { b"," });
}

fn write_integer(out: &mut Vec<u8>, integer: &Integer) {
    let Some(value) = integer.as_i64() else {
        write!(out, "{integer}").expect("writing to a vector cannot fail");
        return;
    };
    if value < 0 {
        out.push(b'-');
    }
    // The same digits as a formatter writes, at a quarter of its cost.
    let mut digits = [0; 20];
    let mut begin = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        begin -= 1;
        digits[begin] = HEX_DIGITS[usize::try_from(rest % 10).unwrap_or(0)];
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[begin..]);
}

pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text;
    loop {
        let (head, tail) = rest.split_at(plain_ascii_len(rest.as_bytes()));
        out.extend_from_slice(head.as_bytes());
        let mut characters = tail.chars();
        let Some(character) = characters.next() else { break };
        write_escaped(out, character);
        rest = characters.as_str();
    }
    out.push(b'"');
}

fn write_escaped(out: &mut Vec<u8>, character: char) {
    let short = match character {
        '"' => b'"',
        '\\' => b'\\',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let digit = |shift: u16| {
                    let digit = HEX_DIGITS[usize::from((*unit >> shift) & 15)];
                    if planted(Flaw::EscapesDifferently) {
                        digit.to_ascii_uppercase()
                    } else {
                        digit
                    }
                };
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
