//! For each transmission the way it goes.
//!
//! [`Router::choose`] says it, from what was told before: which connections there are and to whom, what each peer is able
//! to do, which attempts to connect failed, which relays are there. It holds no message: whoever asks keeps the bytes, tries
//! the way, and asks again where it broke, with that way in [`Tried`]. So a message is never in two places, and falling
//! back is asking once more.
//!
//! | module | what it holds |
//! |---|---|
//! | `vocabulary` | questions, ways, outputs |
//! | `dial` | when L2 to a peer is tried again, and whether it is partitioned |
//! | `suspicion` | what is held against relays |
//! | `view` | what its operator sees |
//!
//! Source: `docs/protocol/1.1.md#layers`, `docs/protocol/1.1.md#relay-suspicion`.

mod dial;
mod suspicion;
mod view;
mod vocabulary;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use entity_crypto::entropy::Entropy;
use entity_crypto::signing::PublicKey;
use entity_wire::code::ErrorCode;
use entity_wire::id::MessageId;
use entity_wire::time::Timestamp;

use dial::Dial;
use suspicion::Watch;
pub use view::{PeerView, RelayView, Sent, SocketState};
pub use vocabulary::{
    Config, ConnectionId, Layers, Output, Purpose, RelayId, RelayTarget, Route, TakenBy, Target,
    Tried, Unreachable, Why,
};

/// Chooses the way of each transmission of one node.
#[derive(Debug)]
pub struct Router {
    config: Config,
    entropy: Entropy,
    peers: BTreeMap<Arc<str>, Reach>,
    connections: BTreeMap<ConnectionId, Arc<str>>,
    relays: Vec<RelayState>,
    outputs: VecDeque<Output>,
}

/// What is known of the ways to one peer.
#[derive(Debug, Default)]
struct Reach {
    /// The newest first.
    connections: Vec<ConnectionId>,
    layers: Option<Layers>,
    dial: Dial,
    sent: Sent,
}

#[derive(Debug)]
struct RelayState {
    target: RelayTarget,
    connection: Option<ConnectionId>,
    watch: Watch,
}

impl Router {
    /// Most peers of which anything is remembered; of a further one nothing is, which costs it L2 alone.
    pub const PEERS_MAX: usize = 65_536;

    /// Most connections to one peer that are remembered; the oldest is forgotten, and lives on unused.
    pub const CONNECTIONS_PER_PEER_MAX: usize = 4;

    /// Most relays.
    pub const RELAYS_MAX: usize = 16;

    /// A router that knows nothing but its configuration. `seed` is all its randomness: the jitter of its pauses.
    ///
    /// Of more than [`Router::RELAYS_MAX`] relays the first ones count.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let relays = config.relays.iter().take(Self::RELAYS_MAX).cloned();
        let relays = relays
            .map(|target| RelayState { target, connection: None, watch: Watch::default() })
            .collect();
        Self {
            config,
            entropy: Entropy::from_seed(seed),
            peers: BTreeMap::new(),
            connections: BTreeMap::new(),
            relays,
            outputs: VecDeque::new(),
        }
    }

    /// Says which way a transmission goes now.
    ///
    /// After [`Route::Dial`] the caller owes one [`Router::handle_connected`] or [`Router::handle_dial_failed`] of that peer,
    /// and asks again; after [`Route::Wait`] it asks again at that time, or when something of the peer has changed.
    pub fn choose(&mut self, target: &Target<'_>, now: Timestamp) -> Route {
        let route = self.route(target, now);
        if let Some(reach) = self.peers.get_mut(target.peer) {
            reach.sent.count(&route);
        }
        route
    }

    fn route(&mut self, target: &Target<'_>, now: Timestamp) -> Route {
        let base = Base::of(target.address);
        let own = self.config.own;
        let listed = self.reach(target.peer).and_then(|reach| reach.layers);
        let has_ws = matches!(base, Base::Ws(_)) || listed.is_some_and(|layers| layers.ws);
        let socket = own.ws && !target.tried.socket;
        if socket && let Some(connection) = self.connection_to(target.peer) {
            return Route::Socket(connection);
        }
        let dialled = if socket && has_ws { base.socket() } else { None };
        let mut later = None;
        if let Some(address) = dialled {
            match self.reach(target.peer).map(|reach| reach.dial.next(now)) {
                Some(dial::Next::Now) => return Route::Dial(address),
                Some(dial::Next::At(until)) => later = Some(until),
                None => {}
            }
        }
        if own.http
            && !target.tried.http
            && let Base::Http(address) = base
        {
            return match later.filter(|_| self.waits(target)) {
                Some(until) => Route::Wait { until },
                None => Route::Http(address.to_owned()),
            };
        }
        // Somebody connects already: that is sooner than any way round.
        let is_dialling =
            self.peers.get(target.peer).is_some_and(|reach| reach.dial.is_under_way());
        if let (Some(until), true) = (later, is_dialling) {
            return Route::Wait { until };
        }
        self.relay_for(target, &base)
            .or(later.map(|until| Route::Wait { until }))
            .unwrap_or_else(|| Route::None(unreachable(own, &base, target.tried)))
    }

    /// Whether a new session has to wait until L2 is back.
    ///
    /// Source: `docs/protocol/1.1.md#layers`.
    fn waits(&self, target: &Target<'_>) -> bool {
        self.config.partition_waits
            && target.purpose == Purpose::Begins
            && self.peers.get(target.peer).is_some_and(|reach| reach.dial.is_partitioned())
    }

    fn connection_to(&self, peer: &str) -> Option<ConnectionId> {
        self.peers.get(peer)?.connections.first().copied()
    }

    /// What is remembered of a peer; nothing where there is no room.
    fn reach(&mut self, peer: &str) -> Option<&mut Reach> {
        if !self.peers.contains_key(peer) {
            if self.peers.len() >= Self::PEERS_MAX {
                return None;
            }
            self.peers.insert(Arc::from(peer), Reach::default());
        }
        self.peers.get_mut(peer)
    }

    /// A way round: by a relay that we are connected to, else by posting to one; those under suspicion last.
    fn relay_for(&self, target: &Target<'_>, base: &Base<'_>) -> Option<Route> {
        if target.tried.relay {
            return None;
        }
        let recipient = base.recipient().or(target.key)?;
        let own = self.config.own;
        let connected = |relay: &RelayState| relay.connection.filter(|_| own.ws);
        // It was posted to already, where the address itself is that of a mailbox.
        let may_post = own.http && !target.tried.http;
        let candidates = self.relays.iter().enumerate();
        let (index, relay) = candidates
            .filter(|(_, relay)| relay.target.key != recipient)
            .filter(|(_, relay)| may_post || connected(relay).is_some())
            .min_by_key(|(index, relay)| {
                (relay.watch.is_suspected(), connected(relay).is_none(), *index)
            })?;
        Some(match connected(relay) {
            Some(connection) => Route::Relay { relay: RelayId(index), connection, recipient },
            None => Route::Http(relay.target.mailbox(&recipient)),
        })
    }

    /// A connection is there, and this peer has shown on it who it is.
    pub fn handle_connected(&mut self, connection: ConnectionId, peer: &str, now: Timestamp) {
        self.handle_disconnected(connection, now);
        let Some(reach) = self.reach(peer) else { return };
        reach.dial.succeeded();
        reach.connections.insert(0, connection);
        let room = Self::CONNECTIONS_PER_PEER_MAX.min(reach.connections.len());
        for oldest in reach.connections.split_off(room) {
            self.connections.remove(&oldest);
        }
        self.connections.insert(connection, Arc::from(peer));
    }

    /// A connection is gone, whoever was at its other end.
    pub fn handle_disconnected(&mut self, connection: ConnectionId, now: Timestamp) {
        for relay in &mut self.relays {
            relay.connection = relay.connection.filter(|held| *held != connection);
        }
        let Some(peer) = self.connections.remove(&connection) else { return };
        let jitter = self.jitter();
        if let Some(reach) = self.peers.get_mut(&peer) {
            reach.connections.retain(|held| *held != connection);
            if reach.connections.is_empty() {
                reach.dial.lost(jitter, now);
            }
        }
    }

    /// An attempt to connect to a peer, asked for by [`Route::Dial`], has failed.
    pub fn handle_dial_failed(&mut self, peer: &str, now: Timestamp) {
        let jitter = self.jitter();
        if let Some(reach) = self.peers.get_mut(peer) {
            reach.dial.failed(jitter, now);
        }
    }

    /// What a peer said in its handshake that it can be reached by.
    pub fn handle_capabilities(&mut self, peer: &str, layers: Layers) {
        if let Some(reach) = self.reach(peer) {
            reach.layers = Some(layers);
        }
    }

    /// A peer is gone from the roster.
    pub fn handle_removed(&mut self, peer: &str) {
        if let Some(reach) = self.peers.remove(peer) {
            for connection in reach.connections {
                self.connections.remove(&connection);
            }
        }
    }

    /// We are registered at a relay, over this connection.
    pub fn handle_registered(&mut self, relay: RelayId, connection: ConnectionId) {
        if let Some(state) = self.relays.get_mut(relay.0) {
            state.connection = Some(connection);
        }
    }

    /// Something was heard of a peer that only it can have said.
    pub fn handle_heard(&mut self, peer: &str, now: Timestamp) {
        self.watch(|watch, _| watch.heard(peer, now));
    }

    /// A relay said that a durable message was taken.
    pub fn handle_taken(
        &mut self,
        relay: RelayId,
        peer: &str,
        message: (MessageId, TakenBy),
        now: Timestamp,
    ) {
        if let Some(state) = self.relays.get_mut(relay.0) {
            state.watch.taken(peer, message, now);
        }
    }

    /// A durable message was acknowledged by whom it was for.
    pub fn handle_acknowledged(&mut self, peer: &str, message: MessageId, now: Timestamp) {
        self.watch(|watch, _| {
            watch.acknowledged(message);
            watch.heard(peer, now)
        });
    }

    /// A message that came by a relay was refused here, with this code.
    pub fn handle_refused(&mut self, relay: RelayId, code: ErrorCode, now: Timestamp) {
        let found = self.relays.get_mut(relay.0).and_then(|state| state.watch.refused(code, now));
        self.suspect(relay, found);
    }

    /// A relay is not who it should be.
    pub fn handle_impersonation(&mut self, relay: RelayId, now: Timestamp) {
        let found = self.relays.get_mut(relay.0).and_then(|state| state.watch.impersonates(now));
        self.suspect(relay, found);
    }

    /// When [`Router::handle_deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.relays.iter().filter_map(|relay| relay.watch.next_deadline()).min()
    }

    /// Looks for what was not acknowledged in time, and lets suspicions go that are old.
    pub fn handle_deadline(&mut self, now: Timestamp) {
        self.watch(|watch, _| watch.look(now));
    }

    /// What there is to be told, drained after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn watch(&mut self, mut look: impl FnMut(&mut Watch, RelayId) -> Option<Why>) {
        let found: Vec<_> = self
            .relays
            .iter_mut()
            .enumerate()
            .map(|(index, relay)| (RelayId(index), look(&mut relay.watch, RelayId(index))))
            .collect();
        for (relay, why) in found {
            self.suspect(relay, why);
        }
    }

    fn suspect(&mut self, relay: RelayId, found: Option<Why>) {
        if let (Some(why), Some(state)) = (found, self.relays.get(relay.0)) {
            let address = state.target.address.clone();
            self.outputs.push_back(Output::RelaySuspected { relay, address, why });
        }
    }

    /// A fraction of 256.
    fn jitter(&mut self) -> u8 {
        let [byte] = self.entropy.bytes();
        byte
    }
}

/// What an address says about the layers.
enum Base<'a> {
    Http(&'a str),
    Ws(&'a str),
    Unknown,
}

impl<'a> Base<'a> {
    fn of(address: &'a str) -> Self {
        if address.starts_with("http://") {
            Self::Http(address)
        } else if address.starts_with("ws://") {
            Self::Ws(address)
        } else {
            Self::Unknown
        }
    }

    /// Where to connect to; a mailbox at a relay is no place for that.
    fn socket(&self) -> Option<String> {
        if self.recipient().is_some() {
            return None;
        }
        match self {
            Self::Http(address) => address.strip_prefix("http://").map(socket_of),
            Self::Ws(address) => address.strip_prefix("ws://").map(socket_of),
            Self::Unknown => None,
        }
    }

    /// Whose mailbox the address is.
    fn recipient(&self) -> Option<PublicKey> {
        let (Self::Http(address) | Self::Ws(address)) = self else { return None };
        vocabulary::mailbox_of(address)
    }
}

fn socket_of(rest: &str) -> String {
    let rest = rest.trim_end_matches('/');
    if rest.ends_with("/ws") { format!("ws://{rest}") } else { format!("ws://{rest}/ws") }
}

fn unreachable(own: Layers, base: &Base<'_>, tried: Tried) -> Unreachable {
    match base {
        Base::Unknown => Unreachable::Address,
        Base::Http(_) | Base::Ws(_) if tried == Tried::default() => Unreachable::NoLayer { own },
        Base::Http(_) | Base::Ws(_) => Unreachable::AllFailed,
    }
}

/// The shortest pause before L2 to a peer is tried again, doubled with every failure.
///
/// Source: `docs/protocol/1.1.md#layers`.
pub const PAUSE_MIN: Duration = Duration::from_millis(250);

/// The longest such pause.
///
/// Source: `docs/protocol/1.1.md#layers`.
pub const PAUSE_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
