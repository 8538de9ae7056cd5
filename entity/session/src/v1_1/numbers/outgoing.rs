//! Numbers of what this side sends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity_flaw::{Flaw, planted};
use entity_wire::id::MessageNumber;
use entity_wire::limits::SKIP_NUMBERS_MAX;
use entity_wire::payload::control::Skip;
use entity_wire::time::Timestamp;
use thiserror::Error;

use super::{AHEAD_MAX, Class, LOST_AFTER, RESERVED_BLOCK, SKIP_REPEAT_MAX, SKIP_REPEAT_MIN};

/// The other side has to acknowledge before anything more may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{AHEAD_MAX} messages are waiting for an acknowledgement")]
pub struct SendWindowFull;

/// Why an acknowledgement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AckRefusal {
    /// The peer acknowledged a number that was never sent.
    #[error("number {ack} was acknowledged, the highest sent is {highest_sent}")]
    Future {
        /// What the peer said.
        ack: u64,
        /// The highest number in use.
        highest_sent: u64,
    },
    /// The peer has forgotten more than it may: it lost its state, or never kept it.
    #[error("number {acknowledged} is acknowledged, after {acked} was")]
    TooMuchForgotten {
        /// What the peer says now.
        acknowledged: u64,
        /// What it said before.
        acked: u64,
    },
}

/// What has become of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was sent; nothing has been heard of it.
    Pending,
    /// The other side has handled its message, or counts it as skipped.
    Acknowledged,
    /// It was declared lost.
    GivenUp,
}

/// Gives out numbers and follows what becomes of them.
///
/// Holds at most twice [`AHEAD_MAX`] numbers: what may be unacknowledged, and what a peer may forget. A volatile message that is
/// not acknowledged in time or whose delivery failed for good is declared lost, so that the other side stops waiting
/// for it. A durable one is waited for until it is acknowledged or withdrawn.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    highest_sent: u64,
    /// Numbers up to here were said to be kept: no other run of this side gives them out.
    reserved: u64,
    acked: u64,
    /// The highest number that was ever acknowledged; a peer that restarts goes back with what it acknowledges.
    settled: u64,
    /// When each volatile number that is neither acknowledged nor given up was sent.
    volatile: BTreeMap<u64, Timestamp>,
    /// The durable numbers that are not acknowledged.
    durable: BTreeSet<u64>,
    given_up: BTreeSet<u64>,
    skip: Option<SkipTimer>,
}

/// When the next `skip` goes out, how long the one after it waits, and how far the last one reached.
#[derive(Debug, Clone, Copy)]
struct SkipTimer {
    due: Timestamp,
    wait: Duration,
    declared: u64,
}

impl Outgoing {
    /// Starts at number 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on above `reserved`, where an earlier run of this side left off. Of the numbers that are not acknowledged those in
    /// `kept` belong to durable messages that will be sent again; the others will not come.
    ///
    /// The caller owes `acked <= reserved`, no more than twice [`AHEAD_MAX`] apart.
    pub fn restore(
        (reserved, acked): (u64, u64),
        kept: &BTreeSet<MessageNumber>,
        now: Timestamp,
    ) -> Self {
        let reserved =
            if planted(Flaw::ResumesWithWrongCounter) { acked.saturating_sub(1) } else { reserved };
        let mut outgoing =
            Self { highest_sent: reserved, reserved, acked, settled: acked, ..Self::default() };
        for number in (acked + 1)..=reserved {
            if MessageNumber::new(number).is_some_and(|number| kept.contains(&number)) {
                outgoing.durable.insert(number);
            } else {
                outgoing.declare(number, now);
            }
        }
        outgoing
    }

    /// Takes the next number. Where it is the first of a block, [`Self::reserved`] changes, and has to be kept before
    /// the message leaves.
    ///
    /// # Errors
    ///
    /// [`SendWindowFull`] if the number would lie more than [`AHEAD_MAX`] above the last acknowledged one.
    pub fn reserve(
        &mut self,
        class: Class,
        now: Timestamp,
    ) -> Result<MessageNumber, SendWindowFull> {
        self.look()?;
        let number = MessageNumber::new(self.highest_sent + 1).ok_or(SendWindowFull)?;
        self.highest_sent = number.get();
        if self.highest_sent > self.reserved {
            let block_end = self.highest_sent.saturating_add(RESERVED_BLOCK - 1);
            self.reserved = block_end.min(self.acked + AHEAD_MAX).min(MessageNumber::MAX.get());
        }
        match class {
            Class::Volatile => drop(self.volatile.insert(number.get(), now)),
            Class::Durable(_) => drop(self.durable.insert(number.get())),
        }
        Ok(number)
    }

    /// Declares that the volatile message `number` will not come. A number that is already acknowledged stays so, and a
    /// durable one is still waited for.
    pub fn give_up(&mut self, number: MessageNumber, now: Timestamp) {
        if self.volatile.remove(&number.get()).is_some() {
            self.declare(number.get(), now);
        }
    }

    /// Declares that the durable message `number` will not come after all: its sender has thought better of it.
    pub fn withdraw(&mut self, number: MessageNumber, now: Timestamp) {
        if self.durable.remove(&number.get()) {
            self.declare(number.get(), now);
        }
    }

    /// Takes note that everything up to `ack` was handled.
    ///
    /// An acknowledgement that is lower than an earlier one was overtaken on the way and changes nothing; one
    /// that [`Self::look_at_ack`] refuses is ignored.
    pub fn record_ack(&mut self, ack: u64, now: Timestamp) {
        if ack <= self.acked || self.look_at_ack(ack).is_err() {
            return;
        }
        self.acked = ack;
        self.settled = self.settled.max(ack);
        self.volatile = self.volatile.split_off(&(ack + 1));
        self.durable = self.durable.split_off(&(ack + 1));
        self.given_up = self.given_up.split_off(&(ack + 1));
        match (self.given_up.last(), &mut self.skip) {
            (None, _) => self.skip = None,
            // What did not fit into the last one goes as soon as there is room.
            (Some(&last), Some(timer)) if ack >= timer.declared && last > timer.declared => {
                (timer.due, timer.wait) = (now, SKIP_REPEAT_MIN);
            }
            (Some(_), _) => {}
        }
    }

    /// Takes note of what the other side has committed when a session resumes. What it handled beyond that and has
    /// forgotten was volatile; it is declared, and so is every volatile message under way.
    ///
    /// The caller has called [`Self::look_at_resumption`] since the last change.
    pub fn resume(&mut self, acknowledged: u64, now: Timestamp) {
        if self.look_at_resumption(acknowledged).is_err() {
            return;
        }
        self.record_ack(acknowledged, now);
        for number in (acknowledged + 1)..=self.acked {
            self.declare(number, now);
        }
        self.acked = acknowledged;
        for number in std::mem::take(&mut self.volatile).into_keys() {
            self.declare(number, now);
        }
        if let Some(timer) = &mut self.skip {
            (timer.due, timer.wait) = (now, SKIP_REPEAT_MIN);
        }
    }

    /// Gives up every volatile number that was sent more than [`LOST_AFTER`] ago.
    pub fn expire(&mut self, now: Timestamp) {
        // Numbers are given out in the order of time, so the lowest volatile one is the oldest.
        while let Some((&number, &sent_at)) = self.volatile.first_key_value() {
            if now < sent_at.plus(LOST_AFTER) {
                break;
            }
            self.volatile.remove(&number);
            self.declare(number, now);
        }
    }

    /// What a `skip` has to say at `now`, if one is due. The next is then due after a longer wait.
    ///
    /// It reaches no further than the other side looks ahead; the rest follows once that is acknowledged.
    pub fn take_skip(&mut self, now: Timestamp) -> Option<Skip> {
        let reach = self.acked.saturating_add(AHEAD_MAX);
        let timer = self.skip.as_mut().filter(|timer| now >= timer.due)?;
        timer.due = now.plus(timer.wait);
        timer.wait = (timer.wait * 2).min(SKIP_REPEAT_MAX);
        let declarable = self.given_up.range(..=reach).copied();
        let numbers: Vec<u64> =
            declarable.take(usize::try_from(SKIP_NUMBERS_MAX).unwrap_or(usize::MAX)).collect();
        timer.declared = numbers.last().copied().unwrap_or(timer.declared);
        Skip::of_numbers(numbers.into_iter().filter_map(MessageNumber::new))
    }

    /// Says that no number will be given out any more in this run: what is reserved and unused need not be skipped.
    pub const fn close_books(&mut self) {
        self.reserved = self.highest_sent;
    }

    /// Decides whether another number may be taken, and changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::reserve`].
    pub fn look(&self) -> Result<(), SendWindowFull> {
        if self.highest_sent - self.acked >= AHEAD_MAX {
            return Err(SendWindowFull);
        }
        Ok(())
    }

    /// Decides whether `ack` can be true, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`AckRefusal::Future`] for a number that was never sent.
    pub fn look_at_ack(&self, ack: u64) -> Result<(), AckRefusal> {
        let highest_sent = self.highest_sent;
        if ack > highest_sent { Err(AckRefusal::Future { ack, highest_sent }) } else { Ok(()) }
    }

    /// Decides whether a session can resume with a peer that has committed `acknowledged`, and changes nothing.
    ///
    /// What a peer forgets counts from the highest number it has ever acknowledged, so that it does not go back further each
    /// time. Of that a restart of this side knows what is reserved, which is at most [`AHEAD_MAX`] above it.
    ///
    /// # Errors
    ///
    /// [`AckRefusal`].
    pub fn look_at_resumption(&self, acknowledged: u64) -> Result<(), AckRefusal> {
        self.look_at_ack(acknowledged)?;
        let acked = self.settled;
        let is_below = |highest: u64, room: u64| highest.saturating_sub(acknowledged) > room;
        if is_below(acked, AHEAD_MAX) || is_below(self.reserved, 2 * AHEAD_MAX) {
            return Err(AckRefusal::TooMuchForgotten { acknowledged, acked });
        }
        Ok(())
    }

    /// What has become of a number that was given out.
    pub fn fate(&self, number: MessageNumber) -> Fate {
        let number = number.get();
        if number <= self.settled {
            Fate::Acknowledged
        } else if self.volatile.contains_key(&number) || self.durable.contains(&number) {
            Fate::Pending
        } else {
            Fate::GivenUp
        }
    }

    /// Whether a durable message with this number waits to be acknowledged.
    pub fn awaits(&self, number: MessageNumber) -> bool {
        self.durable.contains(&number.get())
    }

    /// When [`Self::expire`] or [`Self::take_skip`] next has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let lost = self.volatile.first_key_value().map(|(_, sent_at)| sent_at.plus(LOST_AFTER));
        let skip = self.skip.map(|timer| timer.due);
        [lost, skip].into_iter().flatten().min()
    }

    /// The highest number in use; 0 before the first.
    pub const fn highest_sent(&self) -> u64 {
        self.highest_sent
    }

    /// The highest number that may be used before more have to be kept as reserved.
    pub const fn reserved(&self) -> u64 {
        self.reserved
    }

    /// The number up to which the other side has handled everything.
    pub const fn acked(&self) -> u64 {
        self.acked
    }

    fn declare(&mut self, number: u64, now: Timestamp) {
        self.given_up.insert(number);
        let declared = self.skip.map_or(0, |timer| timer.declared);
        self.skip = Some(SkipTimer { due: now, wait: SKIP_REPEAT_MIN, declared });
    }
}

#[cfg(test)]
mod tests;
