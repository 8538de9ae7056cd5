//! The contacts of a node: buckets that split towards the own id.
//!
//! Bucket i has contacts with exactly i leading bits in common with the own id, the last one all with as many or more.
//! Only the last one splits, so a node knows many near it and a few of everywhere else.
//!
//! Source: `docs/protocol/1.1.md#dht-upkeep`.

use std::sync::Arc;
use std::time::Duration;

use entity_wire::payload::dht::{NodeId, Point};
use entity_wire::time::Timestamp;

use crate::bucket::{Bucket, Entry};
use crate::config::Config;
use crate::distance::Distance;
use crate::node::Node;

/// What a sign of life did to the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It was here already, and is now the one heard last.
    Known,
    /// It is new here.
    Added,
    /// It waits for a place; where this names somebody, whether that one is still alive is to be asked.
    Waits(Option<Arc<Node>>),
    /// Too many of its subnet or address are here already, or it is this node itself.
    Kept,
}

/// What a missing answer did to the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// It is not here.
    Unknown,
    /// It stays, for now.
    Doubted,
    /// It stays, and is to be pinged: somebody waits for its place.
    Ping(Arc<Node>),
    /// It is gone.
    Gone,
}

/// The buckets of a node.
#[derive(Debug, Clone)]
pub struct Table {
    own: NodeId,
    bounds: Bounds,
    buckets: Vec<Bucket>,
}

/// What of the configuration bounds a table.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    k: usize,
    quiet_after: Duration,
    failures_max: u8,
    subnet_in_bucket: usize,
    subnet_in_table: usize,
    address_in_table: usize,
}

impl Table {
    /// A table without contacts.
    pub fn new(own: NodeId, config: &Config, now: Timestamp) -> Self {
        let bounds = Bounds {
            k: config.k.max(1),
            quiet_after: config.quiet_after,
            failures_max: config.failures_max.max(1),
            subnet_in_bucket: config.subnet_in_bucket_max,
            subnet_in_table: config.subnet_in_table_max,
            address_in_table: config.address_in_table_max,
        };
        Self { own, bounds, buckets: vec![Bucket::new(now)] }
    }

    /// How many contacts there are.
    pub fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.entries().len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.buckets.iter().all(|bucket| bucket.entries().is_empty())
    }

    /// For each bucket how many contacts it has, and how many wait.
    pub fn buckets(&self) -> impl ExactSizeIterator<Item = (usize, usize)> {
        self.buckets.iter().map(|bucket| (bucket.entries().len(), bucket.waiting_count()))
    }

    /// Every contact with when it was last heard and whether it answers.
    pub fn contacts(&self) -> impl Iterator<Item = (&Arc<Node>, Timestamp, bool)> {
        let entries = self.buckets.iter().flat_map(Bucket::entries);
        entries.map(|entry| (&entry.node, entry.heard_at, entry.is_good()))
    }

    /// The contact with this id.
    pub fn get(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.buckets.get(self.index(id))?.get(id).map(|entry| &entry.node)
    }

    /// Takes a sign of life of a node with which there is a session.
    pub fn heard(&mut self, node: &Arc<Node>, now: Timestamp) -> Heard {
        let id = node.id();
        if id == self.own {
            return Heard::Kept;
        }
        let index = self.index(id);
        if self.buckets[index].touch(node, now) {
            return Heard::Known;
        }
        self.add(Entry::new(node, now))
    }

    /// Takes a contact from before a restart: it is asked after all others, until it answers.
    pub fn saved(&mut self, node: &Arc<Node>, heard_at: Timestamp) {
        let is_known = self.get(node.id()).is_some() || node.id() == self.own;
        if !is_known {
            self.add(Entry { failures: 1, ..Entry::new(node, heard_at) });
        }
    }

    fn add(&mut self, entry: Entry) -> Heard {
        loop {
            let index = self.index(entry.id);
            let bucket = &self.buckets[index];
            if self.is_crowded(&entry, index) {
                return Heard::Kept;
            }
            if bucket.entries().len() < self.bounds.k {
                self.buckets[index].insert(entry);
                return Heard::Added;
            }
            let is_last = index + 1 == self.buckets.len();
            if is_last && index < LAST_BUCKET {
                self.split();
                continue;
            }
            return self.wait(entry, index);
        }
    }

    fn wait(&mut self, entry: Entry, index: usize) -> Heard {
        let (k, quiet_after) = (self.bounds.k, self.bounds.quiet_after);
        let bucket = &mut self.buckets[index];
        // A contact that has failed makes way at once for one that is heard now.
        let failed = bucket.entries().iter().find(|held| held.failures > 1).map(|held| held.id);
        if let Some(failed) = failed.filter(|_| entry.is_good()) {
            bucket.remove(failed);
            bucket.insert(entry);
            return Heard::Added;
        }
        if bucket.waiting_beside(&entry) >= self.bounds.subnet_in_bucket {
            return Heard::Kept;
        }
        let now = entry.heard_at;
        bucket.wait(entry, k);
        let longest = bucket
            .entries()
            .first()
            .filter(|held| bucket.pinged.is_none() && now.since(held.heard_at) > quiet_after);
        let asked = longest.map(|held| Arc::clone(&held.node));
        bucket.pinged = asked.as_ref().map(|node| node.id()).or(bucket.pinged);
        Heard::Waits(asked)
    }

    /// Whether too many of the subnet or the address of a contact are here.
    fn is_crowded(&self, entry: &Entry, index: usize) -> bool {
        let beside =
            |bucket: &Bucket| bucket.entries().iter().filter(|held| held.is_beside(entry)).count();
        let in_table: usize = self.buckets.iter().map(beside).sum();
        let all = || self.buckets.iter().flat_map(Bucket::entries);
        let at_address = all().filter(|held| held.shares_address(entry)).count();
        beside(&self.buckets[index]) >= self.bounds.subnet_in_bucket
            || in_table >= self.bounds.subnet_in_table
            || at_address >= self.bounds.address_in_table
    }

    fn split(&mut self) {
        let index = self.buckets.len() - 1;
        let looked_up_at = self.buckets[index].looked_up_at;
        let (entries, waiting) = self.buckets[index].drain();
        self.buckets[index].pinged = None;
        self.buckets.push(Bucket::new(looked_up_at));
        for entry in entries {
            let index = self.index(entry.id);
            self.buckets[index].insert(entry);
        }
        // Nobody waits in a bucket that can still split.
        for entry in waiting {
            self.add(entry);
        }
    }

    /// Takes that a node has not answered.
    pub fn failed(&mut self, id: NodeId) -> Failed {
        let index = self.index(id);
        let failures_max = self.bounds.failures_max;
        let bucket = &mut self.buckets[index];
        let is_waited_for = bucket.waiting_count() > 0;
        let was_pinged = bucket.pinged == Some(id);
        let Some(entry) = bucket.get_mut(id) else { return Failed::Unknown };
        entry.failures = entry.failures.saturating_add(1);
        let failures = entry.failures;
        if failures >= failures_max || is_waited_for && (failures > 1 || was_pinged) {
            self.remove(id);
            return Failed::Gone;
        }
        if !is_waited_for || bucket.pinged.is_some() {
            return Failed::Doubted;
        }
        bucket.pinged = Some(id);
        bucket.get(id).map_or(Failed::Doubted, |entry| Failed::Ping(Arc::clone(&entry.node)))
    }

    /// Drops a node, because it has left, is gone or misbehaves; who has waited moves up.
    pub fn remove(&mut self, id: NodeId) {
        let index = self.index(id);
        if self.buckets[index].remove(id).is_none() {
            return;
        }
        while let Some(entry) = self.buckets[index].pop_waiting() {
            if !self.is_crowded(&entry, index) {
                self.buckets[index].insert(entry);
                return;
            }
        }
    }

    /// Up to `count` contacts in the order of their distance from a point. Those that have not answered lately come only
    /// for [`Standing::Any`], after the others.
    pub fn closest(&self, point: Point, count: usize, standing: Standing) -> Vec<Arc<Node>> {
        let mut closest = self.closest_that(point, count, Entry::is_good);
        if standing == Standing::Any && closest.len() < count {
            let missing = count - closest.len();
            closest.extend(self.closest_that(point, missing, |entry| !entry.is_good()));
        }
        closest
    }

    fn closest_that(
        &self,
        point: Point,
        count: usize,
        is_wanted: impl Fn(&Entry) -> bool,
    ) -> Vec<Arc<Node>> {
        let last = self.buckets.len() - 1;
        let place = Distance::between(self.own, point).common_bits().min(last);
        let mut found = Vec::with_capacity(count);
        let mut group: Vec<(Distance, &Entry)> = Vec::new();
        // The bucket in which the point lies is the nearest; then come all nearer to the own id, which are as far as that
        // is; then the others, one after the other.
        let nearer = &self.buckets[place + 1..];
        let groups = std::iter::once(&self.buckets[place..=place])
            .chain(std::iter::once(nearer))
            .chain((0..place).rev().map(|index| &self.buckets[index..=index]));
        for buckets in groups {
            if found.len() >= count {
                break;
            }
            group.clear();
            let entries = buckets.iter().flat_map(Bucket::entries).filter(|entry| is_wanted(entry));
            group.extend(entries.map(|entry| (Distance::between(entry.id, point), entry)));
            group.sort_unstable_by_key(|(distance, _)| *distance);
            let missing = count - found.len();
            found.extend(group.iter().take(missing).map(|(_, entry)| Arc::clone(&entry.node)));
        }
        found
    }

    /// Notes that a point is looked up, which refreshes its bucket.
    pub fn looked_up(&mut self, point: Point, now: Timestamp) {
        let place = Distance::between(self.own, point).common_bits();
        let index = place.min(self.buckets.len() - 1);
        self.buckets[index].looked_up_at = now;
    }

    /// In which bucket nothing was looked up for the longest time, and since when.
    pub fn longest_not_looked_up(&self) -> (usize, Timestamp) {
        let times = self.buckets.iter().enumerate();
        let times = times.map(|(index, bucket)| (bucket.looked_up_at, index));
        times.min().map_or((0, Timestamp::MAX), |(at, index)| (index, at))
    }

    /// Forgets who was pinged, where the answer cannot come any more.
    pub(crate) fn ping_given_up(&mut self, id: NodeId) {
        let index = self.index(id);
        let pinged = &mut self.buckets[index].pinged;
        *pinged = pinged.filter(|pinged| *pinged != id);
    }

    fn index(&self, id: NodeId) -> usize {
        Distance::between(self.own, id).common_bits().min(self.buckets.len() - 1)
    }
}

/// Which contacts are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Those that have answered whatever they were asked last.
    Good,
    /// All, if there are not enough of these.
    Any,
}

/// The bucket that no longer splits: two ids that have 255 bits in common differ in the last one.
const LAST_BUCKET: usize = 255;

#[cfg(test)]
mod tests;
