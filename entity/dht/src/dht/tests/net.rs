//! A few nodes in virtual time, every message 10 ms long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use entity_wire::payload::dht::{DhtMessage, NodeId, Point, RecordKey};
use entity_wire::time::Timestamp;

use super::config;
use crate::checked::{CheckedRecord, Ed25519};
use crate::config::Config;
use crate::dht::Dht;
use crate::testing::{START, node};
use crate::vocabulary::{Event, Inbound, OperationId, Output};

pub(super) struct Net {
    pub(super) now: Timestamp,
    pub(super) machines: BTreeMap<u16, Dht>,
    /// Under way, by when it comes: from whom, to whom, what.
    queue: BTreeMap<(Timestamp, u64), (u16, u16, DhtMessage)>,
    /// How many messages there were.
    pub(super) letters: Vec<(Timestamp, u16, u16, DhtMessage)>,
    pub(super) events: Vec<(u16, Event)>,
    numbers: BTreeMap<NodeId, u16>,
    seed: u8,
}

impl Net {
    pub(super) fn new(seed: u8) -> Self {
        Self {
            now: START,
            machines: BTreeMap::new(),
            queue: BTreeMap::new(),
            letters: Vec::new(),
            events: Vec::new(),
            numbers: BTreeMap::new(),
            seed,
        }
    }

    /// Nodes 1 to `count`, which have joined through node 1, one after the other.
    pub(super) fn grown(count: u16) -> Self {
        Self::grown_from(count, 0)
    }

    pub(super) fn grown_from(count: u16, seed: u8) -> Self {
        let mut net = Self::new(seed);
        net.add(1, config());
        for number in 2..=count {
            net.add(number, config());
            net.join(number, 1);
        }
        net
    }

    pub(super) fn add(&mut self, number: u16, config: Config) {
        let mut seed = [self.seed; 32];
        seed[1..3].copy_from_slice(&number.to_be_bytes());
        self.put(number, Dht::new(config, node(number), seed, self.now));
    }

    pub(super) fn put(&mut self, number: u16, machine: Dht) {
        self.numbers.insert(node(number).id(), number);
        self.machines.insert(number, machine);
    }

    pub(super) fn join(&mut self, number: u16, through: u16) {
        let now = self.now;
        self.machine(number).join([node(through)], now).unwrap();
        self.settle();
    }

    pub(super) fn kill(&mut self, number: u16) {
        self.machines.remove(&number);
    }

    pub(super) fn machine(&mut self, number: u16) -> &mut Dht {
        self.machines.get_mut(&number).unwrap()
    }

    /// Lets everything that is under way come to its end.
    pub(super) fn settle(&mut self) {
        self.run_for(Duration::from_secs(40));
    }

    pub(super) fn run_for(&mut self, span: Duration) {
        let end = self.now.plus(span);
        self.drain();
        loop {
            let letter = self.queue.keys().next().map(|(at, _)| *at);
            let deadline = self.machines.values().filter_map(Dht::next_deadline).min();
            let Some(next) = [letter, deadline].into_iter().flatten().min() else { break };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if letter.is_some_and(|at| at <= self.now) {
                let (_, (from, to, message)) = self.queue.pop_first().unwrap();
                self.deliver(from, to, message);
            } else {
                for machine in self.machines.values_mut() {
                    machine.handle_deadline(self.now);
                }
            }
            self.drain();
        }
        self.now = end;
    }

    fn deliver(&mut self, from: u16, to: u16, message: DhtMessage) {
        // As it is on the wire, and back.
        let read = DhtMessage::from_object(message.kind(), &message.to_object());
        let inbound = Inbound::check(read.unwrap().unwrap(), &Ed25519).unwrap();
        self.letters.push((self.now, from, to, message));
        let now = self.now;
        let Some(machine) = self.machines.get_mut(&to) else { return };
        match inbound {
            Inbound::Question(request, question) => {
                machine.handle_question(&node(from), request, question, now);
            }
            Inbound::Answer(request, answer) => {
                machine.handle_answer(node(from).id(), request, answer, now);
            }
            Inbound::Leave => machine.handle_leave(node(from).id(), now),
        }
    }

    fn drain(&mut self) {
        let arrives = self.now.plus(Duration::from_millis(10));
        for (number, machine) in &mut self.machines {
            while let Some(output) = machine.poll_output() {
                let (to, message) = match output {
                    Output::Ask { to, request, question } => (to, question.to_message(request)),
                    Output::Answer { to, request, answer } => (to, answer.to_message(request)),
                    Output::Leave { to } => (to, DhtMessage::Leave),
                    Output::Event(event) => {
                        self.events.push((*number, event));
                        continue;
                    }
                };
                let place = (arrives, self.letters.len() as u64 * 1_000 + self.queue.len() as u64);
                self.queue.insert(place, (*number, self.numbers[&to.id()], message));
            }
        }
    }

    pub(super) fn find_nodes(&mut self, number: u16, target: Point) -> Vec<u16> {
        let now = self.now;
        let begun = self.machine(number).find_nodes(target, now).unwrap();
        self.settle();
        let found = self.events.iter().find_map(|(at, event)| {
            let Event::FoundNodes { operation, nodes, .. } = event else { return None };
            let nodes = || nodes.iter().map(|node| self.numbers[&node.id()]).collect();
            ((*at, *operation) == (number, begun)).then(nodes)
        });
        found.unwrap()
    }

    pub(super) fn find_records(&mut self, number: u16, key: RecordKey) -> Vec<Arc<CheckedRecord>> {
        let now = self.now;
        let begun = self.machine(number).find_records(key, now).unwrap();
        self.settle();
        self.records_of(number, begun).unwrap()
    }

    fn records_of(&self, number: u16, begun: OperationId) -> Option<Vec<Arc<CheckedRecord>>> {
        self.events.iter().find_map(|(at, event)| {
            let Event::FoundRecords { operation, records, .. } = event else { return None };
            ((*at, *operation) == (number, begun)).then(|| records.clone())
        })
    }

    /// Publishes a record; says how many have it.
    pub(super) fn publish(&mut self, number: u16, record: &Arc<CheckedRecord>) -> usize {
        let now = self.now;
        let begun = self.machine(number).publish(Arc::clone(record), now).unwrap();
        self.settle();
        let stored = self.events.iter().find_map(|(at, event)| {
            let Event::Published { operation, stored, .. } = event else { return None };
            ((*at, *operation) == (number, begun)).then_some(*stored)
        });
        stored.unwrap()
    }

    /// Gives a record to one node only.
    pub(super) fn store_at(&mut self, number: u16, record: &Arc<CheckedRecord>) {
        let now = self.now;
        self.machine(number).offer(record, now);
    }

    /// Who stores records of a key.
    pub(super) fn holders(&self, key: RecordKey) -> Vec<u16> {
        self.versions(key).into_keys().collect()
    }

    /// The version of the first record of a key that each node stores.
    pub(super) fn versions(&self, key: RecordKey) -> BTreeMap<u16, u64> {
        let first = |machine: &Dht| {
            machine.stored(key).next().map(|record| record.record().terms().version.get())
        };
        let all = self.machines.iter();
        all.filter_map(|(number, machine)| Some((*number, first(machine)?))).collect()
    }
}
