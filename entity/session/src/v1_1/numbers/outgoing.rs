//! Numbers of what this side sends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity_wire::id::MessageNumber;
use entity_wire::payload::control::Skip;
use entity_wire::time::Timestamp;
use thiserror::Error;

use super::{AHEAD_MAX, LOST_AFTER, SKIP_REPEAT_MAX, SKIP_REPEAT_MIN};

/// The other side has to acknowledge before anything more may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{AHEAD_MAX} messages are waiting for an acknowledgement")]
pub struct SendWindowFull;

/// The peer acknowledged a number that was never sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("number {ack} was acknowledged, the highest sent is {highest_sent}")]
pub struct FutureAck {
    /// What the peer said.
    pub ack: u64,
    /// The highest number in use.
    pub highest_sent: u64,
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
/// Holds at most [`AHEAD_MAX`] numbers. All messages are volatile: one that is not acknowledged in time
/// or whose delivery failed for good is declared lost, so that the other side stops waiting for it.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    highest_sent: u64,
    acked: u64,
    /// When each number that is neither acknowledged nor given up was sent.
    pending: BTreeMap<u64, Timestamp>,
    given_up: BTreeSet<u64>,
    skip: Option<SkipTimer>,
}

/// When the next `skip` goes out, and how long the one after it waits.
#[derive(Debug, Clone, Copy)]
struct SkipTimer {
    due: Timestamp,
    wait: Duration,
}

impl Outgoing {
    /// Starts at number 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next number.
    ///
    /// # Errors
    ///
    /// [`SendWindowFull`] if the number would lie more than [`AHEAD_MAX`] above the last acknowledged one.
    pub fn reserve(&mut self, now: Timestamp) -> Result<MessageNumber, SendWindowFull> {
        self.look()?;
        let number = MessageNumber::new(self.highest_sent + 1).ok_or(SendWindowFull)?;
        self.highest_sent = number.get();
        self.pending.insert(number.get(), now);
        Ok(number)
    }

    /// Declares that `number` will not come. A number that is already acknowledged stays so.
    pub fn give_up(&mut self, number: MessageNumber, now: Timestamp) {
        self.lose(number.get(), now);
    }

    /// Takes note that everything up to `ack` was handled.
    ///
    /// An acknowledgement that is lower than an earlier one was overtaken on the way and changes nothing; one
    /// that [`Self::look_at_ack`] refuses is ignored.
    pub fn record_ack(&mut self, ack: u64) {
        if ack <= self.acked || self.look_at_ack(ack).is_err() {
            return;
        }
        self.acked = ack;
        self.pending = self.pending.split_off(&(ack + 1));
        self.given_up = self.given_up.split_off(&(ack + 1));
        if self.given_up.is_empty() {
            self.skip = None;
        }
    }

    /// Gives up every number that was sent more than [`LOST_AFTER`] ago.
    pub fn expire(&mut self, now: Timestamp) {
        // Numbers are given out in the order of time, so the lowest pending one is the oldest.
        while let Some((&number, &sent_at)) = self.pending.first_key_value() {
            if now < sent_at.plus(LOST_AFTER) {
                break;
            }
            self.lose(number, now);
        }
    }

    /// What a `skip` has to say at `now`, if one is due. The next is then due after a longer wait.
    pub fn take_skip(&mut self, now: Timestamp) -> Option<Skip> {
        let timer = self.skip.as_mut().filter(|timer| now >= timer.due)?;
        timer.due = now.plus(timer.wait);
        timer.wait = (timer.wait * 2).min(SKIP_REPEAT_MAX);
        Skip::of_numbers(self.given_up.iter().copied().filter_map(MessageNumber::new))
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
    /// [`FutureAck`] for a number that was never sent.
    pub fn look_at_ack(&self, ack: u64) -> Result<(), FutureAck> {
        let highest_sent = self.highest_sent;
        if ack > highest_sent { Err(FutureAck { ack, highest_sent }) } else { Ok(()) }
    }

    /// What has become of a number that was given out.
    pub fn fate(&self, number: MessageNumber) -> Fate {
        if number.get() <= self.acked {
            Fate::Acknowledged
        } else if self.pending.contains_key(&number.get()) {
            Fate::Pending
        } else {
            Fate::GivenUp
        }
    }

    /// When [`Self::expire`] or [`Self::take_skip`] next has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let lost = self.pending.first_key_value().map(|(_, sent_at)| sent_at.plus(LOST_AFTER));
        let skip = self.skip.map(|timer| timer.due);
        [lost, skip].into_iter().flatten().min()
    }

    /// The highest number in use; 0 before the first.
    pub const fn highest_sent(&self) -> u64 {
        self.highest_sent
    }

    /// The number up to which the other side has handled everything.
    pub const fn acked(&self) -> u64 {
        self.acked
    }

    fn lose(&mut self, number: u64, now: Timestamp) {
        if self.pending.remove(&number).is_some() {
            self.given_up.insert(number);
            self.skip = Some(SkipTimer { due: now, wait: SKIP_REPEAT_MIN });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn after(duration: Duration) -> Timestamp {
        START.plus(duration)
    }

    fn sent(count: u64) -> Outgoing {
        let mut outgoing = Outgoing::new();
        for expected in 1..=count {
            assert_eq!(outgoing.reserve(START), Ok(number(expected)));
        }
        outgoing
    }

    fn number(value: u64) -> MessageNumber {
        MessageNumber::new(value).unwrap()
    }

    fn skipped(outgoing: &mut Outgoing, now: Timestamp) -> Option<Vec<(u64, u64)>> {
        let skip = outgoing.take_skip(now)?;
        Some(skip.ranges().iter().map(|(first, last)| (first.get(), last.get())).collect())
    }

    #[test]
    fn the_window_closes_1_024_above_the_last_acknowledgement() {
        let mut outgoing = sent(AHEAD_MAX);
        assert_eq!(outgoing.reserve(START), Err(SendWindowFull));
        outgoing.record_ack(1);
        assert_eq!(outgoing.reserve(START), Ok(number(AHEAD_MAX + 1)));
        assert_eq!(outgoing.reserve(START), Err(SendWindowFull));
    }

    #[test]
    fn an_acknowledgement_of_what_was_never_sent_is_refused() {
        let mut outgoing = sent(2);
        assert_eq!(outgoing.look_at_ack(2), Ok(()));
        assert_eq!(outgoing.look_at_ack(3), Err(FutureAck { ack: 3, highest_sent: 2 }));
        outgoing.record_ack(3);
        assert_eq!(outgoing.acked(), 0);
    }

    #[test]
    fn an_overtaken_acknowledgement_changes_nothing() {
        let mut outgoing = sent(5);
        outgoing.record_ack(4);
        outgoing.record_ack(2);
        assert_eq!(outgoing.acked(), 4);
    }

    #[test]
    fn a_message_without_acknowledgement_is_lost_after_exactly_30_s() {
        let mut outgoing = sent(3);
        outgoing.record_ack(1);
        assert_eq!(outgoing.next_deadline(), Some(after(LOST_AFTER)));
        let just_before = after(LOST_AFTER).offset(-1);
        outgoing.expire(just_before);
        assert_eq!(skipped(&mut outgoing, just_before), None);
        outgoing.expire(after(LOST_AFTER));
        assert_eq!(skipped(&mut outgoing, after(LOST_AFTER)), Some(vec![(2, 3)]));
    }

    #[test]
    fn a_skip_is_repeated_with_growing_pauses_until_acknowledged() {
        let mut outgoing = sent(4);
        outgoing.give_up(number(2), START);
        outgoing.give_up(number(4), START);
        assert_eq!(skipped(&mut outgoing, START), Some(vec![(2, 2), (4, 4)]));
        assert_eq!(skipped(&mut outgoing, START), None);
        assert_eq!(outgoing.next_deadline(), Some(after(SKIP_REPEAT_MIN)));
        assert!(skipped(&mut outgoing, after(SKIP_REPEAT_MIN)).is_some());
        assert_eq!(outgoing.next_deadline(), Some(after(SKIP_REPEAT_MIN * 3)));
        outgoing.record_ack(2);
        assert_eq!(skipped(&mut outgoing, after(SKIP_REPEAT_MIN * 3)), Some(vec![(4, 4)]));
        outgoing.record_ack(4);
        assert_eq!(outgoing.next_deadline(), None);
    }

    #[test]
    fn the_pause_between_skips_grows_to_a_minute_and_no_further() {
        let mut outgoing = sent(1);
        outgoing.give_up(number(1), START);
        let mut now = START;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            assert!(outgoing.take_skip(now).is_some());
            let due = outgoing.skip.unwrap().due;
            pauses.push(due.since(now).as_secs());
            now = due;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_number_is_pending_until_it_is_acknowledged_or_given_up() {
        let mut outgoing = sent(3);
        outgoing.record_ack(1);
        outgoing.give_up(number(2), START);
        let fates = [1, 2, 3].map(|value| outgoing.fate(number(value)));
        assert_eq!(fates, [Fate::Acknowledged, Fate::GivenUp, Fate::Pending]);
    }

    #[test]
    fn what_is_acknowledged_cannot_be_given_up() {
        let mut outgoing = sent(2);
        outgoing.record_ack(2);
        outgoing.give_up(number(1), START);
        outgoing.give_up(number(9), START);
        assert_eq!(skipped(&mut outgoing, START), None);
    }
}
