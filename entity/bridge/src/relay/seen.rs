//! Which messages a relay has seen lately, so that a loop ends.

use std::collections::{BTreeSet, VecDeque};
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

#[derive(Debug, Default)]
pub(crate) struct Seen {
    ids: BTreeSet<ForwardId>,
    order: VecDeque<(Timestamp, ForwardId)>,
}

impl Seen {
    /// Notes an id; says whether it is new.
    pub(crate) fn note(&mut self, id: ForwardId, now: Timestamp) -> bool {
        while let Some((at, oldest)) = self.order.front().copied() {
            if now.since(at) < SEEN_FOR && self.order.len() < SEEN_MAX {
                break;
            }
            self.order.pop_front();
            self.ids.remove(&oldest);
        }
        let is_new = self.ids.insert(id);
        if is_new {
            self.order.push_back((now, id));
        }
        is_new
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.order.len().max(self.ids.len())
    }
}
