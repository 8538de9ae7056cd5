//! How much mail a relay keeps, and for how long, as an operator writes it.

use std::str::FromStr;
use std::time::Duration;

use entity_bridge::relay::{Config, Quota};
use serde::Deserialize;

use super::sessions::span;

/// How long mail is kept: a number of seconds, minutes or hours, `90s`, `10m` or `24h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct MailLifetime(Duration);

/// How many messages are kept for one recipient, and as many of one sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub struct MailMax(usize);

/// What is no such limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMail {
    /// Of [`MailLifetime`].
    #[error("not a time between `1s` and `168h`, for example `24h`")]
    Lifetime,
    /// Of [`MailMax`].
    #[error("not a number of messages between 1 and 65536")]
    Messages,
}

/// The longest time: a week. Guessed; beyond it a sender has long been told.
const LIFETIME_MAX: Duration = Duration::from_hours(168);

/// The most messages: as many as there may be in all.
const MESSAGES_MAX: u64 = 65_536;

impl FromStr for MailLifetime {
    type Err = InvalidMail;

    fn from_str(text: &str) -> Result<Self, InvalidMail> {
        let lifetime = span(text).filter(|span| !span.is_zero() && *span <= LIFETIME_MAX);
        lifetime.map(Self).ok_or(InvalidMail::Lifetime)
    }
}

impl TryFrom<String> for MailLifetime {
    type Error = InvalidMail;

    fn try_from(text: String) -> Result<Self, InvalidMail> {
        text.parse()
    }
}

impl TryFrom<u64> for MailMax {
    type Error = InvalidMail;

    fn try_from(messages: u64) -> Result<Self, InvalidMail> {
        let is_possible = (1..=MESSAGES_MAX).contains(&messages);
        let messages = usize::try_from(messages).ok().filter(|_| is_possible);
        messages.map(Self).ok_or(InvalidMail::Messages)
    }
}

impl FromStr for MailMax {
    type Err = InvalidMail;

    fn from_str(text: &str) -> Result<Self, InvalidMail> {
        text.parse::<u64>().map_err(|_| InvalidMail::Messages)?.try_into()
    }
}

/// The `[relay_mail]` table, or what flags say.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailTable {
    /// How long mail is kept.
    pub lifetime: Option<MailLifetime>,
    /// How many messages are kept for one recipient, and of one sender.
    pub messages: Option<MailMax>,
}

impl MailTable {
    /// What the flags say, and this where they say nothing.
    #[must_use]
    pub fn under(self, flags: Self) -> Self {
        Self {
            lifetime: flags.lifetime.or(self.lifetime),
            messages: flags.messages.or(self.messages),
        }
    }

    /// The bounds of a relay that asks `relays` further ones.
    pub(crate) fn bounds(self, relays: usize) -> Config {
        let usual = Config::default();
        let with_messages = |quota: Quota| Quota {
            messages: self.messages.map_or(quota.messages, |max| max.0),
            ..quota
        };
        Config {
            mail_lifetime: self.lifetime.map_or(usual.mail_lifetime, |lifetime| lifetime.0),
            recipient: with_messages(usual.recipient),
            sender: with_messages(usual.sender),
            relays,
            ..usual
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_within_their_bounds() {
        assert_eq!("2s".parse(), Ok(MailLifetime(Duration::from_secs(2))));
        assert_eq!("168h".parse(), Ok(MailLifetime(LIFETIME_MAX)));
        for text in ["", "0s", "169h", "2", "1d"] {
            assert_eq!(text.parse::<MailLifetime>(), Err(InvalidMail::Lifetime), "{text}");
        }
        assert_eq!(("1".parse(), "65536".parse()), (Ok(MailMax(1)), Ok(MailMax(65_536))));
        for text in ["", "0", "65537", "-1", "x"] {
            assert_eq!(text.parse::<MailMax>(), Err(InvalidMail::Messages), "{text}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_table_and_the_table_over_the_default() {
        let table: MailTable = toml::from_str("lifetime = '9s'\nmessages = 7").unwrap();
        let flags = MailTable { messages: "3".parse().ok(), ..MailTable::default() };
        let bounds = table.under(flags).bounds(2);
        assert_eq!((bounds.mail_lifetime, bounds.relays), (Duration::from_secs(9), 2));
        assert_eq!((bounds.recipient.messages, bounds.sender.messages), (3, 3));
        let usual = MailTable::default().bounds(0);
        assert_eq!((usual.recipient.messages, usual.recipient.bytes), (4_096, 16 << 20));
        assert!(toml::from_str::<MailTable>("messages = 0").is_err());
    }
}
