//! What each method of the contract does to a node (`docs/contract/`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub(super) use entity_contract::Outcome;
pub(crate) use entity_contract::methods::{body_object, empty};
pub(super) use entity_contract::methods::{parameter, parse_params as read, result, unexpected};
use entity_contract::{EVENTS, Request};
use entity_crypto::encoding::{base64_decode_strict, base64_encode};
use entity_crypto::signing::PublicKey;
use entity_peer::PeerName;
use entity_peer::command::{AddPeer, Command};
use entity_transport::http::{Address, Call, Method};
use serde::Serialize;
use serde_json::value::RawValue;

use super::RpcError;
use super::params::{InitializeParams, PeerAddParams, PeerRemoveParams, SendRawParams};
use crate::moltbook::Slot;
use crate::node::Node;

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

impl Service {
    /// Does one request. `shutdown` and `$/cancel` belong to the conversation, not to the node.
    ///
    /// # Errors
    ///
    /// [`RpcError`] as the caller is to be told.
    pub async fn call(&self, method: &str, params: Option<&RawValue>) -> Outcome {
        let is_offered = self.audience == Audience::Test || !TEST_METHODS.contains(&method);
        // The evidence that an audit shows is in the store.
        let needs_peer_alone = is_offered && method != "token.audit";
        if let Some(request) = entity_contract::read(method, params).filter(|_| needs_peer_alone) {
            return self.ask(request?).await;
        }
        match (method, self.audience) {
            ("initialize", _) => self.initialize(read(params)?),
            ("peer.add", _) => self.peer_add(read(params)?).await,
            ("peer.remove", _) => self.peer_remove(read(params)?).await,
            ("route.list", _) => self.route_list(read(params)?).await,
            ("queue.list", _) => self.queue_list(read(params)?).await,
            ("transfer.send", _) => self.transfer_send(read(params)?).await,
            _ if method.starts_with("dht.") => self.dht(method, params).await,
            _ if method.starts_with("token.") => self.token(method, params).await,
            _ if method.starts_with("moltbook.") => self.moltbook(method, params).await,
            ("jwt.issue", _) => self.jwt_issue(read(params)?),
            ("jwt.verify", _) => self.jwt_verify(read(params)?),
            ("key.read", Audience::Test) => self.key_read(read(params)?).await,
            ("key.write", Audience::Test) => self.key_write(read(params)?).await,
            ("file.make", Audience::Test) => self.file_make(read(params)?).await,
            ("file.digest", Audience::Test) => self.file_digest(read(params)?).await,
            ("wire.send_raw", Audience::Test) => self.send_raw(read(params)?).await,
            _ => Err(unknown(method)),
        }
    }

    /// Does what needs the peer alone.
    async fn ask(&self, request: Request) -> Outcome {
        match request {
            Request::Command(command, answer) => answer.of(self.node.command(*command).await?),
            Request::Look(look) => {
                // What is shown must not be taken back by a crash.
                self.node.settled().await?;
                self.node.look(|peer, _| look.show(peer))
            }
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

    async fn peer_remove(&self, params: PeerRemoveParams) -> Outcome {
        let name: PeerName = parameter("name", &params.name)?;
        self.node.command(Command::RemovePeer { name: name.clone() }).await?;
        self.node.forget_ways(&name);
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

/// What a thread beside gave; it fails only where that panicked.
pub(super) fn ended<T>(outcome: Result<T, tokio::task::JoinError>) -> Result<T, RpcError> {
    outcome.map_err(|error| RpcError::new(RpcError::INTERNAL_ERROR, error.to_string()))
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
struct RawAnswer {
    status: u16,
    body: String,
}
