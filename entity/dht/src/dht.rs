//! One node of the table.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use entity_crypto::entropy::Entropy;
use entity_journal::{Record, Write};
use entity_wire::payload::dht::{NodeId, Point, RecordKey, RequestId, StoreOutcome};
use entity_wire::time::Timestamp;

use crate::checked::CheckedRecord;
use crate::config::Config;
use crate::kept::{DamagedRecord, Kept};
use crate::node::Node;
use crate::rates::Rates;
use crate::slots::Slots;
use crate::table::{Heard, Table};
use crate::vocabulary::{BeginError, Event, OperationId, Output};

mod answering;
mod asking;
mod leaving;
mod searching;
mod upkeep;

use asking::{Asked, Store};
use searching::{Purpose, Running};

/// A node of the distributed hash table.
///
/// The caller owes that whoever is said to have asked or answered did so in a session under its key, which also proved
/// its address, and that records were checked ([`CheckedRecord`]). Outputs are carried out in order, after the writes of
/// the same input are durable.
#[derive(Debug)]
pub struct Dht {
    config: Config,
    own: Arc<Node>,
    table: Table,
    slots: Slots,
    rates: Rates,
    entropy: Entropy,
    phase: Phase,
    /// Who is asked where the table knows nobody.
    bootstrap: Vec<Arc<Node>>,
    rejoin_at: Option<Timestamp>,
    /// When anybody was heard last.
    heard_at: Timestamp,

    searches: BTreeMap<u64, Running>,
    asked: BTreeMap<RequestId, Asked>,
    deadlines: BTreeSet<(Timestamp, RequestId)>,
    stores: VecDeque<Store>,
    stores_in_flight: usize,
    publishing: BTreeMap<OperationId, Publishing>,
    /// Points to be looked up when there is time.
    refreshes: VecDeque<Point>,
    next_operation: u64,
    next_request: u64,

    save_at: Option<Timestamp>,
    saved: BTreeSet<NodeId>,
    writes: Vec<Write>,
    outputs: VecDeque<Output>,
}

/// How far the life of a node has come.
#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Here,
    Leaving { left: Vec<Arc<CheckedRecord>>, by: Timestamp },
    Left,
}

/// A record that is being published.
#[derive(Debug, Clone, Copy, Default)]
struct Publishing {
    waiting: usize,
    stored: usize,
    refused: usize,
}

impl Dht {
    /// Makes a node that knows nobody. `seed` is secret, and another one for each node.
    pub fn new(config: Config, own: Arc<Node>, seed: [u8; 32], now: Timestamp) -> Self {
        let mut entropy = Entropy::from_seed(seed);
        let config = Config { k: config.k.clamp(1, K_MAX), ..config };
        // Sessions outlive a restart, and a request is used once within one.
        let next_request = u64::from_be_bytes(entropy.bytes()) >> 16;
        Self {
            table: Table::new(own.id(), &config, now),
            slots: Slots::new(entropy.bytes()),
            config,
            own,
            rates: Rates::default(),
            entropy,
            phase: Phase::Here,
            bootstrap: Vec::new(),
            rejoin_at: None,
            heard_at: now,
            searches: BTreeMap::new(),
            asked: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            stores: VecDeque::new(),
            stores_in_flight: 0,
            publishing: BTreeMap::new(),
            refreshes: VecDeque::new(),
            next_operation: 1,
            next_request,
            save_at: None,
            saved: BTreeSet::new(),
            writes: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Goes on with what was kept: records of [`crate::SPACE`]. It rejoins by itself, without a bootstrap contact.
    ///
    /// # Errors
    ///
    /// A record is damaged.
    pub fn restore(
        config: Config,
        own: Arc<Node>,
        seed: [u8; 32],
        records: impl IntoIterator<Item = Record>,
        now: Timestamp,
    ) -> Result<Self, DamagedRecord> {
        let mut dht = Self::new(config, own, seed, now);
        for record in records {
            match Kept::read(&record)? {
                Kept::Contact { node, heard_at } => {
                    dht.saved.insert(node.id());
                    dht.table.saved(&node, heard_at);
                }
                Kept::Slot { place, won, forget_at, record } => {
                    let send_on_at = dht.send_on_at(now);
                    dht.slots.restore(place, (won, forget_at, record), send_on_at);
                }
            }
        }
        if !dht.table.is_empty() {
            dht.rejoin_at = Some(now);
        }
        Ok(dht)
    }

    /// Names contacts to begin with, and looks for the own id through them.
    ///
    /// # Errors
    ///
    /// The node has left.
    pub fn join(
        &mut self,
        bootstrap: impl IntoIterator<Item = Arc<Node>>,
        now: Timestamp,
    ) -> Result<(), BeginError> {
        self.check_here()?;
        let own = self.own.id();
        for node in bootstrap.into_iter().filter(|node| node.id() != own) {
            if self.bootstrap.len() < self.config.bootstrap_max
                && !self.bootstrap.iter().any(|held| held.id() == node.id())
            {
                self.bootstrap.push(node);
            }
        }
        self.start_join(now);
        Ok(())
    }

    /// Looks for the nodes nearest to a point.
    ///
    /// # Errors
    ///
    /// A bound is reached, or the node has left.
    pub fn find_nodes(&mut self, target: Point, now: Timestamp) -> Result<OperationId, BeginError> {
        let operation = self.begin()?;
        self.start(target, Purpose::Nodes(operation), now);
        Ok(operation)
    }

    /// Looks for the records of a key, of whatever owners.
    ///
    /// # Errors
    ///
    /// A bound is reached, or the node has left.
    pub fn find_records(
        &mut self,
        key: RecordKey,
        now: Timestamp,
    ) -> Result<OperationId, BeginError> {
        let operation = self.begin()?;
        self.start(key.into(), Purpose::Records(operation, key), now);
        Ok(operation)
    }

    /// Stores a record at the nodes nearest to its key.
    ///
    /// # Errors
    ///
    /// The record does not hold now, a bound is reached, or the node has left.
    pub fn publish(
        &mut self,
        record: Arc<CheckedRecord>,
        now: Timestamp,
    ) -> Result<OperationId, BeginError> {
        if !record.record().holds_at(now, self.config.ahead_limit) {
            return Err(BeginError::Expired);
        }
        let operation = self.begin()?;
        let target = record.record().key().into();
        self.start(target, Purpose::Publish(operation, record), now);
        Ok(operation)
    }

    /// The next thing to carry out.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What is to be kept before anything that came out since is carried out.
    pub fn take_writes(&mut self) -> Vec<Write> {
        for place in self.slots.take_changed() {
            if self.config.keeps {
                self.writes.push(Kept::write_slot(place, self.slots.slot(&place)));
            }
        }
        std::mem::take(&mut self.writes)
    }

    /// This node.
    pub fn own(&self) -> &Arc<Node> {
        &self.own
    }

    /// Who is known.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The records stored here for a key, ascending by owner.
    pub fn stored(&self, key: RecordKey) -> impl Iterator<Item = &Arc<CheckedRecord>> {
        self.slots.records(key)
    }

    /// How many slots are in use, and the bytes of the records in them.
    pub fn usage(&self) -> (usize, usize) {
        self.slots.usage()
    }

    /// How many lookups and how many questions are under way.
    pub fn under_way(&self) -> (usize, usize) {
        (self.searches.len(), self.asked.len())
    }

    /// Whether the node has left, so that nothing will come out of it any more.
    pub fn has_left(&self) -> bool {
        self.phase == Phase::Left
    }

    fn check_here(&self) -> Result<(), BeginError> {
        if self.phase == Phase::Here { Ok(()) } else { Err(BeginError::Left) }
    }

    fn begin(&mut self) -> Result<OperationId, BeginError> {
        self.check_here()?;
        let max = self.config.lookups_max;
        if self.searches.len() >= max {
            return Err(BeginError::TooMany { max });
        }
        let operation = OperationId(self.next_operation);
        self.next_operation += 1;
        Ok(operation)
    }

    /// Takes a sign of life of a node with which there is a session.
    fn hear(&mut self, node: &Arc<Node>, now: Timestamp) {
        self.heard_at = now;
        match self.table.heard(node, now) {
            Heard::Known | Heard::Kept | Heard::Waits(None) => {}
            Heard::Added => self.save_soon(now),
            Heard::Waits(Some(oldest)) => self.ping(oldest, now),
        }
    }

    fn offer(&mut self, record: &Arc<CheckedRecord>, now: Timestamp) -> StoreOutcome {
        let send_on_at = self.send_on_at(now);
        self.slots.offer(record, send_on_at, (&self.config, now))
    }

    fn save_soon(&mut self, now: Timestamp) {
        if self.config.keeps {
            self.save_at.get_or_insert(now.plus(self.config.save_after));
        }
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// More contacts than a message has room for are of no use.
const K_MAX: usize = entity_wire::payload::dht::CONTACTS_MAX;

#[cfg(test)]
mod tests;
