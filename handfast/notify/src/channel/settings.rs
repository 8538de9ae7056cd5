//! What a channel is, as `[[notify.channels]]` of the project file says it.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// One channel of the project file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its name, by which messages and errors speak of it.
    pub name: String,
    /// What service it is.
    pub service: Service,
    /// Where its secret comes from: the token of a bot, the whole address of the two webhooks.
    pub secret: SecretFrom,
}

/// The services that letters can be handed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// `kind = "slack-bot"`: messages, threads, edits, and look-ups after a lost answer.
    SlackBot {
        /// Id of the channel, such as `C0123ABCD`.
        channel: String,
        /// Address of the API; `None`: [`Service::SLACK_API`].
        api: Option<String>,
    },
    /// `kind = "slack-webhook"`: Slack's incoming webhook, which can only add messages.
    SlackWebhook,
    /// `kind = "webhook"`: any service that takes JSON.
    Webhook {
        /// Name of a built-in template, or a template's file relative to the project.
        template: String,
        /// `POST`, `PUT` or `PATCH`.
        method: String,
        /// Further headers of the request.
        headers: BTreeMap<String, HeaderFrom>,
    },
}

impl Service {
    /// Where Slack's API is.
    pub const SLACK_API: &str = "https://slack.com/api";
}

/// Where a header's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderFrom {
    /// The project file itself.
    Plain(String),
    /// Elsewhere.
    Secret(SecretFrom),
}

/// Where a secret comes from; never the project file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFrom {
    /// `{ env = "NAME" }`: a variable of the environment.
    Environment(String),
    /// `{ file = "/run/secrets/slack" }`: the first line of a file, relative to the project.
    File(PathBuf),
}
