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

/// The digits of a finite, non-negative number and the power of ten of the first of them: the fewest that read back,
/// of those the nearest to the number, of two as near the even one.
fn shortest_digits(value: f64) -> (Text, i16) {
    let mut text = Text::default();
    text.write(format_args!("{value:e}"));
    let (digits, exponent) = text.split();
    if digits.len < TIE_DIGITS_MIN {
        return (digits, exponent);
    }
    // The standard library takes the larger of two as near; its exact form rounds half to even. That form may fall
    // outside what reads back only where the float below is nearer than the one above, and does not count then.
    let mut even = Text::default();
    even.write(format_args!("{value:.*e}", digits.len - 1));
    let reads_back =
        std::str::from_utf8(even.as_bytes()).ok().and_then(|text| text.parse().ok()) == Some(value);
    if reads_back { even.split() } else { (digits, exponent) }
}

/// Fewer digits cannot be in the middle of two: a decimal of up to 15 digits is the only one of its float.
const TIE_DIGITS_MIN: usize = 15;

#[derive(Default)]
struct Text {
    bytes: [u8; 32],
    len: usize,
}

impl Text {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Writes an exponent form: at most 17 digits, a point, `e`, a sign and 3 digits make 23 characters.
    fn write(&mut self, form: fmt::Arguments<'_>) {
        self.write_fmt(form).expect("32 characters hold any exponent form of a float");
    }

    /// Parts `d.ddde-x` into its digits and its exponent.
    fn split(&self) -> (Self, i16) {
        let mut digits = Self::default();
        let mut halves = self.as_bytes().splitn(2, |byte| *byte == b'e');
        for byte in halves.next().unwrap_or_default().iter().filter(|byte| **byte != b'.') {
            digits.bytes[digits.len] = *byte;
            digits.len += 1;
        }
        let exponent = halves.next().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        (digits, exponent.unwrap_or(0))
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
