//! What of the settings decides which letters are written, and when they may go.

use std::collections::BTreeSet;

use handfast_scenario::notify::{ChannelService, IncidentClass, NotifySettings, Quiet, QuietThen};

use crate::letter::{Class, Mention};
use crate::quiet;

/// The rules of a project.
#[derive(Debug, Clone)]
pub struct Rules {
    channels: Vec<ChannelRule>,
    quiet: Option<Quiet>,
}

/// A channel, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRule {
    /// Its name.
    pub name: String,
    /// Whether it can change a message; then it can also be asked for one.
    pub edits: bool,
    classes: BTreeSet<Class>,
    quiet: Option<Quiet>,
}

impl ChannelRule {
    /// Until when a letter that was held before is held once more, as it would go in quiet hours again. Quiet days without an end hold
    /// nothing twice.
    pub fn held_again(&self, now_unix_us: i64) -> Option<i64> {
        let quiet = self.quiet.as_ref().filter(|quiet| quiet.then == QuietThen::Hold)?;
        let end = quiet::ends(quiet, now_unix_us)?;
        quiet::ends(quiet, end).is_none().then_some(end)
    }
}

impl Rules {
    /// The rules of these settings.
    pub fn of(settings: &NotifySettings) -> Self {
        let channels = settings.channels.iter().map(|channel| ChannelRule {
            name: channel.name.clone(),
            edits: matches!(channel.service, ChannelService::SlackBot { .. }),
            classes: channel.classes.iter().map(|class| class_of(*class)).collect(),
            quiet: settings.quiet.clone(),
        });
        Self { channels: channels.collect(), quiet: settings.quiet.clone() }
    }

    /// All channels, in the order of the project file.
    pub fn channels(&self) -> &[ChannelRule] {
        &self.channels
    }

    /// The channels that are told of a class.
    pub fn channels_of(&self, class: Class) -> impl Iterator<Item = &ChannelRule> {
        self.channels.iter().filter(move |channel| channel.classes.contains(&class))
    }

    /// Whether a letter written now may mention people, and until when it is held.
    ///
    /// Quiet hours are for everything alike, the death of a runner too: who is to be woken by it takes `no-mention`, or no
    /// quiet hours at all.
    pub fn hush(&self, now_unix_us: i64) -> (Mention, Option<i64>) {
        let Some(quiet) = &self.quiet else { return (Mention::Loud, None) };
        match (quiet::ends(quiet, now_unix_us), quiet.then) {
            (None, _) => (Mention::Loud, None),
            (Some(end), QuietThen::Hold) => (Mention::Loud, Some(end)),
            (Some(_), QuietThen::NoMention) => (Mention::Quiet, None),
        }
    }
}

fn class_of(class: IncidentClass) -> Class {
    match class {
        IncidentClass::Product => Class::Product,
        IncidentClass::Infra => Class::Infra,
    }
}
