//! Protocol 1.0 of one peer: receiving, handshakes, sending.
//!
//! | module | what it holds |
//! |---|---|
//! | [`receive`] | the three stages, the order of checks in both profiles |
//! | [`open`] | opening sealed payloads |
//! | [`handle`] | what an accepted message does |
//! | [`handshake`] | the three handshake messages |
//! | [`outcome`] | what becomes of the delivery of messages |
//! | [`pieces`] | payloads that travel in several messages |
//! | [`lane`] | the order in which messages of a session are sent |
//! | [`send`] | sealing, numbering and signing what we send |
//! | [`table`] | the sessions with each peer |
//! | [`fault`] | why a message is refused, and the answer to it |
//!
//! Source: docs/protocol/1.0.md

mod fault;
mod handle;
mod handshake;
mod lane;
mod open;
mod outcome;
mod pieces;
mod receive;
mod send;
mod table;

use std::collections::BTreeMap;

use entity_session::compat_limit::CompatLimiter;
use entity_session::rate_limit::RateLimiter;
use entity_wire::decode::Profile;
use entity_wire::time::Timestamp;

use crate::command::{CommandId, Receipt};
use crate::config::Config;
use crate::core::{Core, News, Reason};
use crate::name::PeerName;
use crate::output::{CloseReason, PeerEvent};
use crate::view::{SessionName, SessionView};

use pieces::Pieces;
pub(crate) use receive::{Check, Checked, Decoded, refuse_undecodable};
use table::PeerSessions;

/// What protocol 1.0 remembers.
#[derive(Debug)]
pub(crate) struct State {
    profile: Profile,
    /// Only peers of the roster have an entry, so their number is bounded with it.
    peers: BTreeMap<PeerName, PeerSessions>,
    pieces: Pieces,
    compat_limiter: CompatLimiter,
    rate_limiter: RateLimiter<PeerName>,
    /// When this run began, where there was one before whose accepted messages are forgotten.
    restarted_at: Option<Timestamp>,
}

/// What the outcome of a posted message means.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A `handshake`.
    Handshake { session: String },
    /// A `handshake_ack`.
    Ack { session: String },
    /// A `handshake_confirm`.
    Confirm { session: String },
    /// Any other message.
    Message { reason: Reason, receipt: Receipt, holds_lane: bool },
}

impl State {
    /// Starts with nothing; `restarted_at` where there was an earlier run.
    pub(crate) fn new(config: &Config, restarted_at: Option<Timestamp>) -> Self {
        Self {
            profile: config.profile,
            peers: BTreeMap::new(),
            pieces: Pieces::default(),
            compat_limiter: CompatLimiter::new(),
            rate_limiter: RateLimiter::new(config.rate_limits.clone(), config.limits.peers_max),
            restarted_at,
        }
    }

    /// Returns the live session with a peer, where there is one.
    pub(crate) fn live_session(&self, peer: &PeerName, now: Timestamp) -> Option<&str> {
        self.peers.get(peer)?.live(now).map(|current| current.session.id())
    }

    /// Says whether the peer has refused what we sent in the live session as if it did not know it.
    pub(crate) fn is_doubted(&self, peer: &PeerName) -> bool {
        self.peers.get(peer).is_some_and(PeerSessions::is_doubted)
    }

    /// Returns every session.
    pub(crate) fn sessions<'a>(&'a self, core: &'a Core) -> impl Iterator<Item = SessionView> + 'a {
        self.peers.iter().flat_map(move |(peer, sessions)| {
            let key = core.roster.get(peer.as_str()).and_then(|entry| entry.key);
            sessions.views(peer, key)
        })
    }

    /// Ends a command that waits for its turn in a session; says whether there was one.
    pub(crate) fn withdraw(&mut self, command: CommandId) -> bool {
        self.peers.values_mut().any(|sessions| sessions.lane.withdraw(command))
            || self.withdraw_pieces(command)
    }

    /// Forgets an established session; says whether there was one.
    pub(crate) fn close(&mut self, core: &mut Core, id: &SessionName) -> bool {
        let found = self.peers.iter_mut().find(|(_, sessions)| sessions.holds(&id.0));
        let Some((peer, sessions)) = found else { return false };
        sessions.forget_established(&id.0);
        let (id, peer) = (id.clone(), peer.clone());
        core.event(PeerEvent::SessionClosed { id, peer, reason: CloseReason::Closed });
        true
    }

    /// Forgets every session and handshake with a peer whose key has proved 1.1: nothing goes by 1.0 any more.
    ///
    /// Source: docs/protocol/1.1.md#downgrade-protection
    pub(crate) fn outgrow(&mut self, core: &mut Core, peer: &PeerName) {
        let forgotten = self.peers.get_mut(peer).and_then(PeerSessions::forget_all);
        if let Some(id) = forgotten {
            let (id, peer) = (SessionName(id), peer.clone());
            core.event(PeerEvent::SessionClosed { id, peer, reason: CloseReason::Replaced });
        }
    }

    /// Forgets everything about a peer.
    pub(crate) fn forget(&mut self, peer: &PeerName) {
        self.peers.remove(peer);
    }

    /// Forgets that the peer has answered as if it did not know the session.
    pub(crate) fn trust_session(&mut self, peer: &PeerName) {
        if let Some(sessions) = self.peers.get_mut(peer) {
            sessions.end_doubt();
        }
    }

    /// Ends what is due: half-open handshakes, and sessions past their age.
    pub(crate) fn expire(&mut self, core: &mut Core, now: Timestamp) {
        self.answer_held(core, now);
        self.pieces.expire(now);
        let timeout = core.config.limits.handshake_timeout;
        for (peer, sessions) in &mut self.peers {
            if sessions.expire_half_open(timeout, now) {
                core.tell(handshake::timed_out(peer));
            }
            sessions.expire_retired(now);
            if let Some(id) = sessions.expire_current(now) {
                let (id, peer) = (SessionName(id), peer.clone());
                core.tell(News::Gone { peer: peer.clone() });
                core.event(PeerEvent::SessionClosed { id, peer, reason: CloseReason::Expired });
            }
        }
    }

    /// Returns when [`State::expire`] has something to do.
    pub(crate) fn next_deadline(&self, core: &Core) -> Option<Timestamp> {
        let timeout = core.config.limits.handshake_timeout;
        let sessions =
            self.peers.values().filter_map(|sessions| sessions.next_deadline(timeout)).min();
        [sessions, self.pieces.next_deadline()].into_iter().flatten().min()
    }

    fn with(&mut self, peer: &PeerName) -> &mut PeerSessions {
        if !self.peers.contains_key(peer) {
            self.peers.insert(peer.clone(), PeerSessions::default());
        }
        self.peers.get_mut(peer).expect("it was inserted above where it was missing")
    }
}
