//! The messages that were received and have no other handler: kept for whoever asks, bounded, oldest first out.
//!
//! - this file: the inbox. Durable messages in it are kept across restarts, volatile ones are not.
//! - [`record`]: how they are kept.
//! - [`seen`]: which durable messages of each peer were handled.
//!
//! Source: docs/protocol/1.1.md#durable-messages

mod record;
mod seen;

use std::collections::VecDeque;

use entity_journal::{Batch, Stored};

use crate::name::PeerName;
use crate::output::Received;
use crate::restore::RestoreError;

pub(crate) use seen::Seen;

/// Messages kept for whoever asks.
#[derive(Debug)]
pub(crate) struct Inbox {
    messages: VecDeque<(Received, usize)>,
    messages_max: usize,
    bytes: usize,
    bytes_max: usize,
    last_index: u64,
    /// No index above this one was ever given out, whatever was lost in a crash.
    reserved_index: u64,
}

/// Indices are reserved this many at a time, so that a volatile message is kept nowhere. Guessed: as many as the inbox holds.
const RESERVED_AT_ONCE: u64 = 4_096;

impl Inbox {
    /// Makes an inbox of what was kept.
    ///
    /// # Errors
    ///
    /// A record is damaged.
    pub(crate) fn restore(
        stored: &mut Stored,
        messages_max: usize,
        bytes_max: usize,
    ) -> Result<Self, RestoreError> {
        let reserved_index = record::read_reserved(stored)?;
        let messages: VecDeque<_> = record::read_messages(stored, reserved_index)?.into();
        let bytes = messages.iter().map(|(_, len_bytes)| len_bytes).sum();
        let last_index = reserved_index;
        Ok(Self { messages, messages_max, bytes, bytes_max, last_index, reserved_index })
    }

    /// Gives the message its index and keeps it; `len_bytes` is what it weighs.
    ///
    /// Where a bound is exceeded the oldest messages give way, which a reader sees as a gap of indices.
    pub(crate) fn keep(
        &mut self,
        mut received: Received,
        len_bytes: usize,
        batch: &mut Batch,
    ) -> Received {
        if self.last_index == self.reserved_index {
            self.reserved_index += RESERVED_AT_ONCE;
            batch.push(record::put_reserved(self.reserved_index));
        }
        self.last_index += 1;
        received.index = Some(self.last_index);
        if received.durable.is_some() {
            batch.push(record::put_message(self.last_index, &received, len_bytes));
        }
        self.bytes += len_bytes;
        self.messages.push_back((received.clone(), len_bytes));
        while self.messages.len() > self.messages_max || self.bytes > self.bytes_max {
            let Some((gone, gone_bytes)) = self.messages.pop_front() else { break };
            self.bytes -= gone_bytes;
            if let (Some(_), Some(index)) = (gone.durable, gone.index) {
                batch.push(record::delete_message(index));
            }
        }
        received
    }

    /// Returns kept messages with an index above `after`, of one sender where `from` says so, oldest first.
    pub(crate) fn after<'a>(
        &'a self,
        after: u64,
        from: Option<&'a PeerName>,
    ) -> impl Iterator<Item = &'a Received> {
        // Indices ascend, with gaps where a restart lost volatile messages.
        let first = self.messages.partition_point(|(received, _)| received.index <= Some(after));
        self.messages
            .iter()
            .skip(first)
            .map(|(received, _)| received)
            .filter(move |received| from.is_none_or(|name| received.from == *name))
    }
}

#[cfg(test)]
mod tests;
