//! Which way a transmission takes, HTTP, an open WebSocket or a relay, and the connections there are.
//!
//! ```text
//! mod      Layers: the room, shared by everybody who transmits
//! table    open connections, what is under way over them, and the router that chooses
//! journey  one transmission on its ways, and what became of each
//! carry    transmissions of the peer: posted over a connection at once, or in a task of their own
//! routes   what the router wants and tells; its deadlines
//! keeper   connects to a peer
//! receive  what comes over a connection: a Receiver for each
//! view     what its operator sees
//! ```
//!
//! There is one way for the data: the peer says what is to be sent, and about what; [`entity_bridge::Router`] chooses the way;
//! what became of it goes back to the router, which is asked again where the way failed.
//! What goes over an open connection costs no task: it is queued under the lock of the table, its outcome comes from the
//! connection's task, and a whole batch of outcomes or messages goes to the peer under one lock. The lock of the table may be
//! taken under that of the peer or of the bridge, never the other way round.

mod carry;
mod journey;
mod keeper;
mod receive;
mod routes;
mod table;
mod view;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use entity_bridge::ConnectionId;
use entity_bridge::route::{self, Router};
use entity_flaw::{Flaw, planted};
use entity_peer::Config;
use entity_peer::config::Profile;
use entity_transport::turns::Turns;
use entity_transport::ws::{Connection, SocketLimits, Verdict};
use entity_wire::limits::{COMPAT_MESSAGE_LEN_MAX, MESSAGE_LEN_MAX};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

pub(crate) use receive::Socket;
pub(crate) use view::{Layer, SocketState, WayView};

use crate::relay::{Bridge, BridgeConfig};
use crate::seed;
use table::Table;

/// The ways out of a node.
pub(crate) struct Layers {
    /// Its name.
    name: String,
    /// Whether WebSockets are taken and dialled.
    sockets: bool,
    /// Whether anything goes by HTTP.
    http: bool,
    limits: SocketLimits,
    /// How the processor is shared out among connections of all kinds.
    turns: Turns,
    table: Mutex<Table>,
    /// What is done as a relay, and as a member of some.
    bridge: OnceLock<Arc<Bridge>>,
    /// Told when a connection opens or cannot be opened.
    changed: Notify,
    /// Told when the deadline of the router has moved.
    moved: Notify,
    /// Whether the router wants to know who is heard.
    is_listening: AtomicBool,
}

/// The relay role of a node, or a member of relays: whatever is about a connection itself, and messages for others.
pub trait RelayFace: Send + Sync + 'static {
    /// A connection is open.
    fn opened(&self, connection: &Connection);
    /// A message for somebody else, its first byte included (`docs/protocol/1.1.md#websocket-messages`).
    fn forwarded(&self, connection: &Connection, message: Bytes) -> Verdict;
    /// An object about the connection, UTF-8 JSON.
    fn control(&self, connection: &Connection, object: Bytes);
    /// A connection has ended.
    fn closed(&self, connection: &Connection);
}

impl Layers {
    /// Makes the room of a peer with this configuration.
    pub(crate) fn of(config: &Config) -> Self {
        let layers = Self {
            name: config.id.to_string(),
            sockets: config.websocket && !planted(Flaw::NeverUpgrades),
            http: config.http,
            limits: Self::limits(config.profile),
            turns: Turns::for_this_runtime(),
            table: Mutex::default(),
            bridge: OnceLock::new(),
            changed: Notify::new(),
            moved: Notify::new(),
            is_listening: AtomicBool::new(false),
        };
        layers.decide_by(&BridgeConfig::default());
        layers
    }

    /// Chooses ways as the operator has decided, from here on. To be called before the first input.
    pub(crate) fn decide_by(&self, config: &BridgeConfig) {
        let config = route::Config {
            name: self.name.clone(),
            own: route::Layers { http: self.http, ws: self.sockets },
            partition_waits: config.partition_waits,
            patience: config.patience,
            relays: config.relays.clone(),
        };
        // Without randomness everybody waits alike.
        let seed = seed::from_system().unwrap_or_default();
        self.table().router = Router::new(config, seed);
    }

    /// The limits of a connection for a node of this profile.
    pub(crate) fn limits(profile: Profile) -> SocketLimits {
        let message_max_bytes = match profile {
            Profile::Hardened => MESSAGE_LEN_MAX,
            Profile::Compat => COMPAT_MESSAGE_LEN_MAX,
        };
        let message_max_bytes = message_max_bytes + SocketLimits::FORWARD_HEAD_BYTES;
        SocketLimits { message_max_bytes, ..SocketLimits::default() }
    }

    /// Shared by everybody who is connected.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Whether WebSockets are taken and dialled.
    pub(crate) fn has_sockets(&self) -> bool {
        self.sockets
    }

    /// Whether messages are taken and sent by HTTP.
    pub(crate) fn has_http(&self) -> bool {
        self.http
    }

    /// Hands messages for others and objects about connections to `face` from here on.
    pub(crate) fn set_relay(&self, face: Arc<dyn RelayFace>) {
        self.table().relay = Some(face);
    }

    /// Is a relay, or a member of some, from here on.
    pub(crate) fn set_bridge(&self, bridge: Arc<Bridge>) {
        self.set_relay(Arc::clone(&bridge) as Arc<dyn RelayFace>);
        // It is set once, at the start.
        drop(self.bridge.set(bridge));
    }

    /// What is done as a relay, and as a member of some.
    pub(crate) fn bridge(&self) -> Option<&Arc<Bridge>> {
        self.bridge.get()
    }

    /// How many connections are open, and how many of them belong to a peer that is known.
    pub(crate) fn count(&self) -> (usize, usize) {
        self.table().count()
    }

    /// Ends every connection and dials no more.
    pub(crate) fn close(&self) {
        let connections = self.table().close();
        for connection in connections {
            connection.close();
        }
        self.changed.notify_waiters();
    }

    /// Comes with the next connection that opens, closes, cannot be opened, or belongs to somebody from here on. What happens
    /// after this call is not missed.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Has everybody who waits for a way ask again.
    pub(crate) fn tell_changed(&self) {
        self.changed.notify_waiters();
    }

    /// The limits of its connections.
    pub(crate) fn limits_of_sockets(&self) -> SocketLimits {
        self.limits
    }

    /// Whether it has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.table().is_closed()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Each change leaves a valid table.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the router and the bridge call a connection.
pub(crate) fn name_of(connection: &Connection) -> ConnectionId {
    ConnectionId(connection.id().get())
}

impl std::fmt::Debug for Layers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Layers").field("sockets", &self.sockets).finish_non_exhaustive()
    }
}
