//! Durations as people write them: `500ms`, `1s`, `2min`.

use std::time::Duration;

/// Longest duration a file may name: a day. Nothing the platform waits for lasts longer.
pub const DURATION_MAX: Duration = Duration::from_hours(24);

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    /// It does not begin with a whole number.
    #[error("{text:?} does not begin with a whole number")]
    Number {
        /// The text as written.
        text: String,
    },
    /// The number has no unit, or one that is unknown.
    #[error("{unit:?} is not a unit of time; use us, ms, s, min or h")]
    Unit {
        /// What follows the number.
        unit: String,
    },
    /// It is longer than [`DURATION_MAX`].
    #[error("{text:?} is longer than 24h")]
    TooLong {
        /// The text as written.
        text: String,
    },
}

/// Reads a whole number followed by `us`, `ms`, `s`, `min` or `h`.
///
/// # Errors
///
/// [`InvalidDuration`] says which part is wrong; never more than [`DURATION_MAX`] is returned.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let trimmed = text.trim();
    let digits = trimmed.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at(digits);
    let unit = unit.trim();
    if number.is_empty() {
        return Err(InvalidDuration::Number { text: text.to_owned() });
    }
    let unit_us: u64 = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "min" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return Err(InvalidDuration::Unit { unit: unit.to_owned() }),
    };
    let length = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_us));
    match length.map(Duration::from_micros) {
        Some(length) if length <= DURATION_MAX => Ok(length),
        _ => Err(InvalidDuration::TooLong { text: text.to_owned() }),
    }
}

/// Writes a duration in the largest unit that keeps it a whole number.
///
/// Shape: what [`parse`] reads back as the same duration (microseconds are the finest unit).
pub fn display(length: Duration) -> String {
    let us = length.as_micros();
    for (unit_us, unit) in
        [(3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"), (1_000, "ms")]
    {
        if us >= unit_us && us.is_multiple_of(unit_us) {
            return format!("{}{unit}", us / unit_us);
        }
    }
    format!("{us}us")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Duration, InvalidDuration>) {
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn every_unit_is_read() {
        check("7us", Ok(Duration::from_micros(7)));
        check("500ms", Ok(Duration::from_millis(500)));
        check("1s", Ok(Duration::from_secs(1)));
        check("2 min", Ok(Duration::from_mins(2)));
        check("24h", Ok(DURATION_MAX));
    }

    #[test]
    fn a_bare_number_is_refused() {
        check("500", Err(InvalidDuration::Unit { unit: String::new() }));
    }

    #[test]
    fn a_unit_alone_is_refused() {
        check("ms", Err(InvalidDuration::Number { text: "ms".to_owned() }));
    }

    #[test]
    fn more_than_a_day_is_refused() {
        check("25h", Err(InvalidDuration::TooLong { text: "25h".to_owned() }));
        let huge = "99999999999999999999h";
        check(huge, Err(InvalidDuration::TooLong { text: huge.to_owned() }));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(us in 0_u64..=86_400_000_000) {
            let length = Duration::from_micros(us);
            prop_assert_eq!(parse(&display(length)), Ok(length));
        }
    }
}
