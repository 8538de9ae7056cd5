//! The records that a node stores for others, and which of two wins.
//!
//! A *slot* is a key with an owner. It holds the record that won it, until that expires, and remembers which one that
//! was until no record that lost can hold any more.
//!
//! Source: `docs/protocol/1.1.md#dht-slots`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use entity_crypto::derivation::sha256;
use entity_crypto::signing::PublicKey;
use entity_wire::payload::dht::{
    LIFETIME_MAX, RECORDS_LEN_MAX, RECORDS_MAX, RecordKey, RecordVersion, StoreOutcome,
};
use entity_wire::time::Timestamp;

use crate::checked::CheckedRecord;
use crate::config::Config;

/// Which record won: the greater wins.
pub(crate) type Rank = (RecordVersion, [u8; 32]);

/// Which slot.
pub(crate) type Place = (RecordKey, PublicKey);

/// What a slot holds.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// Which record won.
    pub(crate) won: Rank,
    /// Until when that is remembered.
    pub(crate) forget_at: Timestamp,
    /// The record, while it holds and has room.
    pub(crate) record: Option<Arc<CheckedRecord>>,
    /// When it is sent on.
    send_on_at: Timestamp,
}

/// All slots of a node.
#[derive(Debug)]
pub(crate) struct Slots {
    keys: BTreeMap<RecordKey, BTreeMap<PublicKey, Slot>>,
    usages: BTreeMap<PublicKey, Usage>,
    /// The next thing that happens to each slot.
    due: BTreeSet<(Timestamp, Place)>,
    total: Usage,
    /// Draws who stays where more want a key than can. Nobody else knows it.
    secret: [u8; 32],
    /// Slots that changed since they were last kept.
    changed: BTreeSet<Place>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Usage {
    slots: usize,
    bytes: usize,
}

/// What has become due.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Due {
    /// A record is to be sent on.
    SendOn(Arc<CheckedRecord>),
    /// A record has expired, or what won a slot was forgotten.
    Over,
}

impl Slots {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self {
            keys: BTreeMap::new(),
            usages: BTreeMap::new(),
            due: BTreeSet::new(),
            total: Usage::default(),
            secret,
            changed: BTreeSet::new(),
        }
    }

    /// Takes a record if it wins its slot and there is room. `send_on_at` is when it is to be sent on, should it not
    /// come in again before.
    pub(crate) fn offer(
        &mut self,
        record: &Arc<CheckedRecord>,
        send_on_at: Timestamp,
        (config, now): (&Config, Timestamp),
    ) -> StoreOutcome {
        let inner = record.record();
        if !inner.holds_at(now, config.ahead_limit) {
            return StoreOutcome::Expired;
        }
        let place = (inner.key(), inner.terms().owner);
        let rank = inner.rank();
        let held = self.slot(&place).map(|slot| (slot.won, slot.record.is_some()));
        match held {
            Some((won, _)) if won > rank => return StoreOutcome::Older,
            Some((won, true)) if won == rank => {
                self.reschedule(&place, send_on_at);
                return StoreOutcome::Stored;
            }
            Some(_) | None => {}
        }
        if !self.has_room(&place, inner.len_bytes(), config) || !self.wins_draw(&place, config) {
            return StoreOutcome::Full;
        }
        let forget_at = inner.terms().issued_at.plus(LIFETIME_MAX);
        let slot = Slot { won: rank, forget_at, record: Some(Arc::clone(record)), send_on_at };
        self.put(place, slot);
        self.make_room(&place, config);
        StoreOutcome::Stored
    }

    /// Takes a slot from before a restart.
    pub(crate) fn restore(
        &mut self,
        place: Place,
        slot: (Rank, Timestamp, Option<Arc<CheckedRecord>>),
        send_on_at: Timestamp,
    ) {
        let (won, forget_at, record) = slot;
        self.put(place, Slot { won, forget_at, record, send_on_at });
        self.changed.remove(&place);
    }

    pub(crate) fn slot(&self, place: &Place) -> Option<&Slot> {
        self.keys.get(&place.0)?.get(&place.1)
    }

    /// The records of a key whose owners are above one, as many as go into a message, and whether there are more.
    pub(crate) fn page(
        &self,
        key: RecordKey,
        after: Option<&PublicKey>,
        now: Timestamp,
    ) -> (Vec<Arc<CheckedRecord>>, bool) {
        let (mut records, mut bytes) = (Vec::new(), 0);
        for record in self.records(key).filter(|record| record.record().terms().expires_at > now) {
            if after.is_some_and(|after| record.record().terms().owner <= *after) {
                continue;
            }
            bytes += record.signed().len_bytes();
            if records.len() >= RECORDS_MAX || bytes > RECORDS_LEN_MAX {
                return (records, true);
            }
            records.push(Arc::clone(record));
        }
        (records, false)
    }

    /// The records of a key, ascending by owner.
    pub(crate) fn records(&self, key: RecordKey) -> impl Iterator<Item = &Arc<CheckedRecord>> {
        let slots = self.keys.get(&key).into_iter().flat_map(BTreeMap::values);
        slots.filter_map(|slot| slot.record.as_ref())
    }

    /// All records.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<CheckedRecord>> {
        let slots = self.keys.values().flat_map(BTreeMap::values);
        slots.filter_map(|slot| slot.record.as_ref())
    }

    /// How many slots there are, and the bytes of their records.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.total.slots, self.total.bytes)
    }

    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the next thing that has become due. A record to be sent on becomes due again after `again`.
    pub(crate) fn take_due(&mut self, now: Timestamp, again: Duration) -> Option<Due> {
        let (at, place) = *self.due.first()?;
        if at > now {
            return None;
        }
        let slot = self.slot(&place)?.clone();
        if slot.forget_at <= now {
            self.take(&place);
            return Some(Due::Over);
        }
        match &slot.record {
            Some(record) if record.record().terms().expires_at > now => {
                let record = Arc::clone(record);
                self.reschedule(&place, now.plus(again));
                Some(Due::SendOn(record))
            }
            Some(_) | None => {
                self.put(place, Slot { record: None, ..slot });
                Some(Due::Over)
            }
        }
    }

    /// Takes the slots that changed since the last time.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<Place> {
        std::mem::take(&mut self.changed)
    }

    fn has_room(&self, place: &Place, len: usize, config: &Config) -> bool {
        let held = self.slot(place);
        let slots = usize::from(held.is_none());
        let freed = held.and_then(|slot| slot.record.as_ref());
        let freed = freed.map_or(0, |record| record.record().len_bytes());
        let owner = self.usages.get(&place.1).copied().unwrap_or_default();
        self.total.slots + slots <= config.slots_max
            && self.total.bytes - freed + len <= config.bytes_max
            && owner.slots + slots <= config.slots_per_owner_max
            && owner.bytes - freed + len <= config.bytes_per_owner_max
    }

    /// Whether an owner may have a record of a key: there is room, or its lot is better than the worst of those there.
    fn wins_draw(&self, place: &Place, config: &Config) -> bool {
        if self.slot(place).is_some_and(|slot| slot.record.is_some()) {
            return true;
        }
        if self.records(place.0).count() < config.records_per_key_max {
            return true;
        }
        self.worst(place.0).is_some_and(|(worst, _)| self.lot(place) < worst)
    }

    /// Lets those go that lost their room to the newest of a key.
    fn make_room(&mut self, newest: &Place, config: &Config) {
        while self.records(newest.0).count() > config.records_per_key_max {
            let Some((_, owner)) = self.worst(newest.0) else { return };
            let place = (newest.0, owner);
            let Some(slot) = self.slot(&place).cloned() else { return };
            self.put(place, Slot { record: None, ..slot });
        }
        // Memories of what won are bounded as well: the one that ends first goes.
        while let Some(slots) = self.keys.get(&newest.0)
            && slots.len() > config.slots_per_key_max
        {
            let empty = slots.iter().filter(|(_, slot)| slot.record.is_none());
            let first = empty.min_by_key(|(_, slot)| slot.forget_at).map(|(owner, _)| *owner);
            let Some(owner) = first else { return };
            self.take(&(newest.0, owner));
        }
    }

    fn worst(&self, key: RecordKey) -> Option<([u8; 32], PublicKey)> {
        let owners = self.records(key).map(|record| record.record().terms().owner);
        owners.map(|owner| (self.lot(&(key, owner)), owner)).max()
    }

    /// The lot of an owner for a key: the smaller, the better. Whoever does not know the secret cannot choose it.
    fn lot(&self, (key, owner): &Place) -> [u8; 32] {
        let mut data = [0; 96];
        data[..32].copy_from_slice(&self.secret);
        data[32..64].copy_from_slice(key.as_bytes());
        data[64..].copy_from_slice(owner.as_bytes());
        sha256(&data)
    }

    fn reschedule(&mut self, place: &Place, send_on_at: Timestamp) {
        if let Some(slot) = self.take(place) {
            self.put(*place, Slot { send_on_at, ..slot });
            // What is kept does not say when it is sent on.
            self.changed.remove(place);
        }
    }

    fn put(&mut self, place: Place, slot: Slot) {
        self.take(&place);
        let bytes = slot.record.as_ref().map_or(0, |record| record.record().len_bytes());
        for usage in [&mut self.total, self.usages.entry(place.1).or_default()] {
            usage.slots += 1;
            usage.bytes += bytes;
        }
        self.due.insert((due_at(&slot), place));
        self.keys.entry(place.0).or_default().insert(place.1, slot);
        self.changed.insert(place);
    }

    fn take(&mut self, place: &Place) -> Option<Slot> {
        let slots = self.keys.get_mut(&place.0)?;
        let slot = slots.remove(&place.1)?;
        if slots.is_empty() {
            self.keys.remove(&place.0);
        }
        self.due.remove(&(due_at(&slot), *place));
        let bytes = slot.record.as_ref().map_or(0, |record| record.record().len_bytes());
        if let Some(usage) = self.usages.get_mut(&place.1) {
            usage.slots -= 1;
            usage.bytes -= bytes;
            if *usage == Usage::default() {
                self.usages.remove(&place.1);
            }
        }
        self.total.slots -= 1;
        self.total.bytes -= bytes;
        self.changed.insert(*place);
        Some(slot)
    }
}

fn due_at(slot: &Slot) -> Timestamp {
    let of_record =
        slot.record.as_ref().map(|record| record.record().terms().expires_at.min(slot.send_on_at));
    of_record.map_or(slot.forget_at, |at| at.min(slot.forget_at))
}

#[cfg(test)]
mod tests;
