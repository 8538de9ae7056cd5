//! How a session gets new keys: by a rekey while both sides live, by a resumption after one of them has lost its own.
//!
//! Either way one side proposes a generation and switches to it when it has the answer; the other answers and switches
//! when the proposer has spoken under it.

use std::time::Duration;

use entity_wire::id::Generation;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::rekey::{Rekey, RekeyRequest};
use entity_wire::payload::resume::Resume;
use entity_wire::time::Timestamp;
use entity_wire::v1_1::Envelope;
use thiserror::Error;

use super::Session;
use crate::v1_1::author::{Author, Outbound};
use crate::v1_1::channel::{MESSAGES_MAX, SendChannel};
use crate::v1_1::refusal::Refusal;
use crate::v1_1::rekey::{self, Answered, Asked};
use crate::v1_1::repeat::Repeat;
use crate::v1_1::resumption::{self, BinderVerified, Proposal, Terms};
use crate::v1_1::secrets::{Confirmed, GenerationsUsedUp, Renewal};
use crate::v1_1::state::Role;

/// How long a `session_resume` waits for its answer: 30 s, as a challenge does; at exactly 30 s it is too late.
///
/// Specified by `docs/protocol/1.1.md#resumption`.
pub const PROPOSAL_LIFETIME: Duration = Duration::from_secs(30);

/// The greatest step above the highest generation: 4,096, a guess. Steps double each time the other side says that a
/// generation is too low, so that a side whose proposals went unheard for a day is caught up with in a dozen attempts.
const STEP_MAX: u16 = 4_096;

/// When keys are renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenewalLimits {
    /// After how many messages of one direction a rekey is due.
    pub due_after_messages: u64,
    /// After how long a rekey is due.
    pub due_after: Duration,
    /// After how many messages of its own a side sends no more under the same keys; at most [`MESSAGES_MAX`].
    pub messages_max: u64,
}

impl Default for RenewalLimits {
    /// What `docs/protocol/1.1.md#rekey` says: 2^20 messages, 3,600 s, 2^21 messages.
    fn default() -> Self {
        Self {
            due_after_messages: 1 << 20,
            due_after: Duration::from_hours(1),
            messages_max: MESSAGES_MAX,
        }
    }
}

/// A session has new keys, and sends under them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewed {
    /// Their generation.
    pub generation: Generation,
    /// How they came about.
    pub renewal: Renewal,
}

/// Why a session cannot be resumed; a handshake is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResumeError {
    /// There is no such session, or it only receives.
    #[error("there is no such session to resume")]
    NoSession,
    /// A limit of the session has passed.
    #[error("the session has expired")]
    Expired,
    /// No generation is left.
    #[error("the session has used up its generations")]
    UsedUp(#[from] GenerationsUsedUp),
}

/// What is under way.
#[derive(Debug)]
pub(super) struct Renewing {
    limits: RenewalLimits,
    /// Since when this side sends under its keys.
    since: Timestamp,
    /// How far above the highest generation the next proposal goes.
    step: u16,
    proposal: Option<Proposal>,
    /// What the proposer of the pending generation has committed.
    proposer_has: Option<u64>,
    /// A rekey is wanted before it is due.
    is_wanted: bool,
    asked: Option<(Asked, Repeat)>,
    answered: Option<Answered>,
    /// `rekey_ack` is to be sent.
    is_ack_due: bool,
    request: Option<Repeat>,
    /// The other side is to hear that this side has switched, until it shows that it has.
    announcement: Option<Repeat>,
    renewed: Option<Renewed>,
}

impl Renewing {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            limits: RenewalLimits::default(),
            since: now,
            step: 1,
            proposal: None,
            proposer_has: None,
            is_wanted: false,
            asked: None,
            answered: None,
            is_ack_due: false,
            request: None,
            announcement: None,
            renewed: None,
        }
    }

    pub(super) fn take_announcement(&mut self, now: Timestamp) -> bool {
        self.announcement.as_mut().is_some_and(|repeat| repeat.take(now))
    }

    pub(super) fn proposal_deadline(&self) -> Option<Timestamp> {
        self.proposal.as_ref().map(Proposal::deadline)
    }

    /// What a new generation of this side's own making leaves to do.
    fn switched(&mut self, renewed: Renewed, now: Timestamp) {
        self.since = now;
        self.step = 1;
        self.is_wanted = false;
        self.request = None;
        self.announcement = Some(Repeat::from(now));
        self.renewed = Some(renewed);
    }
}

/// Resumption.
impl Session {
    /// Writes `session_resume`, in place of one that may be under way.
    ///
    /// # Errors
    ///
    /// [`ResumeError`]; nothing has changed then.
    pub(in crate::v1_1) fn propose_resumption(
        &mut self,
        author: &mut Author<'_>,
    ) -> Result<Outbound, ResumeError> {
        if self.is_retired() {
            return Err(ResumeError::NoSession);
        }
        if self.is_expired(author.now) {
            return Err(ResumeError::Expired);
        }
        let next = self.secrets.next(self.renewing.step)?;
        self.secrets.propose(next);
        let deadline = author.now.plus(PROPOSAL_LIFETIME);
        let (session, peer, acknowledged) = (self.id, &self.peer, self.incoming.handled());
        let terms = Terms { session, peer, base: self.secrets.newest(), next, acknowledged };
        let (proposal, outbound) = resumption::propose(terms, author, deadline);
        self.renewing.proposal = Some(proposal);
        self.keeping.commit();
        Ok(outbound)
    }

    /// Takes note that the other side finds the proposed generation too low: the next one goes further.
    pub(in crate::v1_1) fn step_further(&mut self) {
        self.renewing.step = self.renewing.step.saturating_mul(2).min(STEP_MAX);
    }

    /// Forgets the `session_resume` under way; says whether there was one.
    pub(in crate::v1_1) fn drop_proposal(&mut self) -> bool {
        self.renewing.proposal.take().is_some()
    }

    /// Whether a `session_resume` is under way.
    pub const fn is_resuming(&self) -> bool {
        self.renewing.proposal.is_some()
    }

    /// Looks at a `session_resume` up to its binder, which [`Self::verify_resume`] checks.
    ///
    /// # Errors
    ///
    /// [`Refusal::Generation`], [`Refusal::Expired`], [`Refusal::NoSession`].
    pub(in crate::v1_1) fn look_at_resume(
        &self,
        resume: &Resume,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.look_at_life(now)?;
        self.secrets.look(resume.base_generation, resume.generation)?;
        Ok(())
    }

    /// Checks what needs the secret: the binder; and then what it vouches for.
    ///
    /// # Errors
    ///
    /// [`Refusal::Binder`], [`Refusal::Acknowledgement`], [`Refusal::LowOrder`].
    pub(in crate::v1_1) fn verify_resume(
        &self,
        message: &Envelope,
        resume: &Resume,
    ) -> Result<BinderVerified, Refusal> {
        let base = self.secrets.look(resume.base_generation, resume.generation)?;
        let proof = resumption::verify_proposal(message, resume, base)?;
        self.outgoing.look_at_resumption(resume.acknowledged)?;
        rekey::look_at_key(&resume.ephemeral_public_key)?;
        Ok(proof)
    }

    /// Answers a `session_resume`. From here on it receives under the new generation, and sends under it once the
    /// proposer has.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing has changed then.
    pub(in crate::v1_1) fn answer_resume(
        &mut self,
        (message, resume, proof): (&Envelope, &Resume, BinderVerified),
        author: &mut Author<'_>,
    ) -> Result<Outbound, Refusal> {
        let (base, next) = (resume.base_generation, resume.generation);
        let (session, peer) = (self.id, &self.peer);
        // What the proposer is told is committed has to be.
        let acknowledged = self.incoming.handled();
        let secret = self.secrets.look(base, next)?;
        let terms = Terms { session, peer, base: secret, next, acknowledged };
        let (outbound, keys, secret) = resumption::answer((message, resume, proof), terms, author)?;
        self.channels.forget_pending(base);
        self.secrets.accept_pending(base, secret, Renewal::Resumption);
        self.expect(keys.into_channels(self.role));
        self.renewing.proposer_has = Some(resume.acknowledged);
        self.renewing.proposal = None;
        self.heard_at = author.now;
        self.drop_outdated();
        self.keeping.commit();
        Ok(outbound)
    }

    /// Looks at a `session_resumed`, and checks its binder and what that vouches for.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unexpected`] where it answers nothing that is under way; as [`Self::verify_resume`].
    pub(in crate::v1_1) fn verify_resumed(
        &self,
        message: &Envelope,
        resume: &Resume,
    ) -> Result<BinderVerified, Refusal> {
        let unexpected = || Refusal::Unexpected { kind: MessageKind::SessionResumed };
        let proposal = self.renewing.proposal.as_ref().ok_or_else(unexpected)?;
        let base = self.secrets.get(proposal.base()).ok_or_else(unexpected)?;
        if !proposal.is_answered_by(resume) {
            return Err(unexpected());
        }
        let proof = proposal.verify(message, resume, base)?;
        self.outgoing.look_at_resumption(resume.acknowledged)?;
        rekey::look_at_key(&resume.ephemeral_public_key)?;
        Ok(proof)
    }

    /// Takes a `session_resumed`: sends under the new generation from now on.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; the proposal is spent then.
    pub(in crate::v1_1) fn conclude_resumption(
        &mut self,
        (message, resume, proof): (&Envelope, &Resume, BinderVerified),
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let unexpected = || Refusal::Unexpected { kind: MessageKind::SessionResumed };
        let proposal = self.renewing.proposal.take().ok_or_else(unexpected)?;
        let base = self.secrets.get(resume.base_generation).ok_or_else(unexpected)?;
        let (keys, secret) = proposal.conclude((message, resume, proof), base)?;
        self.heard_at = now;
        self.confirm(resume.base_generation, now);
        self.secrets.accept_proposed(resume.base_generation, secret);
        self.switch(keys.into_channels(self.role));
        self.outgoing.resume(resume.acknowledged, now);
        self.resumed_at = resume.generation;
        let renewed = Renewed { generation: resume.generation, renewal: Renewal::Resumption };
        self.renewing.switched(renewed, now);
        self.drop_outdated();
        self.keeping.commit();
        Ok(())
    }

    /// Wipes the keys whose time is over, and says whether a `session_resume` was not answered in time.
    pub(in crate::v1_1) fn expire(&mut self, now: Timestamp) -> bool {
        self.channels.expire(now);
        let is_late = self.renewing.proposal_deadline().is_some_and(|deadline| now >= deadline);
        is_late && self.drop_proposal()
    }
}

/// Rekey.
impl Session {
    /// Asks for new keys: the handshake's initiator at once, the responder by asking the initiator.
    ///
    /// Nothing comes of it where the session has no keys, or no generation is left.
    pub fn want_rekey(&mut self, now: Timestamp) {
        match self.role {
            Role::Initiator => self.renewing.is_wanted = self.renewing.asked.is_none(),
            Role::Responder => {
                self.renewing.request.get_or_insert(Repeat::from(now));
            }
        }
    }

    /// Sets when keys are renewed.
    pub(in crate::v1_1) fn limit(&mut self, limits: RenewalLimits) {
        self.renewing.limits = limits;
        self.channels.limit(limits.messages_max);
    }

    /// What has become of the keys since the last call.
    pub(in crate::v1_1) const fn take_renewed(&mut self) -> Option<Renewed> {
        self.renewing.renewed.take()
    }

    /// The message of a rekey that is due at `now`, if any.
    pub(super) fn renewal_due(&mut self, author: &mut Author<'_>) -> Option<(MessageKind, Object)> {
        if std::mem::take(&mut self.renewing.is_ack_due)
            && let Some(answered) = &self.renewing.answered
        {
            return Some((MessageKind::RekeyAck, answered.ack()));
        }
        match self.role {
            Role::Initiator => self.rekey_due(author),
            Role::Responder => {
                if self.renewing.request.is_none() && self.is_rekey_due(author.now) {
                    self.renewing.request = Some(Repeat::from(author.now));
                }
                let request = self.renewing.request.as_mut()?;
                let is_due = request.take(author.now);
                is_due.then(|| (MessageKind::RekeyRequest, RekeyRequest.to_object()))
            }
        }
    }

    fn rekey_due(&mut self, author: &mut Author<'_>) -> Option<(MessageKind, Object)> {
        if self.renewing.asked.is_none() {
            let is_wanted = std::mem::take(&mut self.renewing.is_wanted);
            if !is_wanted && !self.is_rekey_due(author.now) {
                return None;
            }
            let (base, next) = (self.generation(), self.next_by_rekey()?);
            self.secrets.propose(next);
            self.keeping.commit();
            let asked = Asked::new(base, next, author.entropy);
            self.renewing.asked = Some((asked, Repeat::from(author.now)));
        }
        let (asked, repeat) = self.renewing.asked.as_mut()?;
        repeat.take(author.now).then(|| (MessageKind::Rekey, asked.body()))
    }

    /// The generation that a rekey would make; none while a resumption is under way, or where none is left.
    fn next_by_rekey(&self) -> Option<Generation> {
        let is_bound = self.secrets.get(self.generation()).is_some();
        let may = is_bound && self.renewing.proposal.is_none();
        self.secrets.next(1).ok().filter(|_| may)
    }

    fn is_rekey_due(&self, now: Timestamp) -> bool {
        self.rekey_due_at().is_some_and(|due| now >= due)
    }

    /// When a rekey is due, as far as that is known: from the beginning where enough messages were carried.
    fn rekey_due_at(&self) -> Option<Timestamp> {
        self.next_by_rekey()?;
        let sent = self.channels.sending().map_or(0, SendChannel::count);
        let carried = sent.max(self.channels.received_count());
        let Renewing { limits, since, .. } = self.renewing;
        let is_spent = carried >= limits.due_after_messages;
        Some(if is_spent { since } else { since.plus(limits.due_after) })
    }

    /// When [`Self::renewal_due`] or the announcement of a switch next has something to say.
    pub(super) fn renewal_deadline(&self) -> Option<Timestamp> {
        let Renewing { asked, request, announcement, is_ack_due, is_wanted, .. } = &self.renewing;
        let under_way = asked.as_ref().map(|(_, repeat)| *repeat).or(*request);
        let rekey = match under_way {
            Some(repeat) => Some(repeat.due()),
            None if *is_wanted => Some(self.renewing.since),
            None => self.rekey_due_at(),
        };
        let ack = is_ack_due.then_some(self.renewing.since);
        [rekey, ack, announcement.map(Repeat::due)].into_iter().flatten().min()
    }

    /// Looks at a `rekey`; says whether there is anything to do about it.
    pub(super) fn look_at_rekey(
        &self,
        generation: Generation,
        body: &Rekey,
    ) -> Result<bool, Refusal> {
        if generation < self.generation() || self.secrets.get(generation).is_none() {
            return Ok(false);
        }
        if !self.renewing.answered.as_ref().is_some_and(|answered| answered.is_of(body)) {
            self.secrets.look(generation, body.generation)?;
            rekey::look_at_key(&body.ephemeral_public_key)?;
        }
        Ok(true)
    }

    /// Answers a `rekey` that came under `generation`, or answers it again.
    pub(super) fn answer_rekey(
        &mut self,
        generation: Generation,
        body: Rekey,
        author: &mut Author<'_>,
    ) {
        if self.renewing.answered.as_ref().is_some_and(|answered| answered.is_of(&body)) {
            self.renewing.is_ack_due = true;
            return;
        }
        // Both were looked at before.
        let Ok(base) = self.secrets.look(generation, body.generation) else { return };
        let Ok((answered, keys, secret)) = Answered::new(body, base, author.entropy) else {
            return;
        };
        self.secrets.accept_pending(generation, secret, Renewal::Rekey);
        self.expect(keys.into_channels(self.role));
        self.renewing.answered = Some(answered);
        self.renewing.is_ack_due = true;
        self.renewing.proposer_has = None;
        self.keeping.commit();
    }

    /// Looks at a `rekey_ack`; says whether it is the one that is waited for.
    pub(super) fn look_at_rekey_ack(
        &self,
        generation: Generation,
        ack: &Rekey,
    ) -> Result<bool, Refusal> {
        let Some((asked, _)) = &self.renewing.asked else { return Ok(false) };
        if (asked.base(), asked.next()) != (generation, ack.generation) {
            return Ok(false);
        }
        rekey::look_at_key(&ack.ephemeral_public_key)?;
        Ok(true)
    }

    /// Takes a `rekey_ack`: sends under the new generation from now on.
    pub(super) fn conclude_rekey(&mut self, ack: &Rekey, now: Timestamp) {
        let Some((asked, _)) = self.renewing.asked.take() else { return };
        let generation = asked.base();
        let Some(base) = self.secrets.get(generation) else { return };
        let Ok((keys, secret)) = asked.conclude(ack, base) else { return };
        self.secrets.accept_proposed(generation, secret);
        self.switch(keys.into_channels(self.role));
        let renewed = Renewed { generation: ack.generation, renewal: Renewal::Rekey };
        self.renewing.switched(renewed, now);
        self.drop_outdated();
        self.keeping.commit();
    }
}

impl Session {
    /// Takes note that the other side has spoken under `generation`, or started from it.
    pub(super) fn confirm(&mut self, generation: Generation, now: Timestamp) {
        let Some(confirmed) = self.secrets.confirm(generation) else { return };
        self.channels.confirm(generation, now);
        self.keeping.commit();
        match confirmed {
            Confirmed::Proposed => {
                // What is newer than the confirmed one is still to be announced.
                if self.generation() <= generation {
                    self.renewing.announcement = None;
                }
            }
            Confirmed::Pending(renewal) => {
                if let Some(acknowledged) = self.renewing.proposer_has.take() {
                    self.outgoing.resume(acknowledged, now);
                    self.resumed_at = generation;
                }
                // The proposer keeps its older secret until it hears from this side.
                self.incoming.ack_now(now);
                if self.generation() == generation {
                    self.renewing.announcement = None;
                    self.renewing.since = now;
                    self.renewing.request = None;
                    self.renewing.step = 1;
                    self.renewing.renewed = Some(Renewed { generation, renewal });
                }
            }
        }
        self.drop_outdated();
    }

    /// Forgets what was said about keys that are not used any more.
    fn drop_outdated(&mut self) {
        let current = self.generation();
        self.renewing.asked.take_if(|(asked, _)| asked.base() != current);
        self.renewing.answered.take_if(|answered| answered.base() != current);
        let secrets = &self.secrets;
        self.renewing.proposal.take_if(|proposal| secrets.get(proposal.base()).is_none());
    }

    fn switch(&mut self, channels: (SendChannel, crate::v1_1::channel::ReceiveChannel)) {
        self.channels.switch(channels);
        self.channels.limit(self.renewing.limits.messages_max);
    }

    fn expect(&mut self, channels: (SendChannel, crate::v1_1::channel::ReceiveChannel)) {
        self.channels.expect(channels);
        self.channels.limit(self.renewing.limits.messages_max);
    }

    fn look_at_life(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.is_retired() {
            return Err(Refusal::NoSession);
        }
        if self.is_expired(now) { Err(Refusal::Expired) } else { Ok(()) }
    }
}
