//! Quantities as people write them: `250us`, `10Mbit/s`, `64KiB`.
//!
//! A number is whole and is followed by its unit. What is written reads back as the same quantity.

use std::time::Duration;

use thiserror::Error;

/// Longest span that conditions and disturbances may name: a day, as in scenario files.
pub const SPAN_MAX: Duration = Duration::from_hours(24);

const SPANS: &[(&str, u64)] =
    &[("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];
const RATES: &[(&str, u64)] =
    &[("Gbit/s", 1_000_000_000), ("Mbit/s", 1_000_000), ("kbit/s", 1_000), ("bit/s", 1)];
const SIZES: &[(&str, u64)] = &[("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Why a text is not the quantity that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidQuantity {
    /// It does not begin with a whole number.
    #[error("{text:?} does not begin with a whole number")]
    Number {
        /// The text as written.
        text: String,
    },
    /// The number has no unit, or one that does not fit.
    #[error("{unit:?} is no unit of {what}; use {known}")]
    Unit {
        /// What follows the number.
        unit: String,
        /// What is wanted, such as `time`.
        what: &'static str,
        /// The units there are.
        known: String,
    },
    /// It is more than can be.
    #[error("{text:?} is too much")]
    TooMuch {
        /// The text as written.
        text: String,
    },
}

/// Reads a span of time: `250us`, `50ms`, `3s`, `2min`, `1h`.
///
/// # Errors
///
/// [`InvalidQuantity`]; never more than [`SPAN_MAX`] is returned.
pub fn parse_span(text: &str) -> Result<Duration, InvalidQuantity> {
    let span = Duration::from_micros(parse(text, "time", SPANS)?);
    if span > SPAN_MAX {
        return Err(InvalidQuantity::TooMuch { text: text.to_owned() });
    }
    Ok(span)
}

/// Writes a span in the largest unit that keeps it a whole number; microseconds are the finest.
pub fn display_span(span: Duration) -> String {
    display(u64::try_from(span.as_micros()).unwrap_or(u64::MAX), SPANS)
}

/// Reads a rate in bits a second: `9600bit/s`, `512kbit/s`, `10Mbit/s`, `1Gbit/s`; the prefixes are those of 1,000.
///
/// # Errors
///
/// [`InvalidQuantity`].
pub fn parse_bits_per_s(text: &str) -> Result<u64, InvalidQuantity> {
    parse(text, "rates", RATES)
}

/// Writes a rate as [`parse_bits_per_s`] reads it.
pub fn display_bits_per_s(bits_per_s: u64) -> String {
    display(bits_per_s, RATES)
}

/// Reads a size in bytes: `1500B`, `64KiB`, `4MiB`.
///
/// # Errors
///
/// [`InvalidQuantity`].
pub fn parse_bytes(text: &str) -> Result<u64, InvalidQuantity> {
    parse(text, "sizes", SIZES)
}

/// Writes a size as [`parse_bytes`] reads it.
pub fn display_bytes(bytes: u64) -> String {
    display(bytes, SIZES)
}

fn parse(
    text: &str,
    what: &'static str,
    units: &[(&'static str, u64)],
) -> Result<u64, InvalidQuantity> {
    let trimmed = text.trim();
    let digits = trimmed.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at(digits);
    let unit = unit.trim();
    if number.is_empty() {
        return Err(InvalidQuantity::Number { text: text.to_owned() });
    }
    let Some((_, factor)) = units.iter().find(|(known, _)| *known == unit) else {
        let known: Vec<&str> = units.iter().rev().map(|(known, _)| *known).collect();
        let known = known.join(", ");
        return Err(InvalidQuantity::Unit { unit: unit.to_owned(), what, known });
    };
    let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
    number.ok_or_else(|| InvalidQuantity::TooMuch { text: text.to_owned() })
}

fn display(number: u64, units: &[(&str, u64)]) -> String {
    let fits = |factor: u64| number >= factor && number.is_multiple_of(factor);
    let finest = units.last().copied().unwrap_or(("", 1));
    let (unit, factor) = units.iter().copied().find(|(_, factor)| fits(*factor)).unwrap_or(finest);
    format!("{}{unit}", number / factor)
}

/// Spans in serde: text.
pub(crate) mod span {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::display_span(*span))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        super::parse_span(&text).map_err(de::Error::custom)
    }
}

/// Spans that may be absent in serde: text.
pub(crate) mod span_option {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde hands a field over like this")]
    pub(crate) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => to.serialize_str(&super::display_span(*span)),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| super::parse_span(&text).map_err(de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_unit_is_read() {
        assert_eq!(parse_span("7us"), Ok(Duration::from_micros(7)));
        assert_eq!(parse_span(" 50 ms "), Ok(Duration::from_millis(50)));
        assert_eq!(parse_span("24h"), Ok(SPAN_MAX));
        assert_eq!(parse_bits_per_s("10Mbit/s"), Ok(10_000_000));
        assert_eq!(parse_bits_per_s("9600bit/s"), Ok(9_600));
        assert_eq!(parse_bytes("64KiB"), Ok(65_536));
    }

    #[test]
    fn a_text_that_is_no_quantity_is_told_what_would_be() {
        let error = |text| parse_span(text).unwrap_err().to_string();
        assert_eq!(error("ms"), r#""ms" does not begin with a whole number"#);
        assert_eq!(error("50"), r#""" is no unit of time; use us, ms, s, min, h"#);
        assert_eq!(error("25h"), r#""25h" is too much"#);
        let error = parse_bits_per_s("10MB/s").unwrap_err().to_string();
        assert_eq!(error, r#""MB/s" is no unit of rates; use bit/s, kbit/s, Mbit/s, Gbit/s"#);
        assert!(parse_bits_per_s("99999999999999999999Gbit/s").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(us in 0_u64..=86_400_000_000, number: u64) {
            let span = Duration::from_micros(us);
            prop_assert_eq!(parse_span(&display_span(span)), Ok(span));
            prop_assert_eq!(parse_bits_per_s(&display_bits_per_s(number)), Ok(number));
            prop_assert_eq!(parse_bytes(&display_bytes(number)), Ok(number));
        }
    }
}
