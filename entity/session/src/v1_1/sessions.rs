//! Everything that is open with any peer, and the order in which a message is checked against it.
//!
//! [`Sessions::receive`] takes a message whose signature held through steps 8 to 16 of
//! `docs/protocol/1.1.md#order-of-checks`: first it only looks, then it records, then it acts.
//!
//! The caller owes a `now` that never goes back; it calls [`Sessions::attend`] when
//! [`Sessions::next_deadline`] has come, takes what ended out of [`Sessions::poll_ended`] and what else has changed out of
//! [`Sessions::poll_change`], and after every call makes what [`Sessions::take_writes`] returns durable before anything
//! else that the call has brought about leaves.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use entity_crypto::identity::PeerId;
use entity_crypto::signing::PublicKey;
use entity_journal::Write;
use entity_wire::id::{MessageId, MessageNumber, SessionId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::time::Timestamp;
use entity_wire::v1_1::Envelope;
use thiserror::Error;

use super::author::{Author, Outbound};
use super::deadlines::Deadlines;
use super::handshake::Offer;
use super::numbers::Class;
use super::refusal::{HandshakeError, Refusal};
use super::session::{Delivery, RenewalLimits, Renewed, SendError, Sent, Session, SessionLimits};
use super::state::{Role, SessionState};
use crate::nonce_memory::{NonceLimits, NonceMemory};
use crate::rate_limit::{RateLimiter, RateLimits};

mod advance;
mod framing;
mod held;
mod keep;
mod look;
mod resume;
mod upkeep;

use held::{Held, Stage};
use look::Admitted;
pub use upkeep::SessionView;

/// How far a timestamp may be from this node's clock, in either direction: 60 s, inclusive.
///
/// Specified by `docs/protocol/1.1.md#order-of-checks`.
pub const CLOCK_TOLERANCE: Duration = Duration::from_mins(1);

/// How many sessions of one peer may still receive after newer ones took their place: 4, a guess.
///
/// The oldest ends early beyond it, so that a peer that opens sessions as fast as it may does not
/// pile them up.
pub const RETIRED_PER_PEER_MAX: usize = 4;

/// What [`Sessions`] is allowed to do and to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What this node says about itself in handshakes.
    pub offer: Offer,
    /// What an authenticated sender may send.
    pub rate_limits: RateLimits,
    /// How many nonces are remembered, and of how many senders anything is counted; pinned senders and strangers have
    /// memories of this size each.
    pub nonces: NonceLimits,
    /// How many handshakes strangers may have half open at once.
    ///
    /// A stranger costs only a key to make, so there have to be few. Pinned peers have one each.
    pub strangers_half_open_max: usize,
    /// How many handshakes and sessions are held in all.
    pub held_max: usize,
    /// When keys are renewed.
    pub renewal: RenewalLimits,
    /// When sessions end.
    pub limits: SessionLimits,
}

impl Default for Config {
    /// 64 half-open strangers, 4,096 sessions: guesses.
    fn default() -> Self {
        Self {
            offer: Offer::default(),
            rate_limits: RateLimits::default(),
            nonces: NonceLimits::DEFAULT,
            strangers_half_open_max: 64,
            held_max: 4_096,
            renewal: RenewalLimits::default(),
            limits: SessionLimits::default(),
        }
    }
}

/// How the key that a message was verified under came to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The key is pinned for this sender.
    Pinned,
    /// The sender is unknown; its handshake runs under the key it brought.
    FirstUse,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// A step that was accepted before; this is the answer it got, to be delivered again.
    Repeat(Option<Outbound>),
    /// A handshake moved on; this is the next step.
    Advanced(Outbound),
    /// A handshake is done and its session is ready.
    Ready(Readied),
    /// Messages to be handled now, in this order.
    Deliver(Vec<Delivery>),
    /// The peer ended the session; it is gone.
    Closed,
    /// The peer resumes a session; this is the answer to be delivered.
    Resuming(Outbound),
    /// The peer has answered: the session has resumed.
    Resumed,
}

/// A session that has just become ready.
#[derive(Debug, Clone, PartialEq)]
pub struct Readied {
    /// The session.
    pub session: SessionId,
    /// The peer.
    pub peer: PeerId,
    /// The key that the peer has proved.
    pub key: PublicKey,
    /// How that key came to be trusted; a stranger's is to be pinned now.
    pub standing: Standing,
    /// Which side of the handshake this node was.
    pub role: Role,
    /// Where the peer says it takes messages, if this node responded.
    pub address: Option<String>,
    /// Step 6, if it is this node's to send.
    pub answer: Option<Outbound>,
}

/// A handshake or session that is not held any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its id.
    pub session: SessionId,
    /// The peer it was with.
    pub peer: PeerId,
    /// Which side this node was.
    pub role: Role,
    /// Where it stood.
    pub state: SessionState,
    /// Why it ended.
    pub reason: EndReason,
}

/// Why a handshake or session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndReason {
    /// The handshake failed, or was not answered in time.
    Failed(HandshakeError),
    /// A session reached its idle or absolute limit.
    Expired,
    /// A newer handshake or session of the same peer took its place.
    Superseded,
    /// Both sides opened at once and the peer's handshake goes on.
    SimultaneousOpen,
    /// The peer closed the session.
    ClosedByPeer {
        /// What it gave as its reason.
        reason: String,
    },
    /// This side closed the session or gave the handshake up.
    Closed,
}

/// What has become of the keys of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It sends under new keys.
    Renewed {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PeerId,
        /// Their generation, and how they came about.
        renewed: Renewed,
    },
    /// A resumption was not answered in time, or cannot succeed.
    NotResumed {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PeerId,
    },
}

/// Why no handshake is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenError {
    /// This side has already opened one, or is answering one, with that peer.
    #[error("a handshake with this peer is open: {session}")]
    InProgress {
        /// The open one.
        session: SessionId,
    },
    /// Too many handshakes and sessions are held.
    #[error("{held} handshakes and sessions are held")]
    Full {
        /// How many.
        held: usize,
    },
}

/// All handshakes and sessions of a node, with the memories that protect them.
#[derive(Debug)]
pub struct Sessions {
    config: Config,
    held: BTreeMap<SessionId, Held>,
    /// The newest ready session of each peer.
    current: BTreeMap<PeerId, SessionId>,
    /// Sessions that only receive, oldest first.
    retired: BTreeMap<PeerId, VecDeque<SessionId>>,
    deadlines: Deadlines,
    /// Strangers are counted apart, so that making keys does not crowd out the pinned peers.
    pinned_limiter: RateLimiter<PublicKey>,
    strangers_limiter: RateLimiter<PublicKey>,
    pinned_nonces: NonceMemory<PublicKey>,
    /// Strangers have a memory of their own, so that they cannot fill that of the pinned peers.
    strangers_nonces: NonceMemory<PublicKey>,
    ended: VecDeque<Ended>,
    changes: VecDeque<Change>,
    writes: Vec<Write>,
}

impl Sessions {
    /// Holds nothing yet.
    pub fn new(config: Config) -> Self {
        let limiter = || RateLimiter::new(config.rate_limits.clone(), config.nonces.senders_max);
        let (pinned_limiter, strangers_limiter) = (limiter(), limiter());
        let (pinned_nonces, strangers_nonces) =
            (NonceMemory::new(config.nonces), NonceMemory::new(config.nonces));
        Self {
            config,
            held: BTreeMap::new(),
            current: BTreeMap::new(),
            retired: BTreeMap::new(),
            deadlines: Deadlines::default(),
            pinned_limiter,
            strangers_limiter,
            pinned_nonces,
            strangers_nonces,
            ended: VecDeque::new(),
            changes: VecDeque::new(),
            writes: Vec::new(),
        }
    }

    /// Takes a message whose signature held, for this node, from somebody else.
    ///
    /// `standing` says how the key it was verified under came to be trusted. Whatever is returned has to be
    /// acted on: answers delivered, deliveries handled in order.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]. Unless it is [`Refusal::Handshake`], nothing has changed; then the handshake it
    /// belongs to has ended, or was not begun.
    pub fn receive(
        &mut self,
        message: &Envelope,
        standing: Standing,
        author: &mut Author<'_>,
    ) -> Result<Received, Refusal> {
        if let Some(answered) = self.answered(message) {
            return Ok(Received::Repeat(answered.answer.clone()));
        }
        self.pinned_nonces.expire(author.now);
        self.strangers_nonces.expire(author.now);
        let standing = self.counted_as(message, standing);
        let admitted = match self.look(message, standing, author) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                self.note_hopeless(message, &refusal);
                return Err(refusal);
            }
        };
        self.record_nonce(message, standing, &admitted, author.now);
        self.accept(message, standing, admitted, author)
    }

    /// Opens a handshake with `peer` and returns its session id with step 1.
    ///
    /// Without a `pinned` key the first key that answers is taken.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(
        &mut self,
        peer: &PeerId,
        pinned: Option<PublicKey>,
        author: &mut Author<'_>,
    ) -> Result<(SessionId, Outbound), OpenError> {
        if let Some(session) = self.handshake_with(peer) {
            return Err(OpenError::InProgress { session });
        }
        if self.held.len() >= self.config.held_max {
            return Err(OpenError::Full { held: self.held.len() });
        }
        let (state, outbound) =
            super::handshake::initiator::open(peer.clone(), pinned, &self.config.offer, author);
        let session = outbound.session;
        let standing = if pinned.is_some() { Standing::Pinned } else { Standing::FirstUse };
        self.hold(session, Held::new(Stage::InitSent(state), peer.clone(), standing));
        Ok((session, outbound))
    }

    /// Seals a message in the newest ready session with `peer`.
    ///
    /// A durable message is the caller's to keep and to send again with [`Self::resend`] until [`Self::fate`] says that
    /// it was acknowledged.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] where there is no session that sends, and see [`SendError`].
    pub fn send(
        &mut self,
        peer: &PeerId,
        kind: MessageKind,
        body: Object,
        class: Class,
        author: &mut Author<'_>,
    ) -> Result<Sent, SendError> {
        let session = self.current(peer).ok_or(SendError::Closed)?;
        self.act_in(session, |ready| ready.seal(kind, body, class, author))
    }

    /// Seals a durable message again in the session that numbered it, under the same number and a new sequence number.
    ///
    /// `kind`, `body` and `id` have to be those of the first time: the number stands for one message.
    ///
    /// # Errors
    ///
    /// [`SendError::Settled`] where it was acknowledged or withdrawn, [`SendError::Closed`] where the session is gone or
    /// does not send, and see [`SendError`].
    pub fn resend(
        &mut self,
        (session, number, id): (SessionId, MessageNumber, MessageId),
        kind: MessageKind,
        body: Object,
        author: &mut Author<'_>,
    ) -> Result<Sent, SendError> {
        self.act_in(session, |ready| ready.reseal((number, id), kind, body, author))
    }

    fn act_in(
        &mut self,
        session: SessionId,
        act: impl FnOnce(&mut Session) -> Result<Sent, SendError>,
    ) -> Result<Sent, SendError> {
        let held = self.held.get_mut(&session).ok_or(SendError::Closed)?;
        let Stage::Ready(ready) = &mut held.stage else { return Err(SendError::Closed) };
        let sent = act(ready);
        self.reschedule(session);
        sent
    }

    /// The key that a later step of an open handshake with a stranger is verified under.
    ///
    /// Source: `docs/protocol/1.1.md#trust-on-first-use`.
    pub fn handshake_key(&self, session: SessionId, sender: &PeerId) -> Option<PublicKey> {
        self.held
            .get(&session)
            .filter(|held| held.peer == *sender)
            .and_then(|held| held.stage.peer_key())
    }

    /// Whether step 1 with this id was sent to `sender` and waits for its answer, whose own key it is then
    /// verified under if none is pinned.
    pub fn awaits_init_ack(&self, session: SessionId, sender: &PeerId) -> bool {
        self.held
            .get(&session)
            .is_some_and(|held| held.peer == *sender && matches!(held.stage, Stage::InitSent(_)))
    }

    /// With whom a message is counted. Whoever answers a step 1 of this side is nobody that came unasked, so that
    /// strangers who fill their memories do not keep it out.
    fn counted_as(&self, message: &Envelope, standing: Standing) -> Standing {
        let held = self.held.get(&message.header().session);
        let is_asked = held.is_some_and(|held| held.stage.role() == Role::Initiator);
        if is_asked { Standing::Pinned } else { standing }
    }

    /// Step 15 for the nonce; a ready session records its sequence numbers itself.
    fn record_nonce(
        &mut self,
        message: &Envelope,
        standing: Standing,
        admitted: &Admitted,
        now: Timestamp,
    ) {
        let nonces = match standing {
            Standing::Pinned => &mut self.pinned_nonces,
            Standing::FirstUse => &mut self.strangers_nonces,
        };
        match admitted {
            Admitted::Init { .. }
            | Admitted::Step { .. }
            | Admitted::Resume { .. }
            | Admitted::Resumed { .. } => {
                nonces.record(*message.signer(), message.header().nonce.as_bytes(), now);
            }
            Admitted::Ready(_) => {}
        }
    }
}
