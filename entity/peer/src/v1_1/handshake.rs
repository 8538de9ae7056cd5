//! Handshakes as this peer takes part in them: opening, becoming ready, failing, falling back.

use entity_flaw::{Flaw, planted};
use entity_session::v1_1::sessions::{EndReason, Ended, OpenError, Readied, Standing};
use entity_session::v1_1::state::{self, SessionState};
use entity_wire::code::ErrorCode;
use entity_wire::id::SessionId;
use entity_wire::kind::MessageKind;
use entity_wire::socket::WEBSOCKET;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use super::refusal::refuse;
use super::{DHT, State, author, role};
use crate::command::CommandError;
use crate::config::Trust;
use crate::core::{Core, News, refusal};
use crate::inbound::Refusal;
use crate::name::PeerName;
use crate::outbox::Outcome;
use crate::output::{CloseReason, PeerEvent};
use crate::roster::Origin;
use crate::view::SessionName;

impl State {
    /// Resumes the session with the peer, or opens a handshake.
    ///
    /// # Errors
    ///
    /// Nothing was sent.
    pub(crate) fn open(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        if self.try_resuming(core, peer, now)? {
            return Ok(());
        }
        self.open_handshake(core, peer, now)
    }

    /// Opens a handshake, unless one with the peer is under way already.
    ///
    /// # Errors
    ///
    /// Nothing was sent.
    pub(super) fn open_handshake(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let unknown = || CommandError::UnknownPeer { name: peer.clone() };
        let key = core.roster.get(peer.as_str()).ok_or_else(unknown)?.key;
        if key.is_none() && core.config.trust == Trust::Pinned {
            return Err(CommandError::NoKey { name: peer.clone() });
        }
        let id = peer.as_peer_id().ok_or_else(unknown)?;
        match self.sessions.open(&id, key, &mut author(core, now)) {
            Ok((_, step)) => {
                self.post_step(core, step, now);
                Ok(())
            }
            Err(OpenError::InProgress { session }) => {
                if self.sessions.role(session) == Some(state::Role::Responder) {
                    self.yielded.insert(peer.clone());
                }
                Ok(())
            }
            Err(OpenError::Full { .. }) => Err(CommandError::Overloaded { limit: "sessions" }),
        }
    }

    /// Ends a session on our side and tells the peer; says whether there was one.
    pub(crate) fn close(&mut self, core: &mut Core, id: &SessionName, now: Timestamp) -> bool {
        let Ok(session) = id.0.parse::<SessionId>() else { return false };
        if self.sessions.ready(session).is_none() {
            return false;
        }
        // A session that cannot send any more ends without a word.
        if let Ok(sent) = self.sessions.close(session, "closed", &mut author(core, now))
            && !planted(Flaw::ClosesSilently)
        {
            self.post_control(core, sent.outbound);
        }
        self.report_ended(core, now);
        true
    }

    /// Gives up what is half open with a peer that is to be forgotten.
    pub(crate) fn forget_handshakes(&mut self, core: &mut Core, peer: &PeerName, now: Timestamp) {
        let Some(id) = peer.as_peer_id() else { return };
        while let Some(session) = self.sessions.handshake_with(&id) {
            self.sessions.abandon(session);
        }
        self.yielded.remove(peer);
        self.report_ended(core, now);
    }

    /// Takes a session that has become ready: pins a first key, remembers that 1.1 is proved, posts step 6.
    ///
    /// # Errors
    ///
    /// The roster has no room for a stranger; the session is given up.
    pub(super) fn on_ready(
        &mut self,
        core: &mut Core,
        readied: Readied,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let peer = PeerName::from(&readied.peer);
        if readied.standing == Standing::FirstUse && core.roster.get(peer.as_str()).is_none() {
            let address = readied.address.clone().unwrap_or_default();
            let has_room = core.roster.has_room_for_strangers();
            let came =
                if self.lists(readied.session, DHT) { Origin::Guest } else { Origin::Stranger };
            if !has_room || !core.add_stranger(&peer, address, came) {
                self.sessions.abandon(readied.session);
                return Err(refuse(ErrorCode::ServiceUnavailable, None, Some(peer.as_str())));
            }
            core.event(PeerEvent::PeerAdded { peer: peer.clone() });
        }
        self.unfollowed.remove(&readied.session);
        core.prove(&peer, readied.key, Version::V1_1);
        self.note_sockets(core, readied.session);
        core.note_address(&peer, readied.address);
        self.yielded.remove(&peer);
        self.choose_form(core, readied.session);
        let id = SessionName::from(readied.session);
        let role = role(readied.role);
        core.tell(News::Ready { id, peer: peer.clone(), version: Version::V1_1, role });
        if let Some(step) = readied.answer {
            self.unheard.insert(readied.session, std::collections::VecDeque::new());
            self.post_step(core, step, now);
        }
        Ok(())
    }

    /// Notes what was agreed on about WebSockets in the sessions that were kept.
    pub(crate) fn restore_sockets(&self, core: &mut Core) {
        for view in self.sessions.views() {
            self.note_sockets(core, view.session);
        }
    }

    /// Notes whether WebSockets were agreed on in a session that is ready.
    pub(super) fn note_sockets(&self, core: &mut Core, session: SessionId) {
        let Some(ready) = self.sessions.ready(session) else { return };
        let has_it = ready.capabilities().contains(WEBSOCKET);
        if let Some(entry) = core.roster.get_mut(ready.peer().as_str()) {
            entry.takes_sockets = has_it;
        }
    }

    /// Takes the outcome of a posted step. Steps 2 to 6 are also followed by the peer's own messages, so that a good
    /// outcome of them says nothing.
    pub(super) fn settle_step(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        (session, kind): (SessionId, &MessageKind),
        (outcome, now): (&Outcome, Timestamp),
    ) {
        if *kind == MessageKind::Ready {
            return self.send_unheard(core, session, now);
        }
        // What becomes of a step that was followed by the next one says nothing of the handshake any more.
        if !self.is_half_open(session) || !self.is_unfollowed(session, kind) {
            return;
        }
        let Some(error) = refusal(outcome) else { return self.await_next(session, kind, now) };
        // The peer's own handshake is on its way to us, and ours ends when it comes; or the peer has lost it since.
        if error.code() == ErrorCode::HandshakeInProgress {
            return self.await_next(session, kind, now);
        }
        // Only an answer to step 1 can mean that the other side has no 1.1: whoever sent step 2 has it.
        let is_first = *kind == MessageKind::HandshakeInit;
        let error = if !is_first && error.code() == ErrorCode::InvalidVersion {
            CommandError::Handshake { code: error.code(), reason: error.to_string() }
        } else {
            error
        };
        self.give_up_handshake(core, peer, (session, error), now);
    }

    /// Ends a handshake of which a step could not be delivered.
    pub(super) fn give_up_handshake(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        (session, error): (SessionId, CommandError),
        now: Timestamp,
    ) {
        let role = self.sessions.role(session);
        self.sessions.abandon(session);
        self.report_ended(core, now);
        if let Some(role) = role {
            self.handshake_failed(core, peer, role, error);
        }
    }

    /// Says what became of handshakes and sessions that are not held any more.
    pub(super) fn report_ended(&mut self, core: &mut Core, now: Timestamp) {
        while let Some(ended) = self.sessions.poll_ended() {
            self.doubted.remove(&ended.session);
            self.unfollowed.remove(&ended.session);
            self.unresumable.remove(&ended.session);
            let session = ended.session.into();
            let gone = CommandError::UnknownSession { session };
            self.end_rekeying(core, ended.session, Err(gone));
            for (reason, _) in self.unheard.remove(&ended.session).into_iter().flatten() {
                let session = ended.session.into();
                // These waited for the session; nothing of theirs was sent.
                core.finish_send(reason, Err(CommandError::UnknownSession { session }), now);
            }
            for unsettled in self.unsettled.remove(&ended.session).into_iter().flatten() {
                core.finish_send(unsettled.reason, Err(unsettled.error), now);
            }
            self.report_end(core, ended);
        }
    }

    fn report_end(&mut self, core: &mut Core, ended: Ended) {
        let Ended { session, peer, role, state, reason } = ended;
        let peer = PeerName::from(&peer);
        let is_session = state == SessionState::Ready;
        let close_reason = match reason {
            EndReason::Failed(error) => {
                let reason = describe(&error);
                let error = CommandError::Handshake { code: error.code(), reason };
                return self.handshake_failed(core, &peer, role, error);
            }
            EndReason::SimultaneousOpen => {
                self.yielded.insert(peer);
                return;
            }
            EndReason::Expired => CloseReason::Expired,
            EndReason::Superseded => CloseReason::Replaced,
            EndReason::ClosedByPeer { .. } => CloseReason::ClosedByPeer,
            EndReason::Closed => CloseReason::Closed,
        };
        if is_session {
            core.tell(News::Ended { session, peer: peer.clone() });
            if close_reason == CloseReason::Expired {
                core.tell(News::Gone { peer: peer.clone() });
            }
            core.event(PeerEvent::SessionClosed { id: session.into(), peer, reason: close_reason });
        }
    }

    /// Tells those who wait for a session that there will be none; where nobody can wait, only says so.
    fn handshake_failed(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        role: state::Role,
        error: CommandError,
    ) {
        let is_waited_for = role == state::Role::Initiator || self.yielded.remove(peer);
        if is_waited_for {
            return core.tell(News::OpenFailed {
                peer: peer.clone(),
                version: Version::V1_1,
                error,
            });
        }
        let (code, reason) = (error.code(), error.to_string());
        core.event(PeerEvent::HandshakeFailed { peer: peer.clone(), code, reason });
    }
}

/// An error with its causes, in words.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
