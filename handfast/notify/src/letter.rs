//! One thing to be told to one channel, with the data of its incident to lay out.
//!
//! Everything here is data: it is kept in the outbox as JSON, and a channel reads it. How it looks is the channels' matter.

use std::fmt;

use handfast_scenario::event::Summary;
use serde::{Deserialize, Serialize};

/// One thing to be told to one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// What it is recognised by, on our side and on the channel's.
    pub key: Key,
    /// Whether it opens a message, changes it, or answers it.
    pub kind: Kind,
    /// The incident as it was when the letter was written.
    pub incident: Incident,
    /// Whether people are mentioned: not in quiet hours.
    pub mention: Mention,
    /// The message that the incident opened; `Edit` and `Reply` need it where the channel gave one.
    pub reference: Option<Reference>,
    /// Whether an earlier attempt may have been accepted: the channel looks before it sends again, where it can.
    pub unsure: bool,
}

/// Names a letter for ever: the same for every attempt, different for any other letter of the project.
///
/// At most [`Key::LEN_MAX`] bytes of `[A-Za-z0-9._:/-]`, never empty, so that it fits into a header, a
/// message's metadata and a log line as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Key {
    /// Longest key, bytes: what every service takes as an idempotency key.
    pub const LEN_MAX: usize = 128;

    /// Takes a text as key; `None` if it is empty, too long, or has another character.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let fits = !text.is_empty() && text.len() <= Self::LEN_MAX;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
        (fits && text.bytes().all(plain)).then_some(Self(text))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for Key {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text).ok_or("a key is 1 to 128 of the characters A-Z a-z 0-9 . _ : / -")
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

/// What a letter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "note", rename_all = "snake_case")]
pub enum Kind {
    /// Opens the message of an incident.
    Post,
    /// Makes the message say what the incident is by now.
    Edit,
    /// Adds a note to the message's thread.
    Reply(Note),
    /// Somebody tries the channel; the incident is an invented one.
    Test,
}

/// What a note in the thread says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// A further run of the subject is red.
    RedAgain,
    /// The subject is green again.
    Recovered,
    /// The runner died.
    Died,
}

/// Whether a letter may wake somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mention {
    /// Owners are mentioned.
    Loud,
    /// Owners are named, and nobody is mentioned.
    Quiet,
}

/// What a channel calls a message, such as Slack's channel and `ts`: opaque to everybody but the channel that gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reference(pub String);

/// A stretch of red runs of one subject in one class, as far as it is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// Name of the project.
    pub project: String,
    /// What is watched: `daily`, `full`, a workflow and its branch.
    pub subject: String,
    /// Whose matter it is.
    pub class: Class,
    /// Whether it lasts.
    pub state: State,
    /// When it was opened, microseconds since the Unix epoch.
    pub opened_unix_us: i64,
    /// When it was last seen, microseconds since the Unix epoch: the newest red run's newest event, or the recovery.
    pub seen_unix_us: i64,
    /// Red runs so far, the present one included; at least 1.
    pub runs: u64,
    /// Id of the newest run.
    pub run: String,
    /// Whether the newest run is over.
    pub over: bool,
    /// Exit code of the newest run once it is over and lived to say it.
    pub exit_code: Option<u8>,
    /// The command line to repeat it, program first.
    pub command: Vec<String>,
    /// Counts of the newest run: so far, or final when it is over.
    pub counts: Counts,
    /// What failed in the newest red run, in the order in which it did; at most [`Incident::FAILURES_MAX`].
    pub failures: Vec<Failure>,
    /// Failures beyond those listed.
    pub failures_more: u64,
    /// Address of the run in CI.
    pub link: Option<String>,
    /// Folder of the run's record, relative to the project.
    pub record: String,
    /// How the runner died, if it did.
    pub died: Option<Death>,
}

impl Incident {
    /// Failures that are listed one by one; the rest is counted.
    pub const FAILURES_MAX: usize = 20;
}

/// Whose matter an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The product's: something failed, or a budget was spent.
    Product,
    /// The platform's or the machine's: nothing can be said of the product.
    Infra,
}

/// Whether an incident lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The newest run is red.
    Open,
    /// A run was green.
    Recovered,
}

/// The counts of a run, and how far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Units that are over.
    pub done: u64,
    /// Units of the run.
    pub total: u64,
    /// How the units ended.
    pub summary: Summary,
}

/// A unit or suite that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Id of the unit, such as `token/pay[version=1.1]`.
    pub unit: String,
    /// Its category.
    pub category: String,
    /// Who played, such as `entity, reference10`.
    pub peers: Vec<String>,
    /// First line of the reason.
    pub reason: String,
    /// Whose it is.
    pub owner: Option<Owner>,
}

/// Who answers for something, as the project file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Their name for people, such as `payments team`.
    pub who: Option<String>,
    /// Their Slack member id (`@U0123`), user group id (`@S0123`) or `@here`/`@channel`.
    pub slack: Option<String>,
}

/// How a runner died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Death {
    /// When it was noticed, microseconds since the Unix epoch.
    pub noticed_unix_us: i64,
    /// A unit that ran at that time.
    pub unit: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_plain() {
        assert_eq!(Key::new("x/daily:3").unwrap().as_str(), "x/daily:3");
        assert_eq!(Key::new(""), None);
        assert_eq!(Key::new("two words"), None);
        assert_eq!(Key::new("a\r\nHost: b"), None);
        assert!(Key::new("k".repeat(Key::LEN_MAX)).is_some());
        assert_eq!(Key::new("k".repeat(Key::LEN_MAX + 1)), None);
        assert!(serde_json::from_str::<Key>("\"a b\"").is_err());
    }

    #[test]
    fn the_kind_of_a_letter_is_kept_in_these_bytes() {
        let kept = |kind: Kind| serde_json::to_string(&kind).unwrap();
        assert_eq!(kept(Kind::Post), r#"{"kind":"post"}"#);
        assert_eq!(kept(Kind::Reply(Note::RedAgain)), r#"{"kind":"reply","note":"red_again"}"#);
        for kind in [Kind::Post, Kind::Edit, Kind::Test, Kind::Reply(Note::Recovered)] {
            assert_eq!(serde_json::from_str::<Kind>(&kept(kind)).unwrap(), kind);
        }
    }
}
