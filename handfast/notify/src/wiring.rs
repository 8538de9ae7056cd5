//! From the project file to channels that can be handed letters.

use std::path::Path;

use handfast_scenario::notify::{
    ChannelService, ChannelSettings, HeaderFrom, NotifySettings, SecretFrom,
};

use crate::channel::{self, Channel, Opened, settings};
use crate::letter::Letter;
use crate::outcome::Outcome;

/// Every channel of the project, in the order of the file; one that cannot be opened refuses every letter and says why.
pub fn open_all(root: &Path, settings: &NotifySettings) -> Vec<Box<dyn Channel>> {
    settings.channels.iter().map(|channel| open(root, channel).channel).collect()
}

/// One channel of the project, and what is unwise about it; if it cannot be opened, one that refuses every letter and says why.
pub fn open(root: &Path, channel: &ChannelSettings) -> Opened {
    channel::open(&wired(channel), &environment, root).unwrap_or_else(|error| {
        let closed = Closed { why: crate::teller::chain(&error) };
        Opened { channel: Box::new(closed), warnings: Vec::new() }
    })
}

/// What is wrong with those channels that cannot be opened, a sentence each.
pub fn closed(root: &Path, settings: &NotifySettings) -> Vec<String> {
    let opened =
        settings.channels.iter().map(|channel| channel::open(&wired(channel), &environment, root));
    opened.filter_map(|opened| Some(crate::teller::chain(&opened.err()?))).collect()
}

/// The settings of a channel as its own module wants them.
fn wired(channel: &ChannelSettings) -> settings::Settings {
    let secret = |from: &SecretFrom| match from {
        SecretFrom::Environment(name) => settings::SecretFrom::Environment(name.clone()),
        SecretFrom::File(path) => settings::SecretFrom::File(path.into()),
    };
    let header = |from: &HeaderFrom| match from {
        HeaderFrom::Plain(text) => settings::HeaderFrom::Plain(text.clone()),
        HeaderFrom::Secret(from) => settings::HeaderFrom::Secret(secret(from)),
    };
    let service = match &channel.service {
        ChannelService::SlackBot { channel, api } => {
            settings::Service::SlackBot { channel: channel.clone(), api: api.clone() }
        }
        ChannelService::SlackWebhook => settings::Service::SlackWebhook,
        ChannelService::Webhook { template, method, headers } => settings::Service::Webhook {
            template: template.clone(),
            method: method.clone(),
            headers: headers.iter().map(|(name, from)| (name.clone(), header(from))).collect(),
        },
    };
    settings::Settings { name: channel.name.clone(), service, secret: secret(&channel.secret) }
}

/// A variable of the environment; one that is no text is as good as none.
fn environment(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

/// A channel that cannot be used as it is set up.
struct Closed {
    why: String,
}

impl Closed {
    fn refuses(&self) -> Outcome {
        let fix = "mend [[notify.channels]] of handfast.toml or where its secret comes from; the next start tries again";
        Outcome::Never { why: self.why.clone(), fix: fix.to_owned() }
    }
}

impl Channel for Closed {
    fn deliver(&self, _letter: &Letter) -> Outcome {
        self.refuses()
    }

    fn check(&self) -> Result<String, Outcome> {
        Err(self.refuses())
    }
}
