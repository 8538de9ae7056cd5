//! Which messages a relay has seen lately, so that a loop ends.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use entity_wire::relay::ForwardId;
use entity_wire::time::Timestamp;

/// How many are remembered.
///
/// Source: `docs/protocol/1.1.md#relay-forward`.
pub const SEEN_MAX: usize = 65_536;

/// How long.
///
/// Source: `docs/protocol/1.1.md#relay-forward`.
pub const SEEN_FOR: Duration = Duration::from_mins(5);

/// What is known of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Nothing.
    New,
    /// It was here, and may have been taken or not.
    Known,
    /// It was here, and was answered 200.
    Taken,
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Whether it was answered that the message was taken.
    ids: BTreeMap<ForwardId, bool>,
    order: VecDeque<(Timestamp, ForwardId)>,
}

impl Seen {
    /// Notes an id; says what was known of it.
    pub(crate) fn note(&mut self, id: ForwardId, now: Timestamp) -> Sight {
        while let Some((at, oldest)) = self.order.front().copied() {
            if now.since(at) < SEEN_FOR && self.order.len() < SEEN_MAX {
                break;
            }
            self.order.pop_front();
            self.ids.remove(&oldest);
        }
        match self.ids.get(&id) {
            Some(true) => Sight::Taken,
            Some(false) => Sight::Known,
            None => {
                self.ids.insert(id, false);
                self.order.push_back((now, id));
                Sight::New
            }
        }
    }

    /// The message of this id was taken.
    pub(crate) fn take(&mut self, id: ForwardId) {
        if let Some(is_taken) = self.ids.get_mut(&id) {
            *is_taken = true;
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.order.len().max(self.ids.len())
    }
}
