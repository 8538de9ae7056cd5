//! The methods of the web API.

use std::time::Duration;

use serde_json::{Value, json};

use super::message::{Message, Page};
use super::{Reply, Request, Workspace};

impl Workspace {
    pub(super) fn handle_method(
        &mut self,
        method: &str,
        request: &Request,
        now: Duration,
    ) -> Reply {
        let token = request.authorization.as_deref().and_then(|text| text.strip_prefix("Bearer "));
        match token {
            None => return Reply::error("not_authed"),
            Some(token) if token != self.settings.token => return Reply::error("invalid_auth"),
            Some(_) => {}
        }
        let Some(body) = &request.body else { return Reply::error("invalid_json") };
        match method {
            "auth.test" => Reply::json(json!({
                "ok": true, "url": "https://fake.slack.com/", "team": "Fake", "user": "handfast",
                "team_id": "T0FAKE", "user_id": "U0FAKE", "bot_id": "B0FAKE",
            })),
            "chat.postMessage" => self.post(body, now),
            "chat.update" => self.update(body, now),
            "conversations.history" => self.history(body, now),
            "conversations.replies" => self.replies(body, now),
            _ => Reply::error("unknown_method"),
        }
    }

    fn post(&mut self, body: &Value, now: Duration) -> Reply {
        if let Some(refused) = self.lacks_scope("chat:write") {
            return refused;
        }
        let channel = text(body, "channel");
        if let Some(refused) = self.refuses(channel) {
            return refused;
        }
        let message = match Message::read(body) {
            Ok(message) => message,
            Err(name) => return Reply::error(name),
        };
        if let Some(thread) = &message.thread_ts
            && self.find(channel, thread).is_none()
        {
            return Reply::error("thread_not_found");
        }
        if let Err(seconds) = self.rate.post(channel, now) {
            return Reply::limited(seconds);
        }
        let key = message.key().unwrap_or_default().to_owned();
        let ts = self.add(channel, message, now);
        self.count(&key);
        let body = json!({ "ok": true, "channel": channel, "ts": ts });
        Reply { accepted: Some(key), ..Reply::json(body) }
    }

    fn update(&mut self, body: &Value, now: Duration) -> Reply {
        if let Some(refused) = self.lacks_scope("chat:write") {
            return refused;
        }
        let (channel, ts) = (text(body, "channel"), text(body, "ts"));
        if let Some(refused) = self.refuses(channel) {
            return refused;
        }
        if let Err(seconds) = self.rate.tier3("chat.update", now) {
            return Reply::limited(seconds);
        }
        let new = match Message::read(body) {
            Ok(message) => message,
            Err(name) => return Reply::error(name),
        };
        let messages = self.messages.get_mut(channel);
        let Some(old) =
            messages.and_then(|messages| messages.iter_mut().find(|message| message.ts == ts))
        else {
            return Reply::error("message_not_found");
        };
        if !old.own {
            return Reply::error("cant_update_message");
        }
        old.text = new.text;
        old.blocks = new.blocks;
        // An update that sends none keeps what was there.
        old.metadata = new.metadata.or(old.metadata.take());
        old.edits += 1;
        Reply::json(json!({ "ok": true, "channel": channel, "ts": ts }))
    }

    fn history(&mut self, body: &Value, now: Duration) -> Reply {
        let channel = text(body, "channel").to_owned();
        if let Some(refused) = self.cannot_read(&channel, "conversations.history", now) {
            return refused;
        }
        let oldest = text(body, "oldest").to_owned();
        let fits: Vec<_> = self
            .messages(&channel)
            .iter()
            .rev()
            .filter(|message| message.thread_ts.is_none() && later(&message.ts, &oldest))
            .collect();
        answer(&fits, body, self.rate.page_max())
    }

    fn replies(&mut self, body: &Value, now: Duration) -> Reply {
        let (channel, ts) = (text(body, "channel").to_owned(), text(body, "ts").to_owned());
        if let Some(refused) = self.cannot_read(&channel, "conversations.replies", now) {
            return refused;
        }
        if self.find(&channel, &ts).is_none() {
            return Reply::error("thread_not_found");
        }
        let of_thread =
            |message: &Message| message.ts == ts || message.thread_ts.as_deref() == Some(&*ts);
        let fits: Vec<_> =
            self.messages(&channel).iter().filter(|message| of_thread(message)).collect();
        answer(&fits, body, self.rate.page_max())
    }

    fn cannot_read(&mut self, channel: &str, method: &str, now: Duration) -> Option<Reply> {
        let scope = if channel.starts_with('G') { "groups:history" } else { "channels:history" };
        if let Some(refused) = self.lacks_scope(scope) {
            return Some(refused);
        }
        if !self.settings.channels.contains(channel) {
            let strange = self.settings.strange.contains(channel);
            return Some(Reply::error(if strange {
                "not_in_channel"
            } else {
                "channel_not_found"
            }));
        }
        self.rate.tier3(method, now).err().map(Reply::limited)
    }

    fn refuses(&self, channel: &str) -> Option<Reply> {
        if self.settings.strange.contains(channel) {
            return Some(Reply::error("not_in_channel"));
        }
        if !self.settings.channels.contains(channel) {
            return Some(Reply::error("channel_not_found"));
        }
        self.settings.archived.contains(channel).then(|| Reply::error("is_archived"))
    }

    fn lacks_scope(&self, needed: &str) -> Option<Reply> {
        let scopes = &self.settings.scopes;
        let provided = scopes.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        (!scopes.contains(needed)).then(|| {
            Reply::json(json!({
                "ok": false, "error": "missing_scope", "needed": needed, "provided": provided,
            }))
        })
    }

    fn find(&self, channel: &str, ts: &str) -> Option<&Message> {
        self.messages(channel).iter().find(|message| message.ts == ts)
    }
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Time stamps have one form, so that their order is that of their text as long as seconds have ten digits.
fn later(ts: &str, oldest: &str) -> bool {
    oldest.is_empty() || ts > oldest
}

fn answer(fits: &[&Message], body: &Value, page_max: usize) -> Reply {
    let asked = body.get("limit").and_then(Value::as_u64).unwrap_or(100);
    let page = Page {
        from: text(body, "cursor").strip_prefix("from:").map_or(0, |n| n.parse().unwrap_or(0)),
        len: usize::try_from(asked).unwrap_or(page_max).clamp(1, page_max),
    };
    let with_metadata = body.get("include_all_metadata").and_then(Value::as_bool) == Some(true);
    let shown: Vec<_> = fits
        .iter()
        .skip(page.from)
        .take(page.len)
        .map(|message| message.shown(with_metadata))
        .collect();
    let next = page.from + shown.len();
    let more = next < fits.len();
    let cursor = if more { format!("from:{next}") } else { String::new() };
    Reply::json(json!({
        "ok": true, "messages": shown, "has_more": more,
        "response_metadata": { "next_cursor": cursor },
    }))
}
