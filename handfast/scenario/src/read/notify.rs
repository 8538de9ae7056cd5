//! `[notify]` and its channels.

use std::collections::{BTreeMap, BTreeSet};

use super::Sink;
use super::fields::{Fields, list, one_of, table, text, texts};
use crate::document::{Node, NodeValue};
use crate::name::SuiteName;
use crate::notify::{
    CHANNELS_MAX, ChannelService, ChannelSettings, Day, HeaderFrom, IncidentClass, NotifySettings,
    OWNERS_MAX, OwnerRule, Quiet, QuietThen, SecretFrom, zone,
};
use crate::project::Pattern;

pub(super) fn read(fields: &Fields<'_>, sink: &mut Sink) -> Option<NotifySettings> {
    let node = fields.node("notify")?;
    let fields =
        Fields::open(node, "[notify]", &["deadline", "owners", "quiet", "channels"], sink)?;
    let owners = fields.node("owners").map(|node| owners(node, sink)).unwrap_or_default();
    let quiet = fields.node("quiet").and_then(|node| quiet(node, sink));
    let example = "[{ name = \"..\", kind = \"slack-bot\", .. }]";
    let channels = fields.required("channels", example, sink);
    let channels = channels.map(|node| channels_of(node, sink)).unwrap_or_default();
    Some(NotifySettings {
        deadline: fields.duration("deadline", sink).unwrap_or(NotifySettings::DEADLINE),
        owners,
        quiet,
        channels,
    })
}

fn owners(node: &Node, sink: &mut Sink) -> Vec<OwnerRule> {
    let items = list(node, "owners", sink).unwrap_or_default();
    if items.len() > OWNERS_MAX {
        let message = format!("there are {} owners, at most {OWNERS_MAX} can be", items.len());
        sink.note(node.span, message, "too many", "match more with one pattern".to_owned());
    }
    items.iter().filter_map(|item| owner(item, sink)).collect()
}

fn owner(node: &Node, sink: &mut Sink) -> Option<OwnerRule> {
    let fields = Fields::open(node, "an owner", &["match", "who", "slack"], sink)?;
    let slack = fields.text("slack", sink).map(str::to_owned);
    if let Some(slack) = &slack
        && !is_mention(slack)
    {
        let span = fields.node("slack").map_or(node.span, |node| node.span);
        let help = "write a member `@U0123`, a group `@S0123`, `@here` or `@channel`".to_owned();
        sink.note(span, format!("Slack cannot mention {slack:?}"), "no id", help);
    }
    let who = fields.text("who", sink).map(str::to_owned);
    if who.is_none() && slack.is_none() {
        let help = "add `who = \"payments team\"` or `slack = \"@U0123\"`".to_owned();
        sink.note(node.span, "an owner needs a name".to_owned(), "nobody", help);
    }
    let written = fields.required_text("match", "\"token/*\"", sink)?;
    match Pattern::new(written) {
        Ok(pattern) => Some(OwnerRule { pattern, who, slack }),
        Err(error) => {
            let message = format!("{written:?} is no pattern: {}", error.kind());
            let help = "`*` is any text, `?` any letter".to_owned();
            sink.note(node.span, message, "not a pattern", help);
            None
        }
    }
}

fn is_mention(text: &str) -> bool {
    let id = text.strip_prefix('@').unwrap_or_default();
    let member = id.starts_with(['U', 'W', 'S'])
        && id.len() > 1
        && id.len() <= 32
        && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    member || id == "here" || id == "channel"
}

const DAYS: [(&str, Day); 7] = [
    ("mon", Day::Monday),
    ("tue", Day::Tuesday),
    ("wed", Day::Wednesday),
    ("thu", Day::Thursday),
    ("fri", Day::Friday),
    ("sat", Day::Saturday),
    ("sun", Day::Sunday),
];

fn quiet(node: &Node, sink: &mut Sink) -> Option<Quiet> {
    let fields =
        Fields::open(node, "the quiet hours", &["from", "to", "zone", "days", "then"], sink)?;
    let mut minute = |key: &str, example: &str| {
        let node = fields.required(key, example, sink)?;
        let written = text(node, key, sink)?;
        let minute = minute_of(written);
        if minute.is_none() {
            let message = format!("`{key}` is no time of day: {written:?}");
            sink.note(node.span, message, "not HH:MM", format!("write `{key} = {example}`"));
        }
        minute
    };
    let (from, to) = (minute("from", "\"22:00\""), minute("to", "\"07:00\""));
    let written_zone = fields.text("zone", sink).unwrap_or("UTC");
    if let Err(error) = zone(written_zone) {
        let span = fields.node("zone").map_or(node.span, |node| node.span);
        sink.note(span, error, "unknown", "write a name such as \"Europe/Berlin\"".to_owned());
    }
    let mut days = BTreeSet::new();
    for (written, span) in fields.texts("days", sink) {
        match DAYS.iter().find(|(name, _)| *name == written) {
            Some((_, day)) => {
                days.insert(*day);
            }
            None => one_of(written, span, "days", &DAYS.map(|(name, _)| name), sink),
        }
    }
    let then = match fields.text("then", sink) {
        None | Some("hold") => QuietThen::Hold,
        Some("no-mention") => QuietThen::NoMention,
        Some(other) => {
            let span = fields.node("then").map_or(node.span, |node| node.span);
            one_of(other, span, "then", &["hold", "no-mention"], sink);
            QuietThen::Hold
        }
    };
    Some(Quiet { from: from?, to: to?, zone: written_zone.to_owned(), days, then })
}

/// Minutes since midnight of `HH:MM`.
fn minute_of(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

fn channels_of(node: &Node, sink: &mut Sink) -> Vec<ChannelSettings> {
    let items = list(node, "channels", sink).unwrap_or_default();
    if items.is_empty() || items.len() > CHANNELS_MAX {
        let message = format!("there are 1 to {CHANNELS_MAX} channels, not {}", items.len());
        sink.note(node.span, message, "here", "write [[notify.channels]]".to_owned());
    }
    let mut read: Vec<ChannelSettings> = Vec::new();
    for item in items {
        let Some(channel) = channel(item, sink) else { continue };
        if read.iter().any(|other| other.name == channel.name) {
            let message = format!("two channels have the name {}", channel.name);
            sink.note(item.span, message, "the second", "give it another name".to_owned());
        }
        read.push(channel);
    }
    read
}

const CHANNEL_KEYS: [&str; 9] =
    ["name", "kind", "channel", "api", "secret", "template", "method", "headers", "classes"];

const KINDS: [&str; 3] = ["slack-bot", "slack-webhook", "webhook"];

fn channel(node: &Node, sink: &mut Sink) -> Option<ChannelSettings> {
    let fields = Fields::open(node, "a channel", &CHANNEL_KEYS, sink)?;
    fields.required("name", "\"team\"", sink);
    let name = fields.name("name", SuiteName::new, sink);
    let example = "{ env = \"HANDFAST_SLACK_TOKEN\" }";
    let secret = fields.required("secret", example, sink);
    let secret = secret.and_then(|node| secret_from(node, sink));
    let service = service(&fields, sink);
    let classes = classes(&fields, sink);
    Some(ChannelSettings {
        name: name?.as_str().to_owned(),
        service: service?,
        secret: secret?,
        classes,
    })
}

fn service(fields: &Fields<'_>, sink: &mut Sink) -> Option<ChannelService> {
    let node = fields.required("kind", "\"slack-bot\"", sink)?;
    let kind = text(node, "kind", sink)?;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let (service, foreign): (_, &[&str]) = match kind {
        "slack-bot" => {
            let channel = owned(fields.required_text("channel", "\"C0123\"", sink));
            let api = owned(fields.text("api", sink));
            let service = channel.map(|channel| ChannelService::SlackBot { channel, api });
            (service, &["template", "method", "headers"])
        }
        "slack-webhook" => (
            Some(ChannelService::SlackWebhook),
            &["channel", "api", "template", "method", "headers"],
        ),
        "webhook" => (Some(webhook(fields, sink)), &["channel", "api"]),
        other => {
            one_of(other, node.span, "kind", &KINDS, sink);
            return None;
        }
    };
    for entry in foreign.iter().filter_map(|key| fields.entry(key)) {
        let message = format!("`{}` means nothing in a channel of kind {kind}", entry.key);
        sink.note(entry.key_span, message, "without effect", "leave it out".to_owned());
    }
    service
}

fn webhook(fields: &Fields<'_>, sink: &mut Sink) -> ChannelService {
    let method = fields.text("method", sink).unwrap_or("POST").to_owned();
    let methods = ["POST", "PUT", "PATCH"];
    if !methods.contains(&method.as_str()) {
        let span = fields.node("method").map_or(fields.span, |node| node.span);
        one_of(&method, span, "method", &methods, sink);
    }
    let template = fields.text("template", sink).unwrap_or("json").to_owned();
    let mut headers = BTreeMap::new();
    let entries = fields.node("headers").and_then(|node| table(node, "headers", sink));
    for entry in entries.unwrap_or_default() {
        let value = match &entry.node.value {
            NodeValue::Text(text) => Some(HeaderFrom::Plain(text.clone())),
            NodeValue::Table(_)
            | NodeValue::Integer(_)
            | NodeValue::Float(_)
            | NodeValue::Boolean(_)
            | NodeValue::List(_) => secret_from(&entry.node, sink).map(HeaderFrom::Secret),
        };
        headers.extend(value.map(|value| (entry.key.clone(), value)));
    }
    ChannelService::Webhook { template, method, headers }
}

fn secret_from(node: &Node, sink: &mut Sink) -> Option<SecretFrom> {
    if let NodeValue::Text(_) = node.value {
        // What stands in the file is in the repository's history: it is not repeated here either.
        let message = "a secret does not stand in the project file".to_owned();
        let help = "write `{ env = \"NAME\" }` or `{ file = \"/run/secrets/name\" }`, and take the secret out of the repository's history".to_owned();
        sink.note(node.span, message, "readable by everybody", help);
        return None;
    }
    let fields = Fields::open(node, "a secret", &["env", "file"], sink)?;
    let (variable, file) = (fields.text("env", sink), fields.text("file", sink));
    match (variable, file) {
        (Some(variable), None) => Some(SecretFrom::Environment(variable.to_owned())),
        (None, Some(file)) => Some(SecretFrom::File(file.to_owned())),
        (Some(_), Some(_)) | (None, None) => {
            let message = "a secret comes from one place".to_owned();
            let help = "write either `env` or `file`".to_owned();
            sink.note(node.span, message, "here", help);
            None
        }
    }
}

fn classes(fields: &Fields<'_>, sink: &mut Sink) -> BTreeSet<IncidentClass> {
    let all = BTreeSet::from([IncidentClass::Product, IncidentClass::Infra]);
    let Some(node) = fields.node("classes") else { return all };
    let mut read = BTreeSet::new();
    for (written, span) in texts(node, "classes", sink) {
        match written {
            "product" => {
                read.insert(IncidentClass::Product);
            }
            "infra" => {
                read.insert(IncidentClass::Infra);
            }
            other => one_of(other, span, "classes", &["product", "infra"], sink),
        }
    }
    if read.is_empty() {
        let help = "write `classes = [\"product\", \"infra\"]`, or leave it out".to_owned();
        sink.note(node.span, "a channel without classes is told nothing".to_owned(), "here", help);
    }
    read
}

#[cfg(test)]
mod tests;
