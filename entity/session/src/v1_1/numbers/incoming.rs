//! Numbers of what the other side sends.

use std::collections::BTreeMap;

use entity_wire::id::MessageNumber;
use entity_wire::payload::control::Skip;
use entity_wire::time::Timestamp;
use thiserror::Error;

use super::{ACK_DELAY, ACK_EVERY, AHEAD_MAX, HOLD_BACK_LEN_MAX};

/// Why a number is refused. The message may be sent again later: nothing was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NumberRefusal {
    /// The number is 0; numbers start at 1.
    #[error("there is no number 0")]
    Zero,
    /// The number lies further ahead than a sender may run.
    #[error("number {number} is more than {AHEAD_MAX} above {handled}")]
    TooFarAhead {
        /// The number of the message.
        number: u64,
        /// The highest number that was handled.
        handled: u64,
    },
    /// There is no room to hold the message back until the missing ones arrive.
    #[error("{held} bytes are held back, another {offered} do not fit")]
    HoldBackFull {
        /// How many bytes are held back.
        held: usize,
        /// How long the message is.
        offered: usize,
    },
}

/// What an acceptable number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The number has not arrived before.
    New,
    /// The message with this number was handled, skipped or is held back already; it must not run again.
    Duplicate,
}

/// Puts numbered messages back into order; `T` is a message that is held back.
#[derive(Debug, Clone)]
pub struct Incoming<T> {
    handled: u64,
    /// What has arrived above `handled`; `None` stands for a skipped number.
    held: BTreeMap<u64, Option<Held<T>>>,
    held_len: usize,
    told: u64,
    ack_due: Option<Timestamp>,
}

#[derive(Debug, Clone)]
struct Held<T> {
    message: T,
    len: usize,
}

impl<T> Default for Incoming<T> {
    fn default() -> Self {
        Self { handled: 0, held: BTreeMap::new(), held_len: 0, told: 0, ack_due: None }
    }
}

impl<T> Incoming<T> {
    /// Waits for number 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for the number after `handled`, where an earlier run of this side left off.
    pub fn restore(handled: u64) -> Self {
        Self { handled, told: handled, ..Self::default() }
    }

    /// Makes an acknowledgement of its own due at once.
    pub fn ack_now(&mut self, now: Timestamp) {
        self.ack_due = Some(now);
    }

    /// Takes a message of `len` bytes and returns what can be handled, in order.
    ///
    /// The caller has called [`Self::look`] since the last change and handles what is returned at once: from
    /// here on it is acknowledged. A duplicate returns nothing and makes an acknowledgement due, because its
    /// sender evidently missed the last one.
    pub fn record(&mut self, number: u64, message: T, len: usize, now: Timestamp) -> Vec<T> {
        match self.look(number, len) {
            Ok(Arrival::New) => {
                self.held.insert(number, Some(Held { message, len }));
                self.held_len += len;
                self.advance(now)
            }
            Ok(Arrival::Duplicate) => {
                self.ack_soon(now);
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    /// Counts numbers as handled that will not come, and returns what can be handled now, in order.
    ///
    /// A message that did arrive and is held back is handled all the same. The caller has called
    /// [`Self::look_at_skip`] since the last change. An acknowledgement becomes due at once: the `skip`
    /// is repeated until it arrives.
    pub fn record_skip(&mut self, skip: &Skip, now: Timestamp) -> Vec<T> {
        if self.look_at_skip(skip).is_err() {
            return Vec::new();
        }
        let handled = self.handled;
        for number in skip.numbers().map(MessageNumber::get).filter(|&number| number > handled) {
            self.held.entry(number).or_insert(None);
        }
        let deliverable = self.advance(now);
        self.ack_due = Some(now);
        deliverable
    }

    /// The number to acknowledge in a message that is sent now. Nothing is due afterwards.
    pub const fn take_ack(&mut self) -> u64 {
        self.told = self.handled;
        self.ack_due = None;
        self.handled
    }

    /// Decides whether a message of `len` bytes with this number may be taken, and changes nothing.
    ///
    /// # Errors
    ///
    /// See [`NumberRefusal`].
    pub fn look(&self, number: u64, len: usize) -> Result<Arrival, NumberRefusal> {
        if number == 0 {
            return Err(NumberRefusal::Zero);
        }
        if number <= self.handled {
            return Ok(Arrival::Duplicate);
        }
        self.look_ahead(number)?;
        if self.held.contains_key(&number) {
            return Ok(Arrival::Duplicate);
        }
        let is_next = number == self.handled + 1;
        if !is_next && self.held_len.saturating_add(len) > HOLD_BACK_LEN_MAX {
            return Err(NumberRefusal::HoldBackFull { held: self.held_len, offered: len });
        }
        Ok(Arrival::New)
    }

    /// Decides whether a `skip` may be taken, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`NumberRefusal::TooFarAhead`] for a number that the sender cannot have given out yet.
    pub fn look_at_skip(&self, skip: &Skip) -> Result<(), NumberRefusal> {
        skip.ranges().last().map_or(Ok(()), |(_, highest)| self.look_ahead(highest.get()))
    }

    /// Whether an acknowledgement of its own is due at `now`.
    pub fn is_ack_due(&self, now: Timestamp) -> bool {
        self.ack_due.is_some_and(|due| now >= due)
    }

    /// When an acknowledgement of its own becomes due.
    pub const fn next_deadline(&self) -> Option<Timestamp> {
        self.ack_due
    }

    /// The highest number up to which everything was handled.
    pub const fn handled(&self) -> u64 {
        self.handled
    }

    fn look_ahead(&self, number: u64) -> Result<(), NumberRefusal> {
        if number > self.handled.saturating_add(AHEAD_MAX) {
            return Err(NumberRefusal::TooFarAhead { number, handled: self.handled });
        }
        Ok(())
    }

    /// Releases everything that follows `handled` without a gap.
    fn advance(&mut self, now: Timestamp) -> Vec<T> {
        let mut deliverable = Vec::new();
        while let Some(arrived) = self.held.remove(&(self.handled + 1)) {
            self.handled += 1;
            if let Some(Held { message, len }) = arrived {
                self.held_len -= len;
                deliverable.push(message);
            }
        }
        if self.handled > self.told {
            self.ack_soon(now);
        }
        deliverable
    }

    fn ack_soon(&mut self, now: Timestamp) {
        if self.handled - self.told >= ACK_EVERY {
            self.ack_due = Some(now);
        } else {
            let due = now.plus(ACK_DELAY);
            self.ack_due = Some(self.ack_due.map_or(due, |earlier| earlier.min(due)));
        }
    }
}

#[cfg(test)]
mod tests;
