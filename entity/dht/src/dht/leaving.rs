//! The end: what is stored here is handed over.

use std::sync::Arc;
use std::time::Duration;

use entity_wire::time::Timestamp;

use super::asking::Store;
use super::{Dht, Phase};
use crate::vocabulary::{BeginError, Event, Output};

impl Dht {
    /// Hands over the records, tells the contacts and ends: [`Event::Left`] follows, after 30 s at most.
    ///
    /// # Errors
    ///
    /// It has left or is leaving already.
    pub fn leave(&mut self, now: Timestamp) -> Result<(), BeginError> {
        self.check_here()?;
        let left = self.slots.all().map(Arc::clone).collect();
        self.phase = Phase::Leaving { left, by: now.plus(LEAVE_LIMIT) };
        self.go_on_leaving(now);
        Ok(())
    }

    /// Hands over the next records, as far as there is room for them; ends when there are none.
    pub(super) fn go_on_leaving(&mut self, now: Timestamp) {
        loop {
            let has_room = self.stores.len() < self.config.stores_in_flight_max.max(1);
            let Phase::Leaving { left, .. } = &mut self.phase else { return };
            if !has_room {
                break;
            }
            let Some(record) = left.pop() else { break };
            if record.record().terms().expires_at <= now {
                continue;
            }
            for to in self.nearest_to(record.record().key().into()) {
                let record = Arc::clone(&record);
                self.enqueue(Store { to, record, operation: None });
            }
        }
        self.send_stores(now);
        let is_over = matches!(&self.phase, Phase::Leaving { left, .. } if left.is_empty());
        if is_over && self.stores.is_empty() && self.stores_in_flight == 0 {
            self.end_leaving();
        }
    }

    pub(super) fn end_leaving(&mut self) {
        self.save();
        self.phase = Phase::Left;
        let contacts: Vec<_> = self.table.contacts().map(|(node, ..)| Arc::clone(node)).collect();
        self.outputs.extend(contacts.into_iter().map(|to| Output::Leave { to }));
        self.searches.clear();
        self.asked.clear();
        self.deadlines.clear();
        self.stores.clear();
        self.event(Event::Left);
    }
}

/// How long a node hands over.
const LEAVE_LIMIT: Duration = Duration::from_secs(30);
