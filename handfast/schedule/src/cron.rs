//! A cron expression: which local times it names.
//!
//! Five fields as in crontab(5): minute, hour, day of the month, month, day of the week. With six fields the first is the second.
//! A field is `*`, a number, a name (`JAN`, `SUN`), a range `1-5`, each with a step `/2`, or several of these with commas. Where both fields of
//! days are restricted (neither begins with `*`), a day that fits one of them fits.

use std::fmt;
use std::ops::Range;

use jiff::civil::{Date, DateTime, Time};

use crate::field::{FIVE, Field, Kind, SIX};

/// Bytes of an expression.
pub const EXPRESSION_LEN_MAX: usize = 256;

/// Years within which the next time is looked for: the 29th of February on a certain day of the week comes after 40 at the latest.
const SEARCH_YEARS: i16 = 60;

/// A validated expression, at least one time of which comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    second: Field,
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronError {
    /// The field, such as `minute`; `None`: the expression as a whole.
    pub field: Option<&'static str>,
    /// The bytes of the expression.
    pub place: Range<usize>,
    /// What, in a few words.
    pub what: String,
    /// How to mend it.
    pub fix: String,
}

impl std::error::Error for CronError {}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => {
                write!(f, "field {field}, letter {}: {}", self.place.start + 1, self.what)
            }
            None => f.write_str(&self.what),
        }
    }
}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// [`CronError`] names the field, the place and the fix.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        if text.len() > EXPRESSION_LEN_MAX {
            let what = format!("it is longer than {EXPRESSION_LEN_MAX} bytes");
            return Err(whole(text, what, "write several jobs".to_owned()));
        }
        if let Some(nickname) = nickname(text.trim()) {
            return Self::parse(nickname);
        }
        let parts = parts(text);
        let kinds: &[Kind] = match parts.len() {
            5 => &FIVE,
            6 => &SIX,
            found => {
                let what = format!("it has {found} fields");
                let fix = "write five, minute hour day month weekday, such as \"0 2 * * SUN\", or six with the second first";
                return Err(whole(text, what, fix.to_owned()));
            }
        };
        let mut fields = Vec::new();
        for (kind, (at, part)) in kinds.iter().zip(parts) {
            fields.push((Field::parse(*kind, part, at)?, at..at + part.len()));
        }
        if fields.len() == FIVE.len() {
            fields.insert(0, (Field::only(0), 0..0));
        }
        let [(second, _), (minute, _), (hour, _), (day, place), (month, _), (weekday, _)] =
            <[_; 6]>::try_from(fields).map_err(|_| whole(text, String::new(), String::new()))?;
        let cron = Self { text: text.trim().to_owned(), second, minute, hour, day, month, weekday };
        if !cron.has_a_day() {
            let what = "no month named here has such a day".to_owned();
            let fix = "name a day that comes, or another month".to_owned();
            return Err(CronError { field: Some(Kind::Day.name()), place, what, fix });
        }
        Ok(cron)
    }

    /// The expression as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first local time after this one; `None` if none comes in the time that can be written.
    pub fn next_after(&self, after: DateTime) -> Option<DateTime> {
        let from = after.checked_add(jiff::Span::new().seconds(1)).ok()?;
        let last_year = from.year().saturating_add(SEARCH_YEARS);
        let mut date = from.date();
        let mut time = (from.hour(), from.minute(), from.second());
        while date.year() <= last_year {
            if !self.month.has(date.month()) {
                date = date.last_of_month().tomorrow().ok()?;
                time = (0, 0, 0);
            } else if let Some(found) = self.time_from(time).filter(|_| self.has_day(date)) {
                return Some(found.on(date));
            } else {
                date = date.tomorrow().ok()?;
                time = (0, 0, 0);
            }
        }
        None
    }

    /// The last local time up to and with this one.
    pub fn last_until(&self, until: DateTime) -> Option<DateTime> {
        let first_year = until.year().saturating_sub(SEARCH_YEARS);
        let mut date = until.date();
        let mut time = (until.hour(), until.minute(), until.second());
        while date.year() >= first_year {
            if !self.month.has(date.month()) {
                date = date.first_of_month().yesterday().ok()?;
                time = (23, 59, 59);
            } else if let Some(found) = self.time_until(time).filter(|_| self.has_day(date)) {
                return Some(found.on(date));
            } else {
                date = date.yesterday().ok()?;
                time = (23, 59, 59);
            }
        }
        None
    }

    fn has_day(&self, date: Date) -> bool {
        let day = self.day.has(date.day());
        let weekday = self.weekday.has(date.weekday().to_sunday_zero_offset());
        if self.day.is_free || self.weekday.is_free { day && weekday } else { day || weekday }
    }

    /// Whether any day is ever right: the 30th of February is not.
    fn has_a_day(&self) -> bool {
        if !self.day.is_free && !self.weekday.is_free {
            return true;
        }
        let longest = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        (1..).zip(longest).any(|(month, days)| {
            self.month.has(month) && self.day.at_or_after(1).is_some_and(|day| day <= days)
        })
    }

    fn time_from(&self, mut from: (i8, i8, i8)) -> Option<Clocked> {
        loop {
            let hour = self.hour.at_or_after(from.0)?;
            if hour > from.0 {
                from = (hour, 0, 0);
            }
            let Some(minute) = self.minute.at_or_after(from.1) else {
                from = (hour + 1, 0, 0);
                continue;
            };
            if minute > from.1 {
                from = (hour, minute, 0);
            }
            match self.second.at_or_after(from.2) {
                Some(second) => return Some(Clocked(hour, minute, second)),
                None => from = (hour, minute + 1, 0),
            }
        }
    }

    fn time_until(&self, mut until: (i8, i8, i8)) -> Option<Clocked> {
        loop {
            let hour = self.hour.at_or_before(until.0)?;
            if hour < until.0 {
                until = (hour, 59, 59);
            }
            let Some(minute) = self.minute.at_or_before(until.1) else {
                until = (hour - 1, 59, 59);
                continue;
            };
            if minute < until.1 {
                until = (hour, minute, 59);
            }
            match self.second.at_or_before(until.2) {
                Some(second) => return Some(Clocked(hour, minute, second)),
                None => until = (hour, minute - 1, 59),
            }
        }
    }
}

/// An hour, minute and second that a field allowed.
struct Clocked(i8, i8, i8);

impl Clocked {
    fn on(&self, date: Date) -> DateTime {
        date.to_datetime(Time::constant(self.0, self.1, self.2, 0))
    }
}

/// The words of crontab(5) that stand for an expression.
fn nickname(text: &str) -> Option<&'static str> {
    Some(match text.to_ascii_lowercase().as_str() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * SUN",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => return None,
    })
}

/// The words of a text and where each begins.
fn parts(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let mut rest = 0;
    for word in text.split([' ', '\t']) {
        if !word.is_empty() {
            parts.push((rest, word));
        }
        rest += word.len() + 1;
    }
    parts
}

fn whole(text: &str, what: String, fix: String) -> CronError {
    CronError { field: None, place: 0..text.len(), what, fix }
}
