//! Peers and relays that are remembered, and who gives way where there is no room.

use std::ops::Bound;
use std::sync::Arc;

use super::suspicion::Watch;
use super::vocabulary::{self, Purpose, RelayId, Target};
use super::{Reach, RelayState, Router};

impl Router {
    /// Remembers the relay that a mailbox names, where something can be held against it: nothing is of what goes to a
    /// stranger, who would fill the room with addresses.
    pub(super) fn find_relay(&mut self, target: &Target<'_>) {
        let Some((relay, _)) = vocabulary::mailbox_of(target.address) else { return };
        let is_watched = target.is_named || matches!(target.purpose, Purpose::Durable(_));
        if !is_watched || self.relay_at(relay).is_some() {
            return;
        }
        if self.found.len() >= Self::FOUND_RELAYS_MAX {
            let idle = self.found.iter().filter(|(_, relay)| relay.watch.is_idle());
            let least = idle.min_by_key(|(id, relay)| (relay.watch.refusals_count(), **id));
            let Some(least) = least.map(|(id, _)| *id) else { return };
            self.found.remove(&least);
        }
        let state = RelayState {
            address: Arc::from(relay),
            key: None,
            connection: None,
            watch: Watch::new(self.config.patience),
        };
        self.found.insert(self.next_found, state);
        self.next_found += 1;
    }

    /// The relay at an address, whatever it begins with.
    pub(super) fn relay_at(&self, address: &str) -> Option<RelayId> {
        let host = vocabulary::host_of(address);
        let mut all = self.all_relays();
        all.find(|(_, relay)| vocabulary::host_of(&relay.address) == host).map(|(id, _)| id)
    }

    /// Those of the operator, then those that were found.
    pub(super) fn all_relays(&self) -> impl Iterator<Item = (RelayId, &RelayState)> {
        let found = self.found.iter().map(|(id, relay)| (RelayId(*id), relay));
        self.relays.iter().enumerate().map(|(id, relay)| (RelayId(id), relay)).chain(found)
    }

    pub(super) fn relays_mut(&mut self) -> impl Iterator<Item = &mut RelayState> {
        self.relays.iter_mut().chain(self.found.values_mut())
    }

    pub(super) fn relay(&self, RelayId(id): RelayId) -> Option<&RelayState> {
        self.relays.get(id).or_else(|| self.found.get(&id))
    }

    pub(super) fn relay_mut(&mut self, RelayId(id): RelayId) -> Option<&mut RelayState> {
        match self.relays.get_mut(id) {
            Some(relay) => Some(relay),
            None => self.found.get_mut(&id),
        }
    }

    /// What is remembered of a peer; nothing where there is no room.
    pub(super) fn reach(&mut self, peer: &str) -> Option<&mut Reach> {
        if !self.peers.contains_key(peer) {
            if self.peers.len() >= Self::PEERS_MAX && !self.forget_one() {
                return None;
            }
            self.peers.insert(Arc::from(peer), Reach::default());
        }
        self.peers.get_mut(peer)
    }

    /// Forgets a peer that has no connection and is not to be dialled; says whether there was one among those it looked at.
    fn forget_one(&mut self) -> bool {
        let after = (Bound::Excluded(Arc::clone(&self.forgotten_last)), Bound::Unbounded);
        let all = self.peers.range(after).chain(self.peers.iter());
        let mut looked_at = None;
        for (name, reach) in all.take(Self::PEERS_LOOKED_AT_MAX) {
            looked_at = Some((Arc::clone(name), reach.is_idle()));
            if reach.is_idle() {
                break;
            }
        }
        let Some((name, is_idle)) = looked_at else { return false };
        if is_idle {
            self.peers.remove(&name);
        }
        self.forgotten_last = name;
        is_idle
    }
}
