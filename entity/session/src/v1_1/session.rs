//! A ready session: sealed messages both ways, each handled once and in order.

use std::time::Duration;

use entity_crypto::identity::PeerId;
use entity_crypto::signing::PublicKey;
use entity_wire::id::{Generation, MessageId, MessageNumber, Sequence, SessionId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::control::{Ack, SessionClose};
use entity_wire::payload::handshake_1_1::Capabilities;
use entity_wire::payload::sealed::Plaintext;
use entity_wire::time::Timestamp;
use thiserror::Error;

use super::author::{Author, Form, Outbound};
use super::channel::{GenerationExhausted, ReceiveChannel, SendChannel};
use super::channels::Channels;
use super::numbers::{Class, Fate, Incoming, Outgoing, SendWindowFull};
use super::proof::{ChallengeVerified, KeyConfirmed, TranscriptBound};
use super::seal;
use super::secrets::{Secret, Secrets};
use super::state::Role;

mod framing;
mod keep;
mod limits;
mod receive;
mod renew;

use framing::Framing;
pub use framing::{ChunkData, Unsealed};
use keep::Keeping;
pub use limits::{ABSOLUTE_LIMIT, IDLE_LIMIT, InvalidLimits, LIMIT_MIN, SessionLimits};
pub use receive::{Content, Delivery, Effect, Opened};
use renew::Renewing;
pub use renew::{PROPOSAL_LIFETIME, RenewalLimits, Renewed, ResumeError};

/// How long a session still receives after a newer one took its place: 30 s.
///
/// Specified by `docs/protocol/1.1.md#replacement`.
pub const RECEIVE_ONLY: Duration = Duration::from_secs(30);

/// A session in which both sides have proved who they are and that they hold the keys.
///
/// Restored after a restart it has no keys any more: it is suspended until it has resumed. Keys and secrets are wiped
/// when they are replaced and when the session is dropped.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    role: Role,
    peer: PeerId,
    peer_key: PublicKey,
    capabilities: Capabilities,
    ready_at: Timestamp,
    /// When the last authenticated message was accepted.
    heard_at: Timestamp,
    limits: SessionLimits,
    use_: Use,
    channels: Channels,
    secrets: Secrets,
    renewing: Renewing,
    /// The newest generation of this run that a resumption has led to.
    resumed_at: Generation,
    outgoing: Outgoing,
    incoming: Incoming<Delivery>,
    keeping: Keeping,
    framing: Framing,
}

/// What a session is still good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Both directions.
    Both,
    /// A newer session with the same key is ready; this one ends at the given time.
    ReceiveOnly { until: Timestamp },
}

/// What a handshake hands over to the session it made.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) id: SessionId,
    pub(super) role: Role,
    pub(super) peer: PeerId,
    pub(super) peer_key: PublicKey,
    pub(super) capabilities: Capabilities,
    pub(super) send: SendChannel,
    pub(super) receive: ReceiveChannel,
    pub(super) secret: Secret,
}

/// A message that was sealed and numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a sealed message has to be delivered: its numbers are used"]
pub struct Sent {
    /// What to deliver.
    pub outbound: Outbound,
    /// The generation it is sealed under.
    pub generation: Generation,
    /// Its sequence number.
    pub sequence: Sequence,
    /// Its number; `None` for control messages.
    pub number: Option<MessageNumber>,
}

/// Why nothing can be sent; the caller's side of the session is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendError {
    /// Too many messages are unacknowledged.
    #[error("the peer has to acknowledge first")]
    WindowFull(#[from] SendWindowFull),
    /// The keys of the session are used up.
    #[error("the session has sent all it can under its keys")]
    Exhausted(#[from] GenerationExhausted),
    /// The session has ended, or only receives.
    #[error("the session does not send any more")]
    Closed,
    /// The session has to resume first.
    #[error("the session has no keys")]
    Suspended,
    /// Messages of this session leave as envelopes, which have no form for it.
    #[error("the session sends no frames")]
    NoFrames,
    /// A chunk has no bytes, or too many.
    #[error("no chunk has so many bytes")]
    ChunkSize,
    /// No durable message with this number waits to be acknowledged.
    #[error("nothing waits under this number")]
    Settled,
}

impl Session {
    /// Starts a session. The proofs show that every check of the handshake was made.
    pub(super) fn ready(
        parts: Parts,
        _proofs: (TranscriptBound, ChallengeVerified, KeyConfirmed),
        now: Timestamp,
    ) -> Self {
        let framing = Framing::agreed_in(&parts.capabilities);
        Self {
            id: parts.id,
            role: parts.role,
            peer: parts.peer,
            peer_key: parts.peer_key,
            capabilities: parts.capabilities,
            ready_at: now,
            heard_at: now,
            limits: SessionLimits::default(),
            use_: Use::Both,
            channels: Channels::new(parts.send, parts.receive),
            secrets: Secrets::new(parts.secret),
            renewing: Renewing::new(now),
            resumed_at: Generation::ZERO,
            outgoing: Outgoing::new(),
            incoming: Incoming::new(),
            keeping: Keeping::default(),
            framing,
        }
    }

    /// Seals a message and gives it its numbers.
    ///
    /// A control message gets a sequence number only, whatever its class. Every sealed message carries the
    /// acknowledgement that is due.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; nothing is used up then.
    pub fn seal(
        &mut self,
        kind: MessageKind,
        body: Object,
        class: Class,
        author: &mut Author<'_>,
    ) -> Result<Sent, SendError> {
        self.look_at_sending(author.now)?;
        if kind.is_control() {
            return self.seal_as(kind, body, None, author);
        }
        self.outgoing.look()?;
        let number = self.outgoing.reserve(class, author.now)?;
        self.seal_as(kind, body, Some((number, class)), author)
    }

    /// Seals a durable message again, under its number and a new sequence number.
    ///
    /// # Errors
    ///
    /// [`SendError::Settled`] where it does not wait any more, and see [`SendError`]; nothing is used up then.
    pub fn reseal(
        &mut self,
        (number, id): (MessageNumber, MessageId),
        kind: MessageKind,
        body: Object,
        author: &mut Author<'_>,
    ) -> Result<Sent, SendError> {
        self.look_at_sending(author.now)?;
        if !self.outgoing.awaits(number) || kind.is_control() {
            return Err(SendError::Settled);
        }
        self.seal_as(kind, body, Some((number, Class::Durable(id))), author)
    }

    fn look_at_sending(&self, now: Timestamp) -> Result<(), SendError> {
        if self.use_ != Use::Both || self.is_expired(now) {
            return Err(SendError::Closed);
        }
        let send = self.channels.sending().ok_or(SendError::Suspended)?;
        if send.remaining() == 0 { Err(send.exhausted().into()) } else { Ok(()) }
    }

    fn seal_as(
        &mut self,
        kind: MessageKind,
        body: Object,
        place: Option<(MessageNumber, Class)>,
        author: &mut Author<'_>,
    ) -> Result<Sent, SendError> {
        let slot = self.channels.reserve().ok_or(SendError::Suspended)??;
        let number = place.map(|(number, _)| number);
        let durable = match place {
            Some((_, Class::Durable(id))) => Some(id),
            Some((_, Class::Volatile)) | None => None,
        };
        let plaintext = Plaintext { number, ack: self.incoming.take_ack(), durable, body };
        let (generation, sequence) = (slot.generation(), slot.sequence());
        let place = (kind, &self.peer, self.id);
        let outbound = match self.framing.form_of(&place.0) {
            Form::Frame => seal::frame(slot, place, &plaintext, author),
            Form::Envelope => seal::message(slot, place, &plaintext, author).0,
        };
        Ok(Sent { outbound, generation, sequence, number })
    }

    /// Seals the message that tells the peer that this side ends the session.
    ///
    /// # Errors
    ///
    /// As [`Self::seal`].
    pub fn close(&mut self, reason: &str, author: &mut Author<'_>) -> Result<Sent, SendError> {
        self.seal(
            MessageKind::SessionClose,
            SessionClose { reason: reason.to_owned() }.to_object(),
            Class::Volatile,
            author,
        )
    }

    /// Declares that the volatile message with this number will not arrive: its delivery failed for good. A durable one
    /// is still waited for.
    pub fn give_up(&mut self, number: MessageNumber, now: Timestamp) {
        self.outgoing.give_up(number, now);
    }

    /// Declares that the durable message with this number will not come after all.
    pub fn withdraw(&mut self, number: MessageNumber, now: Timestamp) {
        self.outgoing.withdraw(number, now);
    }

    /// Seals the next control message that is due at `now`, if any: what renews the keys, a `skip`, an
    /// acknowledgement.
    ///
    /// Called until it returns nothing. Where sending is not possible, nothing is due.
    pub fn seal_due(&mut self, author: &mut Author<'_>) -> Option<Sent> {
        self.outgoing.expire(author.now);
        if !self.is_sending() {
            return None;
        }
        if let Some((kind, body)) = self.renewal_due(author) {
            return self.seal(kind, body, Class::Volatile, author).ok();
        }
        if let Some(skip) = self.outgoing.take_skip(author.now) {
            return self.seal(MessageKind::Skip, skip.to_object(), Class::Volatile, author).ok();
        }
        if self.incoming.is_ack_due(author.now) || self.renewing.take_announcement(author.now) {
            return self.seal(MessageKind::Ack, Ack.to_object(), Class::Volatile, author).ok();
        }
        None
    }

    /// Sets when the session ends.
    pub(super) const fn limit_life(&mut self, limits: SessionLimits) {
        self.limits = limits;
    }

    /// Stops sending for good; receiving goes on for [`RECEIVE_ONLY`]. Says whether there is something to be forgotten: a
    /// session that only receives does not outlive this run.
    pub(super) fn retire(&mut self, now: Timestamp) -> bool {
        if self.use_ == Use::Both {
            self.use_ = Use::ReceiveOnly { until: now.plus(RECEIVE_ONLY) };
        }
        self.drop_proposal();
        self.keeping.forget()
    }

    /// What has become of a message that was sent with this number.
    pub fn fate(&self, number: MessageNumber) -> Fate {
        self.outgoing.fate(number)
    }

    /// Whether a limit of the session has passed; at exactly a limit it has.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at()
    }

    /// When [`Self::seal_due`] has something to do or the session expires, whichever is first.
    pub fn next_deadline(&self) -> Timestamp {
        let always = [
            Some(self.expires_at()),
            self.channels.next_deadline(),
            self.renewing.proposal_deadline(),
        ];
        // Only a side that can send has anything to say.
        let saying = if self.is_sending() {
            [self.outgoing.next_deadline(), self.incoming.next_deadline(), self.renewal_deadline()]
        } else {
            [None; 3]
        };
        let due = always.into_iter().chain(saying).flatten();
        due.fold(self.expires_at(), Timestamp::min)
    }

    /// The session's id: the initiator's choice.
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// Which side of the handshake this node was.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The peer's name.
    pub const fn peer(&self) -> &PeerId {
        &self.peer
    }

    /// The key that the peer proved.
    pub const fn peer_key(&self) -> &PublicKey {
        &self.peer_key
    }

    /// What both sides are capable of, in the order of step 1.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Which keys are in use; while it is suspended, those that it will resume from.
    pub fn generation(&self) -> Generation {
        let sending = self.channels.sending().map(SendChannel::generation);
        sending.unwrap_or_else(|| self.secrets.newest().generation())
    }

    /// Whether this side may send: there are keys, they are not used up, and no newer session is ready.
    pub fn is_sending(&self) -> bool {
        self.use_ == Use::Both && self.channels.sending().is_some_and(|send| send.remaining() > 0)
    }

    /// Whether the session was kept across a restart and has not resumed yet.
    pub const fn is_suspended(&self) -> bool {
        self.channels.sending().is_none()
    }

    /// Whether a newer session took this one's place.
    pub(super) const fn is_retired(&self) -> bool {
        !matches!(self.use_, Use::Both)
    }

    fn expires_at(&self) -> Timestamp {
        let idle = self.heard_at.plus(self.limits.idle());
        let limit = idle.min(self.ready_at.plus(self.limits.lifetime()));
        match self.use_ {
            Use::Both => limit,
            Use::ReceiveOnly { until } => limit.min(until),
        }
    }
}
