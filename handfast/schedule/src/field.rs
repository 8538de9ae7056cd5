//! One field of a cron expression: a set of small numbers.

use std::ops::Range;

use crate::cron::CronError;

/// Which field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

/// The fields of an expression of five parts.
pub(crate) const FIVE: [Kind; 5] =
    [Kind::Minute, Kind::Hour, Kind::Day, Kind::Month, Kind::Weekday];

/// The fields of an expression of six parts.
pub(crate) const SIX: [Kind; 6] =
    [Kind::Second, Kind::Minute, Kind::Hour, Kind::Day, Kind::Month, Kind::Weekday];

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of the month",
            Self::Month => "month",
            Self::Weekday => "day of the week",
        }
    }

    fn bounds(self) -> (u8, u8) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 7),
        }
    }

    fn names(self) -> (&'static [&'static str], u8) {
        match self {
            Self::Month => (&MONTHS, 1),
            Self::Weekday => (&WEEKDAYS, 0),
            Self::Second | Self::Minute | Self::Hour | Self::Day => (&[], 0),
        }
    }

    /// What may stand in it.
    fn allowed(self) -> String {
        let (low, high) = self.bounds();
        match self {
            Self::Month => format!("{low} to {high} or JAN to DEC"),
            Self::Weekday => format!("{low} to {high} (0 and 7 are Sunday) or SUN to SAT"),
            Self::Second | Self::Minute | Self::Hour | Self::Day => format!("{low} to {high}"),
        }
    }
}

/// The numbers that a field allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    bits: u64,
    /// Whether it begins with `*`, which decides how the two fields of days go together.
    pub(crate) is_free: bool,
}

impl Field {
    /// Only this number.
    pub(crate) fn only(number: u8) -> Self {
        Self { bits: 1 << number, is_free: false }
    }

    /// Reads a field that begins `at` bytes into the expression.
    pub(crate) fn parse(kind: Kind, text: &str, at: usize) -> Result<Self, CronError> {
        let mut bits = 0;
        let mut from = at;
        for part in text.split(',') {
            bits |= parse_part(kind, part, from)?;
            from += part.len() + 1;
        }
        Ok(Self { bits, is_free: text.starts_with('*') })
    }

    pub(crate) fn has(self, number: i8) -> bool {
        u32::try_from(number).is_ok_and(|number| number < 64 && self.bits >> number & 1 == 1)
    }

    /// The smallest number from `from` on.
    pub(crate) fn at_or_after(self, from: i8) -> Option<i8> {
        let from = u32::try_from(from).unwrap_or(0);
        let rest = self.bits & u64::MAX.checked_shl(from).unwrap_or(0);
        if rest == 0 { None } else { i8::try_from(rest.trailing_zeros()).ok() }
    }

    /// The greatest number up to `until`.
    pub(crate) fn at_or_before(self, until: i8) -> Option<i8> {
        let above = u32::try_from(until).ok()? + 1;
        let rest = self.bits & !u64::MAX.checked_shl(above).unwrap_or(0);
        if rest == 0 { None } else { i8::try_from(rest.ilog2()).ok() }
    }
}

/// `*`, `5`, `1-5`, `*/2`, `1-9/2`.
fn parse_part(kind: Kind, part: &str, at: usize) -> Result<u64, CronError> {
    if part.is_empty() {
        let fix = format!("write {}, or leave the comma out", kind.allowed());
        return Err(error(kind, at..at + 1, "nothing stands here".to_owned(), fix));
    }
    let (range, step) = match part.split_once('/') {
        None => (part, 1),
        Some((range, step)) => (range, parse_step(kind, step, at + range.len() + 1)?),
    };
    let (low, high) = kind.bounds();
    let (first, last) = if range == "*" {
        // 7 is the same Sunday as 0.
        (low, if kind == Kind::Weekday { 6 } else { high })
    } else if let Some((first, last)) = range.split_once('-') {
        let place = at..at + range.len();
        let last = number(kind, last, at + first.len() + 1)?;
        let first = number(kind, first, at)?;
        if first > last {
            let what = format!("the range {range} ends before it begins");
            let fix = format!("write two parts, such as {}", turned(kind, first, last));
            return Err(error(kind, place, what, fix));
        }
        (first, last)
    } else {
        let only = number(kind, range, at)?;
        if part.contains('/') {
            let what = format!("{part} is a step without a range");
            let fix = format!("write {only}-{high}/{step} or */{step}");
            return Err(error(kind, at..at + part.len(), what, fix));
        }
        (only, only)
    };
    let mut bits = 0;
    for number in (first..=last).step_by(usize::from(step)) {
        bits |= 1 << number;
    }
    if kind == Kind::Weekday && bits >> 7 & 1 == 1 {
        bits = bits & 0x7f | 1;
    }
    Ok(bits)
}

/// The two parts that somebody meant who wrote `FRI-MON`.
fn turned(kind: Kind, first: u8, last: u8) -> String {
    let (low, high) = kind.bounds();
    let high = if kind == Kind::Weekday { 6 } else { high };
    format!("{first}-{high},{low}-{last}")
}

fn parse_step(kind: Kind, text: &str, at: usize) -> Result<u8, CronError> {
    let (_, high) = kind.bounds();
    match text.parse::<u8>() {
        Ok(step) if (1..=high).contains(&step) && is_plain(text) => Ok(step),
        Ok(_) | Err(_) => {
            let what = format!("{text:?} is no step");
            let place = at..at + text.len().max(1);
            Err(error(kind, place, what, format!("use a number from 1 to {high} after the /")))
        }
    }
}

fn number(kind: Kind, text: &str, at: usize) -> Result<u8, CronError> {
    let (low, high) = kind.bounds();
    let place = at..at + text.len().max(1);
    let (names, first) = kind.names();
    if let Some((number, _)) =
        (first..).zip(names).find(|(_, name)| name.eq_ignore_ascii_case(text))
    {
        return Ok(number);
    }
    let allowed = format!("use {}", kind.allowed());
    if !is_plain(text) {
        let fix = match close_name(text, names) {
            Some(name) => format!("did you mean {name}?"),
            None if "LW#?".contains(text.trim_start_matches(|c: char| c.is_ascii_digit()))
                && !text.is_empty() =>
            {
                format!("L, W, # and ? are not part of these expressions; {allowed}")
            }
            None => allowed,
        };
        return Err(error(kind, place, format!("{text:?} is no {}", kind.name()), fix));
    }
    match text.parse::<u8>() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        Ok(_) | Err(_) => {
            Err(error(kind, place, format!("there is no {} {text}", kind.name()), allowed))
        }
    }
}

/// A name that shares its first two letters, as `Sunday` and `MUN` nearly do.
fn close_name(text: &str, names: &[&'static str]) -> Option<&'static str> {
    let upper = text.to_ascii_uppercase();
    let same = |name: &&&str| {
        upper.bytes().zip(name.bytes()).filter(|(one, other)| one == other).count() >= 2
    };
    names.iter().find(|name| upper.starts_with(**name)).or_else(|| names.iter().find(same)).copied()
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn error(kind: Kind, place: Range<usize>, what: String, fix: String) -> CronError {
    CronError { field: Some(kind.name()), place, what, fix }
}
