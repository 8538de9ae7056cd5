//! What outlives this run, and how it comes back (`docs/protocol/1.1.md#kept-numbers`).

use std::collections::BTreeSet;

use entity_flaw::{Flaw, planted};
use entity_journal::{Stored, Write};
use entity_wire::frame;
use entity_wire::id::SessionId;
use entity_wire::time::Timestamp;

use super::held::{Held, Stage};
use super::{Config, Sessions, Standing};
use crate::v1_1::record::{Damaged, Essence, Kept, SPACE};
use crate::v1_1::session::Session;

impl Sessions {
    /// Goes on where an earlier run left off: every session is there and suspended, until it has resumed.
    ///
    /// `kept` says which numbers belong to durable messages that the caller will send again; every other number that is
    /// not acknowledged is declared as one that will not come. A session whose limit has passed ends at the next
    /// [`Sessions::attend`].
    ///
    /// # Errors
    ///
    /// [`Damaged`].
    pub fn restore(
        config: Config,
        stored: &mut Stored,
        kept: &Kept,
        now: Timestamp,
    ) -> Result<Self, Damaged> {
        let mut sessions = Self::new(config);
        let none = BTreeSet::new();
        let mut restored = Vec::new();
        for record in stored.take(SPACE) {
            let essence = Essence::read(&record)?;
            let numbers = kept.get(&essence.id).unwrap_or(&none);
            restored.push((essence.ready_at, Session::restore(essence, numbers, now)));
        }
        restored.sort_by_key(|(ready_at, session)| (*ready_at, session.id()));
        if planted(Flaw::ResumesUnderNewId) {
            restored.clear();
        }
        for (_, mut session) in restored {
            // Its peer would go on to send frames here, which this run insists on not taking.
            let takes_frames = sessions.config.offer.capabilities.contains(frame::CAPABILITY);
            if session.takes_frames() && !takes_frames {
                sessions.writes.push(Essence::delete(session.id()));
                continue;
            }
            session.limit(sessions.config.renewal);
            session.limit_life(sessions.config.limits);
            let (id, peer) = (session.id(), session.peer().clone());
            // Only the newest of a peer is worth resuming; a run that ends between two inputs leaves no other.
            if let Some(older) = sessions.current.insert(peer.clone(), id) {
                sessions.held.remove(&older);
                sessions.deadlines.set(older, None);
                sessions.writes.push(Essence::delete(older));
            }
            let held = Held::new(Stage::Ready(Box::new(session)), peer, Standing::Pinned);
            sessions.hold(id, held);
        }
        Ok(sessions)
    }

    /// Takes what has to be durable before anything else that the calls since the last one have brought about leaves.
    #[must_use = "what is not kept is lost with a crash, and numbers may be used twice"]
    pub fn take_writes(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.writes)
    }

    /// Has everything kept exactly as it is, before an orderly end: the next run then has nothing to skip but what is
    /// under way.
    pub fn close_books(&mut self) {
        let ready: Vec<SessionId> = self.held.keys().copied().collect();
        for id in ready {
            if let Some(session) = self.ready_mut(id) {
                session.close_books();
                self.keep(id);
            }
        }
    }

    /// Notes what has to be kept of a session.
    pub(super) fn keep(&mut self, session: SessionId) {
        let write = self.ready_mut(session).and_then(Session::take_write);
        self.writes.extend(write);
    }

    /// Notes that nothing of a session is to be kept any more.
    pub(super) fn forget(&mut self, session: SessionId, stage: &Stage) {
        if let Stage::Ready(ready) = stage
            && ready.is_kept()
        {
            self.writes.push(Essence::delete(session));
        }
    }

    pub(super) fn ready_mut(&mut self, session: SessionId) -> Option<&mut Session> {
        match &mut self.held.get_mut(&session)?.stage {
            Stage::Ready(ready) => Some(ready),
            Stage::InitSent(_)
            | Stage::ResponseSent(_)
            | Stage::ConfirmSent(_)
            | Stage::AckSent(_)
            | Stage::EstablishedSent(_) => None,
        }
    }
}
