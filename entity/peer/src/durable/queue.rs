//! The durable messages for one peer, in their order.

use std::collections::VecDeque;
use std::collections::vec_deque;
use std::sync::Arc;

use entity_flaw::{Flaw, planted};
use entity_wire::id::{MessageId, MessageNumber, SessionId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::time::Timestamp;
use entity_wire::v1_0::Flavour;

use super::NUMBERED_MAX;
use crate::command::{Class, Seal, Send};
use crate::core::Reason;
use crate::name::PeerName;

/// Where a message was numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The session.
    pub(crate) session: SessionId,
    /// The number in it.
    pub(crate) number: MessageNumber,
}

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Its place among all that were ever kept.
    pub(super) position: u64,
    pub(super) id: MessageId,
    pub(super) kind: MessageKind,
    pub(super) body: Arc<Object>,
    pub(super) seal: Seal,
    pub(super) flavour: Option<Flavour>,
    pub(super) len_bytes: usize,
    /// Where it was numbered, once it was.
    pub(super) place: Option<Place>,
    /// How often it was tried in this run.
    pub(super) attempts: u32,
    is_under_way: bool,
}

impl Kept {
    pub(super) fn new(position: u64, id: MessageId, message: Send, len_bytes: usize) -> Self {
        let Send { to: _, kind, body, chunk: _, seal, flavour, class: _ } = message;
        Self {
            position,
            id,
            kind,
            body: Arc::new(body),
            seal,
            flavour,
            len_bytes,
            place: None,
            attempts: 0,
            is_under_way: false,
        }
    }

    /// The message as it is sent.
    pub(super) fn message(&self, to: &PeerName) -> Send {
        Send {
            to: to.clone(),
            kind: self.kind.clone(),
            body: Object::clone(&self.body),
            chunk: None,
            seal: self.seal,
            flavour: self.flavour,
            class: Class::Durable(self.id),
        }
    }

    fn begin_attempt(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
        self.is_under_way = true;
    }

    /// Whatever comes of earlier attempts is told by its count from what comes of later ones.
    fn end_all_attempts(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
        self.is_under_way = false;
    }
}

/// The messages for one peer. Those that have a number are its beginning.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    messages: VecDeque<Kept>,
    bytes: usize,
    /// How many have a number.
    numbered: usize,
    /// Whether the first without a number is handed out.
    is_handed_out: bool,
    /// How many may have a number; 0 before anything is known of the peer, which lets one go.
    window: usize,
    /// How often nothing came of trying since the last progress.
    pub(super) failures: u32,
    /// When to try again.
    pub(super) due: Option<Timestamp>,
}

impl Queue {
    pub(super) fn push(&mut self, kept: Kept) {
        self.bytes += kept.len_bytes;
        self.numbered += usize::from(kept.place.is_some());
        let next = self.numbered + usize::from(self.is_handed_out);
        if planted(Flaw::SendsNewestFirst) && next < self.messages.len() {
            return self.messages.insert(next, kept);
        }
        self.messages.push_back(kept);
    }

    /// Takes the oldest message out.
    pub(super) fn pop(&mut self) -> Option<Kept> {
        let kept = self.messages.pop_front()?;
        self.bytes -= kept.len_bytes;
        match self.numbered.checked_sub(1) {
            Some(numbered) => self.numbered = numbered,
            None => self.is_handed_out = false,
        }
        Some(kept)
    }

    pub(super) fn may_hand_out(&self) -> bool {
        // One that failed before it had a number is tried again when that is due, not sooner.
        let is_waiting = self.due.is_some() && self.failures > 0;
        !self.is_handed_out
            && !is_waiting
            && self.numbered < self.window.clamp(1, NUMBERED_MAX)
            && self.numbered < self.messages.len()
    }

    /// Hands out the first message without a number.
    pub(super) fn hand_out(&mut self) -> Option<&Kept> {
        let kept = self.messages.get_mut(self.numbered)?;
        kept.begin_attempt();
        self.is_handed_out = true;
        Some(kept)
    }

    /// Notes the number of the message that is handed out, and returns its position.
    pub(super) fn number(&mut self, id: MessageId, place: Place) -> Option<u64> {
        let kept = self.messages.get_mut(self.numbered).filter(|kept| kept.id == id)?;
        kept.place = Some(place);
        self.numbered += 1;
        self.is_handed_out = false;
        Some(kept.position)
    }

    /// Says whether this is the attempt of a message that counts.
    pub(super) fn is_current(&self, id: MessageId, attempt: u32) -> bool {
        let mut under_way = self.messages.iter().take(self.numbered + 1);
        under_way.any(|kept| kept.id == id && kept.attempts == attempt && kept.is_under_way)
    }

    /// Notes that an attempt has ended, and returns whether its message has a number; `None` where that attempt counts no more.
    pub(super) fn end_attempt(&mut self, id: MessageId, attempt: u32) -> Option<bool> {
        // Those under way are the numbered ones and the one after.
        let (index, kept) = self
            .messages
            .iter_mut()
            .take(self.numbered + 1)
            .enumerate()
            .find(|(_, kept)| kept.id == id && kept.attempts == attempt)?;
        kept.is_under_way = false;
        let is_numbered = index < self.numbered;
        if !is_numbered {
            self.is_handed_out = false;
        }
        Some(is_numbered)
    }

    /// Begins another attempt of up to `count_max` numbered messages, the oldest first, that have none under way.
    pub(super) fn again(&mut self, to: &PeerName, count_max: usize) -> Vec<(Reason, Place, Send)> {
        let numbered = self.messages.iter_mut().take(self.numbered);
        let idle = numbered.filter(|kept| !kept.is_under_way).take(count_max);
        idle.filter_map(|kept| {
            let place = kept.place?;
            kept.begin_attempt();
            Some((Reason::Durable(kept.id, kept.attempts), place, kept.message(to)))
        })
        .collect()
    }

    /// Waits no longer for what becomes of attempts with numbered messages: they may have gone where the peer is no more.
    pub(super) fn give_attempts_up(&mut self) {
        let numbered = self.messages.iter_mut().take(self.numbered);
        numbered.filter(|kept| kept.is_under_way).for_each(Kept::end_all_attempts);
    }

    /// Whether there is something that [`Queue::again`] would send.
    pub(super) fn has_idle(&self) -> bool {
        self.messages.iter().take(self.numbered).any(|kept| !kept.is_under_way)
    }

    /// Takes the numbers away of messages that `is_gone` picks by their place, and returns their positions. Attempts under way
    /// count no more.
    pub(super) fn forget_places(&mut self, is_gone: impl Fn(Place) -> bool) -> Vec<u64> {
        let numbered = self.messages.iter_mut().take(self.numbered);
        let gone = numbered.filter(|kept| kept.place.is_some_and(&is_gone)).map(|kept| {
            kept.place = None;
            kept.end_all_attempts();
            kept.position
        });
        let gone: Vec<u64> = gone.collect();
        if !gone.is_empty() {
            // What is handed out waits for a session; those before it go first now.
            if let Some(handed_out) = self.messages.get_mut(self.numbered) {
                handed_out.end_all_attempts();
            }
            self.is_handed_out = false;
            self.numbered = self.messages.iter().take_while(|kept| kept.place.is_some()).count();
        }
        gone
    }

    /// Lets up to `count` messages have a number at a time, because the peer takes them.
    pub(super) fn open_window(&mut self, count: usize) {
        self.window = count;
    }

    /// Wants to be tried at `at`, or sooner where it is to be already.
    pub(super) fn wait_until(&mut self, at: Timestamp) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Notes that nothing came of a try, and lets one message go at a time until the next progress.
    pub(super) fn failed(&mut self, again_at: Timestamp) {
        self.window = 1;
        if self.due.is_none() {
            self.failures = self.failures.saturating_add(1);
            self.due = Some(again_at);
        }
    }

    /// Notes progress; what is numbered is sent again at `again_at` unless there is more.
    pub(super) fn progressed(&mut self, again_at: Timestamp) {
        self.failures = 0;
        self.due = (self.numbered > 0).then_some(again_at);
    }

    pub(super) fn oldest_place(&self) -> Option<Place> {
        self.messages.front()?.place
    }

    pub(super) fn oldest_mut(&mut self) -> Option<&mut Kept> {
        self.messages.front_mut()
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.messages.iter().take(self.numbered).filter_map(|kept| kept.place)
    }

    pub(super) fn iter(&self) -> vec_deque::Iter<'_, Kept> {
        self.messages.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The length of their bodies.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
