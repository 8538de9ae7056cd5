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

/// After so long a message that was taken is overdue.
pub(super) const OVERDUE_AFTER: Duration = Duration::from_secs(30);

/// Whoever was heard so long after a message was taken would have acknowledged it. Guessed: ten times what an
/// acknowledgement waits.
pub(super) const HEARD_AFTER: Duration = Duration::from_secs(10);

/// After so long a message is watched no more.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);

/// How long a suspicion lasts.
pub(super) const SUSPECTED_FOR: Duration = Duration::from_mins(10);

/// Messages that are watched at a moment; of more the oldest is forgotten. Guessed: four times what one peer may have under
/// way.
pub(super) const WATCHED_MAX: usize = 2_048;

/// One relay, as far as what it did can be seen.
#[derive(Debug, Default)]
pub(super) struct Watch {
    refusals: VecDeque<Timestamp>,
    taken: BTreeMap<MessageId, Taken>,
    /// The same, in the order in which they were taken; with entries that are not in `taken` any more.
    order: VecDeque<(Timestamp, MessageId)>,
    /// When each recipient was heard last.
    heard: BTreeMap<Arc<str>, Timestamp>,
    suspected: BTreeMap<Why, Timestamp>,
    look_at: Option<Timestamp>,
    pub(super) taken_count: u64,
    pub(super) acknowledged_count: u64,
}

#[derive(Debug)]
struct Taken {
    peer: Arc<str>,
    at: Timestamp,
    by: TakenBy,
}

impl Watch {
    /// A durable message was taken. Of one that was taken before, the first time counts.
    pub(super) fn taken(
        &mut self,
        peer: &str,
        (message, by): (MessageId, TakenBy),
        now: Timestamp,
    ) {
        if let Some(taken) = self.taken.get_mut(&message) {
            if by == TakenBy::Recipient {
                taken.by = by;
            }
            return;
        }
        if self.taken.len() >= WATCHED_MAX {
            self.forget_oldest();
        }
        self.taken_count += 1;
        self.look_at.get_or_insert(now.plus(OVERDUE_AFTER));
        self.taken.insert(message, Taken { peer: Arc::from(peer), at: now, by });
        self.order.push_back((now, message));
    }

    pub(super) fn acknowledged(&mut self, message: MessageId) {
        if self.taken.remove(&message).is_some() {
            self.acknowledged_count += 1;
        }
        while self.order.front().is_some_and(|(_, id)| !self.taken.contains_key(id)) {
            self.order.pop_front();
        }
        // Those acknowledged out of order lie between the others.
        if self.order.len() > 2 * WATCHED_MAX {
            self.order.retain(|(_, id)| self.taken.contains_key(id));
        }
    }

    pub(super) fn heard(&mut self, peer: &str, now: Timestamp) -> Option<Why> {
        if self.taken.is_empty() {
            self.heard.clear();
            return None;
        }
        match self.heard.get_mut(peer) {
            Some(heard) => *heard = now,
            None if self.taken.values().any(|taken| &*taken.peer == peer) => {
                self.heard.insert(Arc::from(peer), now);
            }
            None => {}
        }
        None
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
        let overdue = self.taken.values().filter(|taken| {
            let is_late = now.since(taken.at) >= OVERDUE_AFTER;
            let was_heard = self
                .heard
                .get(&taken.peer)
                .is_some_and(|heard| heard.since(taken.at) >= HEARD_AFTER);
            is_late && (was_heard || taken.by == TakenBy::Recipient)
        });
        let is_suspect = overdue.count() >= DROPPED_MIN;
        // What nobody acknowledges at all is forgotten in the end: it may have been given up.
        while let Some((at, id)) = self.order.front().copied() {
            if now.since(at) < FORGOTTEN_AFTER && self.taken.contains_key(&id) {
                break;
            }
            self.forget_oldest();
        }
        self.look_at = (!self.taken.is_empty()).then(|| now.plus(OVERDUE_AFTER));
        if is_suspect { self.suspect(Why::Drops, now) } else { None }
    }

    /// When [`Watch::look`] has something to do: while something is not acknowledged, every [`OVERDUE_AFTER`].
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

    pub(super) fn outstanding(&self) -> usize {
        self.taken.len()
    }

    fn suspect(&mut self, why: Why, now: Timestamp) -> Option<Why> {
        self.suspected.insert(why, now).is_none().then_some(why)
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.taken.remove(&id);
        }
    }
}
