//! How ways are chosen, as an operator writes it.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::sessions::span;

/// After how long a durable message that a relay took and nobody acknowledged is overdue (`docs/protocol/1.1.md#relay-suspicion`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RelayPatience(Duration);

/// A text that is no such time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time from `1s` to `1h`")]
pub struct InvalidRelayPatience;

const PATIENCE_MAX: Duration = Duration::from_hours(1);

impl From<RelayPatience> for Duration {
    fn from(patience: RelayPatience) -> Self {
        patience.0
    }
}

impl FromStr for RelayPatience {
    type Err = InvalidRelayPatience;

    fn from_str(text: &str) -> Result<Self, InvalidRelayPatience> {
        let is_in_range =
            |patience: &Duration| (Duration::from_secs(1)..=PATIENCE_MAX).contains(patience);
        span(text).filter(is_in_range).map(Self).ok_or(InvalidRelayPatience)
    }
}

impl TryFrom<String> for RelayPatience {
    type Error = InvalidRelayPatience;

    fn try_from(text: String) -> Result<Self, InvalidRelayPatience> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patience_is_a_second_to_an_hour() {
        for (text, seconds) in [("1s", 1), ("2m", 120), ("1h", 3_600)] {
            assert_eq!(text.parse(), Ok(RelayPatience(Duration::from_secs(seconds))));
        }
        for text in ["0s", "61m", "2h", "30", "", "-1s"] {
            assert_eq!(text.parse::<RelayPatience>(), Err(InvalidRelayPatience), "{text}");
        }
    }
}
