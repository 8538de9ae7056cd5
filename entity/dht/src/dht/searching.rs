//! Lookups under way, and what becomes of what they find.

use std::collections::BTreeMap;
use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_wire::payload::dht::{NodeId, Point, RecordKey};
use entity_wire::time::Timestamp;

use super::asking::Store;
use super::{Dht, Publishing};
use crate::checked::CheckedRecord;
use crate::distance::Distance;
use crate::lookup::Lookup;
use crate::node::Node;
use crate::slots::Rank;
use crate::table::Standing;
use crate::vocabulary::{Effort, Event, OperationId, Question};

/// What a lookup is for.
#[derive(Debug, Clone)]
pub(super) enum Purpose {
    Nodes(OperationId),
    Records(OperationId, RecordKey),
    Publish(OperationId, Arc<CheckedRecord>),
    SendOn(Arc<CheckedRecord>),
    Join,
    Refresh,
}

impl Purpose {
    pub(super) fn is_upkeep(&self) -> bool {
        match self {
            Self::SendOn(_) | Self::Join | Self::Refresh => true,
            Self::Nodes(_) | Self::Records(..) | Self::Publish(..) => false,
        }
    }
}

/// A lookup under way.
#[derive(Debug)]
pub(super) struct Running {
    lookup: Lookup,
    pub(super) purpose: Purpose,
    /// Of each owner the record that wins, of those seen so far.
    records: BTreeMap<PublicKey, Arc<CheckedRecord>>,
    /// What who has shown.
    shown: BTreeMap<NodeId, Shown>,
}

/// What one node has shown of a key.
#[derive(Debug, Clone, Default)]
struct Shown {
    ranks: BTreeMap<PublicKey, Rank>,
    pages: usize,
    is_whole: bool,
}

/// The content of a `dht_found`.
type FoundHere = (Vec<Arc<Node>>, Vec<Arc<CheckedRecord>>, bool);

impl Dht {
    /// Starts a lookup from what is known, or from the bootstrap contacts where nobody is.
    pub(super) fn start(&mut self, target: Point, purpose: Purpose, now: Timestamp) {
        let mut seeds = self.table.closest(target, self.config.k, Standing::Any);
        if matches!(purpose, Purpose::Join) || seeds.is_empty() {
            seeds.extend(self.bootstrap.iter().map(Arc::clone));
        }
        self.table.looked_up(target, now);
        let lookup = Lookup::new(target, self.own.id(), &self.config, seeds);
        let mut records = BTreeMap::new();
        if let Purpose::Records(_, key) = purpose {
            let (own, _) = self.slots.page(key, None, now);
            records.extend(own.into_iter().map(|record| (record.record().terms().owner, record)));
        }
        let search = self.next_operation;
        self.next_operation += 1;
        self.searches.insert(search, Running { lookup, purpose, records, shown: BTreeMap::new() });
        self.drive(search, now);
    }

    pub(super) fn handle_found(
        &mut self,
        search: u64,
        from: &Arc<Node>,
        (nodes, records, more): FoundHere,
        now: Timestamp,
    ) {
        let bounds = (self.config.found_max, self.config.ahead_limit);
        let Some(running) = self.searches.get_mut(&search) else { return };
        if let Purpose::Records(_, key) = running.purpose {
            let last = records.last().map(|record| record.record().terms().owner);
            running.collect(from.id(), key, &records, (bounds, now));
            let shown = running.shown.entry(from.id()).or_default();
            shown.pages += 1;
            shown.is_whole = !more;
            if let Some(last) = last.filter(|_| more && shown.pages < PAGES_MAX) {
                let question = Question::Get(key, Some(last));
                self.ask_for(search, Arc::clone(from), question, now);
                return;
            }
        }
        running.lookup.answered(from.id(), nodes);
        self.drive(search, now);
    }

    pub(super) fn handle_no_answer(&mut self, search: u64, from: NodeId, now: Timestamp) {
        if let Some(running) = self.searches.get_mut(&search) {
            running.lookup.failed(from);
            self.drive(search, now);
        }
    }

    pub(super) fn handle_late(&mut self, search: u64, from: NodeId, now: Timestamp) {
        if let Some(running) = self.searches.get_mut(&search) {
            running.lookup.late(from);
            self.drive(search, now);
        }
    }

    fn drive(&mut self, search: u64, now: Timestamp) {
        let Some(running) = self.searches.get_mut(&search) else { return };
        let question = match &running.purpose {
            Purpose::Records(_, key) => Question::Get(*key, None),
            Purpose::Nodes(_)
            | Purpose::Publish(..)
            | Purpose::SendOn(_)
            | Purpose::Join
            | Purpose::Refresh => Question::Find(running.lookup.target()),
        };
        let steps: Vec<_> = std::iter::from_fn(|| running.lookup.next_step()).collect();
        let is_over = steps.is_empty() && running.lookup.is_over();
        for step in steps {
            self.ask_for(search, step.node, question.clone(), now);
        }
        if is_over && let Some(running) = self.searches.remove(&search) {
            self.finish(running, now);
        }
    }

    fn finish(&mut self, running: Running, now: Timestamp) {
        let nodes = running.lookup.nearest();
        let hops = running.lookup.hops().unwrap_or_default();
        let effort = Effort { questions: running.lookup.questions(), hops };
        match &running.purpose {
            Purpose::Nodes(operation) => {
                let operation = *operation;
                self.event(Event::FoundNodes { operation, nodes, effort });
            }
            Purpose::Records(operation, _) => {
                let operation = *operation;
                self.repair(&running, &nodes, now);
                let records = running.records.into_values().collect();
                self.event(Event::FoundRecords { operation, records, effort });
            }
            Purpose::Publish(operation, record) => {
                self.publishing.insert(*operation, Publishing::default());
                self.spread(record, &nodes, Some(*operation), now);
                self.end_publishing(*operation);
            }
            Purpose::SendOn(record) => self.spread(record, &nodes, None, now),
            Purpose::Join => self.end_join(&nodes, now),
            Purpose::Refresh => {}
        }
    }

    /// Stores a record at the nodes nearest to it, this one included where it is one of them.
    fn spread(
        &mut self,
        record: &Arc<CheckedRecord>,
        nodes: &[Arc<Node>],
        operation: Option<OperationId>,
        now: Timestamp,
    ) {
        let key = record.record().key();
        let own = Distance::between(self.own.id(), key);
        let is_near = |node: &Arc<Node>| own < Distance::between(node.id(), key);
        if nodes.len() < self.config.k || nodes.last().is_some_and(is_near) {
            let is_stored =
                self.offer(record, now) == entity_wire::payload::dht::StoreOutcome::Stored;
            if let Some(publishing) = operation.and_then(|id| self.publishing.get_mut(&id)) {
                publishing.stored += usize::from(is_stored);
            }
        }
        for to in nodes {
            let (to, record) = (Arc::clone(to), Arc::clone(record));
            let is_taken = self.enqueue(Store { to, record, operation });
            if let Some(publishing) = operation.and_then(|id| self.publishing.get_mut(&id)) {
                publishing.waiting += usize::from(is_taken);
                publishing.refused += usize::from(!is_taken);
            }
        }
        self.send_stores(now);
    }

    /// Hands what was found to those of the nearest nodes that had nothing or something older, and keeps what is newer than
    /// what is stored here.
    fn repair(&mut self, running: &Running, nodes: &[Arc<Node>], now: Timestamp) {
        for record in running.records.values() {
            let place = (record.record().key(), record.record().terms().owner);
            if self.slots.slot(&place).is_some_and(|slot| slot.record.is_some()) {
                self.offer(record, now);
            }
        }
        let mut left = REPAIRS_MAX;
        for node in nodes {
            let Some(shown) = running.shown.get(&node.id()).filter(|shown| shown.is_whole) else {
                continue;
            };
            for (owner, record) in &running.records {
                let is_behind =
                    shown.ranks.get(owner).is_none_or(|rank| *rank < record.record().rank());
                // Of a key that more want than can have it, each storer keeps those that it has drawn.
                let is_full = shown.ranks.len() >= self.config.records_per_key_max;
                if left == 0 || !is_behind || is_full && !shown.ranks.contains_key(owner) {
                    continue;
                }
                left -= 1;
                let (to, record) = (Arc::clone(node), Arc::clone(record));
                self.enqueue(Store { to, record, operation: None });
            }
        }
        self.send_stores(now);
    }
}

impl Running {
    /// Takes what a node has shown: of each owner the record that wins stays.
    fn collect(
        &mut self,
        from: NodeId,
        key: RecordKey,
        records: &[Arc<CheckedRecord>],
        ((found_max, ahead), now): ((usize, std::time::Duration), Timestamp),
    ) {
        let shown = self.shown.entry(from).or_default();
        for record in records {
            let inner = record.record();
            // A record of another key, or one that does not hold any more or yet, is none.
            if inner.key() != key || !inner.holds_at(now, ahead) {
                continue;
            }
            let owner = inner.terms().owner;
            shown.ranks.insert(owner, inner.rank());
            match self.records.get(&owner) {
                Some(held) if held.record().rank() >= inner.rank() => {}
                None if self.records.len() >= found_max => {}
                Some(_) | None => {
                    self.records.insert(owner, Arc::clone(record));
                }
            }
        }
    }
}

/// Pages of records that one node is asked for.
const PAGES_MAX: usize = 16;

/// Records handed on after one lookup.
const REPAIRS_MAX: usize = 64;
