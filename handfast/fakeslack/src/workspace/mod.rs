//! The rules of the service, without input and output: `(request, now)` in, answer out.
//!
//! What is kept of the real service, with the page of its documentation (docs.slack.dev):
//! wrong or absent tokens, missing scopes with what is needed and provided (reference/methods/*, "Errors"); one message a second and channel,
//! 50 calls a minute of tier 3 (apis/web-api/rate-limits); metadata kept by an update that sends none (reference/methods/chat.update);
//! metadata only shown on request (reference/methods/conversations.history, `include_all_metadata`); own messages only may be updated; limits
//! of texts and blocks (reference/block-kit/blocks); the words of an incoming webhook (messaging/sending-messages-using-incoming-webhooks).

mod message;
mod method;
mod rate;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};

pub use self::message::{Message, Page};
pub use self::rate::Limits;

/// What a workspace is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bot's token.
    pub token: String,
    /// What the token may do.
    pub scopes: BTreeSet<String>,
    /// Ids of the channels that the bot is in.
    pub channels: BTreeSet<String>,
    /// Channels that exist and that the bot is not in.
    pub strange: BTreeSet<String>,
    /// Those of the channels that are archived.
    pub archived: BTreeSet<String>,
    /// Path of the incoming webhook behind `/services/`.
    pub webhook: String,
    /// How much it takes.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            token: "xoxb-fake-token".to_owned(),
            scopes: set(&["chat:write", "channels:history", "groups:history"]),
            channels: set(&["C0FAKE001"]),
            strange: set(&["C0STRANGE"]),
            archived: BTreeSet::new(),
            webhook: "T0FAKE/B0FAKE/fakewebhooksecret".to_owned(),
            limits: Limits::default(),
        }
    }
}

/// How often a letter was taken, and how often nobody was told so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that were made of it.
    pub accepted: u32,
    /// Those of them whose answer never left.
    pub answers_lost: u32,
}

/// One request, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its path, such as `/api/chat.postMessage`.
    pub path: String,
    /// What the `Authorization` header says.
    pub authorization: Option<String>,
    /// What the `Idempotency-Key` header says.
    pub key: Option<String>,
    /// Its body; `None` if it is no JSON.
    pub body: Option<Value>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// What `Retry-After` says, seconds.
    pub retry_after: Option<u64>,
    /// Its body.
    pub body: String,
    /// The key of the letter that a message was made of.
    pub accepted: Option<String>,
}

/// The service.
#[derive(Debug)]
pub struct Workspace {
    settings: Settings,
    /// Messages by channel, oldest first.
    messages: BTreeMap<String, Vec<Message>>,
    /// Newest time stamp, microseconds since the Unix epoch.
    newest_us: u64,
    /// What was posted to `/hook`, oldest first.
    hooked: VecDeque<Value>,
    tallies: BTreeMap<String, Tally>,
    rate: rate::Rate,
}

impl Workspace {
    /// An empty workspace.
    pub fn new(settings: Settings) -> Self {
        let rate = rate::Rate::new(settings.limits);
        Self {
            settings,
            messages: BTreeMap::new(),
            newest_us: 0,
            hooked: VecDeque::new(),
            tallies: BTreeMap::new(),
            rate,
        }
    }

    /// Answers a request; `now` is the time since the Unix epoch.
    pub fn handle(&mut self, request: &Request, now: Duration) -> Reply {
        if let Some(method) = request.path.strip_prefix("/api/") {
            return self.handle_method(method, request, now);
        }
        if let Some(path) = request.path.strip_prefix("/services/") {
            return self.handle_webhook(path, request, now);
        }
        if request.path.starts_with("/hook") {
            return self.handle_hook(request);
        }
        Reply::text(404, "not found")
    }

    /// Notes that the answer that accepted a letter never left.
    pub fn answer_lost(&mut self, key: &str) {
        self.tallies.entry(key.to_owned()).or_default().answers_lost += 1;
    }

    /// The messages of a channel, oldest first; those of the webhook are under its path.
    pub fn messages(&self, channel: &str) -> &[Message] {
        self.messages.get(channel).map(Vec::as_slice).unwrap_or_default()
    }

    /// What was posted to `/hook`, oldest first.
    pub fn hooked(&self) -> impl Iterator<Item = &Value> {
        self.hooked.iter()
    }

    /// How often each letter was taken.
    pub fn tallies(&self) -> &BTreeMap<String, Tally> {
        &self.tallies
    }

    /// Somebody deletes a message.
    pub fn delete(&mut self, channel: &str, ts: &str) {
        if let Some(messages) = self.messages.get_mut(channel) {
            messages.retain(|message| message.ts != ts);
        }
    }

    /// Somebody else writes a message.
    pub fn say(&mut self, channel: &str, text: &str, now: Duration) -> String {
        let message = Message { own: false, ..Message::said(text) };
        self.add(channel, message, now)
    }

    fn add(&mut self, channel: &str, mut message: Message, now: Duration) -> String {
        // Time stamps are the names of messages: each is later than the one before.
        let now_us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        self.newest_us = now_us.max(self.newest_us + 1);
        message.ts = format!("{}.{:06}", self.newest_us / 1_000_000, self.newest_us % 1_000_000);
        let ts = message.ts.clone();
        let messages = self.messages.entry(channel.to_owned()).or_default();
        if messages.len() == MESSAGES_MAX {
            messages.remove(0);
        }
        messages.push(message);
        ts
    }

    fn count(&mut self, key: &str) {
        self.tallies.entry(key.to_owned()).or_default().accepted += 1;
    }

    fn handle_webhook(&mut self, path: &str, request: &Request, now: Duration) -> Reply {
        if path != self.settings.webhook {
            return Reply::text(404, "no_service");
        }
        if self.settings.archived.contains(WEBHOOK_CHANNEL) {
            return Reply::text(410, "channel_is_archived");
        }
        let Some(body) = &request.body else { return Reply::text(400, "invalid_payload") };
        let message = match Message::read(body) {
            Ok(message) => message,
            Err("no_text") => return Reply::text(400, "no_text"),
            Err(_) => return Reply::text(400, "invalid_payload"),
        };
        if let Err(seconds) = self.rate.post(WEBHOOK_CHANNEL, now) {
            return Reply { retry_after: Some(seconds), ..Reply::text(429, "rate_limited") };
        }
        self.add(WEBHOOK_CHANNEL, message, now);
        let key = request.key.clone().unwrap_or_default();
        self.count(&key);
        Reply { accepted: Some(key), ..Reply::text(200, "ok") }
    }

    fn handle_hook(&mut self, request: &Request) -> Reply {
        let Some(body) = &request.body else { return Reply::text(400, "not JSON") };
        if self.hooked.len() == MESSAGES_MAX {
            self.hooked.pop_front();
        }
        self.hooked.push_back(body.clone());
        let key = request.key.clone().unwrap_or_default();
        self.count(&key);
        Reply { accepted: Some(key), ..Reply::text(200, "") }
    }
}

impl Reply {
    fn text(status: u16, body: &str) -> Self {
        Self { status, retry_after: None, body: body.to_owned(), accepted: None }
    }

    fn json(body: Value) -> Self {
        Self::text(200, &body.to_string())
    }

    fn error(name: &str) -> Self {
        Self::json(json!({ "ok": false, "error": name }))
    }

    /// What the service says where it takes no more, in front of all rules.
    pub fn limited(seconds: u64) -> Self {
        let body = json!({ "ok": false, "error": "ratelimited" }).to_string();
        Self { retry_after: Some(seconds), ..Self::text(429, &body) }
    }

    /// What a broken service says.
    pub fn broken(status: u16) -> Self {
        Self::text(status, "<html><body>upstream error</body></html>")
    }
}

/// Under which name the messages of the incoming webhook are kept.
pub const WEBHOOK_CHANNEL: &str = "(webhook)";

/// Most messages that are kept in a channel; the oldest goes.
pub const MESSAGES_MAX: usize = 100_000;

#[cfg(test)]
mod tests;
