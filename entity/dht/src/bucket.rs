//! One bucket: contacts in the order in which they were last heard, and who waits for a place.

use std::collections::VecDeque;
use std::sync::Arc;

use entity_wire::payload::dht::NodeId;
use entity_wire::time::Timestamp;

use crate::node::{Node, Tags};

/// A contact and what is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The node's id, beside it because every search reads it.
    pub(crate) id: NodeId,
    pub(crate) tags: Tags,
    pub(crate) node: Arc<Node>,
    /// When it was last heard.
    pub(crate) heard_at: Timestamp,
    /// Questions that it did not answer since.
    pub(crate) failures: u8,
}

impl Entry {
    pub(crate) fn new(node: &Arc<Node>, heard_at: Timestamp) -> Self {
        let (id, tags) = (node.id(), node.tags());
        Self { id, tags, node: Arc::clone(node), heard_at, failures: 0 }
    }

    /// Whether both are of one subnet that is counted.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.tags.subnet == other.tags.subnet && self.node.is_beside(&other.node)
    }

    /// Whether both claim the same host and port.
    pub(crate) fn shares_address(&self, other: &Self) -> bool {
        self.tags.address == other.tags.address && self.node.shares_address(&other.node)
    }

    /// Whether it has answered whatever it was asked last.
    pub(crate) fn is_good(&self) -> bool {
        self.failures == 0
    }
}

/// The contacts that have the same number of leading bits in common with the own id, or more in the last bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// Longest silent first.
    entries: Vec<Entry>,
    /// Last come last.
    waiting: VecDeque<Entry>,
    /// Who is pinged to see whether there is room.
    pub(crate) pinged: Option<NodeId>,
    pub(crate) looked_up_at: Timestamp,
}

impl Bucket {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { entries: Vec::new(), waiting: VecDeque::new(), pinged: None, looked_up_at: now }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.id == id)
    }

    /// Makes a contact the one last heard; says whether it is here.
    pub(crate) fn touch(&mut self, node: &Arc<Node>, now: Timestamp) -> bool {
        let Some(position) = self.entries.iter().position(|entry| entry.id == node.id()) else {
            return false;
        };
        self.entries.remove(position);
        self.entries.push(Entry::new(node, now));
        if self.pinged == Some(node.id()) {
            self.pinged = None;
        }
        true
    }

    /// Adds a contact that was heard when it says; the order stays one of when they were heard.
    pub(crate) fn insert(&mut self, entry: Entry) {
        self.waiting.retain(|waiting| waiting.id != entry.id);
        let position = self.entries.partition_point(|other| other.heard_at <= entry.heard_at);
        // Most buckets are nearly full or nearly empty, and there are very many of them in a simulation.
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(GROWTH);
        }
        self.entries.insert(position, entry);
    }

    /// Lets a contact wait; of more than `most` the one that has waited longest goes.
    pub(crate) fn wait(&mut self, entry: Entry, most: usize) {
        self.waiting.retain(|waiting| waiting.id != entry.id);
        if self.waiting.len() >= most {
            self.waiting.pop_front();
        }
        if self.waiting.len() == self.waiting.capacity() {
            self.waiting.reserve_exact(GROWTH);
        }
        self.waiting.push_back(entry);
    }

    /// How many of those that wait lie beside another.
    pub(crate) fn waiting_beside(&self, other: &Entry) -> usize {
        let beside = |entry: &&Entry| entry.id != other.id && entry.is_beside(other);
        self.waiting.iter().filter(beside).count()
    }

    /// Takes a contact out, wherever it is here.
    pub(crate) fn remove(&mut self, id: NodeId) -> Option<Entry> {
        self.waiting.retain(|waiting| waiting.id != id);
        if self.pinged == Some(id) {
            self.pinged = None;
        }
        let position = self.entries.iter().position(|entry| entry.id == id)?;
        Some(self.entries.remove(position))
    }

    /// Takes those that wait, last come first.
    pub(crate) fn take_waiting(&mut self) -> Vec<Entry> {
        self.waiting.drain(..).rev().collect()
    }

    /// Takes the last come of those that wait.
    pub(crate) fn pop_waiting(&mut self) -> Option<Entry> {
        self.waiting.pop_back()
    }

    /// Takes everything out.
    pub(crate) fn drain(&mut self) -> (Vec<Entry>, Vec<Entry>) {
        let waiting = self.take_waiting();
        (std::mem::take(&mut self.entries), waiting)
    }
}

/// By how many contacts a bucket grows.
const GROWTH: usize = 5;
