//! One whole agent: its inputs, its outputs, and what belongs to no version.

use entity_crypto::signing::SigningKey;
use entity_flaw::{Flaw, planted};
use entity_journal::Stored;
use entity_transfer::IoOutcome;
use entity_wire::reply::Reply;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use crate::capabilities;
use crate::command::{Command, CommandError, CommandId, CommandResult};
use crate::config::{AutoConnect, Config, Protocols, V1_1_IS_SPOKEN};
use crate::core::{Core, News, Purpose, Reason};
use crate::features::Features;
use crate::inbound::{
    Check, CheckVersion, Checked, CheckedVersion, Decoded, DecodedVersion, Refusal, decode,
    decode_frame,
};
use crate::link::{Links, Waiter};
use crate::name::PeerName;
use crate::outbox::Outcome;
use crate::output::{Delivery, DeliveryId, Output, PeerEvent};
use crate::restore::RestoreError;
use crate::roster::Origin;
use crate::view::SessionView;
use crate::{v1_0, v1_1};

mod commands;
mod getters;
mod jwt;

/// One whole agent without IO.
///
/// The caller owes a `now` that never goes back and is anchored to the Unix epoch, and drains [`Peer::poll_output`] to
/// `None` after every input. Each [`Output::Transmit`] is to be reported once with [`Peer::handle_delivery`].
#[derive(Debug)]
pub struct Peer {
    core: Core,
    links: Links,
    features: Features,
    v1_0: v1_0::State,
    v1_1: v1_1::State,
}

impl Peer {
    /// Makes a peer. All its randomness comes from `seed`: two peers must not share one.
    ///
    /// # Panics
    ///
    /// Never: only what is stored can be damaged, and nothing is.
    pub fn new(config: Config, key: SigningKey, seed: [u8; 32], now: Timestamp) -> Self {
        Self::restore(config, key, seed, Stored::default(), now)
            .expect("where nothing is stored nothing is damaged")
    }

    /// Makes a peer that goes on where another left off: with everything that one wanted kept. Outputs wait at once.
    ///
    /// `seed` has to be a new one.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] where `stored` was not written by a peer with this key, or is damaged.
    pub fn restore(
        config: Config,
        key: SigningKey,
        seed: [u8; 32],
        mut stored: Stored,
        now: Timestamp,
    ) -> Result<Self, RestoreError> {
        let is_restart = stored.left().next().is_some();
        let mut core = Core::restore(config, key, seed, &mut stored)?;
        let features = Features::restore(&mut core, &mut stored, now)?;
        let v1_0 = v1_0::State::new(&core.config, is_restart.then_some(now));
        let numbered = features.durable.places();
        let v1_1 = v1_1::State::restore(&core.config, &mut stored, &numbered, now)?;
        v1_1.restore_sockets(&mut core);
        let mut peer = Self { core, links: Links::default(), features, v1_0, v1_1 };
        peer.v1_1.choose_forms(&peer.core);
        peer.resume_links(now);
        peer.features.restored(&mut peer.core, now);
        peer.settle(now);
        // Each room takes its own spaces; what nobody takes was written by somebody who knew more.
        match stored.left().next() {
            None => Ok(peer),
            Some(space) => Err(RestoreError::UnknownSpace { space: space.to_owned() }),
        }
    }

    /// Looks up the sender of a decoded message: version, recipient, key; in the profile `compat` also its limiter.
    ///
    /// # Errors
    ///
    /// The answer to a message that is refused.
    pub fn admit(&mut self, decoded: Decoded, now: Timestamp) -> Result<Check, Reply> {
        let admitted = match decoded.0 {
            DecodedVersion::Unsupported(unsupported) => {
                let refusal = self.v1_0.refuse_unsupported(unsupported, now);
                let has_1_1 = self.core.config.protocols.includes(Version::V1_1);
                Err(if has_1_1 { v1_1::with_code(refusal) } else { refusal })
            }
            DecodedVersion::V1_0(decoded) => {
                self.v1_0.admit(&self.core, decoded, now).map(CheckVersion::V1_0)
            }
            DecodedVersion::V1_1(decoded) => {
                self.v1_1.admit(&self.core, decoded).map(CheckVersion::V1_1)
            }
            DecodedVersion::Frame(frame) => {
                let claimed = self.v1_1.claimed(&frame);
                Ok(CheckVersion::Frame(frame, claimed))
            }
        };
        admitted.map(Check).map_err(|refusal| self.handle_refusal(refusal))
    }

    /// Admits a message as [`Peer::admit`] does, where nothing that comes before it can change that: one of 1.1 whose sender's
    /// key is pinned. So the signatures of several may be verified before the first of them is handled.
    ///
    /// # Errors
    ///
    /// Gives back any other message, which [`Peer::admit`] takes once everything before it is handled.
    pub fn admit_ahead(&self, decoded: Decoded) -> Result<Check, Box<Decoded>> {
        match decoded.0 {
            DecodedVersion::V1_1(decoded) => match self.v1_1.admit_ahead(&self.core, decoded) {
                Ok(check) => Ok(Check(CheckVersion::V1_1(check))),
                Err(decoded) => Err(Box::new(Decoded(DecodedVersion::V1_1(*decoded)))),
            },
            other @ (DecodedVersion::Unsupported(_)
            | DecodedVersion::V1_0(_)
            | DecodedVersion::Frame(_)) => Err(Box::new(Decoded(other))),
        }
    }

    /// Judges and handles a message whose signature is valid, and returns its answer.
    pub fn handle_checked(&mut self, checked: Checked, now: Timestamp) -> Reply {
        let handled = match checked.0 {
            CheckedVersion::V1_0(checked) => self.v1_0.handle_checked(&mut self.core, checked, now),
            CheckedVersion::V1_1(checked) => self.v1_1.handle_checked(&mut self.core, checked, now),
            CheckedVersion::Frame(frame, claimed) => {
                self.v1_1.handle_frame(&mut self.core, (frame, claimed), now)
            }
        };
        let reply = match handled {
            Ok(reply) => reply,
            Err(refusal) => self.handle_refusal(refusal),
        };
        self.settle(now);
        reply
    }

    /// Takes note of a refusal by [`decode`] or [`Check::run`], and returns its answer.
    pub fn handle_refusal(&mut self, refusal: Refusal) -> Reply {
        let Refusal { from, code, detail, reply } = refusal;
        let status = reply.status;
        self.core.event(PeerEvent::MessageRefused { from, code, detail, status });
        reply
    }

    /// Takes a received message through all stages and returns its answer.
    pub fn handle_message(&mut self, body: &[u8], now: Timestamp) -> Reply {
        let decoded = decode(&self.decode_rules(), body);
        self.handle_decoded(decoded, now)
    }

    /// Takes a received compact frame through all stages and returns its answer.
    pub fn handle_frame(&mut self, frame: &[u8], now: Timestamp) -> Reply {
        let decoded = decode_frame(&self.decode_rules(), frame);
        self.handle_decoded(decoded, now)
    }

    fn handle_decoded(&mut self, decoded: Result<Decoded, Refusal>, now: Timestamp) -> Reply {
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(refusal) => return self.handle_refusal(refusal),
        };
        let check = match self.admit(decoded, now) {
            Ok(check) => check,
            Err(reply) => return reply,
        };
        match check.run() {
            Ok(checked) => self.handle_checked(checked, now),
            Err(refusal) => self.handle_refusal(refusal),
        }
    }

    /// Takes a command; its end comes as [`Output::Done`], perhaps at once.
    pub fn handle_command(&mut self, id: CommandId, command: Command, now: Timestamp) {
        match command {
            Command::AddPeer(peer) => self.add_peer(id, peer, now),
            Command::RemovePeer { name } => self.remove_peer(id, &name, now),
            Command::OpenSession { to } => self.open_session(id, to, now),
            Command::CloseSession { session } => self.close_session(id, &session, now),
            Command::Rekey { session } => self.rekey(id, &session, now),
            Command::Send(message) => self.send(Reason::Send(id), message, now),
            Command::SendDurable(message) => self.send_durable(id, message, now),
            Command::Ping { to } => self.ping(id, to, now),
            Command::QueryCapabilities { to } => self.query_capabilities(id, to, now),
            Command::Wake { to, reason } => self.wake(id, to, reason, now),
            Command::NotifyError { to, report } => self.notify_error(id, to, &report, now),
            Command::SetClockOffset { offset_us } => {
                self.core.clock_offset_us = offset_us;
                self.core.done(id, Ok(CommandResult::Done));
            }
            Command::Delegate(task) => self.delegate(id, task),
            Command::CompleteTask(end) => self.complete_task(id, end),
            Command::SetCapabilities { able } => {
                capabilities::set(&mut self.core, id, able);
                self.features.dht.announce_soon(&self.core, now);
            }
            Command::Transfer(transfer) => {
                self.features.transfers.begin(&mut self.core, id, transfer, now);
            }
            Command::CancelTransfer { id: transfer } => {
                self.features.transfers.cancel(&mut self.core, id, transfer, now);
            }
            Command::Dht(command) => {
                self.features.dht.handle_command(&mut self.core, id, command, now);
            }
            Command::Token(command) => {
                self.features.tokens.handle_command(&mut self.core, id, command, now);
            }
            Command::Cancel { command } => self.cancel(id, command, now),
        }
        self.settle(now);
    }

    /// Takes the outcome of one [`Output::Transmit`]. An id that is not known is ignored.
    pub fn handle_delivery(&mut self, id: DeliveryId, delivery: Delivery, now: Timestamp) {
        let Some((parcel, outcome)) = self.core.outbox.settle(id, delivery, now) else { return };
        match parcel.purpose {
            Purpose::Health => self.core.settle_probe(&parcel.peer, &outcome, now),
            Purpose::V1_0(purpose) => {
                self.core.count_outcome(&parcel.peer, &outcome, now);
                if outcome == Outcome::Accepted {
                    self.core.note_alive(&parcel.peer);
                }
                self.v1_0.settle(&mut self.core, &parcel.peer, purpose, (outcome, now));
            }
            Purpose::V1_1(purpose) => {
                self.core.count_outcome(&parcel.peer, &outcome, now);
                if purpose.is_heartbeat() && outcome != Outcome::Accepted {
                    self.core.fail_heartbeat(&parcel.peer);
                }
                self.v1_1.settle(&mut self.core, &parcel.peer, purpose, (outcome, now));
            }
        }
        self.settle(now);
    }

    /// Takes the outcome of one [`Output::Io`]. One of a transfer that is over is ignored.
    pub fn handle_io(&mut self, outcome: IoOutcome, now: Timestamp) {
        self.features.transfers.handle_io(&mut self.core, outcome, now);
        self.settle(now);
    }

    /// Does what is due at `now`. Calling early is harmless.
    pub fn handle_deadline(&mut self, now: Timestamp) {
        while let Some(transmit) = self.core.outbox.next_due(now) {
            if planted(Flaw::CountsAttempts) {
                self.core.count_attempt(&transmit.peer);
            }
            self.core.output(Output::Transmit(transmit));
        }
        self.core.expire_queries(now);
        self.ask_for_life(now);
        self.v1_0.expire(&mut self.core, now);
        self.v1_1.expire(&mut self.core, now);
        self.features.expire(&mut self.core, now);
        self.settle(now);
        while let Some(peer) = self.links.next_due(now) {
            match self.core.admit(&peer, now) {
                Ok(()) => self.open(&peer, now),
                Err(pause) => self.links.postpone(&peer, now.plus(pause)),
            }
            self.settle(now);
        }
    }

    /// Has everything kept exactly as it is, before an orderly end: the next run then has no numbers to skip but those of
    /// what is under way. Drain [`Peer::poll_output`] and keep what it gives; going on afterwards does no harm.
    pub fn handle_shutdown(&mut self) {
        self.v1_1.close_books();
        self.features.dht.handle_shutdown(&mut self.core);
    }

    /// Returns when [`Peer::handle_deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let deadlines = [
            self.core.next_deadline(),
            self.links.next_deadline(),
            self.v1_0.next_deadline(&self.core),
            self.v1_1.next_deadline(),
            self.features.next_deadline(&self.core),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Takes the next output, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.v1_1.persist(&mut self.core);
        self.core.poll_output()
    }

    /// Takes up the relations to the peers that were kept.
    fn resume_links(&mut self, now: Timestamp) {
        let known =
            self.core.roster.iter().map(|(name, entry)| (name.clone(), entry.connect, entry.came));
        for (name, connect, came) in known.collect::<Vec<_>>() {
            // Whom the table has met is asked by the table.
            if came != Origin::Guest {
                self.core.start_probing(&name, now);
            }
            self.links.to(&name).keep = connect;
            self.links.reopen(&name, now);
        }
    }

    /// Asks the peers that are due for a sign of life.
    fn ask_for_life(&mut self, now: Timestamp) {
        for peer in self.core.take_due_probes(now) {
            let in_session = self.v1_1.live_session(&peer, now).is_some();
            if in_session
                && !self.v1_1.is_doubted(&peer)
                && let Some(heartbeat) = self.core.next_heartbeat(&peer)
            {
                self.send(Reason::Heartbeat, heartbeat, now);
            } else {
                self.core.probe(&peer);
            }
        }
    }

    /// Lets something wait for a session, and opens one where none is being opened.
    fn wait(&mut self, peer: &PeerName, waiter: Waiter, now: Timestamp) {
        let link = self.links.to(peer);
        let is_opening = link.opening.is_some();
        match link.wait(waiter, self.core.config.limits.waiting_per_peer_max) {
            Ok(()) if is_opening => {}
            Ok(()) => self.open(peer, now),
            Err(waiter) => {
                let error = CommandError::Overloaded { limit: "waiting_per_peer_max" };
                self.fail_waiter(waiter, error, now);
            }
        }
    }

    /// Opens a session, unless one is being opened.
    fn open(&mut self, peer: &PeerName, now: Timestamp) {
        let version = self.first_version();
        let link = self.links.to(peer);
        if link.opening.is_none() {
            link.opening = Some(version);
            self.start_handshake(peer, version, now);
        }
    }

    fn start_handshake(&mut self, peer: &PeerName, version: Version, now: Timestamp) {
        let started = match version {
            Version::V0_3 | Version::V1_0 => self.v1_0.open(&mut self.core, peer, now),
            Version::V1_1 => self.v1_1.open(&mut self.core, peer, now),
        };
        if let Err(error) = started {
            self.core.tell(News::OpenFailed { peer: peer.clone(), version, error });
        }
    }

    /// Acts on what the versions told, until there is no more.
    fn settle(&mut self, now: Timestamp) {
        while let Some(news) = self.core.poll_news() {
            match news {
                News::Ready { id, peer, version, role } => {
                    let waiters = self.session_ready(&peer);
                    if version == Version::V1_1 {
                        self.v1_0.outgrow(&mut self.core, &peer);
                    }
                    self.core.event(PeerEvent::SessionReady {
                        id: id.clone(),
                        peer: peer.clone(),
                        version,
                        role,
                    });
                    // Who completes a handshake is there, wherever attempts to reach him went.
                    self.core.note_reachable(&peer, now);
                    self.tell_features(&peer, now);
                    self.features.durable.session_is(&mut self.core, &peer, (&id, version), now);
                    for waiter in waiters {
                        self.resume_waiter(&peer, waiter, now);
                    }
                }
                News::Resumed { id, peer, generation } => {
                    let waiters = self.session_ready(&peer);
                    self.core.event(PeerEvent::SessionResumed {
                        id: id.clone(),
                        peer: peer.clone(),
                        generation,
                    });
                    self.core.note_reachable(&peer, now);
                    self.heard(&peer, now);
                    self.tell_features(&peer, now);
                    let session = (&id, Version::V1_1);
                    self.features.durable.session_is(&mut self.core, &peer, session, now);
                    for waiter in waiters {
                        self.resume_waiter(&peer, waiter, now);
                    }
                }
                News::OpenFailed { peer, version, error } => {
                    self.open_failed(&peer, version, error, now);
                }
                News::Gone { peer } => self.gone(&peer, now),
                News::Ended { session, peer } => {
                    self.features.durable.session_gone(&mut self.core, &peer, session, now);
                }
                News::Heard { peer } => self.heard(&peer, now),
                News::Reachable { peer } => self.reachable(&peer, now),
                News::Resend(reason, place, message) => self.resend(reason, place, message, now),
                News::Numbered { id, place } => {
                    self.features.durable.numbered(&mut self.core, id, place, now);
                }
                News::Message(received) => {
                    self.features.handle_message(&mut self.core, &received, now);
                }
                News::Chunk { from, chunk } => {
                    self.features.transfers.handle_bytes(&mut self.core, &from, chunk, now);
                }
                News::Finished(Reason::Piece(number), result) => {
                    self.v1_0.piece_finished(&mut self.core, number, result, now);
                }
                News::Finished(reason, result) => {
                    self.features.finished(&mut self.core, reason, result, now);
                }
                News::Send(reason, message) => self.send(reason, message, now),
                News::Forget { peer } => self.forget_guest(&peer, now),
                News::Oversized { reason, to, kind, body } => {
                    let message = (&to, &kind, body);
                    self.features.transfers.send_message(&mut self.core, reason, message, now);
                }
            }
        }
    }

    fn tell_features(&mut self, peer: &PeerName, now: Timestamp) {
        let is_in_table = self.v1_1.has_table(peer);
        self.features.session_ready(&mut self.core, (peer, is_in_table), now);
    }

    fn session_ready(&mut self, peer: &PeerName) -> impl Iterator<Item = Waiter> + use<> {
        let link = self.links.to(peer);
        link.succeeded();
        link.take_waiters().into_iter()
    }

    fn open_failed(
        &mut self,
        peer: &PeerName,
        version: Version,
        error: CommandError,
        now: Timestamp,
    ) {
        let proved = self.core.roster.get(peer.as_str()).and_then(|entry| entry.proved);
        let link = self.links.to(peer);
        let is_ours = link.opening == Some(version);
        if is_ours
            && let Some(other) = link.switch_version(self.core.config.protocols, proved, &error)
        {
            return self.start_handshake(peer, other, now);
        }
        self.core.event(PeerEvent::HandshakeFailed {
            peer: peer.clone(),
            code: error.code(),
            reason: error.to_string(),
        });
        // Where the other side had opened the handshake that failed, nothing of ours waits for it.
        if is_ours {
            self.links.failed(peer, now);
            let waiters = self.links.to(peer).take_waiters();
            self.end_waiting(peer, waiters, (&error, now));
        }
    }

    /// Ends those who waited for a session that does not come.
    ///
    /// Where there is one that an unauthenticated answer had put in doubt, messages go in that after all.
    ///
    /// Source: docs/protocol/1.1.md#status-is-a-hint
    fn end_waiting(
        &mut self,
        peer: &PeerName,
        waiters: impl IntoIterator<Item = Waiter>,
        (error, now): (&CommandError, Timestamp),
    ) {
        self.v1_0.trust_session(peer);
        self.v1_1.trust_session(peer);
        for waiter in waiters {
            let has_session = self.live_version(peer, now).is_some();
            match waiter {
                Waiter::Message(..) if has_session => self.resume_waiter(peer, waiter, now),
                Waiter::Message(..) | Waiter::Open(_) => {
                    self.fail_waiter(waiter, error.clone(), now);
                }
            }
        }
    }

    fn resume_waiter(&mut self, peer: &PeerName, waiter: Waiter, now: Timestamp) {
        match waiter {
            Waiter::Message(Reason::Ping(id, _), message) => {
                // The time for the handshake is no part of the round trip.
                self.send(Reason::Ping(id, now), message, now);
            }
            Waiter::Message(reason, message) => self.send(reason, message, now),
            Waiter::Open(command) => {
                let result = match self.live_session(peer, now) {
                    Some(session) => Ok(CommandResult::Session(session)),
                    None => Err(CommandError::TimedOut { what: "the session" }),
                };
                self.core.done(command, result);
            }
        }
    }

    fn fail_waiter(&mut self, waiter: Waiter, error: CommandError, now: Timestamp) {
        match waiter {
            Waiter::Open(command) => self.core.done(command, Err(error)),
            // What was refused is the handshake; a message that waits for the next one is not.
            Waiter::Message(reason @ Reason::Durable(..), _) => {
                let error = CommandError::TimedOut { what: "a session" };
                self.core.finish_send(reason, Err(error), now);
            }
            Waiter::Message(reason, _) => self.core.finish_send(reason, Err(error), now),
        }
    }

    /// Returns the version of the session that a message to the peer would take.
    fn live_version(&self, peer: &PeerName, now: Timestamp) -> Option<Version> {
        let in_1_1 = self.v1_1.live_session(peer, now).map(|_| Version::V1_1);
        in_1_1.or_else(|| self.v1_0.live_session(peer, now).map(|_| Version::V1_0))
    }

    /// Says whether the peer has refused what we sent in the live session as if it did not know it.
    fn is_doubted(&self, peer: &PeerName, now: Timestamp) -> bool {
        match self.live_version(peer, now) {
            Some(Version::V1_1) => self.v1_1.is_doubted(peer),
            Some(Version::V0_3 | Version::V1_0) => self.v1_0.is_doubted(peer),
            None => false,
        }
    }

    fn live_session(&self, peer: &PeerName, now: Timestamp) -> Option<SessionView> {
        if let Some(id) = self.v1_1.live_session(peer, now) {
            return self.v1_1.sessions().find(|session| session.id == id);
        }
        let id = self.v1_0.live_session(peer, now)?;
        self.v1_0.sessions(&self.core).find(|session| session.id.0 == id)
    }

    /// Returns the version that a session is first tried in.
    ///
    /// Source: docs/protocol/1.1.md#negotiation
    fn first_version(&self) -> Version {
        match self.core.config.protocols {
            Protocols::OnlyV1_0 => Version::V1_0,
            Protocols::Both if !V1_1_IS_SPOKEN || planted(Flaw::SpeaksOlderVersion) => {
                Version::V1_0
            }
            Protocols::OnlyV1_1 | Protocols::Both => Version::V1_1,
        }
    }

    /// Says whether a message to a peer without a session opens one, or goes without, which only 1.0 knows.
    fn opens_by_itself(&self) -> bool {
        self.first_version() == Version::V1_1
            || self.core.config.auto_connect == AutoConnect::Connect
    }
}
