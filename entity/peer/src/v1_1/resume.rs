//! Sessions that get new keys: resumed where a session is suspended or in doubt, renewed on command.
//!
//! Whoever opens a session first tries to resume the one that there is. What stands against that is only ever a hint: the
//! session is kept until another one is ready.
//!
//! Source: docs/protocol/1.1.md#resumption, docs/protocol/1.1.md#status-is-a-hint

use std::time::Duration;

use entity_flaw::{Flaw, planted};
use entity_session::v1_1::author::Outbound;
use entity_session::v1_1::secrets::Renewal;
use entity_session::v1_1::session::{PROPOSAL_LIFETIME, ResumeError};
use entity_session::v1_1::sessions::Change;
use entity_wire::code::ErrorCode;
use entity_wire::id::SessionId;
use entity_wire::kind::MessageKind;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use super::{Purpose, State, author};
use crate::command::{CommandError, CommandId, CommandResult};
use crate::core::{Core, News, refusal};
use crate::name::PeerName;
use crate::outbox::Outcome;
use crate::output::PeerEvent;
use crate::view::SessionName;

/// How often a generation that is too low is raised before a handshake is tried: 16, which reaches further up than a
/// session has generations.
const RAISES_MAX: u32 = 16;

/// How long a command waits for new keys: 30 s, a guess.
const REKEY_TIMEOUT: Duration = Duration::from_secs(30);

/// A resumption on our initiative.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resuming {
    /// Tells the outcomes of its messages from those of earlier ones.
    attempt: u64,
    raises: u32,
    deadline: Timestamp,
}

impl Resuming {
    /// What tells the outcomes of its messages from those of earlier ones.
    pub(super) const fn attempt(&self) -> u64 {
        self.attempt
    }
}

/// A command that waits for new keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rekeying {
    command: CommandId,
    session: SessionId,
    deadline: Timestamp,
}

impl State {
    /// Resumes the session with the peer that is suspended, in doubt or used up; says whether there is one that may
    /// come back.
    ///
    /// # Errors
    ///
    /// Nothing was sent.
    pub(super) fn try_resuming(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        now: Timestamp,
    ) -> Result<bool, CommandError> {
        let Some(session) = peer.as_peer_id().and_then(|id| self.sessions.current(&id)) else {
            return Ok(false);
        };
        let key = core.roster.get(peer.as_str()).and_then(|entry| entry.key);
        let is_of_key =
            self.sessions.ready(session).is_some_and(|ready| Some(*ready.peer_key()) == key);
        if !is_of_key || self.unresumable.contains(&session) {
            return Ok(false);
        }
        let proposed = self.sessions.resume(session, &mut author(core, now));
        self.post_proposal(core, (session, proposed, 0), now)
    }

    fn post_proposal(
        &mut self,
        core: &mut Core,
        (session, proposed, raises): (SessionId, Result<Outbound, ResumeError>, u32),
        now: Timestamp,
    ) -> Result<bool, CommandError> {
        let Ok(proposal) = proposed else {
            self.resuming.remove(&session);
            self.unresumable.insert(session);
            return Ok(false);
        };
        self.attempts += 1;
        let attempt = self.attempts;
        let deadline = now.plus(PROPOSAL_LIFETIME);
        self.resuming.insert(session, Resuming { attempt, raises, deadline });
        self.note_unfollowed(proposal.clone());
        let posted = self.post(core, proposal, Purpose::Resume { session, attempt });
        if let Err(error) = posted {
            self.stop_resuming(session);
            return Err(error);
        }
        Ok(true)
    }

    /// Takes the outcome of a posted `session_resume`. A good one says only that the answer may come, as a message of
    /// its own.
    pub(super) fn settle_resume(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        (session, attempt): (SessionId, u64),
        (outcome, now): (&Outcome, Timestamp),
    ) {
        let Some(&resuming) = self.resuming.get(&session) else { return };
        if resuming.attempt != attempt {
            return;
        }
        let kind = MessageKind::SessionResume;
        let Some(error) = refusal(outcome) else { return self.await_next(session, &kind, now) };
        let code = error.code();
        // The peer's own is on its way to us, and ours ends when it comes; or the peer has lost it since.
        if code == ErrorCode::HandshakeInProgress {
            return self.await_next(session, &kind, now);
        }
        if code == ErrorCode::SequenceError && resuming.raises < RAISES_MAX {
            return self.raise(core, peer, (session, resuming.raises + 1), now);
        }
        self.stop_resuming(session);
        // Whoever is away or busy has not said anything about the session.
        if matches!(code, ErrorCode::ServiceUnavailable | ErrorCode::RateLimited) {
            return Self::resuming_failed(core, peer, error);
        }
        self.unresumable.insert(session);
        self.open_instead(core, peer, now);
    }

    /// Proposes a generation further up.
    fn raise(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        (session, raises): (SessionId, u32),
        now: Timestamp,
    ) {
        let raised = self.sessions.resume_higher(session, &mut author(core, now));
        match self.post_proposal(core, (session, raised, raises), now) {
            Ok(true) => {}
            Ok(false) => self.open_instead(core, peer, now),
            Err(error) => Self::resuming_failed(core, peer, error),
        }
    }

    /// Opens a handshake where a session did not resume.
    fn open_instead(&mut self, core: &mut Core, peer: &PeerName, now: Timestamp) {
        if let Err(error) = self.open_handshake(core, peer, now) {
            Self::resuming_failed(core, peer, error);
        }
    }

    fn resuming_failed(core: &mut Core, peer: &PeerName, error: CommandError) {
        core.tell(News::OpenFailed { peer: peer.clone(), version: Version::V1_1, error });
    }

    fn stop_resuming(&mut self, session: SessionId) {
        self.resuming.remove(&session);
        self.unfollowed.remove(&session);
        self.sessions.stop_resuming(session);
    }

    /// Says what has become of keys.
    pub(super) fn report_changes(&mut self, core: &mut Core, now: Timestamp) {
        while let Some(change) = self.sessions.poll_change() {
            match change {
                Change::Renewed { session, peer, renewed } => {
                    let (id, peer) = (SessionName::from(session), PeerName::from(&peer));
                    let generation = renewed.generation.get();
                    self.end_rekeying(core, session, Ok(CommandResult::Generation(generation)));
                    self.settle_acknowledged(core, session, now);
                    match renewed.renewal {
                        Renewal::Rekey => {
                            core.event(PeerEvent::SessionRekeyed { id, generation });
                        }
                        Renewal::Resumption => {
                            self.resuming.remove(&session);
                            self.unfollowed.remove(&session);
                            self.unresumable.remove(&session);
                            self.doubted.remove(&session);
                            if planted(Flaw::ForgetsLifeAfterResume) {
                                core.stop_probing(&peer);
                            }
                            core.tell(News::Resumed { id, peer, generation });
                        }
                    }
                }
                Change::NotResumed { session, peer } => {
                    self.not_resumed(core, session, &PeerName::from(&peer), now);
                }
            }
        }
    }

    fn not_resumed(
        &mut self,
        core: &mut Core,
        session: SessionId,
        peer: &PeerName,
        now: Timestamp,
    ) {
        if self.resuming.remove(&session).is_some() {
            self.unresumable.insert(session);
            self.open_instead(core, peer, now);
        }
    }

    /// Ends the resumptions that came to nothing, and the commands that waited too long.
    pub(super) fn expire_renewals(&mut self, core: &mut Core, now: Timestamp) {
        let late = |(&session, resuming): (&SessionId, &Resuming)| {
            (resuming.deadline <= now).then_some(session)
        };
        for session in self.resuming.iter().filter_map(late).collect::<Vec<_>>() {
            let peer = self.sessions.ready(session).map(|ready| PeerName::from(ready.peer()));
            self.sessions.stop_resuming(session);
            match peer {
                Some(peer) => self.not_resumed(core, session, &peer, now),
                None => drop(self.resuming.remove(&session)),
            }
        }
        let is_late = |rekeying: &mut Rekeying| rekeying.deadline <= now;
        for rekeying in self.rekeying.extract_if(.., is_late) {
            let error = CommandError::TimedOut { what: "the new keys" };
            core.done(rekeying.command, Err(error));
        }
    }

    /// Returns when [`State::expire_renewals`] has something to do.
    pub(super) fn renewals_deadline(&self) -> Option<Timestamp> {
        let resuming = self.resuming.values().map(|resuming| resuming.deadline);
        let rekeying = self.rekeying.iter().map(|rekeying| rekeying.deadline);
        resuming.chain(rekeying).min()
    }

    /// Renews the keys of a session; the command ends when they are in use.
    ///
    /// # Errors
    ///
    /// There is no such session, it has no keys, or too many commands wait.
    pub(crate) fn rekey(
        &mut self,
        core: &Core,
        command: CommandId,
        id: &SessionName,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let unknown = || CommandError::UnknownSession { session: id.clone() };
        let session: SessionId = id.0.parse().map_err(|_| unknown())?;
        if self.rekeying.len() >= core.config.limits.waiting_per_peer_max {
            return Err(CommandError::Overloaded { limit: "waiting_per_peer_max" });
        }
        if !self.sessions.rekey(session, now) {
            return Err(unknown());
        }
        let deadline = now.plus(REKEY_TIMEOUT);
        self.rekeying.push(Rekeying { command, session, deadline });
        Ok(())
    }

    /// Ends the commands that wait for new keys of a session.
    pub(super) fn end_rekeying(
        &mut self,
        core: &mut Core,
        session: SessionId,
        result: Result<CommandResult, CommandError>,
    ) {
        let is_of = |rekeying: &mut Rekeying| rekeying.session == session;
        for rekeying in self.rekeying.extract_if(.., is_of) {
            core.done(rekeying.command, result.clone());
        }
    }

    /// Takes back a command that waits for new keys; says whether there was one.
    pub(super) fn withdraw_rekeying(&mut self, command: CommandId) -> bool {
        let count = self.rekeying.len();
        self.rekeying.retain(|rekeying| rekeying.command != command);
        self.rekeying.len() < count
    }
}
