//! What is said again where the other side has answered it and nothing follows: the last step of a half-open handshake,
//! and a `session_resume`.
//!
//! A peer that restarts has forgotten the handshakes that it took part in. Whoever is not told of that waits for a step
//! that nobody will send, and keeps the other side from beginning anew all the while, where its own key is the smaller
//! one. The same bytes again change nothing for a peer that holds the handshake, and one that does not refuses them,
//! which ends the handshake here. So every repetition either brings the next step or sets both sides free.
//!
//! Source: docs/protocol/1.1.md#repeats

use std::time::Duration;

use entity_session::v1_1::author::Outbound;
use entity_session::v1_1::numbers::{SKIP_REPEAT_MAX, SKIP_REPEAT_MIN};
use entity_session::v1_1::state::SessionState;
use entity_wire::id::SessionId;
use entity_wire::kind::MessageKind;
use entity_wire::time::Timestamp;

use super::{Purpose, State};
use crate::core::Core;
use crate::name::PeerName;

/// A message that waits for the one that is to follow it.
#[derive(Debug)]
pub(super) struct Unfollowed {
    outbound: Outbound,
    wait: Duration,
    /// When it is said again; none while its delivery is under way.
    due: Option<Timestamp>,
}

impl State {
    /// Notes the last step of a handshake, or the proposal of a resumption, in place of the one before.
    pub(super) fn note_unfollowed(&mut self, outbound: Outbound) {
        let unfollowed = Unfollowed { outbound, wait: SKIP_REPEAT_MIN, due: None };
        self.unfollowed.insert(unfollowed.outbound.session, unfollowed);
    }

    /// Says whether this is what the handshake or the resumption stands at: anything earlier has been followed.
    pub(super) fn is_unfollowed(&self, session: SessionId, kind: &MessageKind) -> bool {
        self.unfollowed.get(&session).is_some_and(|unfollowed| unfollowed.outbound.kind == *kind)
    }

    /// Lets the pause begin after which a message that was delivered is said again.
    pub(super) fn await_next(&mut self, session: SessionId, kind: &MessageKind, now: Timestamp) {
        let last = self.unfollowed.get_mut(&session);
        if let Some(last) = last.filter(|last| last.outbound.kind == *kind && last.due.is_none()) {
            last.due = Some(now.plus(last.wait));
            last.wait = (last.wait * 2).min(SKIP_REPEAT_MAX);
        }
    }

    /// Says again what is due.
    pub(super) fn repeat_unfollowed(&mut self, core: &mut Core, now: Timestamp) {
        let is_due = |unfollowed: &Unfollowed| unfollowed.due.is_some_and(|due| due <= now);
        let due = self.unfollowed.iter().filter(|(_, unfollowed)| is_due(unfollowed));
        for session in due.map(|(&session, _)| session).collect::<Vec<_>>() {
            let is_followed = !self.is_half_open(session) && !self.resuming.contains_key(&session);
            if is_followed {
                self.unfollowed.remove(&session);
                continue;
            }
            let Some(last) = self.unfollowed.get_mut(&session) else { continue };
            last.due = None;
            let outbound = last.outbound.clone();
            self.repeat(core, outbound, now);
        }
    }

    fn repeat(&mut self, core: &mut Core, outbound: Outbound, now: Timestamp) {
        let (session, kind) = (outbound.session, outbound.kind.clone());
        let peer = PeerName::from(&outbound.peer);
        if let Some(attempt) = self.resuming.get(&session).map(super::resume::Resuming::attempt) {
            // A proposal that finds no room to leave is over in its time.
            let _unsaid = self.post(core, outbound, Purpose::Resume { session, attempt });
            return;
        }
        if let Err(error) = self.post(core, outbound, Purpose::Step { session, kind }) {
            self.give_up_handshake(core, &peer, (session, error), now);
        }
    }

    /// Returns when [`State::repeat_unfollowed`] has something to do.
    pub(super) fn repeat_deadline(&self) -> Option<Timestamp> {
        self.unfollowed.values().filter_map(|unfollowed| unfollowed.due).min()
    }

    /// Says whether a handshake is held that has not led to a session.
    pub(super) fn is_half_open(&self, session: SessionId) -> bool {
        let state = self.sessions.state(session);
        state.is_some_and(|state| {
            !matches!(state, SessionState::Ready | SessionState::Suspended | SessionState::Expired)
        })
    }
}
