//! What a project says about telling people: `[notify]`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::project::Pattern;

/// Most channels of a project; each is a thread of the courier.
pub const CHANNELS_MAX: usize = 16;

/// Most `owners` lines of a project.
pub const OWNERS_MAX: usize = 1_000;

/// `[notify]`: whom to tell what.
#[derive(Debug, Clone)]
pub struct NotifySettings {
    /// Within which time everything is to be told; what takes longer counts as late.
    pub deadline: Duration,
    /// Whose a failed unit is; the first whose pattern matches its id.
    pub owners: Vec<OwnerRule>,
    /// When nobody is disturbed.
    pub quiet: Option<Quiet>,
    /// Where to tell; at least one, each name once.
    pub channels: Vec<ChannelSettings>,
}

impl NotifySettings {
    /// Time to tell where a project does not say.
    pub const DEADLINE: Duration = Duration::from_mins(5);

    /// The first owner whose pattern matches the id of a unit.
    pub fn owner(&self, unit: &str) -> Option<&OwnerRule> {
        self.owners.iter().find(|owner| owner.pattern.matches(unit))
    }
}

/// Who answers for some units.
#[derive(Debug, Clone)]
pub struct OwnerRule {
    /// Which units, by their ids.
    pub pattern: Pattern,
    /// Their name for people.
    pub who: Option<String>,
    /// Whom Slack mentions: a member `@U0123`, a group `@S0123`, `@here` or `@channel`.
    pub slack: Option<String>,
}

/// Hours in which nobody is disturbed: from a minute of the day to another one, past midnight where the second is not later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    /// First quiet minute of the day, 0 to 1439, on the clock of `zone`.
    pub from: u16,
    /// First minute that is not quiet any more.
    pub to: u16,
    /// Name of the zone, such as `Europe/Berlin`.
    pub zone: String,
    /// Days that are quiet from their first minute to their last, beside the hours.
    pub days: BTreeSet<Day>,
    /// What happens to a letter then.
    pub then: QuietThen,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "their names say everything")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// What happens to a letter in quiet hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuietThen {
    /// It waits until they are over.
    Hold,
    /// It is told at once and mentions nobody.
    NoMention,
}

/// `[[notify.channels]]`: one service, one place in it, one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSettings {
    /// Its name: letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// What service it is.
    pub service: ChannelService,
    /// Where its secret comes from.
    pub secret: SecretFrom,
    /// The classes of incidents it is told of; at least one.
    pub classes: BTreeSet<IncidentClass>,
}

/// The services that can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelService {
    /// `slack-bot`: messages that are edited, and threads.
    SlackBot {
        /// Id of the channel.
        channel: String,
        /// Address of the API; `None`: Slack's.
        api: Option<String>,
    },
    /// `slack-webhook`: messages only.
    SlackWebhook,
    /// `webhook`: whatever takes JSON.
    Webhook {
        /// Name of a built-in template, or a file relative to the project.
        template: String,
        /// `POST`, `PUT` or `PATCH`.
        method: String,
        /// Further headers.
        headers: BTreeMap<String, HeaderFrom>,
    },
}

/// Where a header's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderFrom {
    /// The project file.
    Plain(String),
    /// Elsewhere.
    Secret(SecretFrom),
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFrom {
    /// A variable of the environment.
    Environment(String),
    /// The first line of a file, relative to the project.
    File(String),
}

/// Whose matter an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IncidentClass {
    /// The product's.
    Product,
    /// The platform's or the machine's.
    Infra,
}

/// Checks that there is a time zone of this name.
///
/// # Errors
///
/// What is wrong with it, as a fragment.
pub fn zone(name: &str) -> Result<jiff::tz::TimeZone, String> {
    jiff::tz::TimeZone::get(name).map_err(|_| format!("there is no time zone {name:?}"))
}
