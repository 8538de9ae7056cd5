//! The peer contract around a player: requests and posts in, results, notices and messages out. Owns no socket.

use std::collections::BTreeMap;

use handfast_contract::message::{INVALID_PARAMS, METHOD_NOT_FOUND, Message, RpcError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::player::{Known, Player};

/// What a stub can be asked. There is no method that sends anything: a stub only answers.
const METHODS: [&str; 6] =
    ["initialize", "shutdown", "peer.add", "peer.list", "session.list", "message.inbox"];
/// How many peers it can be told of.
pub const MAX_PEERS: usize = 64;
/// How many sessions it remembers.
pub const MAX_SESSIONS: usize = 256;

/// The peer as handfast and other peers see it.
#[derive(Debug)]
pub struct Desk {
    name: String,
    of: String,
    address: String,
    player: Player,
    peers: BTreeMap<String, Peer>,
    sessions: Vec<Json>,
    events: u64,
}

#[derive(Debug)]
struct Peer {
    address: String,
    key: Option<String>,
}

/// What a post brings about.
#[derive(Debug, Clone, PartialEq)]
pub struct Posted {
    /// HTTP status of the answer.
    pub status: u16,
    /// Its body.
    pub body: Json,
    /// What handfast is told, before the answer.
    pub notices: Vec<Message>,
    /// Messages to post after the answer, in order, each to an address.
    pub sends: Vec<(String, Json)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hello {
    #[serde(rename = "contract")]
    _contract: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    name: String,
    address: String,
    key: Option<String>,
    /// A stub opens nothing by itself; whom it would have to call calls it.
    #[serde(rename = "connect", default)]
    _connect: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(rename = "from")]
    _from: Option<String>,
    after: Option<u64>,
    #[serde(rename = "limit")]
    _limit: Option<u64>,
}

impl Desk {
    /// A desk of this name, listening at this address, that plays for the peer `of`.
    pub fn new(name: &str, of: &str, address: &str, player: Player) -> Self {
        let (peers, sessions) = (BTreeMap::new(), Vec::new());
        let [name, of, address] = [name, of, address].map(str::to_owned);
        Self { name, of, address, player, peers, sessions, events: 0 }
    }

    /// Answers a request of the contract.
    ///
    /// # Errors
    /// The answer that the contract has for unknown methods and wrong parameters.
    pub fn handle_request(&mut self, method: &str, params: Json) -> Result<Json, RpcError> {
        match method {
            "initialize" => params_of::<Hello>(params).map(|_| self.initialized()),
            "shutdown" => params_of::<Nothing>(params).map(|_| json!({})),
            "peer.add" => self.add(params_of(params)?),
            "peer.list" => params_of::<Nothing>(params).map(|_| self.peer_list()),
            "session.list" => {
                params_of::<Nothing>(params).map(|_| json!({ "sessions": self.sessions }))
            }
            "message.inbox" => params_of::<Page>(params)
                .map(|page| json!({ "messages": [], "next": page.after.unwrap_or(0) })),
            _ => Err(rpc_error(METHOD_NOT_FOUND, format!("a stub does not offer {method}"))),
        }
    }

    /// Answers a body that somebody posted to `/message`. `now` is the time as the protocol writes it.
    pub fn handle_post(&mut self, body: &[u8], now: &str) -> Posted {
        let Ok(message) = serde_json::from_slice::<Json>(body) else {
            let detail = "the body is not JSON";
            let body = json!({ "detail": detail, "error": { "code": "INVALID_MESSAGE", "message": detail } });
            return Posted { status: 400, body, notices: Vec::new(), sends: Vec::new() };
        };
        let sender = message.get("sender_id").and_then(Json::as_str).unwrap_or_default();
        let known = self
            .peers
            .get(sender)
            .map(|peer| Known { name: sender.to_owned(), key: peer.key.clone() });
        let address = self.peers.get(sender).map(|peer| peer.address.clone()).unwrap_or_default();
        let reply = self.player.handle_message(&message, known.as_ref(), now);
        let mut notices = Vec::new();
        if let (Some((id, version)), Some(known)) = (&reply.ready, &known) {
            notices.extend(self.ready(id, version, known));
        }
        let sends = reply.sends.into_iter().map(|sent| (address.clone(), sent)).collect();
        Posted { status: reply.status, body: reply.body, notices, sends }
    }

    fn initialized(&self) -> Json {
        json!({
            "contract": "1",
            "name": self.name,
            "version": format!("stub of {}", self.of),
            "protocol_versions": self.player.versions(),
            "methods": METHODS,
            "events": ["session.ready"],
            "addresses": { "http": self.address },
            "keys": { "ed25519": self.player.key() },
        })
    }

    fn add(&mut self, add: Add) -> Result<Json, RpcError> {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&add.name) {
            return Err(rpc_error(
                INVALID_PARAMS,
                format!("a stub knows at most {MAX_PEERS} peers"),
            ));
        }
        self.peers.insert(add.name, Peer { address: add.address, key: add.key });
        Ok(json!({}))
    }

    fn peer_list(&self) -> Json {
        let peers: Vec<Json> = self
            .peers
            .iter()
            .map(|(name, peer)| {
                let trust = if peer.key.is_some() { "pinned" } else { "first_use" };
                json!({
                    "name": name, "address": peer.address, "key": peer.key,
                    "trust": trust, "proved": null, "healthy": null,
                })
            })
            .collect();
        json!({ "peers": peers })
    }

    /// A session is ready; a repeat of its last message tells nothing new.
    fn ready(&mut self, id: &str, version: &str, peer: &Known) -> Option<Message> {
        if self.sessions.iter().any(|session| session["id"] == id) {
            return None;
        }
        if self.sessions.len() >= MAX_SESSIONS {
            self.sessions.remove(0);
        }
        let generation = (version != "1.0").then_some(0);
        self.sessions.push(json!({
            "id": id, "peer": peer.name, "peer_key": peer.key, "version": version,
            "role": "responder", "state": "ready", "generation": generation, "sealed": true,
        }));
        self.events += 1;
        let params = json!({
            "n": self.events, "id": id, "peer": peer.name, "version": version, "role": "responder",
        });
        Some(Message::Notification { method: "session.ready".to_owned(), params })
    }
}

fn params_of<T: DeserializeOwned>(params: Json) -> Result<T, RpcError> {
    serde_json::from_value(params).map_err(|error| rpc_error(INVALID_PARAMS, error.to_string()))
}

fn rpc_error(code: i64, message: String) -> RpcError {
    RpcError { code, message, data: None }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
