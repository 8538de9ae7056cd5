//! For each transmission the way it goes.
//!
//! [`Router::choose`] says it, from what was told before: which connections there are and to whom, what each peer is able
//! to do, which attempts to connect failed, which relays are there. It holds no message: whoever asks keeps the bytes, tries
//! the way, and asks again where it broke, with that way in [`Tried`]. So a message is never in two places, and falling
//! back is asking once more. Connecting is no way of a message: the router wants it as an [`Output`], once a message would
//! go there, and from then on whenever the connection is lost.
//!
//! | module | what it holds |
//! |---|---|
//! | `vocabulary` | questions, ways, outputs |
//! | `decide` | the choice itself, which changes nothing |
//! | `dial` | when L2 to a peer is tried again, and whether it is partitioned |
//! | `room` | peers and relays that are remembered, and who gives way where there is no room |
//! | `suspicion` | what is held against relays |
//! | `view` | what its operator sees |
//!
//! Source: `docs/protocol/1.1.md#layers`, `docs/protocol/1.1.md#relay-suspicion`.

mod decide;
mod dial;
mod room;
mod suspicion;
mod view;
mod vocabulary;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use entity_crypto::entropy::Entropy;
use entity_crypto::signing::PublicKey;
use entity_wire::code::ErrorCode;
use entity_wire::id::MessageId;
use entity_wire::time::Timestamp;

pub use decide::socket_of;
use dial::Dial;
use suspicion::Watch;
pub use view::{PeerView, RelayView, Sent, SocketState};
pub use vocabulary::{
    Config, ConnectionId, Layers, Output, Purpose, RefusedBy, RelayId, RelaySet, RelayTarget,
    Route, Suspicion, TakenBy, Target, Tried, Unreachable, Why,
};

/// Chooses the way of each transmission of one node.
#[derive(Debug)]
pub struct Router {
    config: Config,
    entropy: Entropy,
    peers: BTreeMap<Arc<str>, Reach>,
    connections: BTreeMap<ConnectionId, Arc<str>>,
    /// When each peer is to be dialled that has no connection.
    dials: BTreeSet<(Timestamp, Arc<str>)>,
    /// From here on the next one looks for a peer to be forgotten, where there is no room.
    forgotten_last: Arc<str>,
    /// Those of the operator.
    relays: Vec<RelayState>,
    /// Those that only mailboxes have named, by their [`RelayId`], of which none is used twice.
    found: BTreeMap<usize, RelayState>,
    /// The next [`RelayId`] of these.
    next_found: usize,
    outputs: VecDeque<Output>,
}

/// What is known of the ways to one peer.
#[derive(Debug, Default)]
struct Reach {
    /// Those we dialled first, then the newest first: of our own we know where they lead.
    connections: Vec<Link>,
    dial: Dial,
    /// Its place in `dials`.
    dial_at: Option<Timestamp>,
    sent: Sent,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    connection: ConnectionId,
    is_dialled: bool,
    /// It belongs to the peer as far as a message of it was shown there, and what was sent over it had no answer.
    is_silent: bool,
}

impl Reach {
    /// Whether there is a connection that answers.
    fn is_connected(&self) -> bool {
        self.connections.iter().any(|link| !link.is_silent)
    }

    /// Whether nothing would be lost with what is remembered but counters and pauses.
    fn is_idle(&self) -> bool {
        self.connections.is_empty() && self.dial_at.is_none() && !self.dial.is_wanted()
    }
}

#[derive(Debug)]
struct RelayState {
    address: Arc<str>,
    /// `None` where only a mailbox has named it.
    key: Option<PublicKey>,
    connection: Option<ConnectionId>,
    watch: Watch,
}

impl Router {
    /// Most peers of which anything is remembered: of a further one in the place of one that has no connection and is not to
    /// be dialled. Where there is none nothing is remembered, which costs it L2 alone.
    pub const PEERS_MAX: usize = 65_536;

    /// So many are looked at to find one that can be forgotten. Guessed: it costs less than a message.
    pub const PEERS_LOOKED_AT_MAX: usize = 64;

    /// Most connections to one peer that are remembered; the last one is forgotten, and lives on unused.
    pub const CONNECTIONS_PER_PEER_MAX: usize = 4;

    /// Most relays that an operator names.
    pub const RELAYS_MAX: usize = 16;

    /// Most relays that only mailboxes have named: a further one in the place of one of which nothing is held, else nothing is
    /// remembered of it. Guessed: more than anybody uses.
    pub const FOUND_RELAYS_MAX: usize = 64;

    /// How long the one of two peers waits that both dial each other, where it can wait: the other's connection serves both.
    pub const COURTESY: Duration = Duration::from_secs(1);

    /// A router that knows nothing but its configuration. `seed` is all its randomness: the jitter of its pauses.
    ///
    /// Of more than [`Router::RELAYS_MAX`] relays the first ones count.
    pub fn new(mut config: Config, seed: [u8; 32]) -> Self {
        config.relays.truncate(Self::RELAYS_MAX);
        let relays = config.relays.iter().map(|target| RelayState {
            address: Arc::clone(&target.address),
            key: Some(target.key),
            connection: None,
            watch: Watch::new(config.patience),
        });
        Self {
            next_found: relays.len(),
            relays: relays.collect(),
            found: BTreeMap::new(),
            forgotten_last: Arc::from(""),
            config,
            entropy: Entropy::from_seed(seed),
            peers: BTreeMap::new(),
            connections: BTreeMap::new(),
            dials: BTreeSet::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Says which way a transmission goes now. After [`Route::Wait`] the caller asks again at that time, or when something
    /// of the peer has changed.
    pub fn choose(&mut self, target: &Target<'_>, now: Timestamp) -> Route {
        self.find_relay(target);
        let (route, dial) = self.decide(target, now);
        // Who was told that this failed waits for it no more.
        if let Some(address) = dial.filter(|_| !target.tried.dialled) {
            self.want(target, &address, now);
        }
        if let Some(reach) = self.peers.get_mut(target.peer) {
            reach.sent.count(&route);
        } else if let Some(reach) = self.reach(target.peer) {
            reach.sent.count(&route);
        }
        if let (Some(relay), Purpose::Durable(message)) = (route.relay(), target.purpose)
            && let Some((peer, _)) = self.peers.get_key_value(target.peer)
        {
            let peer = Arc::clone(peer);
            if let Some(state) = self.relay_mut(relay) {
                state.watch.given(&peer, message, now);
            }
        }
        route
    }

    /// Connects to a peer from here on, at once where that is due.
    fn want(&mut self, target: &Target<'_>, address: &str, now: Timestamp) {
        let can_wait = self.config.own.http && target.address.starts_with("http://");
        let is_courteous = can_wait && self.config.name.as_str() > target.peer;
        let wait = if is_courteous { Self::COURTESY } else { Duration::ZERO };
        let Some(reach) = self.reach(target.peer) else { return };
        reach.dial.want(address, wait, now);
        self.dial(target.peer, now);
    }

    /// Has a peer dialled where that is due, else notes when it will be.
    fn dial(&mut self, peer: &str, now: Timestamp) {
        let Some((name, reach)) = self.peers.get_key_value(peer) else { return };
        let (name, was) = (Arc::clone(name), reach.dial_at);
        let Some(reach) = self.peers.get_mut(peer) else { return };
        if !reach.is_connected()
            && let Some(address) = reach.dial.begin(now)
        {
            self.outputs.push_back(Output::Dial { peer: Arc::clone(&name), address });
        }
        let next = reach.dial.due_at().filter(|_| !reach.is_connected());
        if next != was {
            reach.dial_at = next;
            if let Some(at) = was {
                self.dials.remove(&(at, Arc::clone(&name)));
            }
            self.dials.extend(next.map(|at| (at, name)));
        }
    }

    /// A connection is there that we dialled, or on which this peer has shown who it is.
    pub fn handle_connected(
        &mut self,
        connection: ConnectionId,
        (peer, is_dialled): (&str, bool),
        now: Timestamp,
    ) {
        if self.connections.contains_key(&connection) {
            // The first word counts.
            return;
        }
        let Some(reach) = self.reach(peer) else { return };
        reach.dial.succeeded();
        let behind = |link: &&Link| !is_dialled && link.is_dialled;
        let place = reach.connections.iter().take_while(behind).count();
        reach.connections.insert(place, Link { connection, is_dialled, is_silent: false });
        let room = Self::CONNECTIONS_PER_PEER_MAX.min(reach.connections.len());
        let dropped = reach.connections.split_off(room);
        self.connections.insert(connection, Arc::from(peer));
        for link in dropped {
            self.connections.remove(&link.connection);
        }
        self.dial(peer, now);
    }

    /// A connection has carried a message, or the answer to one.
    pub fn handle_carried(&mut self, connection: ConnectionId) {
        let peer = self.connections.get(&connection);
        if let Some(reach) = peer.and_then(|peer| self.peers.get_mut(peer)) {
            reach.dial.carried();
        }
    }

    /// What was sent over a connection had no answer in time. Where the peer was only seen on it (who accepted it knows no
    /// more than that a message of the peer was shown there, which somebody else may have had), it is used last from here on.
    pub fn handle_silent(&mut self, connection: ConnectionId, now: Timestamp) {
        let Some(peer) = self.connections.get(&connection).map(Arc::clone) else { return };
        let jitter = self.jitter();
        let Some(reach) = self.peers.get_mut(&peer) else { return };
        let seen = reach.connections.iter_mut().find(|link| link.connection == connection);
        let Some(link) = seen.filter(|link| !link.is_dialled && !link.is_silent) else { return };
        link.is_silent = true;
        if !reach.is_connected() {
            reach.dial.lost(jitter, now);
        }
        self.dial(&peer, now);
    }

    /// A connection is gone, whoever was at its other end.
    pub fn handle_disconnected(&mut self, connection: ConnectionId, now: Timestamp) {
        for relay in self.relays_mut() {
            relay.connection = relay.connection.filter(|held| *held != connection);
        }
        let Some(peer) = self.connections.remove(&connection) else { return };
        let jitter = self.jitter();
        if let Some(reach) = self.peers.get_mut(&peer) {
            reach.connections.retain(|held| held.connection != connection);
            if !reach.is_connected() {
                reach.dial.lost(jitter, now);
            }
        }
        self.dial(&peer, now);
    }

    /// An attempt to connect to a peer, asked for by [`Output::Dial`], has failed.
    pub fn handle_dial_failed(&mut self, peer: &str, now: Timestamp) {
        let jitter = self.jitter();
        if let Some(reach) = self.peers.get_mut(peer) {
            reach.dial.failed(jitter, now);
        }
        self.dial(peer, now);
    }

    /// A peer is not where a connection was wanted to, or is not known any more: an attempt that has failed. It is dialled
    /// again when a message would go somewhere, and there only after a pause.
    pub fn handle_unwanted(&mut self, peer: &str, now: Timestamp) {
        let jitter = self.jitter();
        if let Some(reach) = self.peers.get_mut(peer) {
            reach.dial.not_there(jitter, now);
        }
        self.dial(peer, now);
    }

    /// A peer is gone from the roster.
    pub fn handle_removed(&mut self, peer: &str) {
        if let Some((name, reach)) = self.peers.remove_entry(peer) {
            if let Some(at) = reach.dial_at {
                self.dials.remove(&(at, name));
            }
            for link in reach.connections {
                self.connections.remove(&link.connection);
            }
        }
    }

    /// We are registered at a relay, over this connection.
    pub fn handle_registered(&mut self, relay: RelayId, connection: ConnectionId) {
        if let Some(state) = self.relay_mut(relay) {
            state.connection = Some(connection);
        }
    }

    /// Something was heard of a peer that only it can have said.
    pub fn handle_heard(&mut self, peer: &str, now: Timestamp) {
        for relay in self.relays_mut() {
            relay.watch.heard(peer, now);
        }
        if let Some(reach) = self.peers.get_mut(peer)
            && reach.dial.is_partitioned()
        {
            reach.dial.heard();
            self.dial(peer, now);
        }
    }

    /// Whether [`Router::handle_heard`] would change anything: a relay is watched, or L2 to somebody is partitioned.
    pub fn is_listening(&self) -> bool {
        !self.dials.is_empty() || self.all_relays().any(|(_, relay)| relay.watch.outstanding() > 0)
    }

    /// A relay said that a durable message was taken, which [`Router::choose`] gave it.
    pub fn handle_taken(&mut self, relay: RelayId, message: (MessageId, TakenBy), now: Timestamp) {
        if let Some(state) = self.relay_mut(relay) {
            state.watch.taken(message.0, message.1, now);
        }
    }

    /// A relay did not take a durable message, or did not say so.
    pub fn handle_not_taken(&mut self, relay: RelayId, message: MessageId) {
        if let Some(state) = self.relay_mut(relay) {
            state.watch.not_taken(message);
        }
    }

    /// A durable message was acknowledged by whom it was for.
    pub fn handle_acknowledged(&mut self, peer: &str, message: MessageId, now: Timestamp) {
        for relay in self.relays_mut() {
            relay.watch.settled(message, true);
            relay.watch.heard(peer, now);
        }
    }

    /// Nobody waits any more for a durable message to be acknowledged.
    pub fn handle_given_up(&mut self, message: MessageId) {
        for relay in self.relays_mut() {
            relay.watch.settled(message, false);
        }
    }

    /// A message that went by a relay was refused with this code. What a stranger refuses is held against nobody: it would
    /// have any relay suspected that it is reached by.
    pub fn handle_refused(
        &mut self,
        relay: RelayId,
        (code, by): (ErrorCode, RefusedBy),
        now: Timestamp,
    ) {
        if by == RefusedBy::Stranger {
            return;
        }
        let found = self.relay_mut(relay).and_then(|state| state.watch.refused(code, now));
        self.suspect(relay, found);
    }

    /// A relay is not who it should be.
    pub fn handle_impersonation(&mut self, relay: RelayId, now: Timestamp) {
        let found = self.relay_mut(relay).and_then(|state| state.watch.impersonates(now));
        self.suspect(relay, found);
    }

    /// When [`Router::handle_deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let watched = self.all_relays().filter_map(|(_, relay)| relay.watch.next_deadline());
        watched.chain(self.dials.first().map(|(at, _)| *at)).min()
    }

    /// Connects where that is due, looks for what was not acknowledged in time, and lets suspicions go that are old.
    pub fn handle_deadline(&mut self, now: Timestamp) {
        while let Some((_, peer)) = self.dials.first().filter(|(at, _)| *at <= now).cloned() {
            self.dial(&peer, now);
        }
        let all: Vec<_> = self.all_relays().map(|(id, _)| id).collect();
        for id in all {
            let found = self.relay_mut(id).and_then(|relay| relay.watch.look(now));
            self.suspect(id, found);
        }
    }

    /// What there is to be done and told, drained after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn suspect(&mut self, relay: RelayId, found: Option<Why>) {
        if let (Some(why), Some(state)) = (found, self.relay(relay)) {
            let suspicion = Suspicion { relay: Arc::clone(&state.address), key: state.key, why };
            self.outputs.push_back(Output::RelaySuspected(suspicion));
        }
    }

    /// A fraction of 256.
    fn jitter(&mut self) -> u8 {
        let [byte] = self.entropy.bytes();
        byte
    }
}

impl Route {
    /// The relay that it goes by, where that is remembered.
    pub fn relay(&self) -> Option<RelayId> {
        match self {
            Self::Mailbox { relay, .. } => *relay,
            Self::Relay { relay, .. } => Some(*relay),
            Self::Socket(_) | Self::Http | Self::Wait { .. } | Self::None(_) => None,
        }
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

/// The longest time for which a peer is taken for partitioned: then it has L1 alone. Guessed: longer than a restart, and
/// nobody waits for it for good.
///
/// Source: `docs/protocol/1.1.md#layers`.
pub const PARTITION_MAX: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests;
