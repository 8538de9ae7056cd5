//! The spelling of floats: Python's `repr`.

use std::fmt::{self, Write};

/// Appends the fewest digits that read back to `value`, laid out as Python does.
///
/// Plain with a point where 1e-4 <= |x| < 1e16, else `d.ddde±XX` with at least two digits of exponent; the
/// non-finite ones as `NaN`, `Infinity`, `-Infinity`.
///
/// Source: `docs/protocol/1.0.md#canonical-json`.
pub(super) fn write_float(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        let word = if value.is_nan() { "NaN" } else { "Infinity" };
        if value == f64::NEG_INFINITY {
            out.push(b'-');
        }
        out.extend_from_slice(word.as_bytes());
        return;
    }
    let (digits, exponent) = shortest_digits(value.abs());
    let digits = digits.as_bytes();
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if !(-4..16).contains(&exponent) {
        write_scientific(out, digits, exponent);
    } else if let Ok(whole) = usize::try_from(exponent) {
        write_plain(out, digits, whole + 1);
    } else {
        out.extend_from_slice(b"0.");
        pad_zeros(out, usize::from(exponent.unsigned_abs()) - 1);
        out.extend_from_slice(digits);
    }
}

/// Writes a number of 1 or more with `whole` digits before the point.
fn write_plain(out: &mut Vec<u8>, digits: &[u8], whole: usize) {
    match digits.split_at_checked(whole) {
        Some((before, after)) if !after.is_empty() => {
            out.extend_from_slice(before);
            out.push(b'.');
            out.extend_from_slice(after);
        }
        _ => {
            out.extend_from_slice(digits);
            pad_zeros(out, whole - digits.len());
            out.extend_from_slice(b".0");
        }
    }
}

fn write_scientific(out: &mut Vec<u8>, digits: &[u8], exponent: i16) {
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    let magnitude = exponent.unsigned_abs();
    if magnitude < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(magnitude.to_string().as_bytes());
}

fn pad_zeros(out: &mut Vec<u8>, count: usize) {
    out.resize(out.len() + count, b'0');
}

/// The shortest digits of a finite, non-negative number and the power of ten of the first of them.
///
/// The standard library's exponent form has the same digits as Python's: the shortest that read back, and of
/// those the nearest to the number.
fn shortest_digits(value: f64) -> (Text, i16) {
    let mut text = Text::default();
    // The buffer holds any `{:e}` of a float: 17 digits, a point, `e`, a sign and 3 digits make 23 characters.
    let _ = write!(text, "{value:e}");
    let all = text.as_bytes();
    let split = all.iter().position(|byte| *byte == b'e').unwrap_or(all.len());
    let exponent = std::str::from_utf8(&all[(split + 1).min(all.len())..])
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let mut digits = Text::default();
    for byte in all[..split].iter().filter(|byte| **byte != b'.') {
        digits.push(*byte);
    }
    (digits, exponent)
}

#[derive(Default)]
struct Text {
    bytes: [u8; 32],
    len: usize,
}

impl Text {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
            self.len += 1;
        }
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.push(byte));
        Ok(())
    }
}
