//! What each method of the contract does to a node (`docs/contract/`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use entity_crypto::encoding::{base64_decode_strict, base64_encode};
use entity_crypto::signing::PublicKey;
use entity_peer::PeerName;
use entity_peer::command::{AddPeer, Class, Command, CommandResult, Send};
use entity_peer::view::SessionName;
use entity_transport::http::{Address, Call, Method};
use entity_wire::json::{Object, RULES_1_0_HARDENED, Rules, Value, parse};
use entity_wire::kind::MessageKind;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::RpcError;
use super::delivery::KeptReceipt;
use super::lines::LINE_LEN_MAX;
use super::params::{
    ClockOffsetParams, FlavourWord, InitializeParams, MessageInboxParams, MessageSendParams,
    NoParams, PeerAddParams, PeerRemoveParams, SendRawParams, SessionParams, ToParams,
};
use super::shapes::{EVENTS, MessageShape, PeerShape, ReceiptShape, SessionShape, raw_object};
use crate::moltbook::Slot;
use crate::node::Node;
use crate::views::stats_lines;

/// The version of the contract.
pub const CONTRACT: &str = "1";

/// The methods of every peer.
pub const METHODS: &[&str] = &[
    "initialize",
    "shutdown",
    "peer.add",
    "peer.list",
    "peer.remove",
    "peer.wake",
    "session.open",
    "session.list",
    "session.close",
    "session.rekey",
    "message.send",
    "message.inbox",
    "outbox.list",
    "route.list",
    "queue.list",
    "error.notify",
    "error.list",
    "peer.ping",
    "capability.query",
    "stats",
    "task.delegate",
    "task.list",
    "task.complete",
    "capability.set",
    "transfer.send",
    "transfer.list",
    "transfer.cancel",
    "token.open",
    "token.account",
    "token.accounts",
    "token.transfer",
    "token.issue",
    "token.burn",
    "token.balance",
    "token.pending",
    "token.history",
    "token.statement",
    "token.audit",
    "token.certificate",
    "token.verify",
    "dht.put",
    "dht.get",
    "dht.find",
    "dht.table",
    "dht.leave",
    "jwt.issue",
    "jwt.verify",
    "moltbook.status",
    "moltbook.profile",
    "moltbook.read",
    "moltbook.post",
    "moltbook.comment",
    "moltbook.verify",
    "moltbook.report",
    "moltbook.book",
];

/// The methods of test peers alone: each could be used to harm a real one.
pub const TEST_METHODS: &[&str] = &[
    "clock.offset",
    "wire.send_raw",
    "key.read",
    "key.write",
    "file.make",
    "file.digest",
    "moltbook.open",
    "moltbook.duty",
];

/// Most messages in one answer of `message.inbox`.
pub const INBOX_ANSWER_MAX: usize = 1000;

/// Bytes of message bodies in one answer of `message.inbox`, so that it fits a line of the contract with room for the rest.
const INBOX_ANSWER_BYTES_MAX: usize = 512 * 1024;

/// Time for a raw request of a test peer: protocol 1.0's timeout of a message.
const RAW_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether the methods of test peers exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// They do not: calling one is calling an unknown method.
    Public,
    /// They do.
    Test,
}

/// A node as the contract shows it.
#[derive(Debug, Clone)]
pub struct Service {
    /// The node.
    pub node: Node,
    /// Which methods exist.
    pub audience: Audience,
    /// The base address the node announces.
    pub http_address: String,
    /// The protocol versions it speaks.
    pub protocol_versions: &'static [&'static str],
    /// Its own folder, where it has one.
    pub data_dir: Option<PathBuf>,
    /// Its place on Moltbook.
    pub moltbook: Slot,
}

pub(super) type Outcome = Result<Box<RawValue>, RpcError>;

impl Service {
    /// Does one request. `shutdown` and `$/cancel` belong to the conversation, not to the node.
    ///
    /// # Errors
    ///
    /// [`RpcError`] as the caller is to be told.
    pub async fn call(&self, method: &str, params: Option<&RawValue>) -> Outcome {
        match (method, self.audience) {
            ("initialize", _) => self.initialize(read(params)?),
            ("peer.add", _) => self.peer_add(read(params)?).await,
            ("peer.list", _) => self.peer_list(read(params)?).await,
            ("session.open", _) => self.session_open(read(params)?).await,
            ("session.list", _) => self.session_list(read(params)?).await,
            ("session.close", _) => self.session_close(read(params)?).await,
            ("session.rekey", _) => self.session_rekey(read(params)?).await,
            ("message.send", _) => self.message_send(read(params)?).await,
            ("message.inbox", _) => self.message_inbox(read(params)?).await,
            ("peer.wake", _) => self.peer_wake(read(params)?).await,
            ("error.notify", _) => self.error_notify(read(params)?).await,
            ("error.list", _) => {
                read::<NoParams>(params)?;
                self.error_list().await
            }
            ("outbox.list", _) => self.outbox_list(read(params)?).await,
            ("route.list", _) => self.route_list(read(params)?).await,
            ("queue.list", _) => self.queue_list(read(params)?).await,
            ("peer.remove", _) => self.peer_remove(read(params)?).await,
            ("peer.ping", _) => self.peer_ping(read(params)?).await,
            ("capability.query", _) => self.capability_query(read(params)?).await,
            ("stats", _) => read::<NoParams>(params).and_then(|_| self.stats()),
            ("task.delegate", _) => self.task_delegate(read(params)?).await,
            ("task.list", _) => self.task_list(read(params)?).await,
            ("task.complete", _) => self.task_complete(read(params)?).await,
            ("capability.set", _) => self.capability_set(read(params)?).await,
            ("transfer.send", _) => self.transfer_send(read(params)?).await,
            ("transfer.list", _) => self.transfer_list(read(params)?).await,
            ("transfer.cancel", _) => self.transfer_cancel(read(params)?).await,
            _ if method.starts_with("dht.") => self.dht(method, params).await,
            _ if method.starts_with("token.") => self.token(method, params).await,
            _ if method.starts_with("moltbook.") => self.moltbook(method, params).await,
            ("jwt.issue", _) => self.jwt_issue(read(params)?),
            ("jwt.verify", _) => self.jwt_verify(read(params)?),
            ("key.read", Audience::Test) => self.key_read(read(params)?).await,
            ("key.write", Audience::Test) => self.key_write(read(params)?).await,
            ("file.make", Audience::Test) => self.file_make(read(params)?).await,
            ("file.digest", Audience::Test) => self.file_digest(read(params)?).await,
            ("clock.offset", Audience::Test) => self.clock_offset(read(params)?).await,
            ("wire.send_raw", Audience::Test) => self.send_raw(read(params)?).await,
            _ => Err(unknown(method)),
        }
    }

    /// The methods that exist here.
    pub fn methods(&self) -> Vec<&'static str> {
        let test: &[_] = match self.audience {
            Audience::Public => &[],
            Audience::Test => TEST_METHODS,
        };
        METHODS.iter().chain(test).copied().collect()
    }

    fn initialize(&self, params: InitializeParams) -> Outcome {
        if params.contract != CONTRACT {
            return Err(RpcError::params(format!(
                "contract `{}` is not supported, only `{CONTRACT}`",
                params.contract
            )));
        }
        let (name, key) =
            self.node.look(|peer, _| (peer.config().id.to_string(), peer.public_key().to_hex()));
        result(&Initialized {
            contract: CONTRACT,
            name,
            version: env!("CARGO_PKG_VERSION"),
            protocol_versions: self.protocol_versions,
            methods: self.methods(),
            events: EVENTS,
            addresses: BTreeMap::from([("http", self.http_address.clone())]),
            keys: BTreeMap::from([("ed25519", key)]),
        })
    }

    async fn peer_add(&self, params: PeerAddParams) -> Outcome {
        let address: Address = parameter("address", &params.address)?;
        let key = params.key.as_deref().map(PublicKey::from_hex).transpose();
        let key = key.map_err(|error| RpcError::params(format!("key: {error}")))?;
        let name = parameter("name", &params.name)?;
        // The contract connects where it is told to; the operator's wish for peers in general is not the platform's.
        let connect = Some(params.connect.unwrap_or(false));
        let added = AddPeer { name, address: address.to_string(), key, connect };
        self.node.command(Command::AddPeer(added)).await?;
        empty()
    }

    async fn peer_list(&self, _: NoParams) -> Outcome {
        self.node.settled().await?;
        let peers: Vec<PeerShape> =
            self.node.look(|peer, _| peer.peers().map(PeerShape::from).collect());
        result(&BTreeMap::from([("peers", peers)]))
    }

    async fn peer_remove(&self, params: PeerRemoveParams) -> Outcome {
        let name: PeerName = parameter("name", &params.name)?;
        self.node.command(Command::RemovePeer { name: name.clone() }).await?;
        self.node.forget_ways(&name);
        empty()
    }

    async fn session_open(&self, params: ToParams) -> Outcome {
        let done =
            self.node.command(Command::OpenSession { to: parameter("to", &params.to)? }).await?;
        let CommandResult::Session(view) = done else { return Err(unexpected(&done)) };
        result(&SessionShape::from(view))
    }

    async fn session_list(&self, _: NoParams) -> Outcome {
        self.node.settled().await?;
        let sessions: Vec<_> = self.node.look(|peer, _| peer.sessions());
        let sessions: Vec<_> = sessions.into_iter().map(SessionShape::from).collect();
        result(&BTreeMap::from([("sessions", sessions)]))
    }

    async fn session_close(&self, params: SessionParams) -> Outcome {
        self.node.command(Command::CloseSession { session: SessionName(params.id) }).await?;
        empty()
    }

    async fn session_rekey(&self, params: SessionParams) -> Outcome {
        let done = self.node.command(Command::Rekey { session: SessionName(params.id) }).await?;
        let CommandResult::Generation(generation) = done else { return Err(unexpected(&done)) };
        result(&BTreeMap::from([("generation", generation)]))
    }

    async fn message_send(&self, params: MessageSendParams) -> Outcome {
        let body = body_object(&params.body)?;
        let message = Send {
            to: parameter("to", &params.to)?,
            kind: MessageKind::from_text(params.kind.as_deref().unwrap_or("message")),
            body,
            chunk: None,
            seal: params.seal.seal(),
            flavour: params.flavour.map(FlavourWord::flavour),
            class: Class::Volatile,
        };
        let command =
            if params.durable { Command::SendDurable(message) } else { Command::Send(message) };
        let done = self.node.command(command).await?;
        if let CommandResult::Kept(id) = done {
            return result(&KeptReceipt { id: id.to_string(), queued: true });
        }
        let CommandResult::Sent(receipt) = done else { return Err(unexpected(&done)) };
        result(&ReceiptShape::from(receipt))
    }

    async fn message_inbox(&self, params: MessageInboxParams) -> Outcome {
        self.node.settled().await?;
        let from =
            params.from.as_deref().map(|from| parameter::<PeerName>("from", from)).transpose()?;
        let after = params.after.unwrap_or(0);
        let limit = params.limit.unwrap_or(INBOX_ANSWER_MAX).min(INBOX_ANSWER_MAX);
        let messages = self.node.look(|peer, _| {
            let mut messages: Vec<MessageShape> = Vec::new();
            let mut bytes = 0;
            for received in peer.inbox(from.as_ref(), after).take(limit) {
                let message = MessageShape::from(received);
                bytes += message.body_len();
                // One message always fits: its body was below the limit of a message when it came.
                if bytes > INBOX_ANSWER_BYTES_MAX && !messages.is_empty() {
                    break;
                }
                messages.push(message);
            }
            messages
        });
        let next = messages.last().and_then(|message| message.index).unwrap_or(after);
        result(&Inbox { messages, next })
    }

    async fn peer_ping(&self, params: ToParams) -> Outcome {
        let done = self.node.command(Command::Ping { to: parameter("to", &params.to)? }).await?;
        let CommandResult::RoundTrip(time) = done else { return Err(unexpected(&done)) };
        result(&BTreeMap::from([("round_trip_us", time.as_micros())]))
    }

    async fn capability_query(&self, params: ToParams) -> Outcome {
        let query = Command::QueryCapabilities { to: parameter("to", &params.to)? };
        let done = self.node.command(query).await?;
        let CommandResult::Capabilities(object) = done else { return Err(unexpected(&done)) };
        result(&BTreeMap::from([("capabilities", raw_object(&object))]))
    }

    fn stats(&self) -> Outcome {
        result(&BTreeMap::from([("stats", self.node.look(|peer, _| stats_lines(peer)))]))
    }

    async fn clock_offset(&self, params: ClockOffsetParams) -> Outcome {
        let offset = params.seconds * 1e6;
        // A hundred years: enough for every test, and far from what a timestamp cannot hold.
        if offset.is_nan() || offset.abs() > 3.2e15 {
            return Err(RpcError::params("seconds: more than a hundred years"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked to be far below 2^63")]
        let offset_us = offset.round() as i64;
        self.node.command(Command::SetClockOffset { offset_us }).await?;
        empty()
    }

    async fn send_raw(&self, params: SendRawParams) -> Outcome {
        let address = match (&params.to, &params.address) {
            (_, Some(address)) => address.clone(),
            (Some(to), None) => {
                let name: PeerName = parameter("to", to)?;
                let known = self.node.look(|peer, _| peer.peer(&name).map(|view| view.address));
                known.ok_or_else(|| {
                    RpcError::refused("UNKNOWN_RECIPIENT", format!("no peer `{to}` in the roster"))
                })?
            }
            (None, None) => return Err(RpcError::params("either `to` or `address` is needed")),
        };
        let address: Address = parameter("address", &address)?;
        let method = params.method.as_deref().unwrap_or("POST");
        let path = params.path.as_deref().unwrap_or("/message");
        if !path.starts_with('/') {
            return Err(RpcError::params("path: does not start with `/`"));
        }
        let body = base64_decode_strict(params.body.as_deref().unwrap_or(""));
        let body = body.map_err(|error| RpcError::params(format!("body: {error}")))?.into();
        let call = Call {
            method: parameter::<Method>("method", method)?,
            path,
            body,
            timeout: RAW_TIMEOUT,
        };
        let answer = self.node.client().call(&address, call).await;
        let answer = answer
            .map_err(|failure| RpcError::refused("SERVICE_UNAVAILABLE", failure.to_string()))?;
        result(&RawAnswer { status: answer.status, body: base64_encode(&answer.body) })
    }
}

/// There is no such method.
pub(super) fn unknown(method: &str) -> RpcError {
    RpcError::new(RpcError::METHOD_NOT_FOUND, format!("method `{method}` is not supported"))
}

pub(super) fn read<'a, T: Deserialize<'a>>(params: Option<&'a RawValue>) -> Result<T, RpcError> {
    serde_json::from_str(params.map_or("{}", RawValue::get)).map_err(RpcError::params)
}

pub(super) fn parameter<T: FromStr<Err: std::fmt::Display>>(
    name: &str,
    text: &str,
) -> Result<T, RpcError> {
    text.parse().map_err(|error| RpcError::params(format!("{name}: {error}")))
}

/// Bodies keep integers digit by digit, so they go through the parser of the wire.
pub(crate) fn body_object(body: &RawValue) -> Result<Object, RpcError> {
    // What one envelope takes is judged where it is known which; here the line is the bound.
    let rules = Rules { len_max: LINE_LEN_MAX, ..RULES_1_0_HARDENED };
    match parse(body.get().as_bytes(), &rules) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(RpcError::params("body: not an object")),
        Err(error) => Err(RpcError::params(format!("body: {error}"))),
    }
}

pub(super) fn result<T: Serialize>(value: &T) -> Outcome {
    to_raw_value(value).map_err(|error| RpcError::new(RpcError::INTERNAL_ERROR, error.to_string()))
}

/// What a thread beside gave; it fails only where that panicked.
pub(super) fn ended<T>(outcome: Result<T, tokio::task::JoinError>) -> Result<T, RpcError> {
    outcome.map_err(|error| RpcError::new(RpcError::INTERNAL_ERROR, error.to_string()))
}

pub(crate) fn empty() -> Outcome {
    result(&serde_json::Map::new())
}

pub(super) fn unexpected(result: &CommandResult) -> RpcError {
    RpcError::new(RpcError::INTERNAL_ERROR, format!("the peer answered with {result:?}"))
}

#[derive(Serialize)]
struct Initialized {
    contract: &'static str,
    name: String,
    version: &'static str,
    protocol_versions: &'static [&'static str],
    methods: Vec<&'static str>,
    events: &'static [&'static str],
    addresses: BTreeMap<&'static str, String>,
    keys: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Inbox {
    messages: Vec<MessageShape>,
    next: u64,
}

#[derive(Serialize)]
struct RawAnswer {
    status: u16,
    body: String,
}
