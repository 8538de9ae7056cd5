//! The commands, one method each.

use std::time::Duration;

use entity_wire::id::MessageId;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::limits::KIND_LEN_MAX;
use entity_wire::payload::error::ErrorReport;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use super::Peer;
use crate::command::{
    AddPeer, Class, CommandError, CommandId, CommandResult, Complete, Delegate, Send,
};
use crate::config::AutoConnect;
use crate::core::{Part, Query, Reason};
use crate::durable::Place;
use crate::features::Features;
use crate::link::Waiter;
use crate::name::PeerName;
use crate::output::PeerEvent;
use crate::roster::{AddError, Added, Entry, Origin};
use crate::transfers::TRANSFER_NEEDS_1_1;
use crate::v1_1::takeable;
use crate::view::SessionName;

impl Peer {
    pub(super) fn add_peer(&mut self, id: CommandId, peer: AddPeer, now: Timestamp) {
        let AddPeer { name, address, key, connect } = peer;
        let auto = self.core.config.auto_connect == AutoConnect::Connect;
        let before = self.core.roster.record(&name);
        match self.core.roster.add(name.clone(), address, key, Origin::Operator) {
            Ok(added) => {
                if added == Added::New {
                    self.core.event(PeerEvent::PeerAdded { peer: name.clone() });
                    self.core.start_probing(&name, now);
                }
                self.core.done(id, Ok(CommandResult::Done));
            }
            Err(AddError::OtherKey) => {
                return self.core.done(id, Err(CommandError::KeyMismatch { name }));
            }
            Err(AddError::Full) => {
                return self.core.done(id, Err(CommandError::Overloaded { limit: "peers_max" }));
            }
        }
        let link = self.links.to(&name);
        link.keep = connect.unwrap_or(auto || link.keep);
        if let Some(entry) = self.core.roster.get_mut(name.as_str()) {
            entry.connect = link.keep;
        }
        if self.core.roster.record(&name) != before {
            self.core.keep_peer(&name);
        }
        if link.keep && self.live_version(&name, now).is_none() {
            self.open(&name, now);
        }
    }

    pub(super) fn remove_peer(&mut self, id: CommandId, name: &PeerName, now: Timestamp) {
        if self.core.roster.get(name.as_str()).is_none() {
            let error = CommandError::UnknownPeer { name: name.clone() };
            return self.core.done(id, Err(error));
        }
        self.forget_peer(name, now);
        self.core.done(id, Ok(CommandResult::Done));
    }

    /// Forgets a peer that was met through the table, unless something for it is kept.
    pub(super) fn forget_guest(&mut self, name: &PeerName, now: Timestamp) {
        let is_guest = |entry: &Entry| entry.came == Origin::Guest;
        let is_needed = self.features.durable.views().any(|kept| kept.to == *name);
        if self.core.roster.get(name.as_str()).is_some_and(is_guest) && !is_needed {
            self.forget_peer(name, now);
        }
    }

    fn forget_peer(&mut self, name: &PeerName, now: Timestamp) {
        let sessions = self.sessions().into_iter().filter(|session| session.peer == *name);
        for session in sessions.collect::<Vec<_>>() {
            let _was_ready = self.v1_1.close(&mut self.core, &session.id, now)
                || self.v1_0.close(&mut self.core, &session.id);
        }
        self.v1_1.forget_handshakes(&mut self.core, name, now);
        self.v1_0.forget(name);
        for waiter in self.links.forget(name) {
            self.fail_waiter(waiter, CommandError::Cancelled, now);
        }
        self.features.durable.forget(&mut self.core, name);
        self.core.forget_peer(name);
    }

    pub(super) fn open_session(&mut self, id: CommandId, to: PeerName, now: Timestamp) {
        if self.core.roster.get(to.as_str()).is_none() {
            return self.core.done(id, Err(CommandError::UnknownPeer { name: to }));
        }
        match self.live_session(&to, now) {
            Some(session) if !self.is_doubted(&to, now) => {
                self.core.done(id, Ok(CommandResult::Session(session)));
            }
            Some(_) | None => self.wait(&to, Waiter::Open(id), now),
        }
    }

    pub(super) fn close_session(&mut self, id: CommandId, session: &SessionName, now: Timestamp) {
        let closed = self.v1_1.close(&mut self.core, session, now)
            || self.v1_0.close(&mut self.core, session);
        let result = if closed {
            Ok(CommandResult::Done)
        } else {
            Err(CommandError::UnknownSession { session: session.clone() })
        };
        self.core.done(id, result);
    }

    pub(super) fn rekey(&mut self, id: CommandId, session: &SessionName, now: Timestamp) {
        if let Err(error) = self.v1_1.rekey(&self.core, id, session, now) {
            self.core.done(id, Err(error));
        }
    }

    pub(super) fn ping(&mut self, id: CommandId, to: PeerName, now: Timestamp) {
        self.send(Reason::Ping(id, now), empty_message(to, MessageKind::Ping), now);
    }

    pub(super) fn query_capabilities(&mut self, id: CommandId, to: PeerName, now: Timestamp) {
        let deadline = now.plus(QUERY_TIMEOUT);
        self.core.queries.push_back(Query { command: id, peer: to.clone(), deadline });
        self.send(Reason::Query(id), empty_message(to, MessageKind::CapabilityQuery), now);
    }

    /// Sends a message in the live session, or lets it wait for one.
    pub(super) fn send(&mut self, reason: Reason, message: Send, now: Timestamp) {
        if self.core.roster.get(message.to.as_str()).is_none() {
            let error = CommandError::UnknownPeer { name: message.to };
            return self.core.finish_send(reason, Err(error), now);
        }
        if let Err(error) = sendable(&message.kind) {
            return self.core.finish_send(reason, Err(error), now);
        }
        match (reason, message.class) {
            (Reason::Durable(id, attempt), _) => {
                if !self.features.durable.is_current(id, attempt) {
                    return;
                }
            }
            (_, Class::Durable(id)) => return self.keep(reason, (id, message), now),
            // Whoever is answered has just been heard; and a heartbeat is how we learn that somebody is back.
            (
                Reason::Answer | Reason::Heartbeat | Reason::Transfer(_, Part::Answer),
                Class::Volatile,
            ) => {}
            (_, Class::Volatile) => {
                if let Err(retry_after) = self.core.admit(&message.to, now) {
                    let error = CommandError::CircuitOpen { name: message.to, retry_after };
                    return self.core.finish_send(reason, Err(error), now);
                }
            }
        }
        if let Reason::Transfer(_, part) = reason
            && let Err(error) = self.may_transfer(&message.to, part, now)
        {
            return self.core.finish_send(reason, Err(error), now);
        }
        if let Reason::Dht(..) = reason
            && let Err(error) = self.may_ask(&message.to, now)
        {
            return self.core.finish_send(reason, Err(error), now);
        }
        let opens = self.opens_by_itself();
        let is_doubted = opens && self.is_doubted(&message.to, now);
        let sent = match self.live_version(&message.to, now) {
            Some(Version::V0_3 | Version::V1_0) if !is_doubted => {
                self.v1_0.send(&mut self.core, reason, message, now)
            }
            Some(Version::V1_1) if !is_doubted => {
                self.v1_1.send(&mut self.core, reason, message, now)
            }
            None | Some(Version::V0_3 | Version::V1_0 | Version::V1_1) if opens => {
                let to = message.to.clone();
                return self.wait(&to, Waiter::Message(reason, message), now);
            }
            None | Some(Version::V0_3 | Version::V1_0) => {
                self.v1_0.send(&mut self.core, reason, message, now)
            }
            Some(Version::V1_1) => self.v1_1.send(&mut self.core, reason, message, now),
        };
        if let Err(error) = sent {
            self.core.finish_send(reason, Err(error), now);
        }
    }

    pub(super) fn send_durable(&mut self, id: CommandId, message: Send, now: Timestamp) {
        let message_id = MessageId::from_random(self.core.entropy.bytes());
        let message = Send { class: Class::Durable(message_id), ..message };
        self.send(Reason::Send(id), message, now);
    }

    pub(super) fn delegate(&mut self, id: CommandId, task: Delegate) {
        let fits = self.fitting();
        let Features { tasks, durable, .. } = &mut self.features;
        let may_send =
            |to: &_, body: &_| fits(body).and_then(|()| durable.look(to, body).map(drop));
        tasks.delegate(&mut self.core, id, task, &may_send);
    }

    pub(super) fn complete_task(&mut self, id: CommandId, end: Complete) {
        let fits = self.fitting();
        let Features { tasks, durable, .. } = &mut self.features;
        let may_send =
            |to: &_, body: &_| fits(body).and_then(|()| durable.look(to, body).map(drop));
        tasks.complete(&mut self.core, id, end, &may_send);
    }

    /// Returns what says whether a body has a form in what we speak.
    fn fitting(&self) -> fn(&Object) -> Result<(), CommandError> {
        let speaks_1_1 = self.core.config.protocols.includes(Version::V1_1);
        if speaks_1_1 { takeable } else { |_| Ok(()) }
    }

    /// Keeps a durable message; only a refusal is told to whoever sends it for a feature.
    fn keep(&mut self, reason: Reason, (id, message): (MessageId, Send), now: Timestamp) {
        let fits = self.fitting()(&message.body);
        let kept = fits.and_then(|()| self.features.durable.keep(&mut self.core, message, now));
        match (kept, reason) {
            (Ok(()), Reason::Send(command)) => {
                self.core.done(command, Ok(CommandResult::Kept(id)));
            }
            (
                Ok(()),
                Reason::Ping(..)
                | Reason::Query(_)
                | Reason::Answer
                | Reason::Question
                | Reason::Heartbeat
                | Reason::Transfer(..)
                | Reason::Wake(_)
                | Reason::Piece(_)
                | Reason::Dht(..)
                | Reason::Durable(..),
            ) => {}
            (Err(error), reason) => self.core.finish_send(reason, Err(error), now),
        }
    }

    /// Sends a durable message again in the session that numbered it, or sees to it that there is one.
    pub(super) fn resend(&mut self, reason: Reason, place: Place, message: Send, now: Timestamp) {
        let to = message.to.clone();
        if self.v1_1.is_sending(place.session, now) && !self.v1_1.is_doubted(&to) {
            return self.v1_1.resend(&mut self.core, reason, (place, message), now);
        }
        let error = CommandError::TimedOut { what: "the session" };
        self.core.finish_send(reason, Err(error), now);
        if self.v1_1.may_come_back(place.session, now) {
            self.open(&to, now);
        } else {
            self.features.durable.session_gone(&mut self.core, &to, place.session, now);
        }
    }

    /// Takes note that a message of a peer was accepted, which may have acknowledged some of ours.
    pub(super) fn heard(&mut self, peer: &PeerName, now: Timestamp) {
        while let Some(place) = self.features.durable.oldest_place(peer)
            && self.v1_1.is_acknowledged(place)
        {
            self.features.durable.acknowledge(&mut self.core, peer, now);
        }
    }

    /// Tries at once what waits for a peer that may be reached again.
    pub(super) fn reachable(&mut self, peer: &PeerName, now: Timestamp) {
        self.features.durable.reachable(peer, now);
        if self.live_version(peer, now).is_none() {
            self.links.reopen(peer, now);
        }
    }

    /// A session ended by itself, or the peer answered, once a session, that it does not know it: whoever answers is there, and what waits
    /// for him goes into the next one.
    pub(super) fn gone(&mut self, peer: &PeerName, now: Timestamp) {
        self.links.reopen(peer, now);
        self.features.durable.reachable(peer, now);
    }

    /// Questions of the table go to those alone who take part in it.
    fn may_ask(&self, to: &PeerName, now: Timestamp) -> Result<(), CommandError> {
        match self.live_version(to, now) {
            None if self.core.config.protocols.includes(Version::V1_1) => Ok(()),
            Some(Version::V1_1) if self.v1_1.has_table(to) => Ok(()),
            None | Some(Version::V0_3 | Version::V1_0 | Version::V1_1) => {
                Err(CommandError::Malformed { reason: "the peer takes no part in the table" })
            }
        }
    }

    /// Transfers of 1.1 have no form in 1.0, and only an offer is worth opening a session for.
    fn may_transfer(&self, to: &PeerName, part: Part, now: Timestamp) -> Result<(), CommandError> {
        match (self.live_version(to, now), part) {
            (Some(Version::V1_1), _) => Ok(()),
            (None, Part::Init) if self.core.config.protocols.includes(Version::V1_1) => Ok(()),
            (None, Part::Chunk(_) | Part::Answer) => {
                Err(CommandError::TimedOut { what: "the session" })
            }
            (None, Part::Init) | (Some(Version::V0_3 | Version::V1_0), _) => {
                Err(CommandError::Malformed { reason: TRANSFER_NEEDS_1_1 })
            }
        }
    }

    pub(super) fn wake(&mut self, id: CommandId, to: PeerName, reason: String, now: Timestamp) {
        self.features.signals.wake(&mut self.core, id, (to, reason), now);
    }

    pub(super) fn notify_error(
        &mut self,
        id: CommandId,
        to: PeerName,
        report: &ErrorReport,
        now: Timestamp,
    ) {
        let body = report.to_object();
        if ErrorReport::from_object(&body).is_err() {
            let error = CommandError::Malformed { reason: "a text of it is too long" };
            return self.core.done(id, Err(error));
        }
        self.send(Reason::Send(id), Send::new(to, MessageKind::Error, body), now);
    }

    pub(super) fn cancel(&mut self, id: CommandId, command: CommandId, now: Timestamp) {
        let was_waiting = self.links.withdraw(command).is_some()
            || self.v1_0.withdraw(command)
            || self.v1_1.withdraw(command)
            || self.features.tokens.withdraw(command)
            || self.features.dht.withdraw(command)
            || self.features.transfers.withdraw(&mut self.core, command, now);
        let was_waking = self.features.signals.forget(command);
        if self.core.cancel(command) || was_waiting || was_waking {
            self.core.done(command, Err(CommandError::Cancelled));
        }
        self.core.done(id, Ok(CommandResult::Done));
    }
}

/// A message that would be taken for one of the protocol's own, or by nobody, must not take a number.
fn sendable(kind: &MessageKind) -> Result<(), CommandError> {
    let reason = match kind.as_str().len() {
        0 => "its type is empty",
        len if len > KIND_LEN_MAX => "its type is longer than 64 bytes",
        _ if kind.is_protocols_own() => "its type is one of the protocol's own",
        _ => return Ok(()),
    };
    Err(CommandError::Malformed { reason })
}

fn empty_message(to: PeerName, kind: MessageKind) -> Send {
    Send::new(to, kind, Object::new())
}

/// How long a peer may take to answer a `capability_query`. Guessed: as long as an attempt may take.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
