//! Questions, ways, and what comes out.

use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_wire::time::Timestamp;

/// What a router is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// What this node itself uses to reach others.
    pub own: Layers,
    /// Whether new sessions wait while L2 is partitioned; by default they do.
    pub partition_waits: bool,
    /// The relays it is a member of, the preferred first.
    pub relays: Vec<RelayTarget>,
}

impl Default for Config {
    fn default() -> Self {
        Self { own: Layers { http: true, ws: true }, partition_waits: true, relays: Vec::new() }
    }
}

/// Which layers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layers {
    /// L1, HTTP.
    pub http: bool,
    /// L2, WebSocket.
    pub ws: bool,
}

/// A relay, as the operator named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayTarget {
    /// `ws://host:port`.
    pub address: Arc<str>,
    /// The key that it has to show.
    pub key: PublicKey,
}

impl RelayTarget {
    /// The base address of somebody's mailbox there: `http://host:port/relay/KEY`.
    ///
    /// Source: `docs/protocol/1.1.md#relay`.
    pub fn mailbox(&self, recipient: &PublicKey) -> String {
        let rest = self.address.strip_prefix("ws://").unwrap_or(&self.address);
        let rest = rest.trim_end_matches('/').trim_end_matches("/ws");
        format!("http://{rest}/relay/{recipient}")
    }

    /// The address to connect to: `ws://host:port/ws`.
    pub fn socket(&self) -> String {
        super::socket_of(self.address.strip_prefix("ws://").unwrap_or(&self.address))
    }
}

/// Whose mailbox a base address is; `None` where it is none.
///
/// Source: `docs/protocol/1.1.md#relay`.
pub(super) fn mailbox_of(address: &str) -> Option<PublicKey> {
    let (_, key) = address.rsplit_once("/relay/")?;
    PublicKey::from_hex(key.trim_end_matches('/')).ok()
}

/// A relay by its place in [`Config::relays`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayId(pub usize);

/// A WebSocket connection of this node, named by whoever opened or accepted it; a name is not used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A transmission that looks for its way.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// For whom: its name in the roster.
    pub peer: &'a str,
    /// Its base address there: `http://..`, that of a mailbox at a relay, or `ws://..`.
    pub address: &'a str,
    /// Its key, where it is pinned; without it no relay can be used.
    pub key: Option<PublicKey>,
    /// What it is about.
    pub purpose: Purpose,
    /// Which ways have failed for it.
    pub tried: Tried,
}

/// What a transmission is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It begins a session: the first message of a handshake.
    Begins,
    /// Anything else.
    Continues,
}

/// Which ways have failed for one transmission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tried {
    /// A connection broke, or could not be made.
    pub socket: bool,
    /// HTTP had no answer.
    pub http: bool,
    /// The connection to a relay broke.
    pub relay: bool,
}

/// Which way a transmission goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Over this connection.
    Socket(ConnectionId),
    /// Connect to this address (`ws://host:port/ws`) first, then ask again.
    Dial(String),
    /// By HTTP to this base address.
    Http(String),
    /// As a forward over this connection to a relay.
    Relay {
        /// Which relay.
        relay: RelayId,
        /// Over which connection.
        connection: ConnectionId,
        /// For whom.
        recipient: PublicKey,
    },
    /// Ask again then, or when something of the peer has changed.
    Wait {
        /// When.
        until: Timestamp,
    },
    /// There is none.
    None(Unreachable),
}

/// Why there is no way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The address is neither `http://` nor `ws://`.
    #[error("the address is neither http:// nor ws://")]
    Address,
    /// No layer is common to both sides, and no relay is connected that could help.
    #[error("no layer in common, and no relay (own: http {}, websocket {})", own.http, own.ws)]
    NoLayer {
        /// What this node has.
        own: Layers,
    },
    /// Every way there is has failed for this transmission.
    #[error("every way has failed")]
    AllFailed,
}

/// Who took a durable message, as a relay says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenBy {
    /// The recipient: the relay passed on its answer.
    Recipient,
    /// The relay, as mail.
    Relay,
}

/// What a relay is suspected of.
///
/// Source: `docs/protocol/1.1.md#relay-suspicion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It changes messages.
    Tampers,
    /// It loses messages.
    Drops,
    /// It is somebody else.
    Impersonates,
}

impl Why {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tampers => "tampers",
            Self::Drops => "drops",
            Self::Impersonates => "impersonates",
        }
    }
}

/// What a router tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A relay is suspected, of something it was not suspected of before.
    RelaySuspected {
        /// Which.
        relay: RelayId,
        /// Its address, as the operator named it.
        address: Arc<str>,
        /// Of what.
        why: Why,
    },
}
