//! A peer that is as slow as it is told to be: what measures peers is tried on it.
//!
//! It speaks the peer contract and a protocol of its own: a `hello` begins a session, a `message` is taken, both by `POST /message`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use handfast_contract::codec;
use handfast_contract::message::{
    INVALID_PARAMS, METHOD_NOT_FOUND, Message, PARSE_ERROR, RequestId, RpcError,
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use tokio::io::BufReader;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::serve::{BODY_LEN_MAX, read_line, response, say, send};

/// How slow, and how greedy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// How long it thinks about each handshake.
    pub handshake: Duration,
    /// How long about each message, about all of them at once.
    pub message: Duration,
    /// How long it works on each message, on one after the other.
    pub work: Duration,
    /// Bytes that each message leaves behind.
    pub leak: usize,
}

/// Plays until standard input ends or `shutdown` comes.
///
/// # Errors
/// It cannot listen, or its standard streams broke; a sentence for a person.
pub async fn serve(name: String, listen: &str, pace: Pace) -> Result<(), String> {
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let peer = Arc::new(Peer {
        name,
        address: format!("http://{address}"),
        pace,
        state: Mutex::default(),
        working: tokio::sync::Mutex::new(()),
    });
    let accepting = tokio::spawn(accept(listener, peer.clone()));
    let result = contract(peer).await;
    accepting.abort();
    result
}

struct Peer {
    name: String,
    address: String,
    pace: Pace,
    state: Mutex<State>,
    /// Held by whoever works on a message.
    working: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    peers: BTreeMap<String, String>,
    /// The last ones.
    sessions: Vec<Json>,
    opened: u64,
    events: u64,
    leaked: Vec<Vec<u8>>,
}

async fn contract(peer: Arc<Peer>) -> Result<(), String> {
    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = Vec::new();
    while read_line(&mut input, &mut line).await? {
        match codec::decode(&line) {
            Ok(Message::Request { id, method, .. }) if method == "shutdown" => {
                return say(&Message::Response { id: Some(id), outcome: Ok(json!({})) });
            }
            Ok(Message::Request { id, method, params }) => {
                tokio::spawn(answer(peer.clone(), id, method, params));
            }
            // What is withdrawn is answered all the same, and nobody listens.
            Ok(Message::Notification { .. } | Message::Response { .. }) => {}
            Err(error) => {
                let error = RpcError { code: PARSE_ERROR, message: error.to_string(), data: None };
                say(&Message::Response { id: None, outcome: Err(error) })?;
            }
        }
    }
    Ok(())
}

async fn answer(peer: Arc<Peer>, id: RequestId, method: String, params: Json) {
    let outcome = peer.carry_out(&method, &params).await;
    // Who does not listen any more has ended this peer, too.
    drop(say(&Message::Response { id: Some(id), outcome }));
}

impl Peer {
    async fn carry_out(&self, method: &str, params: &Json) -> Result<Json, RpcError> {
        let text = |key: &str| {
            let wrong = || rpc_error(INVALID_PARAMS, format!("{key} has to be a text"));
            params.get(key).and_then(Json::as_str).map(str::to_owned).ok_or_else(wrong)
        };
        match method {
            "initialize" => Ok(self.initialized()),
            "peer.add" => {
                let (name, address) = (text("name")?, text("address")?);
                let mut state = self.state();
                if state.peers.len() >= PEERS_MAX && !state.peers.contains_key(&name) {
                    return Err(refused("TOO_MANY_PEERS"));
                }
                state.peers.insert(name, address);
                Ok(json!({}))
            }
            "peer.list" => Ok(self.peers()),
            "session.list" => Ok(json!({ "sessions": self.state().sessions })),
            "session.open" => self.open(&text("to")?).await,
            "session.close" => {
                let id = text("id")?;
                self.state().sessions.retain(|session| session["id"] != id.as_str());
                Ok(json!({}))
            }
            "message.send" => self.send_message(&text("to")?, &params["body"]).await,
            "message.inbox" => {
                let is_wrong = |key: &&str| params.get(*key).is_some_and(|value| !value.is_u64());
                if let Some(key) = ["after", "limit"].into_iter().find(is_wrong) {
                    return Err(rpc_error(INVALID_PARAMS, format!("{key} has to be a number")));
                }
                Ok(json!({ "messages": [], "next": 0 }))
            }
            _ => Err(rpc_error(METHOD_NOT_FOUND, format!("there is no {method} here"))),
        }
    }

    fn initialized(&self) -> Json {
        json!({
            "contract": "1", "name": self.name, "version": "1", "protocol_versions": ["paced"],
            "methods": METHODS, "events": ["session.ready", "message.received"],
            "addresses": { "http": self.address }, "keys": {},
        })
    }

    fn peers(&self) -> Json {
        let state = self.state();
        let peer = |(name, address): (&String, &String)| json!({ "name": name, "address": address, "key": null, "trust": "first_use", "proved": null, "healthy": null });
        json!({ "peers": state.peers.iter().map(peer).collect::<Vec<_>>() })
    }

    async fn open(&self, to: &str) -> Result<Json, RpcError> {
        let id = {
            let mut state = self.state();
            state.opened += 1;
            format!("{}-{:06}", self.name, state.opened)
        };
        self.post(to, json!({ "type": "hello", "from": self.name, "session": id })).await?;
        self.ready(&id, to, "initiator");
        Ok(
            json!({ "id": id, "peer": to, "version": "paced", "role": "initiator", "state": "ready" }),
        )
    }

    async fn send_message(&self, to: &str, body: &Json) -> Result<Json, RpcError> {
        let session = {
            let state = self.state();
            let session = state.sessions.iter().rev().find(|session| session["peer"] == to);
            session.map(|session| session["id"].clone())
        };
        let message =
            json!({ "type": "message", "from": self.name, "session": session, "body": body });
        self.post(to, message).await?;
        Ok(json!({
            "session": session, "sequence": null, "number": null, "version": "paced", "sealed": false, "status": 200,
        }))
    }

    async fn post(&self, to: &str, message: Json) -> Result<(), RpcError> {
        let address = self.state().peers.get(to).cloned();
        let address = address.ok_or_else(|| refused("UNKNOWN_RECIPIENT"))?;
        send(&address, &message).await.map_err(|_| refused("SERVICE_UNAVAILABLE"))
    }

    fn ready(&self, id: &str, peer: &str, role: &str) {
        let mut state = self.state();
        if state.sessions.len() >= SESSIONS_MAX {
            state.sessions.remove(0);
        }
        state.sessions.push(json!({
            "id": id, "peer": peer, "peer_key": null, "version": "paced", "role": role, "state": "ready",
            "generation": null, "sealed": false,
        }));
        let params = json!({ "id": id, "peer": peer, "version": "paced", "role": role });
        state.emit("session.ready", params);
    }

    /// What another peer posted: thought about, worked on, and paid for in memory.
    async fn take(&self, message: &Json) {
        let from = message["from"].as_str().unwrap_or_default();
        if message["type"] == "hello" {
            sleep(self.pace.handshake).await;
            self.ready(message["session"].as_str().unwrap_or_default(), from, "responder");
            return;
        }
        sleep(self.pace.message).await;
        if !self.pace.work.is_zero() {
            let _working = self.working.lock().await;
            sleep(self.pace.work).await;
        }
        // Bytes that are written to are really taken from the machine.
        let left = vec![1; self.pace.leak];
        let mut state = self.state();
        if !left.is_empty() {
            state.leaked.push(left);
        }
        let params = json!({
            "from": from, "type": "message", "body": message["body"], "session": message["session"],
            "sequence": null, "number": null, "version": "paced", "sealed": false,
        });
        state.emit("message.received", params);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Said while the state is locked, so that events keep the order in which they are counted.
    fn emit(&mut self, event: &str, mut params: Json) {
        self.events += 1;
        params["n"] = json!(self.events);
        // Who does not listen any more has ended this peer, too.
        drop(say(&Message::Notification { method: event.to_owned(), params }));
    }
}

async fn accept(listener: TcpListener, peer: Arc<Peer>) {
    while let Ok((stream, _)) = listener.accept().await {
        let peer = peer.clone();
        tokio::spawn(async move {
            let take = service_fn(move |request| taken(request, peer.clone()));
            let served = hyper::server::conn::http1::Builder::new();
            // A connection that breaks is the other side's to tell.
            drop(served.serve_connection(TokioIo::new(stream), take).await);
        });
    }
}

async fn taken(
    request: Request<Incoming>,
    peer: Arc<Peer>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = Limited::new(request.into_body(), BODY_LEN_MAX).collect().await;
    let message = body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok());
    let Some(message) = message else { return Ok(response(400, "{}".to_owned())) };
    peer.take(&message).await;
    Ok(response(200, "{}".to_owned()))
}

fn rpc_error(code: i64, message: String) -> RpcError {
    RpcError { code, message, data: None }
}

fn refused(code: &str) -> RpcError {
    RpcError { code: -32000, message: "refused".to_owned(), data: Some(json!({ "code": code })) }
}

/// What it can be asked.
const METHODS: [&str; 9] = [
    "initialize",
    "shutdown",
    "peer.add",
    "peer.list",
    "session.open",
    "session.list",
    "session.close",
    "message.send",
    "message.inbox",
];

/// How many peers it can be told of.
const PEERS_MAX: usize = 64;

/// How many sessions it remembers.
const SESSIONS_MAX: usize = 256;
