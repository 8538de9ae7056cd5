//! From settings to a channel.

use std::path::Path;
use std::time::Duration;

use super::Channel;
use super::http::{self, Client};
use super::secret::{self, SecretError};
use super::settings::{Service, Settings};
use super::slack::bot::Bot;
use super::slack::incoming::Incoming;
use super::webhook::{Wanted, Webhook};

/// A channel, and what is unwise about it.
pub struct Opened {
    /// The channel.
    pub channel: Box<dyn Channel>,
    /// Sentences for people, such as that others can read the secret.
    pub warnings: Vec<String>,
}

/// Why a channel of the project file cannot be used. No text of it holds anything of the secret.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no secret.
    #[error("channel {channel}: {source}")]
    Secret {
        /// Name of the channel.
        channel: String,
        /// Why.
        source: SecretError,
    },
    /// Something in the project file cannot be.
    #[error("channel {channel}: {why}; {fix}")]
    Settings {
        /// Name of the channel.
        channel: String,
        /// What is wrong.
        why: String,
        /// What to do.
        fix: String,
    },
}

/// Where the settings are from.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    pub(super) folder: &'a Path,
}

/// What a channel finds wrong in its settings.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) why: String,
    pub(super) fix: String,
}

impl Refused {
    pub(super) fn new(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { why: why.into(), fix: fix.into() }
    }
}

/// Opens a channel; `environment` looks a variable up, paths are relative to `folder`.
///
/// # Errors
///
/// [`OpenError`], which names the channel and the fix.
pub fn open(
    settings: &Settings,
    environment: &dyn Fn(&str) -> Option<String>,
    folder: &Path,
) -> Result<Opened, OpenError> {
    open_patient(settings, environment, folder, http::CALL_MAX)
}

/// Opens a channel that waits for each answer at most so long, at least a millisecond: for tests of what is never answered.
///
/// # Errors
///
/// As [`open`].
pub fn open_patient(
    settings: &Settings,
    environment: &dyn Fn(&str) -> Option<String>,
    folder: &Path,
    patience: Duration,
) -> Result<Opened, OpenError> {
    let found = secret::find(&settings.secret, environment, folder)
        .map_err(|source| OpenError::Secret { channel: settings.name.clone(), source })?;
    let mut warnings: Vec<String> = found.warning.into_iter().collect();
    let client = Client::new(patience);
    let channel: Result<Box<dyn Channel>, Refused> = match &settings.service {
        Service::SlackBot { channel, api } => {
            let api = api.as_deref().unwrap_or(Service::SLACK_API);
            Bot::new(client, api, channel, found.secret).map(|bot| Box::new(bot) as _)
        }
        Service::SlackWebhook => {
            Incoming::new(client, found.secret).map(|hook| Box::new(hook) as _)
        }
        Service::Webhook { template, method, headers } => {
            let wanted = Wanted { template, method, headers };
            let place = Place { environment, folder };
            Webhook::new(client, found.secret, &wanted, place).map(|(hook, more)| {
                warnings.extend(more);
                Box::new(hook) as _
            })
        }
    };
    let channel = channel.map_err(|Refused { why, fix }| OpenError::Settings {
        channel: settings.name.clone(),
        why,
        fix,
    })?;
    Ok(Opened { channel, warnings })
}
