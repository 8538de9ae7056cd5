//! What time does to sessions, and what this side decides about them.

use entity_crypto::identity::PeerId;
use entity_crypto::signing::PublicKey;
use entity_flaw::{Flaw, planted};
use entity_wire::id::{Generation, MessageNumber, SessionId};
use entity_wire::time::Timestamp;

use super::held::{Held, Stage};
use super::{Change, EndReason, Ended, Sessions};
use crate::v1_1::author::Author;
use crate::v1_1::numbers::Fate;
use crate::v1_1::refusal::Lateness;
use crate::v1_1::session::{SendError, Sent, Session};
use crate::v1_1::state::{Role, SessionState};

/// A handshake or session, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Its id.
    pub session: SessionId,
    /// The peer.
    pub peer: PeerId,
    /// The key that the peer has proved, or has to; `None` for a stranger that has not answered.
    pub key: Option<PublicKey>,
    /// Which side this node is.
    pub role: Role,
    /// Where it stands.
    pub state: SessionState,
    /// Which keys are in use; 0 as long as there are none.
    pub generation: Generation,
    /// Whether it is the one that messages to this peer go to.
    pub is_current: bool,
}

impl Sessions {
    /// Does what is due at `now`: ends what has expired, and seals the acknowledgements and skips to be delivered.
    pub fn attend(&mut self, author: &mut Author<'_>) -> Vec<Sent> {
        let mut due = Vec::new();
        for session in self.deadlines.due(author.now) {
            let Some(held) = self.held.get_mut(&session) else {
                self.deadlines.set(session, None);
                continue;
            };
            if let Some(reason) = expiry(&held.stage, author.now) {
                self.end(session, reason);
                continue;
            }
            if let Stage::Ready(ready) = &mut held.stage {
                if ready.expire(author.now) {
                    let peer = held.peer.clone();
                    self.changes.push_back(Change::NotResumed { session, peer });
                }
                due.extend(std::iter::from_fn(|| ready.seal_due(author)));
            }
            self.reschedule(session);
        }
        due
    }

    /// Ends a ready or suspended session and seals the message that says so to the peer; without keys it ends without a
    /// word, and the peer learns it when it wants to resume.
    ///
    /// # Errors
    ///
    /// [`SendError`] where nothing can be sent; the session is gone all the same. Where there is no such ready
    /// session, [`SendError::Closed`].
    pub fn close(
        &mut self,
        session: SessionId,
        reason: &str,
        author: &mut Author<'_>,
    ) -> Result<Sent, SendError> {
        let Some(Held { stage: Stage::Ready(ready), .. }) = self.held.get_mut(&session) else {
            return Err(SendError::Closed);
        };
        let sent = ready.close(reason, author);
        self.end(session, EndReason::Closed);
        sent
    }

    /// Gives up a half-open handshake or a session without a word to the peer.
    pub fn abandon(&mut self, session: SessionId) {
        self.end(session, EndReason::Closed);
    }

    /// Declares that a volatile message of a ready session will not arrive: its delivery failed for good. A durable one is
    /// still waited for.
    pub fn give_up(&mut self, session: SessionId, number: MessageNumber, now: Timestamp) {
        if let Some(Held { stage: Stage::Ready(ready), .. }) = self.held.get_mut(&session) {
            ready.give_up(number, now);
            self.reschedule(session);
        }
    }

    /// Declares that a durable message will not come after all: its sender has thought better of it.
    pub fn withdraw(&mut self, session: SessionId, number: MessageNumber, now: Timestamp) {
        if let Some(Held { stage: Stage::Ready(ready), .. }) = self.held.get_mut(&session) {
            ready.withdraw(number, now);
            self.reschedule(session);
        }
    }

    /// What has become of a message that was sent with this number; `None` where the session is not held any more.
    pub fn fate(&self, session: SessionId, number: MessageNumber) -> Option<Fate> {
        Some(self.ready(session)?.fate(number))
    }

    /// What ended since the last call, in order, until there is nothing more.
    pub fn poll_ended(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// When [`Self::attend`] next has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.next()
    }

    /// The newest ready session with `peer`.
    pub fn current(&self, peer: &PeerId) -> Option<SessionId> {
        if planted(Flaw::AnswersFromWrongSession) {
            return self.current.values().next().copied();
        }
        self.current.get(peer).copied()
    }

    /// A ready session.
    pub fn ready(&self, session: SessionId) -> Option<&Session> {
        match &self.held.get(&session)?.stage {
            Stage::Ready(ready) => Some(ready),
            Stage::InitSent(_)
            | Stage::ResponseSent(_)
            | Stage::ConfirmSent(_)
            | Stage::AckSent(_)
            | Stage::EstablishedSent(_) => None,
        }
    }

    /// Where a handshake or session stands; one that only receives counts as expired.
    pub fn state(&self, session: SessionId) -> Option<SessionState> {
        let stage = &self.held.get(&session)?.stage;
        match stage {
            Stage::Ready(ready) if ready.is_retired() => Some(SessionState::Expired),
            Stage::Ready(ready) if ready.is_suspended() => Some(SessionState::Suspended),
            Stage::Ready(_)
            | Stage::InitSent(_)
            | Stage::ResponseSent(_)
            | Stage::ConfirmSent(_)
            | Stage::AckSent(_)
            | Stage::EstablishedSent(_) => Some(stage.state()),
        }
    }

    /// Which side of a handshake or session this node is.
    pub fn role(&self, session: SessionId) -> Option<Role> {
        self.held.get(&session).map(|held| held.stage.role())
    }

    /// The half-open handshake with `peer`, whoever opened it.
    pub fn handshake_with(&self, peer: &PeerId) -> Option<SessionId> {
        self.held
            .iter()
            .find(|(_, held)| held.peer == *peer && !held.is_ready())
            .map(|(&session, _)| session)
    }

    /// Where the peer of an open handshake said in step 1 that it takes answers.
    pub fn address(&self, session: SessionId) -> Option<&str> {
        self.held.get(&session)?.address.as_deref()
    }

    /// Everything that is held, in the order of ids.
    pub fn views(&self) -> impl Iterator<Item = SessionView> + '_ {
        self.held.iter().map(|(&session, held)| SessionView {
            session,
            peer: held.peer.clone(),
            key: held.stage.peer_key(),
            role: held.stage.role(),
            state: self.state(session).unwrap_or(SessionState::Initial),
            generation: self.ready(session).map_or(Generation::ZERO, Session::generation),
            is_current: self.current(&held.peer) == Some(session),
        })
    }

    /// Puts a handshake or session in its place and sets its deadline.
    pub(super) fn hold(&mut self, session: SessionId, held: Held) {
        self.held.insert(session, held);
        self.reschedule(session);
    }

    /// Takes a handshake or session out; its keys are wiped as it is dropped.
    pub(super) fn end(&mut self, session: SessionId, reason: EndReason) {
        self.deadlines.set(session, None);
        let Some(Held { stage, peer, .. }) = self.held.remove(&session) else { return };
        if self.current.get(&peer) == Some(&session) {
            self.current.remove(&peer);
        }
        if let Some(retired) = self.retired.get_mut(&peer) {
            retired.retain(|&other| other != session);
            if retired.is_empty() {
                self.retired.remove(&peer);
            }
        }
        self.forget(session, &stage);
        let (role, state) = (stage.role(), stage.state());
        self.ended.push_back(Ended { session, peer, role, state, reason });
    }

    /// Sets the deadline of a session that has changed, and notes what has to be kept of it.
    pub(super) fn reschedule(&mut self, session: SessionId) {
        self.keep(session);
        let deadline = self.held.get(&session).map(|held| held.stage.next_deadline());
        self.deadlines.set(session, deadline);
    }
}

/// Why a stage is over at `now`, if it is.
fn expiry(stage: &Stage, now: Timestamp) -> Option<EndReason> {
    match stage {
        Stage::Ready(session) if !session.is_expired(now) => None,
        Stage::Ready(session) if session.is_retired() => Some(EndReason::Superseded),
        Stage::Ready(_) => Some(EndReason::Expired),
        Stage::InitSent(state) => state.check_time(now).err().map(EndReason::Failed),
        half_open if now < half_open.next_deadline() => None,
        Stage::ResponseSent(_)
        | Stage::ConfirmSent(_)
        | Stage::AckSent(_)
        | Stage::EstablishedSent(_) => Some(EndReason::Failed(Lateness::Handshake.into())),
    }
}
