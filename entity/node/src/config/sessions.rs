//! When sessions end, as an operator writes it.

use std::str::FromStr;
use std::time::Duration;

use entity_peer::config::SessionLimits;
use serde::Deserialize;

/// How long a session may be silent: a number of seconds, minutes or hours, `90s`, `10m` or `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Idle(Duration);

/// How long a session lives at all, written like [`Idle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Lifetime(Duration);

/// A text that is no such time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// Of [`Idle`].
    #[error("not a time between `1s` and `1h`, which is the most that the protocol allows")]
    Idle,
    /// Of [`Lifetime`].
    #[error("not a time between `1s` and `24h`, which is the most that the protocol allows")]
    Lifetime,
}

impl FromStr for Idle {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        let idle = span(text).ok_or(InvalidLimit::Idle)?;
        let limits = SessionLimits::new(idle, SessionLimits::default().lifetime());
        limits.map(|limits| Self(limits.idle())).map_err(|_| InvalidLimit::Idle)
    }
}

impl FromStr for Lifetime {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        let lifetime = span(text).ok_or(InvalidLimit::Lifetime)?;
        let limits = SessionLimits::new(SessionLimits::default().idle(), lifetime);
        limits.map(|limits| Self(limits.lifetime())).map_err(|_| InvalidLimit::Lifetime)
    }
}

impl TryFrom<String> for Idle {
    type Error = InvalidLimit;

    fn try_from(text: String) -> Result<Self, InvalidLimit> {
        text.parse()
    }
}

impl TryFrom<String> for Lifetime {
    type Error = InvalidLimit;

    fn try_from(text: String) -> Result<Self, InvalidLimit> {
        text.parse()
    }
}

/// Reads a number with its unit.
pub(super) fn span(text: &str) -> Option<Duration> {
    let units = [('s', 1), ('m', 60), ('h', 3_600)];
    let (digits, seconds) =
        units.into_iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| is_number)?;
    Some(Duration::from_secs(count.saturating_mul(seconds)))
}

/// The `[sessions]` table, or what flags say.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionsTable {
    /// How long one may be silent.
    pub idle: Option<Idle>,
    /// How long one lives at all.
    pub lifetime: Option<Lifetime>,
}

impl SessionsTable {
    /// What is decided, with other limits where `flags` name them.
    pub fn limits(self, flags: Self) -> SessionLimits {
        let usual = SessionLimits::default();
        let idle = flags.idle.or(self.idle).map_or(usual.idle(), |idle| idle.0);
        let lifetime = flags.lifetime.or(self.lifetime).map_or(usual.lifetime(), |life| life.0);
        // Each was looked at where it was read.
        SessionLimits::new(idle, lifetime).unwrap_or(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_with_its_unit_and_never_above_the_protocol() {
        for (text, seconds) in
            [("1s", 1), ("3600s", 3_600), ("2m", 120), ("60m", 3_600), ("1h", 3_600)]
        {
            assert_eq!(text.parse(), Ok(Idle(Duration::from_secs(seconds))), "{text}");
            assert_eq!(text.parse(), Ok(Lifetime(Duration::from_secs(seconds))), "{text}");
        }
        assert_eq!("24h".parse(), Ok(Lifetime(Duration::from_hours(24))));
        for text in ["3601s", "61m", "2h"] {
            assert_eq!(text.parse::<Idle>(), Err(InvalidLimit::Idle), "{text}");
        }
        let neither = [
            "",
            "s",
            "30",
            "0s",
            "-3s",
            "+3s",
            "25h",
            "86401s",
            "0.5h",
            "3 s",
            "1d",
            "99999999999999999999s",
        ];
        for text in neither {
            assert_eq!(text.parse::<Idle>(), Err(InvalidLimit::Idle), "{text}");
            assert_eq!(text.parse::<Lifetime>(), Err(InvalidLimit::Lifetime), "{text}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_table_and_the_table_over_the_default() {
        let table: SessionsTable = toml::from_str("idle = '9s'\nlifetime = '2h'").unwrap();
        let limits = |idle, lifetime| {
            SessionLimits::new(Duration::from_secs(idle), Duration::from_secs(lifetime)).unwrap()
        };
        assert_eq!(table.limits(SessionsTable::default()), limits(9, 7_200));
        let flags = SessionsTable { idle: "3s".parse().ok(), lifetime: None };
        assert_eq!(table.limits(flags), limits(3, 7_200));
        let flags = SessionsTable { idle: None, lifetime: "4s".parse().ok() };
        assert_eq!(table.limits(flags), limits(9, 4));
        let nobody = SessionsTable::default();
        assert_eq!(nobody.limits(nobody), SessionLimits::default());
    }
}
