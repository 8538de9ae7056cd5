//! Protocol 1.1 of one peer: receiving, handshakes, sending.
//!
//! The rules themselves are in [`entity_session::v1_1`]; here they meet the roster, the outbox, the inbox and the
//! commands.
//!
//! | module | what it holds |
//! |---|---|
//! | [`receive`] | the three stages of a message, and what an accepted one does |
//! | [`handshake`] | opening, becoming ready, failing, falling back |
//! | [`resume`] | resuming, renewing keys |
//! | [`repeat`] | the last step and the proposal, said again where nothing follows |
//! | [`send`] | sealing and posting, and what becomes of it |
//! | [`fit`] | whether a body surely has a form in one message |
//! | [`frames`] | which messages are compact frames, and the stages of one that comes |
//! | [`refusal`] | how a refusal is answered |
//!
//! Source: docs/protocol/1.1.md

mod fit;
mod frames;
mod handshake;
mod receive;
mod refusal;
mod repeat;
mod resume;
mod send;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use entity_journal::Stored;
use entity_session::nonce_memory::NonceLimits;
use entity_session::v1_1::author::Author;
use entity_session::v1_1::handshake::Offer;
use entity_session::v1_1::record::{Damaged, Kept, SPACE};
use entity_session::v1_1::sessions::{self, Sessions};
use entity_session::v1_1::state;
use entity_wire::frame;
use entity_wire::id::{MessageNumber, SessionId};
use entity_wire::kind::MessageKind;
use entity_wire::payload::handshake_1_1::{Capabilities, REQUIRED_CAPABILITIES};
use entity_wire::socket::WEBSOCKET;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use crate::command::{CommandError, CommandId, Receipt, Send};
use crate::config::{Config, Frames};
use crate::core::{Core, Reason};
use crate::name::PeerName;
use crate::restore::RestoreError;
use crate::view::{Role, SessionName, SessionView};

pub(crate) use frames::{refuse_frame, refuse_version};
pub(crate) use receive::{Check, Checked, Decoded};
pub(crate) use refusal::{refuse_shape, with_code};
use repeat::Unfollowed;
use resume::{Rekeying, Resuming};
pub(crate) use send::takeable;

/// What protocol 1.1 remembers.
#[derive(Debug)]
pub(crate) struct State {
    sessions: Sessions,
    /// Messages that wait until the peer has our step 6: before, it would answer that it is not ready.
    ///
    /// Only ready sessions have an entry, and each list is bounded as the waiters of a link are.
    unheard: BTreeMap<SessionId, VecDeque<(Reason, Send)>>,
    /// Messages that the peer answered as seen before: the acknowledgement says whether they were.
    unsettled: BTreeMap<SessionId, Vec<Unsettled>>,
    /// Sessions that the peer has said it does not know. They are used until a new one is ready, because answers
    /// are not authenticated (`docs/protocol/1.1.md#status-is-a-hint`).
    doubted: BTreeSet<SessionId>,
    /// The repeated answers under way, so that whoever replays steps brings about one at a time.
    repeating: BTreeSet<(SessionId, MessageKind)>,
    /// The last step of each handshake and the proposal of each resumption, until something follows it.
    unfollowed: BTreeMap<SessionId, Unfollowed>,
    /// Peers whose handshake goes on in place of the one that we opened or wanted to open.
    yielded: BTreeSet<PeerName>,
    /// The resumptions on our initiative.
    resuming: BTreeMap<SessionId, Resuming>,
    /// Sessions that did not resume: a handshake is tried before they are again.
    unresumable: BTreeSet<SessionId>,
    /// Counts the messages that were to resume a session.
    attempts: u64,
    /// The commands that wait for new keys.
    rekeying: Vec<Rekeying>,
}

/// A message that arrived perhaps, because an earlier attempt got no answer and a later one was told so.
#[derive(Debug)]
struct Unsettled {
    number: MessageNumber,
    reason: Reason,
    receipt: Receipt,
    error: CommandError,
}

/// What the outcome of a posted message means.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A handshake step.
    Step { session: SessionId, kind: MessageKind },
    /// An application message.
    Message { reason: Reason, receipt: Receipt, session: SessionId, number: Option<MessageNumber> },
    /// A `session_resume`.
    Resume { session: SessionId, attempt: u64 },
    /// The answer to a repeated step: nobody waits for it.
    Repeat { session: SessionId, kind: MessageKind },
    /// An acknowledgement, a skip or a close: nobody waits for it.
    Control,
}

impl Purpose {
    /// Says whether it asks for a sign of life.
    pub(crate) fn is_heartbeat(&self) -> bool {
        matches!(self, Self::Message { reason: Reason::Heartbeat, .. })
    }
}

impl State {
    /// Goes on with the sessions that were kept; `kept` are the numbers of durable messages that are still kept.
    ///
    /// # Errors
    ///
    /// A record is damaged.
    pub(crate) fn restore(
        config: &Config,
        stored: &mut Stored,
        kept: &Kept,
        now: Timestamp,
    ) -> Result<Self, RestoreError> {
        let defaults = sessions::Config::default();
        let supported_versions = [Version::V1_0, Version::V1_1]
            .into_iter()
            .filter(|version| config.protocols.includes(*version))
            .collect();
        let address = config.address.clone();
        let config = sessions::Config {
            offer: Offer { capabilities: offered(config), supported_versions, address },
            rate_limits: config.rate_limits.clone(),
            nonces: NonceLimits { senders_max: config.limits.peers_max, ..defaults.nonces },
            renewal: config.renewal,
            limits: config.sessions,
            ..defaults
        };
        let sessions = Sessions::restore(config, stored, kept, now);
        let sessions = sessions.map_err(|Damaged { key, reason }| RestoreError::Damaged {
            space: SPACE.name(),
            key,
            reason,
        })?;
        Ok(Self {
            sessions,
            unheard: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            doubted: BTreeSet::new(),
            repeating: BTreeSet::new(),
            unfollowed: BTreeMap::new(),
            yielded: BTreeSet::new(),
            resuming: BTreeMap::new(),
            unresumable: BTreeSet::new(),
            attempts: 0,
            rekeying: Vec::new(),
        })
    }

    /// Wants everything kept that has to be before anything else of this input leaves.
    pub(crate) fn persist(&mut self, core: &mut Core) {
        for write in self.sessions.take_writes() {
            core.persist(write);
        }
    }

    /// Has everything kept exactly as it is, before an orderly end.
    pub(crate) fn close_books(&mut self) {
        self.sessions.close_books();
    }

    /// Returns the session that a message to the peer would take, where there is one.
    pub(crate) fn live_session(&self, peer: &PeerName, now: Timestamp) -> Option<SessionName> {
        let session = self.sessions.current(&peer.as_peer_id()?)?;
        let ready = self.sessions.ready(session)?;
        (ready.is_sending() && !ready.is_expired(now)).then(|| session.into())
    }

    /// Says whether the peer has refused what we sent in the live session as if it did not know it.
    pub(crate) fn is_doubted(&self, peer: &PeerName) -> bool {
        let current = peer.as_peer_id().and_then(|peer| self.sessions.current(&peer));
        current.is_some_and(|session| self.doubted.contains(&session))
    }

    /// Says whether both sides of a session list this capability.
    pub(crate) fn lists(&self, session: SessionId, capability: &str) -> bool {
        let ready = self.sessions.ready(session);
        ready.is_some_and(|ready| ready.capabilities().contains(capability))
    }

    /// Says whether messages of the table may go in the session that a message to the peer would take.
    pub(crate) fn has_table(&self, peer: &PeerName) -> bool {
        let current = peer.as_peer_id().and_then(|peer| self.sessions.current(&peer));
        current.is_some_and(|session| self.lists(session, DHT))
    }

    /// Forgets that the peer has answered as if it did not know the live session.
    pub(crate) fn trust_session(&mut self, peer: &PeerName) {
        if let Some(session) = peer.as_peer_id().and_then(|peer| self.sessions.current(&peer)) {
            self.doubted.remove(&session);
            self.unresumable.remove(&session);
        }
    }

    /// Takes back a message that waits for the peer to have our step 6; says whether there was one.
    pub(crate) fn withdraw(&mut self, command: CommandId) -> bool {
        if self.withdraw_rekeying(command) {
            return true;
        }
        let queues = self.unheard.values_mut();
        let counts = queues.map(|queue| {
            let count = queue.len();
            queue.retain(|(reason, _)| reason.command() != Some(command));
            count - queue.len()
        });
        counts.sum::<usize>() > 0
    }

    /// Returns every handshake and session.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = SessionView> {
        self.sessions.views().map(|view| SessionView {
            id: view.session.into(),
            peer: PeerName::from(&view.peer),
            peer_key: view.key,
            version: Version::V1_1,
            role: role(view.role),
            state: view.state.as_str(),
            generation: view.generation.get(),
            sealed: view.state == state::SessionState::Ready,
        })
    }

    /// Does what is due: ends what has expired, acknowledges, declares what is lost.
    pub(crate) fn expire(&mut self, core: &mut Core, now: Timestamp) {
        self.attend(core, now);
        self.expire_renewals(core, now);
        self.repeat_unfollowed(core, now);
        self.report_changes(core, now);
        self.report_ended(core, now);
        for session in self.unsettled.keys().copied().collect::<Vec<_>>() {
            self.settle_acknowledged(core, session, now);
        }
    }

    /// Posts what the sessions have to say by now.
    fn attend(&mut self, core: &mut Core, now: Timestamp) {
        for sent in self.sessions.attend(&mut author(core, now)) {
            self.post_control(core, sent.outbound);
        }
    }

    /// Returns when [`State::expire`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        [self.sessions.next_deadline(), self.renewals_deadline(), self.repeat_deadline()]
            .into_iter()
            .flatten()
            .min()
    }
}

/// What both sides list who take part in the table.
///
/// Source: docs/protocol/1.1.md#distributed-hash-table
pub(crate) const DHT: &str = "dht";

/// Returns what step 1 of a handshake says we can do.
pub(crate) fn offered(config: &Config) -> Capabilities {
    let websocket = config.websocket.then_some(WEBSOCKET);
    let dht = config.dht.is_some().then_some(DHT);
    let frames = (config.frames != Frames::Never).then_some(frame::CAPABILITY);
    let further = websocket.into_iter().chain(dht).chain(frames);
    Capabilities::new(REQUIRED_CAPABILITIES.into_iter().chain(further))
}

/// Returns this node as the author of messages.
fn author(core: &mut Core, now: Timestamp) -> Author<'_> {
    let wall = core.wall(now);
    Author { id: &core.config.id, key: &core.key, entropy: &mut core.entropy, now, wall }
}

fn role(role: state::Role) -> Role {
    match role {
        state::Role::Initiator => Role::Initiator,
        state::Role::Responder => Role::Responder,
    }
}
