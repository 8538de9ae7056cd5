//! The one type of a point in time, and its text and number forms on the wire.

use std::fmt;
use std::time::Duration;

use crate::id::HEX_DIGITS;

/// A point in time: microseconds since the Unix epoch, UTC, without leap seconds.
///
/// Always between [`Timestamp::MIN`] and [`Timestamp::MAX`] (the years 1 to 9999), so that every value has a
/// text of exactly 32 characters. Arithmetic saturates at these ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text or number that is no point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a timestamp of the expected form")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// `0001-01-01T00:00:00.000000+00:00`.
    pub const MIN: Self = Self(-62_135_596_800 * MICROS_PER_SECOND);
    /// `9999-12-31T23:59:59.999999+00:00`.
    pub const MAX: Self = Self(253_402_300_800 * MICROS_PER_SECOND - 1);
    /// `1970-01-01T00:00:00.000000+00:00`.
    pub const UNIX_EPOCH: Self = Self(0);

    /// The time `micros` microseconds after the Unix epoch, saturating.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Microseconds since the Unix epoch; negative before it.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// This time plus `span`, saturating; what `span` has below a microsecond is dropped.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self::from_micros(self.0.saturating_add(micros_of(span)))
    }

    /// This time minus `span`, saturating; what `span` has below a microsecond is dropped.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self::from_micros(self.0.saturating_sub(micros_of(span)))
    }

    /// This time moved by a signed number of microseconds, saturating.
    #[must_use]
    pub fn offset(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// How long after `earlier` this time is; zero where it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// The distance of two times, whichever is the earlier.
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_micros(self.0.abs_diff(other.0))
    }

    /// Reads exactly `YYYY-MM-DDTHH:MM:SS.ffffff+00:00`.
    ///
    /// # Errors
    ///
    /// Any other text, a date that does not exist, second 60.
    ///
    /// Source: `docs/protocol/1.1.md#envelope`.
    pub fn from_iso_strict(text: &str) -> Result<Self, InvalidTimestamp> {
        let bytes: &[u8; 32] = text.as_bytes().try_into().map_err(|_| InvalidTimestamp)?;
        if bytes[10] != b'T' || &bytes[26..] != b"+00:00" {
            return Err(InvalidTimestamp);
        }
        Self::from_iso(text)
    }

    /// Reads an ISO 8601 date and time with an offset, as loosely as the earlier peer.
    ///
    /// Shape: `YYYY-MM-DD`, `T` or a space, `HH:MM`, optionally `:SS`, optionally a fraction of 1 to 9 digits (cut
    /// after 6), then `Z` or `±HH:MM`.
    ///
    /// # Errors
    ///
    /// Any other text; a text without an offset, because it names no point in time.
    ///
    /// Source: `docs/protocol/1.0.md#envelope`.
    pub fn from_iso(text: &str) -> Result<Self, InvalidTimestamp> {
        let mut cursor = Cursor(text.as_bytes());
        let days = cursor.date()?;
        if !cursor.eat(b'T') && !cursor.eat(b' ') {
            return Err(InvalidTimestamp);
        }
        let hours = cursor.number(2, 0..=23)?;
        cursor.expect(b':')?;
        let minutes = cursor.number(2, 0..=59)?;
        let mut seconds = 0;
        let mut micros = 0;
        if cursor.eat(b':') {
            seconds = cursor.number(2, 0..=59)?;
            if cursor.eat(b'.') {
                micros = cursor.fraction()?;
            }
        }
        let offset_seconds = cursor.offset_seconds()?;
        let total = days * 86_400 + hours * 3_600 + minutes * 60 + seconds - offset_seconds;
        let value = total * MICROS_PER_SECOND + micros;
        if !(Self::MIN.0..=Self::MAX.0).contains(&value) {
            return Err(InvalidTimestamp);
        }
        Ok(Self(value))
    }

    /// Reads a number of Unix seconds, rounded to the nearest microsecond.
    ///
    /// # Errors
    ///
    /// NaN, the infinities, and whatever lies outside the years 1 to 9999.
    ///
    /// Source: `docs/protocol/1.0.md#flavours`.
    pub fn from_seconds(seconds: f64) -> Result<Self, InvalidTimestamp> {
        // The fraction is taken first: multiplying the whole number would round twice.
        let whole = seconds.trunc();
        let micros = ((seconds - whole) * 1e6).round();
        // Far outside the years that a timestamp can have, and well inside what the casts keep exactly.
        if !seconds.is_finite() || whole.abs() >= 1e12 {
            return Err(InvalidTimestamp);
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be integral and below 10^12"
        )]
        let micros = whole as i64 * MICROS_PER_SECOND + micros as i64;
        if !(Self::MIN.0..=Self::MAX.0).contains(&micros) {
            return Err(InvalidTimestamp);
        }
        Ok(Self(micros))
    }

    /// Unix seconds as the nearest 64-bit float: exact to the microsecond until the year 2242.
    pub fn as_seconds(self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "the loss is documented, and below a microsecond until 2242"
        )]
        let micros = self.0 as f64;
        micros / 1e6
    }
}

impl fmt::Display for Timestamp {
    /// Writes `YYYY-MM-DDTHH:MM:SS.ffffff+00:00`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl Timestamp {
    /// The text of [`Timestamp`]'s `Display`, without the cost of a formatter: every message has one.
    pub(crate) fn text(self) -> [u8; 32] {
        let micros = self.0.rem_euclid(MICROS_PER_SECOND);
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let of_day = seconds.rem_euclid(86_400);
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let mut text = *b"0000-00-00T00:00:00.000000+00:00";
        write_digits(&mut text[0..4], year);
        write_digits(&mut text[5..7], month);
        write_digits(&mut text[8..10], day);
        write_digits(&mut text[11..13], of_day / 3_600);
        write_digits(&mut text[14..16], of_day / 60 % 60);
        write_digits(&mut text[17..19], of_day % 60);
        write_digits(&mut text[20..26], micros);
        text
    }
}

/// Fills a field with the decimal digits of a number that is not negative and fits.
fn write_digits(field: &mut [u8], mut value: i64) {
    for digit in field.iter_mut().rev() {
        *digit = HEX_DIGITS[usize::try_from(value % 10).unwrap_or(0)];
        value /= 10;
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), InvalidTimestamp> {
        if self.eat(byte) { Ok(()) } else { Err(InvalidTimestamp) }
    }

    /// Exactly `digits` ASCII digits whose value lies in `range`.
    fn number(
        &mut self,
        digits: usize,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<i64, InvalidTimestamp> {
        let (head, rest) = self.0.split_at_checked(digits).ok_or(InvalidTimestamp)?;
        if !head.iter().all(u8::is_ascii_digit) {
            return Err(InvalidTimestamp);
        }
        self.0 = rest;
        let value = head.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        if range.contains(&value) { Ok(value) } else { Err(InvalidTimestamp) }
    }

    /// Days since the epoch of a `YYYY-MM-DD` that exists.
    fn date(&mut self) -> Result<i64, InvalidTimestamp> {
        let year = self.number(4, 1..=9999)?;
        self.expect(b'-')?;
        let month = self.number(2, 1..=12)?;
        self.expect(b'-')?;
        let day = self.number(2, 1..=31)?;
        let days = days_from_civil(year, month, day);
        // A day that does not exist, such as 31 April, comes back as another date.
        if civil_from_days(days) == (year, month, day) { Ok(days) } else { Err(InvalidTimestamp) }
    }

    /// Microseconds of a fraction of 1 to 9 digits.
    fn fraction(&mut self) -> Result<i64, InvalidTimestamp> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return Err(InvalidTimestamp);
        }
        let micros = (0..6).fold(0, |value, place| {
            let digit = if place < digits { self.0[place] - b'0' } else { 0 };
            value * 10 + i64::from(digit)
        });
        self.0 = &self.0[digits..];
        Ok(micros)
    }

    /// Seconds east of UTC of the `Z` or `±HH:MM` that ends the text.
    fn offset_seconds(&mut self) -> Result<i64, InvalidTimestamp> {
        let offset = if self.eat(b'Z') {
            0
        } else {
            let sign = if self.eat(b'+') {
                1
            } else {
                self.expect(b'-')?;
                -1
            };
            let hours = self.number(2, 0..=23)?;
            self.expect(b':')?;
            sign * (hours * 3_600 + self.number(2, 0..=59)? * 60)
        };
        if self.0.is_empty() { Ok(offset) } else { Err(InvalidTimestamp) }
    }
}

fn micros_of(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last day of a year, in eras of 400 years.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01; the inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

const MICROS_PER_SECOND: i64 = 1_000_000;

#[cfg(test)]
mod tests;
