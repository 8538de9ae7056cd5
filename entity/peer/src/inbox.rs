//! The messages that were received and have no other handler: kept in memory, bounded, oldest first out.

use std::collections::VecDeque;

use crate::name::PeerName;
use crate::output::Received;

/// Messages kept for whoever asks.
#[derive(Debug)]
pub(crate) struct Inbox {
    messages: VecDeque<(Received, usize)>,
    messages_max: usize,
    bytes: usize,
    bytes_max: usize,
    last_index: u64,
}

impl Inbox {
    /// Makes an empty inbox.
    pub(crate) fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self { messages: VecDeque::new(), messages_max, bytes: 0, bytes_max, last_index: 0 }
    }

    /// Gives the message its index and keeps it; `len_bytes` is what it weighs.
    ///
    /// Where a bound is exceeded the oldest messages give way, which a reader sees as a gap of indices.
    pub(crate) fn keep(&mut self, mut received: Received, len_bytes: usize) -> Received {
        self.last_index += 1;
        received.index = Some(self.last_index);
        self.bytes += len_bytes;
        self.messages.push_back((received.clone(), len_bytes));
        while self.messages.len() > self.messages_max || self.bytes > self.bytes_max {
            let Some((_, gone)) = self.messages.pop_front() else { break };
            self.bytes -= gone;
        }
        received
    }

    /// Returns kept messages with an index above `after`, of one sender where `from` says so, oldest first.
    pub(crate) fn after<'a>(
        &'a self,
        after: u64,
        from: Option<&'a PeerName>,
    ) -> impl Iterator<Item = &'a Received> {
        // Indices are consecutive, so the place of the first one asked for is known.
        let first = self.messages.front().and_then(|(received, _)| received.index).unwrap_or(1);
        let skip =
            usize::try_from(after.saturating_add(1).saturating_sub(first)).unwrap_or(usize::MAX);
        self.messages
            .iter()
            .skip(skip)
            .map(|(received, _)| received)
            .filter(move |received| from.is_none_or(|name| received.from == *name))
    }
}

#[cfg(test)]
mod tests;
