//! When the daily run and the full regression begin: five fields, as both services read them.

use std::collections::BTreeSet;

/// A cron expression of five fields, each within its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    fields: [String; 5],
    /// Days of the week, 0 is Sunday.
    days: BTreeSet<u8>,
}

const NAMES: [&str; 5] = ["minute", "hour", "day of the month", "month", "day of the week"];
const RANGES: [(u8, u8); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// Which field cannot be meant, as a fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let fields: [String; 5] = fields.try_into().map_err(|_| {
            format!("{text:?} does not have the five fields of cron, such as \"0 2 * * *\"")
        })?;
        let mut days = BTreeSet::new();
        for (index, field) in fields.iter().enumerate() {
            let values = values(field, index)
                .ok_or_else(|| format!("{field:?} is no {} of cron in {text:?}", NAMES[index]))?;
            if index == 4 {
                days = values.into_iter().map(|day| day % 7).collect();
            }
        }
        Ok(Self { fields, days })
    }

    /// The same on the days of the week on which `other` does not begin; unchanged where those cannot be told by the week alone.
    #[must_use]
    pub fn without_days_of(&self, other: &Self) -> Self {
        let is_weekly = |cron: &Self| cron.fields[2] == "*" && cron.fields[3] == "*";
        let left: BTreeSet<u8> = self.days.difference(&other.days).copied().collect();
        if !is_weekly(self) || !is_weekly(other) || left == self.days {
            return self.clone();
        }
        let mut fields = self.fields.clone();
        fields[4] = runs(&left);
        Self { fields, days: left }
    }

    /// Whether it ever begins.
    pub fn begins(&self) -> bool {
        !self.days.is_empty()
    }

    /// The expression as text.
    pub fn text(&self) -> String {
        self.fields.join(" ")
    }
}

/// `1-3,5` for a set of days.
fn runs(days: &BTreeSet<u8>) -> String {
    let mut parts: Vec<(u8, u8)> = Vec::new();
    for &day in days {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == day => *last = day,
            Some(_) | None => parts.push((day, day)),
        }
    }
    let part = |(first, last): (u8, u8)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    parts.into_iter().map(part).collect::<Vec<_>>().join(",")
}

/// What a field stands for; `None` if it is none.
fn values(field: &str, index: usize) -> Option<BTreeSet<u8>> {
    let (low, high) = RANGES[index];
    let mut values = BTreeSet::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u8>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (first, last) = match (range, range.split_once('-')) {
            ("*", _) => (low, if index == 4 { 6 } else { high }),
            (_, Some((first, last))) => (number(first, index)?, number(last, index)?),
            (_, None) if step > 1 => (number(range, index)?, high),
            (_, None) => (number(range, index)?, number(range, index)?),
        };
        if first > last {
            return None;
        }
        values.extend((first..=last).step_by(usize::from(step)));
    }
    Some(values)
}

fn number(text: &str, index: usize) -> Option<u8> {
    let lower = text.to_ascii_lowercase();
    let named = match index {
        3 => MONTHS.iter().position(|name| *name == lower).map(|at| at + 1),
        4 => DAYS.iter().position(|name| *name == lower),
        _ => None,
    };
    let (low, high) = RANGES[index];
    let digits =
        || text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u8>().ok())?;
    let number = named.and_then(|at| u8::try_from(at).ok()).or_else(digits)?;
    (low..=high).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(daily: &str, full: &str, expected: &str) {
        let (daily, full) = (Cron::parse(daily).unwrap(), Cron::parse(full).unwrap());
        assert_eq!(daily.without_days_of(&full).text(), expected);
    }

    #[test]
    fn the_day_of_the_full_regression_has_no_daily_run() {
        check("0 2 * * *", "0 2 * * SUN", "0 2 * * 1-6");
        check("0 2 * * *", "30 4 * * 7", "0 2 * * 1-6");
        check("0 2 * * *", "0 2 * * wed", "0 2 * * 0-2,4-6");
        check("0 2 * * 1-5", "0 2 * * SUN", "0 2 * * 1-5");
        check("0 2 * * 1-5", "0 2 * * 1,FRI", "0 2 * * 2-4");
    }

    #[test]
    fn a_month_cannot_be_told_by_the_week() {
        check("0 2 * * *", "0 2 1 * *", "0 2 * * *");
    }

    #[test]
    fn a_run_that_never_begins_is_known() {
        let weekly = Cron::parse("0 2 * * 0").unwrap();
        assert!(!weekly.without_days_of(&weekly).begins());
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in [
            "",
            "0 2 * *",
            "60 2 * * *",
            "0 24 * * *",
            "0 2 0 * *",
            "0 2 * 13 *",
            "0 2 * * 8",
            "0 2 * * fri-mon",
            "*/0 * * * *",
            "@daily",
            "0 2 * * MONDAY",
            "+1 2 * * *",
        ] {
            assert!(Cron::parse(text).is_err(), "{text}");
        }
        for text in ["*/15 0-6/2 1,15 jan-mar MON", "5 3 * * *", "10/5 * * * *"] {
            assert!(Cron::parse(text).is_ok(), "{text}");
        }
    }
}
