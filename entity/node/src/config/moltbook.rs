//! What the node does on Moltbook, as an operator writes it.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use entity_moltbook::Origin;
use entity_moltbook::duty::{LOOK_MIN, PERIOD_MAX, Plan};
use entity_moltbook::letter::PERIOD_MIN;
use entity_moltbook::words::Submolt;
use entity_peer::PeerName;
use serde::{Deserialize, Deserializer};

use super::sessions::span;

/// The community of whoever names none.
pub const SUBMOLT_USUAL: &str = "general";

/// How often the node says how it is: a number of minutes or hours, `31m` to `168h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct StatusPeriod(Duration);

/// How often the node looks for mentions, `1m` to `168h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct LookPeriod(Duration);

/// A text that is no such time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTime {
    /// Of [`StatusPeriod`].
    #[error("not a time between `31m` and `168h`: the service takes one post in 30 minutes")]
    Status,
    /// Of [`LookPeriod`].
    #[error("not a time between `1m` and `168h`")]
    Look,
}

impl TryFrom<String> for StatusPeriod {
    type Error = InvalidTime;

    fn try_from(text: String) -> Result<Self, InvalidTime> {
        let period = span(&text).filter(|period| (PERIOD_MIN..=PERIOD_MAX).contains(period));
        period.map(Self).ok_or(InvalidTime::Status)
    }
}

impl TryFrom<String> for LookPeriod {
    type Error = InvalidTime;

    fn try_from(text: String) -> Result<Self, InvalidTime> {
        let period = span(&text).filter(|period| (LOOK_MIN..=PERIOD_MAX).contains(period));
        period.map(Self).ok_or(InvalidTime::Look)
    }
}

/// The `[moltbook]` table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct MoltbookTable {
    /// The file with the key, readable for its owner alone.
    pub key_file: PathBuf,
    /// Where the service is.
    pub api: Origin,
    /// The only certificates that are believed, in place of the system's.
    pub trust: Option<PathBuf>,
    /// Whether the account is more than a day old.
    pub established: bool,
    /// In which community statuses are posted.
    pub submolt: Submolt,
    /// What is done by itself.
    pub plan: Plan,
    /// Who gets what names the account.
    pub hand_off: Option<PeerName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    key_file: PathBuf,
    #[serde(default, deserialize_with = "parsed")]
    api: Option<String>,
    trust: Option<PathBuf>,
    #[serde(default)]
    established: bool,
    submolt: Option<String>,
    status: Option<StatusPeriod>,
    mentions: Option<LookPeriod>,
    #[serde(default, deserialize_with = "peer")]
    hand_off: Option<PeerName>,
}

/// Fields that do not go together, or are none.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("`mentions` says how often to look for `hand_off`: give both, or none of them")]
    Half,
    #[error("{0}")]
    Word(#[from] entity_moltbook::words::BadWord),
    #[error("{0}")]
    Origin(#[from] entity_moltbook::origin::BadOrigin),
}

impl TryFrom<Written> for MoltbookTable {
    type Error = Unfit;

    fn try_from(written: Written) -> Result<Self, Unfit> {
        if written.mentions.is_some() != written.hand_off.is_some() {
            return Err(Unfit::Half);
        }
        let plan = Plan {
            status: written.status.map(|period| period.0),
            mentions: written.mentions.map(|period| period.0),
        };
        Ok(Self {
            key_file: written.key_file,
            api: written.api.as_deref().map_or(Ok(Origin::service()), Origin::parse)?,
            trust: written.trust,
            established: written.established,
            submolt: Submolt::new(written.submolt.as_deref().unwrap_or(SUBMOLT_USUAL))?,
            plan,
            hand_off: written.hand_off,
        })
    }
}

/// An address of the service, checked where it stands so that the error points there.
fn parsed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Origin::parse(&text).map_err(serde::de::Error::custom)?;
    Ok(Some(text))
}

fn peer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PeerName>, D::Error> {
    let text = String::deserialize(deserializer)?;
    PeerName::from_str(&text).map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<MoltbookTable, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn a_key_is_enough_and_then_nothing_is_done_by_itself() {
        let table = read("key_file = 'key'").unwrap();
        assert_eq!((table.api, table.plan), (Origin::service(), Plan::default()));
        assert_eq!(table.submolt.as_str(), "general");
        assert!(!table.established);
    }

    #[test]
    fn what_is_done_by_itself_has_its_times() {
        let table =
            read("key_file = 'k'\nstatus = '6h'\nmentions = '5m'\nhand_off = 'entity-b'").unwrap();
        let hours = |hours| Some(Duration::from_hours(hours));
        assert_eq!(table.plan.status, hours(6));
        assert_eq!(table.plan.mentions, Some(Duration::from_mins(5)));
        assert_eq!(table.hand_off.unwrap().as_str(), "entity-b");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (text, said) in [
            ("status = '6h'", "missing field `key_file`"),
            ("key_file = 'k'\nstatus = '30m'", "between `31m` and `168h`"),
            ("key_file = 'k'\nstatus = '169h'", "between `31m` and `168h`"),
            ("key_file = 'k'\nmentions = '59s'\nhand_off = 'b'", "between `1m` and `168h`"),
            ("key_file = 'k'\nmentions = '5m'", "give both, or none of them"),
            ("key_file = 'k'\nhand_off = 'b'", "give both, or none of them"),
            ("key_file = 'k'\napi = 'https://moltbook.com/api/v1'", "www.moltbook.com"),
            ("key_file = 'k'\napi = 'http://localhost/api/v1'", "https://"),
            ("key_file = 'k'\nsubmolt = 'a b'", "the submolt has ' ' in it"),
            ("key_file = 'k'\nkey = 'moltbook_sk_'", "unknown field `key`"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
