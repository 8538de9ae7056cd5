//! Peers that nobody named and that were met through the table: so many are remembered, and no more.
//!
//! A lookup in a large network meets dozens of strangers. Whoever is a contact of the table stays; of the others the one
//! that was used longest ago gives way.

use std::collections::BTreeMap;

use entity_wire::time::Timestamp;

use crate::core::{Core, News};
use crate::name::PeerName;
use crate::roster::Origin;

/// When each guest was used last, in the order of nothing.
#[derive(Debug, Default)]
pub(super) struct Guests {
    used: BTreeMap<PeerName, Timestamp>,
}

impl Guests {
    /// Those of a roster that was kept, all of them used now.
    pub(super) fn of(core: &Core, now: Timestamp) -> Self {
        let guests = core.roster.iter().filter(|(_, entry)| entry.came == Origin::Guest);
        Self { used: guests.map(|(name, _)| (name.clone(), now)).collect() }
    }

    /// Takes note that a peer of the roster was used, if it is a guest; has another one forgotten where there are too many.
    pub(super) fn note(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        is_contact: impl Fn(&Core, &PeerName) -> bool,
        now: Timestamp,
    ) {
        let entry = core.roster.get(peer.as_str());
        if !entry.is_some_and(|entry| entry.came == Origin::Guest) {
            self.used.remove(peer);
            return;
        }
        self.used.insert(peer.clone(), now);
        // Who was forgotten otherwise, or named by an operator since, counts no more.
        if self.used.len() > core.config.limits.guests_max {
            let is_guest = |entry: Option<&crate::roster::Entry>| {
                entry.is_some_and(|entry| entry.came == Origin::Guest)
            };
            self.used.retain(|name, _| is_guest(core.roster.get(name.as_str())));
        }
        while self.used.len() > core.config.limits.guests_max.max(1) {
            let others = || self.used.iter().filter(|(name, _)| *name != peer);
            let idle = others().filter(|(name, _)| !is_contact(core, name));
            let oldest = idle.min_by_key(|(_, used_at)| **used_at);
            let oldest = oldest.or_else(|| others().min_by_key(|(_, used_at)| **used_at));
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { return };
            self.used.remove(&oldest);
            core.tell(News::Forget { peer: oldest });
        }
    }
}
