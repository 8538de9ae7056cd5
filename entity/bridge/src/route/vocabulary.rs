//! Questions, ways, and what comes out.

use std::sync::Arc;
use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_wire::id::MessageId;
use entity_wire::time::Timestamp;

/// What a router is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The own name: of two that dial each other, who has the lesser one begins.
    pub name: String,
    /// What this node itself uses to reach others.
    pub own: Layers,
    /// Whether new sessions wait while L2 is partitioned; by default they do.
    ///
    /// Source: `docs/protocol/1.1.md#layers`.
    pub partition_waits: bool,
    /// After how long a durable message that a relay took and nobody acknowledged is overdue: 30 s by default.
    ///
    /// Source: `docs/protocol/1.1.md#relay-suspicion`.
    pub patience: Duration,
    /// The relays it is a member of, the preferred first.
    pub relays: Vec<RelayTarget>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: String::new(),
            own: Layers { http: true, ws: true },
            partition_waits: true,
            patience: Duration::from_secs(30),
            relays: Vec::new(),
        }
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
        format!("http://{}/relay/{recipient}", host_of(&self.address))
    }
}

/// Host and port of a relay, whatever its address begins and ends with.
pub(super) fn host_of(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.trim_end_matches('/').trim_end_matches("/ws")
}

/// The relay of a mailbox (`http://host:port`), and whose the mailbox is; `None` where the base address is none.
///
/// Source: `docs/protocol/1.1.md#relay`.
pub(super) fn mailbox_of(address: &str) -> Option<(&str, PublicKey)> {
    let (relay, key) = address.rsplit_once("/relay/")?;
    Some((relay, PublicKey::from_hex(key.trim_end_matches('/')).ok()?))
}

/// A relay: by its place in [`Config::relays`], and after those one that only a mailbox has named. Of these none is used
/// twice, so that of one that is forgotten nothing is held against another.
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
    /// Whether it has said that its base address takes WebSockets, too.
    pub takes_sockets: bool,
    /// Its key, where it is known; without it only a mailbox can be used.
    pub key: Option<PublicKey>,
    /// Whether the operator has named the peer: it did not come by itself, and was not met through others.
    pub is_named: bool,
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
    /// It asks for a sign of life: of another way than the usual one it would say nothing.
    Life,
    /// It carries this durable message.
    Durable(MessageId),
    /// Anything else.
    Other,
}

/// Which ways have failed for one transmission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tried {
    /// A connection to the peer broke: this one, the last of them.
    pub broken: Option<ConnectionId>,
    /// No connection to the peer could be made.
    pub dialled: bool,
    /// Its base address had no answer by HTTP, or is a mailbox that took nothing.
    pub http: bool,
    /// The relays that did not take it.
    pub relays: RelaySet,
}

impl Tried {
    /// Whether anything was tried that is no connection.
    pub(super) fn is_detour(&self) -> bool {
        self.dialled || self.http || self.relays != RelaySet::default()
    }
}

/// Some relays: those that are configured, and of others what fits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RelaySet(u16);

impl RelaySet {
    /// Notes a relay, where it fits in: each that is configured does.
    pub fn insert(&mut self, RelayId(index): RelayId) {
        if let Some(bit) = u32::try_from(index).ok().and_then(|index| 1_u16.checked_shl(index)) {
            self.0 |= bit;
        }
    }

    /// Whether it was noted.
    pub fn contains(self, RelayId(index): RelayId) -> bool {
        let bit = u32::try_from(index).ok().and_then(|index| 1_u16.checked_shl(index));
        bit.is_some_and(|bit| self.0 & bit != 0)
    }
}

/// Which way a transmission goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Over this connection.
    Socket(ConnectionId),
    /// By HTTP to its base address.
    Http,
    /// By HTTP to a mailbox at a relay.
    Mailbox {
        /// Which relay; `None` where there was no room to remember another one.
        relay: Option<RelayId>,
        /// The mailbox, as a base address.
        base: String,
    },
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

/// Who took a message, as a relay says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenBy {
    /// The recipient: the relay passed on its answer.
    Recipient,
    /// The relay, as mail, or it does not say who.
    Relay,
}

/// Who refused a message that went by a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedBy {
    /// This node, to which it came.
    Us,
    /// Whom it was for, as the relay says; the operator has named that one.
    Named,
    /// Whom it was for, as the relay says: somebody whom the operator has not named.
    Stranger,
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

/// What a router wants, and what it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Connect to a peer, and say how that ended: [`Router::handle_connected`], [`Router::handle_dial_failed`], or
    /// [`Router::handle_unwanted`] where it is not to be found there any more.
    ///
    /// [`Router::handle_connected`]: super::Router::handle_connected
    /// [`Router::handle_dial_failed`]: super::Router::handle_dial_failed
    /// [`Router::handle_unwanted`]: super::Router::handle_unwanted
    Dial {
        /// Which.
        peer: Arc<str>,
        /// Where: `ws://host:port/ws`.
        address: Arc<str>,
    },
    /// A relay is suspected, of something it was not suspected of before.
    RelaySuspected(Suspicion),
}

/// What is held against a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// Its address, as the operator named it, or as a mailbox has it.
    pub relay: Arc<str>,
    /// The key that was pinned for it.
    pub key: Option<PublicKey>,
    /// Of what.
    pub why: Why,
}
