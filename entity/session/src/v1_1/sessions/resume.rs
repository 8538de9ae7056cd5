//! Resuming sessions, and what becomes of their keys (`docs/protocol/1.1.md#resumption`).

use entity_crypto::signing::PublicKey;
use entity_flaw::{Flaw, planted};
use entity_wire::id::SessionId;
use entity_wire::kind::MessageKind;
use entity_wire::payload::resume::Resume;
use entity_wire::time::Timestamp;
use entity_wire::v1_1::Envelope;

use super::{Change, Received, Sessions};
use crate::v1_1::author::{Author, Outbound};
use crate::v1_1::numbers::AckRefusal;
use crate::v1_1::refusal::Refusal;
use crate::v1_1::resumption::{self, BinderVerified};
use crate::v1_1::session::{ResumeError, Session};
use crate::v1_1::simultaneous::{Survivor, survivor};

impl Sessions {
    /// Writes `session_resume` for a ready or suspended session, in place of one that may be under way.
    ///
    /// # Errors
    ///
    /// [`ResumeError`]: a handshake is needed.
    pub fn resume(
        &mut self,
        session: SessionId,
        author: &mut Author<'_>,
    ) -> Result<Outbound, ResumeError> {
        let ready = self.ready_mut(session).ok_or(ResumeError::NoSession)?;
        let outbound = ready.propose_resumption(author);
        self.reschedule(session);
        outbound
    }

    /// As [`Self::resume`], once the peer has said that the generation is too low: tries one that is further up.
    ///
    /// # Errors
    ///
    /// As [`Self::resume`].
    pub fn resume_higher(
        &mut self,
        session: SessionId,
        author: &mut Author<'_>,
    ) -> Result<Outbound, ResumeError> {
        if let Some(ready) = self.ready_mut(session) {
            ready.step_further();
        }
        self.resume(session, author)
    }

    /// Forgets the `session_resume` under way: its answer will not be taken. Says whether there was one.
    pub fn stop_resuming(&mut self, session: SessionId) -> bool {
        let was_resuming = self.ready_mut(session).is_some_and(Session::drop_proposal);
        self.reschedule(session);
        was_resuming
    }

    /// Asks for new keys of a session that sends: the handshake's initiator makes them, the responder asks for them.
    /// Says whether there is such a session.
    pub fn rekey(&mut self, session: SessionId, now: Timestamp) -> bool {
        let Some(ready) = self.ready_mut(session).filter(|ready| ready.is_sending()) else {
            return false;
        };
        ready.want_rekey(now);
        self.reschedule(session);
        true
    }

    /// What has become of keys since the last call, in order, until there is nothing more.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// Steps 11 and 12 for a `session_resume` in a session that is the sender's.
    pub(super) fn look_at_resume(
        session: &Session,
        message: &Envelope,
        own: &PublicKey,
        now: Timestamp,
    ) -> Result<Resume, Refusal> {
        let resume = resumption::read(message)?;
        let is_ours = survivor(own, message.signer()) == Survivor::Ours;
        if session.is_resuming() && is_ours != planted(Flaw::DecidesRacesWrong) {
            return Err(Refusal::SimultaneousOpen);
        }
        session.look_at_resume(&resume, now)?;
        Ok(resume)
    }

    /// Answers a `session_resume` that has passed every check.
    pub(super) fn answer_resume(
        &mut self,
        message: &Envelope,
        (resume, proof): (&Resume, BinderVerified),
        author: &mut Author<'_>,
    ) -> Result<Received, Refusal> {
        let session = message.header().session;
        let ready = self.ready_mut(session).ok_or(Refusal::NoSession)?;
        let outbound = ready.answer_resume((message, resume, proof), author)?;
        self.note_renewed(session);
        self.reschedule(session);
        if let Some(held) = self.held.get_mut(&session) {
            held.resumptions.store_latest(message, Some(outbound.clone()));
        }
        Ok(Received::Resuming(outbound))
    }

    /// Takes a `session_resumed` that has passed every check.
    pub(super) fn conclude_resumption(
        &mut self,
        message: &Envelope,
        (resume, proof): (&Resume, BinderVerified),
        now: Timestamp,
    ) -> Result<Received, Refusal> {
        let session = message.header().session;
        let ready = self.ready_mut(session).ok_or(Refusal::NoSession)?;
        let concluded = ready.conclude_resumption((message, resume, proof), now);
        self.note_renewed(session);
        self.reschedule(session);
        concluded?;
        if let Some(held) = self.held.get_mut(&session) {
            held.resumptions.store_latest(message, None);
        }
        Ok(Received::Resumed)
    }

    /// Tells of new keys.
    pub(super) fn note_renewed(&mut self, session: SessionId) {
        let Some(ready) = self.ready_mut(session) else { return };
        if let Some(renewed) = ready.take_renewed() {
            let peer = ready.peer().clone();
            self.changes.push_back(Change::Renewed { session, peer, renewed });
        }
    }

    /// Stops waiting for an answer to a `session_resume` where the one that came shows that the peer has lost its state.
    /// Its binder holds, so nobody else can bring this about.
    pub(super) fn note_hopeless(&mut self, message: &Envelope, refusal: &Refusal) {
        let header = message.header();
        let is_lost =
            matches!(refusal, Refusal::Acknowledgement(AckRefusal::TooMuchForgotten { .. }));
        if is_lost
            && header.kind == MessageKind::SessionResumed
            && self.stop_resuming(header.session)
        {
            let (session, peer) = (header.session, header.sender.clone());
            self.changes.push_back(Change::NotResumed { session, peer });
        }
    }
}
