//! How often peers are asked whether they live, as an operator writes it.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use entity_peer::config::Heartbeat;
use serde::Deserialize;

/// A time between two questions: a number of seconds or minutes, `30s` or `2m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Period(Duration);

/// A text that is no such time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time between `2s` and `60m`, for example `30s`")]
pub struct InvalidPeriod;

/// The longest period: whoever wants none at all has another switch.
const PERIOD_MAX: Duration = Duration::from_hours(1);

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let (digits, seconds) = match (text.strip_suffix('s'), text.strip_suffix('m')) {
            (Some(digits), _) => (digits, 1),
            (None, Some(digits)) => (digits, 60),
            (None, None) => return Err(InvalidPeriod),
        };
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let count: u64 = digits.parse().ok().filter(|_| is_number).ok_or(InvalidPeriod)?;
        let period = Duration::from_secs(count.saturating_mul(seconds));
        if period < Heartbeat::PERIOD_MIN || period > PERIOD_MAX {
            return Err(InvalidPeriod);
        }
        Ok(Self(period))
    }
}

impl TryFrom<String> for Period {
    type Error = InvalidPeriod;

    fn try_from(text: String) -> Result<Self, InvalidPeriod> {
        text.parse()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}s", self.0.as_secs())
    }
}

/// The `[heartbeat]` table.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatTable {
    period: Option<Period>,
    failures: Option<NonZeroU32>,
}

impl HeartbeatTable {
    /// What is decided, with another period where a flag names one.
    pub fn heartbeat(self, period: Option<Period>) -> Heartbeat {
        let usual = Heartbeat::default();
        let period = period.or(self.period).map_or(usual.period, |period| period.0);
        Heartbeat::every(period, self.failures.map_or(usual.failures_max, NonZeroU32::get))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_number_with_its_unit() {
        for (text, seconds) in [("2s", 2), ("30s", 30), ("2m", 120), ("60m", 3_600)] {
            assert_eq!(text.parse(), Ok(Period(Duration::from_secs(seconds))), "{text}");
        }
        for text in
            ["", "s", "30", "1s", "61m", "-3s", "+3s", "3h", "0.5m", "3 s", "99999999999999999999s"]
        {
            assert_eq!(text.parse::<Period>(), Err(InvalidPeriod), "{text}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_table_and_the_table_over_the_default() {
        let table: HeartbeatTable = toml::from_str("period = '9s'\nfailures = 2").unwrap();
        let nine = Heartbeat::every(Duration::from_secs(9), 2);
        assert_eq!(table.heartbeat(None), nine);
        let three = table.heartbeat("3s".parse().ok());
        assert_eq!(
            (three.period.as_secs(), three.timeout.as_secs(), three.failures_max),
            (3, 1, 2)
        );
        assert_eq!(HeartbeatTable::default().heartbeat(None), Heartbeat::default());
    }
}
