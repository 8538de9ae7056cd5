//! The smallest change of a JSON value that keeps its form.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::field::children;

/// Containers inside containers that are searched for something to flip: what `serde_json` reads.
const DEPTH_MAX: usize = 128;

/// The span of the scalar that changes and its new text; `None` if nothing inside can be flipped.
pub(crate) fn in_value(text: &str, span: Range<usize>) -> Option<(Range<usize>, String)> {
    search(text, span, 0)
}

fn search(text: &str, span: Range<usize>, depth: usize) -> Option<(Range<usize>, String)> {
    let value = text.get(span.clone())?;
    if let Some(inside) = children(text, span.clone()) {
        if depth >= DEPTH_MAX {
            return None;
        }
        return inside.values.into_iter().rev().find_map(|child| search(text, child, depth + 1));
    }
    Some((span, scalar(value)?))
}

/// The flipped form of a scalar, as JSON.
fn scalar(value: &str) -> Option<String> {
    match value {
        "true" | "null" => Some("false".to_owned()),
        "false" => Some("true".to_owned()),
        _ => match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(inside) => Some(format!("\"{}\"", string(inside)?)),
            None => number(value),
        },
    }
}

/// Changes the last digit before an exponent by one: never a leading zero, never a new length.
fn number(value: &str) -> Option<String> {
    let end = value.find(['e', 'E']).unwrap_or(value.len());
    let (mantissa, exponent) = value.split_at_checked(end)?;
    let (head, last) = mantissa.split_at_checked(mantissa.len().checked_sub(1)?)?;
    let digit = last.parse::<u8>().ok()?;
    Some(format!("{head}{}{exponent}", digit ^ 1))
}

/// Flips inside a string; `inside` is the text between the quotes, escapes as they stand.
fn string(inside: &str) -> Option<String> {
    hexadecimal(inside).or_else(|| base64(inside)).or_else(|| letter_or_digit(inside))
}

/// The lowest bit of the last byte of hexadecimal text in one case.
fn hexadecimal(inside: &str) -> Option<String> {
    let (head, last) = inside.split_at_checked(inside.len().checked_sub(1)?)?;
    let digits = |upper: bool| {
        inside.bytes().all(|byte| {
            byte.is_ascii_digit()
                || if upper { matches!(byte, b'A'..=b'F') } else { matches!(byte, b'a'..=b'f') }
        })
    };
    let upper = digits(true);
    if !inside.len().is_multiple_of(2) || !(upper || digits(false)) {
        return None;
    }
    let flipped = u8::from_str_radix(last, 16).ok()? ^ 1;
    Some(if upper { format!("{head}{flipped:X}") } else { format!("{head}{flipped:x}") })
}

/// The lowest bit of the last byte of canonical base64, so that the result is canonical too.
fn base64(inside: &str) -> Option<String> {
    let mut bytes = STANDARD.decode(inside).ok()?;
    *bytes.last_mut()? ^= 1;
    Some(STANDARD.encode(bytes))
}

/// The lowest bit of the last ASCII letter or digit that stays one; outside escapes.
fn letter_or_digit(inside: &str) -> Option<String> {
    let mut bytes = inside.as_bytes().to_vec();
    let free = outside_escapes(&bytes);
    let at = (0..bytes.len()).rev().find(|&at| {
        let byte = bytes.get(at).copied().unwrap_or_default();
        free.get(at) == Some(&true)
            && byte.is_ascii_alphanumeric()
            && (byte ^ 1).is_ascii_alphanumeric()
    })?;
    *bytes.get_mut(at)? ^= 1;
    String::from_utf8(bytes).ok()
}

/// Marks the bytes that are no part of an escape sequence.
fn outside_escapes(bytes: &[u8]) -> Vec<bool> {
    let mut free = vec![true; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let escape_len = match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'\\'), Some(b'u')) => 6,
            (Some(b'\\'), _) => 2,
            _ => 0,
        };
        free.iter_mut().skip(at).take(escape_len).for_each(|free| *free = false);
        at += escape_len.max(1);
    }
    free
}
