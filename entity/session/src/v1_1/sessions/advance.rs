//! What happens once a message has passed every check.

use entity_crypto::identity::PeerId;
use entity_wire::id::SessionId;
use entity_wire::kind::MessageKind;
use entity_wire::payload::sealed::Plaintext;
use entity_wire::v1_1::Envelope;

use super::held::{Held, Stage};
use super::look::Admitted;
use super::{EndReason, Ended, RETIRED_PER_PEER_MAX, Readied, Received, Sessions, Standing};
use crate::v1_1::author::{Author, Outbound};
use crate::v1_1::handshake::responder;
use crate::v1_1::record::Essence;
use crate::v1_1::refusal::{HandshakeError, Misbehaviour, Refusal};
use crate::v1_1::session::{Effect, Opened, Session};

/// A state after a step, and the step that goes out with it.
type Moved = (Stage, Option<Outbound>);

impl Sessions {
    /// Records and acts: the part of the order of checks that cannot fail any more for the message's place.
    pub(super) fn accept(
        &mut self,
        message: &Envelope,
        standing: Standing,
        admitted: Admitted,
        author: &mut Author<'_>,
    ) -> Result<Received, Refusal> {
        match admitted {
            Admitted::Init { ending } => self.begin(message, standing, ending, author),
            Admitted::Step { plaintext } => self.advance(message, plaintext.as_ref(), author),
            Admitted::Ready(opened) => Ok(self.record(message.header().session, opened, author)),
            Admitted::Resume { resume, proof } => {
                self.answer_resume(message, (&resume, proof), author)
            }
            Admitted::Resumed { resume, proof } => {
                self.conclude_resumption(message, (&resume, proof), author.now)
            }
        }
    }

    /// Answers step 1. The half-open handshakes it replaces end only if it is accepted.
    fn begin(
        &mut self,
        message: &Envelope,
        standing: Standing,
        ending: Vec<(SessionId, EndReason)>,
        author: &mut Author<'_>,
    ) -> Result<Received, Refusal> {
        let (state, outbound, address) = responder::accept(message, &self.config.offer, author)?;
        for (session, reason) in ending {
            self.end(session, reason);
        }
        let mut held = Held::new(Stage::AckSent(state), message.header().sender.clone(), standing);
        held.address = address;
        held.answers.store(message, Some(outbound.clone()));
        self.hold(message.header().session, held);
        Ok(Received::Advanced(outbound))
    }

    /// Takes a handshake out, moves it on, and puts it back; what fails is not put back.
    fn advance(
        &mut self,
        message: &Envelope,
        plaintext: Option<&Plaintext>,
        author: &mut Author<'_>,
    ) -> Result<Received, Refusal> {
        let session = message.header().session;
        let Some(held) = self.held.remove(&session) else {
            return Err(Refusal::NoSession);
        };
        let Held { stage, peer, standing, address, mut answers, resumptions } = held;
        let (role, state) = (stage.role(), stage.state());
        let (stage, answer) = match step(stage, message, plaintext, author) {
            Ok(moved) => moved,
            Err(error) => {
                self.deadlines.set(session, None);
                let reason = EndReason::Failed(error.clone());
                self.ended.push_back(Ended { session, peer, role, state, reason });
                return Err(error.into());
            }
        };
        answers.store(message, answer.clone());
        let stage = self.limited(stage);
        let readied = match &stage {
            Stage::Ready(ready) => Some(Readied {
                session,
                peer: peer.clone(),
                key: *ready.peer_key(),
                standing,
                role,
                address: address.clone(),
                answer: answer.clone(),
            }),
            Stage::InitSent(_)
            | Stage::ResponseSent(_)
            | Stage::ConfirmSent(_)
            | Stage::AckSent(_)
            | Stage::EstablishedSent(_) => None,
        };
        self.hold(session, Held { stage, peer, standing, address, answers, resumptions });
        match (readied, answer) {
            (Some(readied), _) => {
                self.take_over(&readied.peer, session, author);
                Ok(Received::Ready(readied))
            }
            (None, Some(answer)) => Ok(Received::Advanced(answer)),
            (None, None) => Ok(Received::Repeat(None)),
        }
    }

    /// Tells a session that has just become ready when to renew its keys and when it ends.
    fn limited(&self, mut stage: Stage) -> Stage {
        if let Stage::Ready(ready) = &mut stage {
            ready.limit(self.config.renewal);
            ready.limit_life(self.config.limits);
        }
        stage
    }

    /// Records a message of a ready session.
    pub(super) fn record(
        &mut self,
        session: SessionId,
        opened: Opened,
        author: &mut Author<'_>,
    ) -> Received {
        let Some(Held { stage: Stage::Ready(ready), .. }) = self.held.get_mut(&session) else {
            return Received::Deliver(Vec::new());
        };
        match ready.record(opened, author) {
            Effect::Deliver(deliveries) => {
                self.note_renewed(session);
                self.reschedule(session);
                Received::Deliver(deliveries)
            }
            Effect::Closed { reason } => {
                self.end(session, EndReason::ClosedByPeer { reason });
                Received::Closed
            }
        }
    }

    /// Makes a ready session the one that its peer is sent to; the one before only receives from here on.
    fn take_over(&mut self, peer: &PeerId, session: SessionId, author: &Author<'_>) {
        let Some(previous) = self.current.insert(peer.clone(), session) else { return };
        let Some(ready) = self.ready_mut(previous) else { return };
        if ready.is_suspended() {
            // It has no keys to receive with.
            return self.end(previous, EndReason::Superseded);
        }
        if ready.retire(author.now) {
            self.writes.push(Essence::delete(previous));
        }
        self.reschedule(previous);
        let retired = self.retired.entry(peer.clone()).or_default();
        retired.push_back(previous);
        if retired.len() > RETIRED_PER_PEER_MAX
            && let Some(oldest) = retired.front().copied()
        {
            self.end(oldest, EndReason::Superseded);
        }
    }
}

/// One transition: the only table of which step moves which state to which.
fn step(
    stage: Stage,
    message: &Envelope,
    plaintext: Option<&Plaintext>,
    author: &mut Author<'_>,
) -> Result<Moved, HandshakeError> {
    match (stage, &message.header().kind, plaintext) {
        (Stage::InitSent(state), MessageKind::HandshakeInitAck, _) => {
            let (next, answer) = state.on_init_ack(message, author)?;
            Ok((Stage::ResponseSent(next), Some(answer)))
        }
        (Stage::AckSent(state), MessageKind::ChallengeResponse, _) => {
            let (next, answer) = state.on_challenge_response(message, author)?;
            Ok((Stage::EstablishedSent(next), Some(answer)))
        }
        (Stage::ResponseSent(state), MessageKind::SessionEstablished, _) => {
            let (next, answer) = state.on_session_established(message, author)?;
            Ok((Stage::ConfirmSent(next), Some(answer)))
        }
        (Stage::EstablishedSent(state), MessageKind::SessionConfirm, Some(plaintext)) => {
            let (session, answer) = state.on_session_confirm(message, plaintext, author)?;
            Ok((ready(session), Some(answer)))
        }
        (Stage::ConfirmSent(state), MessageKind::Ready, Some(plaintext)) => {
            Ok((ready(state.on_ready(message, plaintext, author.now)?), None))
        }
        (stage, kind, _) => {
            Err(Misbehaviour::OutOfOrder { kind: kind.clone(), state: stage.state() }.into())
        }
    }
}

fn ready(session: Session) -> Stage {
    Stage::Ready(Box::new(session))
}
