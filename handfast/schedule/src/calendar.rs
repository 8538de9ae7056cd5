//! A cron expression in a zone: the instants at which it falls.
//!
//! Each local time that the expression names falls once. One that does not come falls at the first instant after the gap, together with
//! whatever else falls there; one that comes twice falls the first time.

use jiff::{Span, Timestamp};

use crate::cron::Cron;
use crate::zone::Zone;

/// When something falls due.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    /// The local times.
    pub cron: Cron,
    /// Whose local times.
    pub zone: Zone,
}

impl Calendar {
    /// The first occurrence after an instant.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.zone.instant(self.cron.next_after(self.zone.reached(after))?)
    }

    /// The last occurrence at or before an instant.
    pub fn last_until(&self, until: Timestamp) -> Option<Timestamp> {
        self.zone.instant(self.cron.last_until(self.zone.reached(until))?)
    }

    /// The last occurrence before an instant.
    pub fn last_before(&self, before: Timestamp) -> Option<Timestamp> {
        self.last_until(before.checked_sub(Span::new().nanoseconds(1)).ok()?)
    }
}
