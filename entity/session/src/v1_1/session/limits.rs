//! How old a session may become, and how long it may be silent.

use std::time::Duration;

use thiserror::Error;

/// How long a session lives without an authenticated message: 3,600 s.
///
/// Specified by `docs/protocol/1.1.md#session-limits`.
pub const IDLE_LIMIT: Duration = Duration::from_hours(1);

/// How long a session lives at all: 24 h.
///
/// Specified by `docs/protocol/1.1.md#session-limits`.
pub const ABSOLUTE_LIMIT: Duration = Duration::from_hours(24);

/// The least that a limit can be: 1 s, a guess. In less a session ends before its first message has come.
pub const LIMIT_MIN: Duration = Duration::from_secs(1);

/// When this side ends its sessions: when the protocol says so, or earlier.
///
/// Source: `docs/protocol/1.1.md#session-limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    idle: Duration,
    lifetime: Duration,
}

/// Why times are no limits of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidLimits {
    /// The time without a message is less than [`LIMIT_MIN`] or more than [`IDLE_LIMIT`].
    #[error("a session is idle for 1 s to 3,600 s")]
    Idle,
    /// The time in all is less than [`LIMIT_MIN`] or more than [`ABSOLUTE_LIMIT`].
    #[error("a session lives for 1 s to 24 h")]
    Lifetime,
}

impl SessionLimits {
    /// Ends sessions after `idle` without an authenticated message, and after `lifetime` in any case.
    ///
    /// # Errors
    ///
    /// A limit is below [`LIMIT_MIN`] or above that of the protocol.
    pub fn new(idle: Duration, lifetime: Duration) -> Result<Self, InvalidLimits> {
        if !(LIMIT_MIN..=IDLE_LIMIT).contains(&idle) {
            return Err(InvalidLimits::Idle);
        }
        if !(LIMIT_MIN..=ABSOLUTE_LIMIT).contains(&lifetime) {
            return Err(InvalidLimits::Lifetime);
        }
        Ok(Self { idle, lifetime })
    }

    /// How long a session lives without an authenticated message.
    pub const fn idle(self) -> Duration {
        self.idle
    }

    /// How long a session lives at all.
    pub const fn lifetime(self) -> Duration {
        self.lifetime
    }
}

impl Default for SessionLimits {
    /// Those of the protocol: 3,600 s, 24 h.
    fn default() -> Self {
        Self { idle: IDLE_LIMIT, lifetime: ABSOLUTE_LIMIT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_micros(1);

    #[track_caller]
    fn check(idle: Duration, lifetime: Duration, refused: Option<InvalidLimits>) {
        assert_eq!(SessionLimits::new(idle, lifetime).err(), refused);
    }

    #[test]
    fn limits_are_those_of_the_protocol_or_less() {
        check(IDLE_LIMIT, ABSOLUTE_LIMIT, None);
        check(LIMIT_MIN, LIMIT_MIN, None);
        check(IDLE_LIMIT + TICK, ABSOLUTE_LIMIT, Some(InvalidLimits::Idle));
        check(IDLE_LIMIT, ABSOLUTE_LIMIT + TICK, Some(InvalidLimits::Lifetime));
        check(LIMIT_MIN.saturating_sub(TICK), LIMIT_MIN, Some(InvalidLimits::Idle));
        check(LIMIT_MIN, LIMIT_MIN.saturating_sub(TICK), Some(InvalidLimits::Lifetime));
        assert_eq!(SessionLimits::new(IDLE_LIMIT, ABSOLUTE_LIMIT), Ok(SessionLimits::default()));
    }
}
