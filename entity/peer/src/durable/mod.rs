//! Durable messages: kept until the other side has them, in their order, across sessions, restarts and absence.
//!
//! | module | what it holds |
//! |---|---|
//! | this file | [`Durable`]: taking messages in, letting them go, and what becomes of them |
//! | [`queue`] | the messages for one peer |
//! | [`record`] | how they are kept |
//!
//! The way of one message:
//!
//! ```text
//! keep ── persisted ──> waiting ── handed to be sent ──> numbered ── acknowledged ──> gone
//!                          ^   (1.1: its number is persisted before it leaves)         (event)
//!                          └── the session that numbered it is gone ──┘
//! ```
//!
//! One message at a time is handed out and not numbered, so that numbers follow the order of keeping. In 1.0 nothing has a
//! number and the answer 200 is the acknowledgement: one message at a time is under way.
//!
//! Source: docs/protocol/1.1.md#durable-messages, docs/protocol/1.0.md#durable-messages, docs/design/delivery.md

mod queue;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity_flaw::{Flaw, planted};
use entity_journal::Stored;
use entity_wire::canonical;
use entity_wire::code::ErrorCode;
use entity_wire::id::{MessageId, MessageNumber, SessionId};
use entity_wire::json::Object;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use crate::circuit::{backoff, jittered};
use crate::command::{Class, CommandError, Receipt, Send};
use crate::config::Limits;
use crate::core::{Core, News, Reason};
use crate::name::PeerName;
use crate::output::PeerEvent;
use crate::restore::RestoreError;
use crate::view::{KeptState, KeptView, SessionName};

pub(crate) use queue::{Kept, Place, Queue};
pub(crate) use record::PLACES;

/// The longest body of a durable message, as canonical JSON. Sealed and signed it is below the limit of a message.
pub(crate) const BODY_LEN_MAX: usize = 512 << 10;

/// How many messages to one peer have a number and no acknowledgement yet: half of what a receiver remembers across sessions.
pub(crate) const NUMBERED_MAX: usize = 512;

/// How many messages are sent again at a time.
const AGAIN_AT_ONCE: usize = 32;

/// How long an acknowledgement may take before a message is sent again: twice what a receiver waits with it.
const AGAIN_MIN: Duration = Duration::from_secs(2);

/// The longest pause between sending a message and sending it again.
const AGAIN_MAX: Duration = Duration::from_mins(1);

/// The messages that wait for somebody else to have them.
#[derive(Debug)]
pub(crate) struct Durable {
    limits: DurableLimits,
    queues: BTreeMap<PeerName, Queue>,
    peer_of: BTreeMap<MessageId, PeerName>,
    bytes: usize,
    last_position: u64,
}

/// The bounds of what is kept: fields of [`Limits`].
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "the names under which an operator is told of them")]
pub(crate) struct DurableLimits {
    messages_per_peer_max: usize,
    bytes_per_peer_max: usize,
    messages_max: usize,
    bytes_max: usize,
}

impl From<&Limits> for DurableLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            messages_per_peer_max: limits.durable_messages_per_peer_max,
            bytes_per_peer_max: limits.durable_bytes_per_peer_max,
            messages_max: limits.durable_messages_max,
            bytes_max: limits.durable_bytes_max,
        }
    }
}

impl Durable {
    /// Starts with what was kept; everything is tried at once.
    ///
    /// # Errors
    ///
    /// A record is damaged.
    pub(crate) fn restore(
        stored: &mut Stored,
        limits: DurableLimits,
        now: Timestamp,
    ) -> Result<Self, RestoreError> {
        let mut durable = Self {
            limits,
            queues: BTreeMap::new(),
            peer_of: BTreeMap::new(),
            bytes: 0,
            last_position: 0,
        };
        for (to, kept) in record::read_all(stored)? {
            if planted(Flaw::ForgetsDurableOnRestart) {
                continue;
            }
            durable.last_position = durable.last_position.max(kept.position);
            durable.peer_of.insert(kept.id, to.clone());
            durable.bytes += kept.len_bytes;
            let queue = durable.queues.entry(to).or_default();
            queue.push(kept);
            queue.due = Some(now);
        }
        Ok(durable)
    }

    /// Returns the numbers that messages have which are not acknowledged, by session.
    pub(crate) fn places(&self) -> BTreeMap<SessionId, BTreeSet<MessageNumber>> {
        let mut places: BTreeMap<SessionId, BTreeSet<MessageNumber>> = BTreeMap::new();
        for place in self.queues.values().flat_map(Queue::places) {
            places.entry(place.session).or_default().insert(place.number);
        }
        places
    }

    /// Keeps a message and sends it as soon as that can be.
    ///
    /// # Errors
    ///
    /// A limit is reached, or no peer would take the message; nothing is kept then.
    pub(crate) fn keep(
        &mut self,
        core: &mut Core,
        message: Send,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let Class::Durable(id) = message.class else { return Ok(()) };
        if self.peer_of.contains_key(&id) {
            let reason = "a message with this id is kept already";
            return Err(CommandError::Malformed { reason });
        }
        let looked = self.look(&message.to, &message.body);
        if planted(Flaw::DropsAboveLimit) && matches!(looked, Err(CommandError::Overloaded { .. }))
        {
            return Ok(());
        }
        let len_bytes = looked?;
        self.last_position += 1;
        let to = message.to.clone();
        let kept = Kept::new(self.last_position, id, message, len_bytes);
        core.persist(record::put_message(&to, &kept));
        self.bytes += len_bytes;
        self.peer_of.insert(id, to.clone());
        self.queues.entry(to.clone()).or_default().push(kept);
        self.send_next(core, &to, now);
        Ok(())
    }

    /// Says whether a message to a peer would be kept, and returns its length in bytes. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Durable::keep`].
    pub(crate) fn look(&self, to: &PeerName, body: &Object) -> Result<usize, CommandError> {
        let len_bytes = canonical::object_to_vec(body).len();
        if len_bytes > BODY_LEN_MAX {
            return Err(CommandError::TooLarge { len_bytes });
        }
        let (count, bytes) =
            self.queues.get(to).map_or((0, 0), |queue| (queue.len(), queue.bytes()));
        let limits = self.limits;
        let limit = if count >= limits.messages_per_peer_max {
            "durable_messages_per_peer_max"
        } else if bytes + len_bytes > limits.bytes_per_peer_max {
            "durable_bytes_per_peer_max"
        } else if self.peer_of.len() >= limits.messages_max {
            "durable_messages_max"
        } else if self.bytes + len_bytes > limits.bytes_max {
            "durable_bytes_max"
        } else {
            return Ok(len_bytes);
        };
        if planted(Flaw::QueuesWithoutLimit) {
            return Ok(len_bytes);
        }
        Err(CommandError::Overloaded { limit })
    }

    /// Hands the next message out to be sent, where one may go.
    fn send_next(&mut self, core: &mut Core, to: &PeerName, now: Timestamp) {
        let Some(queue) = self.queues.get_mut(to) else { return };
        if !queue.may_hand_out() {
            return;
        }
        if let Err(pause) = core.admit(to, now) {
            queue.wait_until(now.plus(pause));
            return;
        }
        let Some(kept) = queue.hand_out() else { return };
        core.tell(News::Send(Reason::Durable(kept.id, kept.attempts), kept.message(to)));
    }

    /// Notes the number that a message took; it is persisted before the message leaves.
    pub(crate) fn numbered(
        &mut self,
        core: &mut Core,
        id: MessageId,
        place: Place,
        now: Timestamp,
    ) {
        let Some(to) = self.peer_of.get(&id).cloned() else { return };
        let Some(queue) = self.queues.get_mut(&to) else { return };
        if let Some(position) = queue.number(id, place) {
            core.persist(record::put_place(position, place));
            self.send_next(core, &to, now);
        }
    }

    /// Takes what became of one attempt to send a message.
    pub(crate) fn finished(
        &mut self,
        core: &mut Core,
        (id, attempt): (MessageId, u32),
        result: Result<Receipt, CommandError>,
        now: Timestamp,
    ) {
        let Some(to) = self.peer_of.get(&id).cloned() else { return };
        let Some(queue) = self.queues.get_mut(&to) else { return };
        // A message that went on to another session hears of the old one no more.
        let Some(is_numbered) = queue.end_attempt(id, attempt) else { return };
        match result {
            Ok(receipt) if receipt.version != Version::V1_1 => {
                queue.open_window(1);
                self.acknowledge(core, &to, now);
            }
            Ok(_) => {
                queue.open_window(NUMBERED_MAX);
                if queue.due.is_none() {
                    queue.wait_until(now.plus(AGAIN_MIN));
                }
                self.send_next(core, &to, now);
            }
            Err(error) if !is_numbered && is_final(&error) => {
                self.give_up(core, &to, error.code(), now);
            }
            Err(error @ CommandError::Unreachable { .. }) if planted(Flaw::GivesUpUnanswered) => {
                self.give_up(core, &to, error.code(), now);
            }
            Err(_) => {
                queue.failed(now.plus(jittered(queue.pause(), &mut core.entropy)));
                if planted(Flaw::RetriesAsNew) {
                    self.renew(core, &to);
                }
            }
        }
    }

    /// Makes another message of the oldest one to a peer, as a flawed peer does.
    fn renew(&mut self, core: &mut Core, to: &PeerName) {
        let Some(queue) = self.queues.get_mut(to) else { return };
        for position in queue.forget_places(|_| true) {
            core.persist(record::delete_place(position));
        }
        let id = MessageId::from_random(core.entropy.bytes());
        let Some(kept) = queue.oldest_mut() else { return };
        self.peer_of.remove(&kept.id);
        kept.id = id;
        core.persist(record::put_message(to, kept));
        self.peer_of.insert(id, to.clone());
    }

    /// Returns where the oldest message to `peer` was numbered, if it was.
    pub(crate) fn oldest_place(&self, peer: &PeerName) -> Option<Place> {
        self.queues.get(peer)?.oldest_place()
    }

    /// Takes note that the other side has the oldest message to it.
    pub(crate) fn acknowledge(&mut self, core: &mut Core, peer: &PeerName, now: Timestamp) {
        let Some(kept) = self.take_oldest(core, peer) else { return };
        core.event(PeerEvent::MessageAcknowledged { id: kept.id, peer: peer.clone() });
        if let Some(queue) = self.queues.get_mut(peer) {
            queue.progressed(now.plus(AGAIN_MIN));
        }
        self.send_next(core, peer, now);
    }

    fn give_up(&mut self, core: &mut Core, peer: &PeerName, code: ErrorCode, now: Timestamp) {
        let Some(kept) = self.take_oldest(core, peer) else { return };
        core.event(PeerEvent::MessageGivenUp { id: kept.id, peer: peer.clone(), code });
        self.send_next(core, peer, now);
    }

    fn take_oldest(&mut self, core: &mut Core, peer: &PeerName) -> Option<Kept> {
        let queue = self.queues.get_mut(peer)?;
        let kept = queue.pop()?;
        if queue.is_empty() {
            self.queues.remove(peer);
        }
        self.peer_of.remove(&kept.id);
        self.bytes -= kept.len_bytes;
        record::delete(kept.position, kept.place.is_some()).for_each(|write| core.persist(write));
        Some(kept)
    }

    /// Sends what waits for the peer: again what a session of this id has numbered, anew what another one had.
    pub(crate) fn session_is(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        (session, version): (&SessionName, Version),
        now: Timestamp,
    ) {
        let Some(queue) = self.queues.get_mut(peer) else { return };
        let session: Option<SessionId> = session.0.parse().ok();
        for position in queue.forget_places(|place| Some(place.session) != session) {
            core.persist(record::delete_place(position));
        }
        queue.open_window(if version == Version::V1_1 { NUMBERED_MAX } else { 1 });
        queue.progressed(now.plus(AGAIN_MIN));
        queue.give_attempts_up();
        for (reason, place, message) in queue.again(peer, NUMBERED_MAX) {
            core.tell(News::Resend(reason, place, message));
        }
        self.send_next(core, peer, now);
    }

    /// Takes note that a session is gone for good: what it had numbered goes into the next one.
    pub(crate) fn session_gone(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        session: SessionId,
        now: Timestamp,
    ) {
        let Some(queue) = self.queues.get_mut(peer) else { return };
        let forgotten = queue.forget_places(|place| place.session == session);
        if forgotten.is_empty() {
            return;
        }
        for position in forgotten {
            core.persist(record::delete_place(position));
        }
        queue.wait_until(now);
    }

    /// Tries at once what waits for a peer that was just heard after it could not be reached.
    pub(crate) fn reachable(&mut self, peer: &PeerName, now: Timestamp) {
        if let Some(queue) = self.queues.get_mut(peer) {
            queue.wait_until(now);
        }
    }

    /// Drops what waits for a peer that is to be forgotten.
    pub(crate) fn forget(&mut self, core: &mut Core, peer: &PeerName) {
        while self.take_oldest(core, peer).is_some() {}
    }

    /// Sends what is due.
    pub(crate) fn expire(&mut self, core: &mut Core, now: Timestamp) {
        let by = if planted(Flaw::WaitsByWallClock) { core.wall(now) } else { now };
        let is_due = |queue: &Queue| queue.due.is_some_and(|due| due <= by);
        let due = self.queues.iter().filter(|(_, queue)| is_due(queue));
        for peer in due.map(|(peer, _)| peer.clone()).collect::<Vec<_>>() {
            self.send_due(core, &peer, now);
        }
    }

    fn send_due(&mut self, core: &mut Core, peer: &PeerName, now: Timestamp) {
        let Some(queue) = self.queues.get_mut(peer) else { return };
        queue.due = None;
        if queue.oldest_place().is_none() {
            return self.send_next(core, peer, now);
        }
        let pause = jittered(queue.pause(), &mut core.entropy);
        queue.failed(now.plus(pause));
        if !queue.has_idle() {
            return;
        }
        if let Err(pause) = core.admit(peer, now) {
            queue.due = Some(now.plus(pause));
            return;
        }
        let count = if core.is_closed(peer) { AGAIN_AT_ONCE } else { 1 };
        for (reason, place, message) in queue.again(peer, count) {
            core.tell(News::Resend(reason, place, message));
        }
    }

    /// Says whether this attempt of a message counts: one that waited for a session while those before it lost theirs does not.
    pub(crate) fn is_current(&self, id: MessageId, attempt: u32) -> bool {
        let queue = self.peer_of.get(&id).and_then(|to| self.queues.get(to));
        queue.is_some_and(|queue| queue.is_current(id, attempt))
    }

    /// Returns when [`Durable::expire`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.queues.values().filter_map(|queue| queue.due).min()
    }

    /// Returns how many messages are kept.
    pub(crate) fn len(&self) -> usize {
        self.peer_of.len()
    }

    /// Returns what is kept, by peer and in order.
    pub(crate) fn views(&self) -> impl Iterator<Item = KeptView> {
        self.queues.iter().flat_map(|(to, queue)| {
            queue.iter().map(|kept| KeptView {
                id: kept.id,
                to: to.clone(),
                kind: kept.kind.clone(),
                state: if kept.attempts > 0 { KeptState::Sent } else { KeptState::Waiting },
                attempts: kept.attempts,
            })
        })
    }
}

/// Says whether a message that failed like this before it had a number would fail so every time.
///
/// In 1.0 the answer is all there is; what speaks of the moment rather than of the message is tried again.
///
/// Source: docs/protocol/1.0.md#durable-messages
fn is_final(error: &CommandError) -> bool {
    match error {
        CommandError::Refused { status, detail, .. } => {
            [400, 401, 403, 404, 413].contains(status) && !speaks_of_the_moment(detail)
        }
        CommandError::UnknownPeer { .. }
        | CommandError::Sealing { .. }
        | CommandError::Malformed { .. }
        | CommandError::UnknownTask { .. }
        | CommandError::Task { .. }
        | CommandError::UnknownTransfer { .. }
        | CommandError::Transfer { .. }
        | CommandError::Token(_)
        | CommandError::Dht(_)
        | CommandError::TooLarge { .. } => true,
        CommandError::UnknownSession { .. }
        | CommandError::KeyMismatch { .. }
        | CommandError::NoKey { .. }
        | CommandError::Overloaded { .. }
        | CommandError::CircuitOpen { .. }
        | CommandError::Unreachable { .. }
        | CommandError::Handshake { .. }
        | CommandError::TimedOut { .. }
        | CommandError::Cancelled => false,
    }
}

fn speaks_of_the_moment(detail: &str) -> bool {
    const TEXTS: [&str; 7] = [
        "SESSION_EXPIRED",
        "SEQUENCE_ERROR",
        "Timestamp too old",
        "Replay detected",
        "rate_limited",
        "Decryption failed",
        "E2E decryption error: DECRYPTION_FAILED",
    ];
    TEXTS.contains(&detail)
        || detail.starts_with("Unknown sender: ")
        || detail.starts_with("Unsupported version: ")
}

impl Queue {
    /// The pause before the next try, without its jitter.
    fn pause(&self) -> Duration {
        backoff(AGAIN_MIN, AGAIN_MAX, self.failures)
    }
}

#[cfg(test)]
mod tests;
