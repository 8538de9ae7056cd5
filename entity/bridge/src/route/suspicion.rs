//! What is held against one relay.
//!
//! Source: `docs/protocol/1.1.md#relay-suspicion`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use entity_wire::code::ErrorCode;
use entity_wire::id::MessageId;
use entity_wire::time::Timestamp;

use super::vocabulary::{TakenBy, Why};

/// Refusals within [`TAMPERED_SPAN`] that cast a suspicion.
pub(super) const TAMPERED_MIN: usize = 3;
pub(super) const TAMPERED_SPAN: Duration = Duration::from_mins(10);

/// Messages overdue that cast a suspicion.
pub(super) const DROPPED_MIN: usize = 8;

/// Whoever is there acknowledges within this part of the patience: once a message was taken, or once it is back. Guessed:
/// with the usual patience ten times what an acknowledgement waits.
pub(super) const HEARD_PART: u32 = 3;

/// After so long a message is watched no more.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);

/// How long a suspicion lasts.
pub(super) const SUSPECTED_FOR: Duration = Duration::from_mins(10);

/// Messages that are watched at a moment; of more the oldest is forgotten. Guessed: four times what one peer may have under
/// way.
pub(super) const WATCHED_MAX: usize = 2_048;

/// One relay, as far as what it did can be seen.
#[derive(Debug)]
pub(super) struct Watch {
    /// After so long a message that was taken is overdue.
    patience: Duration,
    refusals: VecDeque<Timestamp>,
    given: BTreeMap<MessageId, Given>,
    /// The same, in the order in which they were given; with entries that are not in `given` any more.
    order: VecDeque<(Timestamp, MessageId)>,
    /// When each recipient was heard last.
    heard: BTreeMap<Arc<str>, Timestamp>,
    suspected: BTreeMap<Why, Timestamp>,
    look_at: Option<Timestamp>,
    pub(super) taken_count: u64,
    pub(super) acknowledged_count: u64,
}

/// A message that was given to the relay.
#[derive(Debug)]
struct Given {
    peer: Arc<str>,
    /// When the relay said first that it was taken; an acknowledgement may be there before that.
    taken_at: Option<Timestamp>,
    /// Since when it says that the recipient has it. One that was killed has it no more: what is sent again is kept then.
    received_at: Option<Timestamp>,
    /// The recipient was heard then, so long after that it may be there: it may also have come back only then.
    back_at: Option<Timestamp>,
}

impl Given {
    /// Whether it should have been acknowledged by now; `heard` is when its recipient was heard last.
    ///
    /// One sign of life shows only that the recipient is there now. It was away perhaps, and has the message from this
    /// moment on; so it has to be heard once more, when it would have acknowledged.
    fn is_overdue(&mut self, heard: Option<Timestamp>, patience: Duration, now: Timestamp) -> bool {
        let Some(taken_at) = self.taken_at else { return false };
        let in_time = patience / HEARD_PART;
        let was_there = match (self.back_at, heard) {
            (Some(back_at), Some(heard)) => heard.since(back_at) > in_time,
            (None, Some(heard)) if heard.since(taken_at) >= in_time => {
                self.back_at = Some(heard);
                false
            }
            (_, None) | (None, Some(_)) => false,
        };
        let has_received = self.received_at.is_some_and(|at| now.since(at) >= patience);
        has_received || (was_there && now.since(taken_at) >= patience)
    }
}

impl Watch {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            refusals: VecDeque::new(),
            given: BTreeMap::new(),
            order: VecDeque::new(),
            heard: BTreeMap::new(),
            suspected: BTreeMap::new(),
            look_at: None,
            taken_count: 0,
            acknowledged_count: 0,
        }
    }

    /// A durable message is on its way to the relay.
    pub(super) fn given(&mut self, peer: &Arc<str>, message: MessageId, now: Timestamp) {
        if self.given.contains_key(&message) {
            return;
        }
        while self.given.len() >= WATCHED_MAX {
            self.forget_oldest();
        }
        self.look_at.get_or_insert(now.plus(self.patience));
        self.given.insert(
            message,
            Given { peer: Arc::clone(peer), taken_at: None, received_at: None, back_at: None },
        );
        self.order.push_back((now, message));
    }

    /// The relay said that it was taken. Of one that was taken before, the first time counts, and who has it now: a
    /// recipient that took it may have been killed, and then the relay keeps what is sent again. One that is not watched was
    /// acknowledged meanwhile.
    pub(super) fn taken(&mut self, message: MessageId, by: TakenBy, now: Timestamp) {
        let Some(given) = self.given.get_mut(&message) else { return };
        if given.taken_at.is_none() {
            given.taken_at = Some(now);
            self.taken_count += 1;
        }
        match by {
            TakenBy::Recipient => _ = given.received_at.get_or_insert(now),
            TakenBy::Relay => given.received_at = None,
        }
    }

    /// The relay did not take it.
    pub(super) fn not_taken(&mut self, message: MessageId) {
        if self.given.get(&message).is_some_and(|given| given.taken_at.is_none()) {
            self.given.remove(&message);
            self.tidy();
        }
    }

    /// It arrived, or nobody waits for that any more.
    pub(super) fn settled(&mut self, message: MessageId, is_acknowledged: bool) {
        if self.given.remove(&message).is_some() && is_acknowledged {
            self.acknowledged_count += 1;
        }
        self.tidy();
    }

    pub(super) fn heard(&mut self, peer: &str, now: Timestamp) {
        if self.given.is_empty() {
            self.heard.clear();
            return;
        }
        match self.heard.get_mut(peer) {
            Some(heard) => *heard = now,
            None if self.given.values().any(|given| &*given.peer == peer) => {
                self.heard.insert(Arc::from(peer), now);
            }
            None => {}
        }
    }

    pub(super) fn refused(&mut self, code: ErrorCode, now: Timestamp) -> Option<Why> {
        if !matches!(code, ErrorCode::InvalidSignature | ErrorCode::DecryptionFailed) {
            return None;
        }
        self.refusals.push_back(now);
        while self.refusals.front().is_some_and(|at| now.since(*at) > TAMPERED_SPAN)
            || self.refusals.len() > TAMPERED_MIN
        {
            self.refusals.pop_front();
        }
        if self.refusals.len() >= TAMPERED_MIN { self.suspect(Why::Tampers, now) } else { None }
    }

    pub(super) fn impersonates(&mut self, now: Timestamp) -> Option<Why> {
        self.suspect(Why::Impersonates, now)
    }

    /// Looks for what is overdue.
    pub(super) fn look(&mut self, now: Timestamp) -> Option<Why> {
        self.suspected.retain(|_, since| now.since(*since) < SUSPECTED_FOR);
        if self.look_at.is_none_or(|at| at > now) {
            return None;
        }
        let (patience, heard) = (self.patience, &self.heard);
        let overdue = self.given.values_mut().filter_map(|given| {
            let heard = heard.get(&given.peer).copied();
            given.is_overdue(heard, patience, now).then_some(())
        });
        let is_suspect = overdue.count() >= DROPPED_MIN;
        // What nobody acknowledges at all is forgotten in the end: it may have been given up.
        while let Some((at, id)) = self.order.front().copied() {
            if now.since(at) < FORGOTTEN_AFTER && self.given.contains_key(&id) {
                break;
            }
            self.forget_oldest();
        }
        self.look_at = (!self.given.is_empty()).then(|| now.plus(self.patience / 2));
        if is_suspect { self.suspect(Why::Drops, now) } else { None }
    }

    /// When [`Watch::look`] has something to do: while something is not acknowledged, every half of the patience.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let lapse = self.suspected.values().min().map(|since| since.plus(SUSPECTED_FOR));
        [self.look_at, lapse].into_iter().flatten().min()
    }

    pub(super) fn is_suspected(&self) -> bool {
        !self.suspected.is_empty()
    }

    pub(super) fn suspicions(&self) -> impl Iterator<Item = Why> {
        self.suspected.keys().copied()
    }

    /// Whether nothing is under way, and nothing held against it.
    pub(super) fn is_idle(&self) -> bool {
        self.given.is_empty() && self.suspected.is_empty()
    }

    /// How many refusals are remembered.
    pub(super) fn refusals_count(&self) -> usize {
        self.refusals.len()
    }

    /// How many messages are watched.
    pub(super) fn outstanding(&self) -> usize {
        self.given.len()
    }

    fn suspect(&mut self, why: Why, now: Timestamp) -> Option<Why> {
        self.suspected.insert(why, now).is_none().then_some(why)
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.given.remove(&id);
        }
    }

    fn tidy(&mut self) {
        while self.order.front().is_some_and(|(_, id)| !self.given.contains_key(id)) {
            self.order.pop_front();
        }
        // Those acknowledged out of order lie between the others.
        if self.order.len() > 2 * WATCHED_MAX {
            self.order.retain(|(_, id)| self.given.contains_key(id));
        }
    }
}
