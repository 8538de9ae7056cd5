//! When which transfer has something to do.

use std::collections::{BTreeMap, BTreeSet};

use entity_wire::payload::chunk::TransferId;
use entity_wire::time::Timestamp;

/// At most one deadline for each transfer, the earliest at hand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deadlines {
    of: BTreeMap<TransferId, Timestamp>,
    ordered: BTreeSet<(Timestamp, TransferId)>,
}

impl Deadlines {
    pub(crate) fn set(&mut self, transfer: TransferId, deadline: Option<Timestamp>) {
        let old = match deadline {
            Some(deadline) => self.of.insert(transfer, deadline),
            None => self.of.remove(&transfer),
        };
        if let Some(old) = old {
            self.ordered.remove(&(old, transfer));
        }
        if let Some(deadline) = deadline {
            self.ordered.insert((deadline, transfer));
        }
    }

    /// Takes the earliest that has come.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<TransferId> {
        let (deadline, transfer) = *self.ordered.first()?;
        if deadline > now {
            return None;
        }
        self.set(transfer, None);
        Some(transfer)
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.ordered.first().map(|(deadline, _)| *deadline)
    }
}
