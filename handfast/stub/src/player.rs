//! Plays conversations: message and time in, answer and messages out.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::conversation::{Act, Conversation, Exchange};
use crate::expression::{ExpressionError, Fresh, Names, Value, part};
use crate::primitives::ed25519_public;

/// How many conversations are under way at most; the one that heard nothing longest gives way.
pub const MAX_THREADS: usize = 64;

/// What is known of another peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name, which is the sender of its messages.
    pub name: String,
    /// Its public key, 64 hex digits.
    pub key: Option<String>,
}

/// What a message brings about.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// HTTP status of the answer.
    pub status: u16,
    /// Its body.
    pub body: Json,
    /// Messages to the sender, in order, each canonical.
    pub sends: Vec<Json>,
    /// A session that is ready on this side now: its id and protocol version.
    pub ready: Option<(String, String)>,
}

/// The peer that is played.
#[derive(Debug)]
pub struct Player {
    name: String,
    conversations: Vec<Conversation>,
    threads: BTreeMap<String, Thread>,
    fresh: Fresh,
    heard: u64,
}

/// One conversation under way.
#[derive(Debug)]
struct Thread {
    conversation: usize,
    next: usize,
    names: Names,
    last: Option<(Json, Reply)>,
    heard: u64,
}

impl Player {
    /// A peer of this name that knows these conversations.
    pub fn new(name: &str, conversations: Vec<Conversation>, fresh: Fresh) -> Self {
        let threads = BTreeMap::new();
        Self { name: name.to_owned(), conversations, threads, fresh, heard: 0 }
    }

    /// The protocol versions that are played.
    pub fn versions(&self) -> Vec<String> {
        self.conversations.iter().map(|conversation| conversation.version.clone()).collect()
    }

    /// The peer's public key, 64 hex digits: that of the first conversation.
    pub fn key(&self) -> String {
        let seed = self.conversations.first().map(Conversation::seed_bytes).unwrap_or_default();
        ed25519_public(&seed).map(hex::encode).unwrap_or_default()
    }

    /// Takes a message. `now` is the time in the form of the protocol's timestamps.
    pub fn handle_message(&mut self, message: &Json, from: Option<&Known>, now: &str) -> Reply {
        let Some(from) = from else {
            return refusal(401, "UNKNOWN_SENDER", "the stub does not know the sender");
        };
        let session =
            message.get("session_id").and_then(Json::as_str).unwrap_or_default().to_owned();
        if let Some(last) = self.threads.get(&session).and_then(|thread| thread.last.as_ref())
            && last.0 == *message
        {
            return last.1.clone();
        }
        let mut thread = match self.threads.remove(&session) {
            Some(thread) => thread,
            None => match self.begin(message, from) {
                Some(thread) => thread,
                None => return nothing_recorded(),
            },
        };
        self.heard += 1;
        thread.heard = self.heard;
        let exchanges = self.conversations.get(thread.conversation).map(|known| &known.exchange);
        let exchange = exchanges.and_then(|exchanges| exchanges.get(thread.next));
        let reply = match exchange.filter(|exchange| fits(exchange, message, &thread.names)) {
            Some(exchange) => play(exchange, message, now, &mut thread.names, &mut self.fresh),
            None => Ok(nothing_recorded()),
        };
        let mut reply = reply.unwrap_or_else(|error| {
            refusal(400, "INVALID_MESSAGE", &format!("the stub cannot answer this: {error}"))
        });
        if let Some((_, version)) = &mut reply.ready {
            version.clone_from(&self.conversations[thread.conversation].version);
        }
        if reply.status == 200 {
            thread.next += 1;
            thread.last = Some((message.clone(), reply.clone()));
        }
        if thread.next > 0 {
            self.threads.insert(session, thread);
        }
        self.make_room();
        reply
    }

    fn begin(&self, message: &Json, from: &Known) -> Option<Thread> {
        let text = |text: &str| Value::Json(Json::from(text));
        let key = from.key.as_deref().unwrap_or_default();
        let peer = json!({ "name": from.name, "key": key });
        let mut names = Names::from([
            ("name".to_owned(), text(&self.name)),
            ("peer".to_owned(), Value::Json(peer)),
        ]);
        let first = |known: &Conversation| {
            known.exchange.first().is_some_and(|exchange| fits(exchange, message, &names))
        };
        let conversation = self.conversations.iter().position(first)?;
        let seed = self.conversations.get(conversation)?.seed_bytes();
        names.insert("key".to_owned(), text(&hex::encode(ed25519_public(&seed)?)));
        names.insert("seed".to_owned(), Value::Bytes(seed));
        Some(Thread { conversation, next: 0, names, last: None, heard: 0 })
    }

    fn make_room(&mut self) {
        if self.threads.len() > MAX_THREADS {
            let oldest = self.threads.iter().min_by_key(|(_, thread)| thread.heard);
            if let Some(session) = oldest.map(|(session, _)| session.clone()) {
                self.threads.remove(&session);
            }
        }
    }
}

fn play(
    exchange: &Exchange,
    message: &Json,
    now: &str,
    names: &mut Names,
    fresh: &mut Fresh,
) -> Result<Reply, ExpressionError> {
    // What is refused leaves no name behind.
    let mut known = names.clone();
    known.insert("now".to_owned(), Value::Json(Json::from(now)));
    known.insert(exchange.keep.clone(), Value::Json(message.clone()));
    for requirement in &exchange.require {
        if part(&requirement.holds, &known, fresh) != Ok(Json::Bool(true)) {
            return Ok(refusal(
                requirement.status,
                &requirement.code,
                "the stub requires otherwise",
            ));
        }
    }
    let mut reply = Reply {
        status: 200,
        body: json!({ "status": "received" }),
        sends: Vec::new(),
        ready: None,
    };
    for act in &exchange.then {
        match act {
            Act::Let { name, be } => {
                let value = crate::expression::compute(be, &known, fresh)?;
                known.insert(name.clone(), value);
            }
            Act::Send { send } => reply.sends.push(part(send, &known, fresh)?),
            Act::Ready { ready } => {
                let id = part(ready, &known, fresh)?.as_str().unwrap_or_default().to_owned();
                reply.ready = Some((id, String::new()));
            }
        }
    }
    *names = known;
    Ok(reply)
}

/// Whether the message includes what the exchange is for.
fn fits(exchange: &Exchange, message: &Json, names: &Names) -> bool {
    let wanted = part(&exchange.when, names, &mut Fresh::seeded([0; 32]));
    wanted.is_ok_and(|wanted| includes(message, &wanted))
}

fn includes(there: &Json, wanted: &Json) -> bool {
    match (there, wanted) {
        (Json::Object(there), Json::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| there.get(key).is_some_and(|there| includes(there, wanted))),
        _ => there == wanted,
    }
}

fn nothing_recorded() -> Reply {
    refusal(503, "SERVICE_UNAVAILABLE", "the stub has no recorded answer to this")
}

fn refusal(status: u16, code: &str, detail: &str) -> Reply {
    let body = json!({ "detail": detail, "error": { "code": code, "message": detail } });
    Reply { status, body, sends: Vec::new(), ready: None }
}

#[cfg(test)]
#[path = "player_tests.rs"]
mod tests;
