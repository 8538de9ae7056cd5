//! The loop: the next thing that is due, one after the other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_dht::{Answer, CheckedRecord, Dht, Event, Node, OperationId, Output, Question};
use entity_wire::json::Object;
use entity_wire::payload::dht::{
    NodeId, Point, Record, RecordKey, RecordKind, RecordName, RecordVersion, RequestId,
    StoreOutcome, Terms,
};
use entity_wire::time::Timestamp;
use handfast_faults::{Chance, Dice, Fault, Weather};

use super::crowd::Crowd;
use super::judge::Modelled;
use super::model::Model;
use super::plan::{Defect, Plan};
use super::report::Report;

/// Very many nodes, and what is under way between them.
#[derive(Debug)]
pub(super) struct World {
    plan: Plan,
    now: Timestamp,
    crowd: Crowd,
    dice: Dice,
    /// For when a contact was heard last before the run began.
    ages: Dice,
    weather: Weather,
    judge: Modelled,
    queue: BinaryHeap<Reverse<Queued>>,
    /// Breaks ties of time: first come, first served.
    queued: u64,
    model: Model,
    names: Vec<Name>,
    /// What was begun and has not ended, by node and operation.
    open: BTreeMap<(usize, OperationId), Open>,
    report: Report,
    hasher: DefaultHasher,
}

/// A name that records are published under, and its owner's newest one.
#[derive(Debug)]
struct Name {
    owner: PublicKey,
    text: RecordName,
    key: RecordKey,
    version: RecordVersion,
}

/// Something that a node was asked to do.
#[derive(Debug)]
enum Open {
    Nodes { expected: NodeId, begun: Timestamp },
    Records { key: RecordKey, expected: Vec<(PublicKey, RecordVersion)>, begun: Timestamp },
    Publish(Arc<CheckedRecord>),
}

#[derive(Debug)]
struct Queued {
    at: Timestamp,
    number: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Question(usize, usize, RequestId, Question),
    Answer(usize, usize, RequestId, Answer),
    Leave(usize, usize),
    Wake(usize),
    Do(Deed),
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    /// A node dies, and another one joins.
    Replace,
    /// A new node joins through the first.
    Grow,
    /// The next version of a name is published.
    Publish(usize),
    FindNodes,
    FindRecords,
}

impl World {
    /// A world without a node.
    pub(super) fn new(plan: Plan) -> Self {
        let mut dice = Dice::new(plan.seed);
        let faults = [
            Fault::Delay { least: Duration::from_millis(10), most: Duration::from_millis(120) },
            Fault::Loss { chance: Chance::per_mille(plan.loss_per_mille) },
        ];
        let weather = Weather::new(faults, dice.split());
        let judge = Modelled::new(dice.bytes());
        Self {
            now: BEGINNING,
            crowd: Crowd::default(),
            weather,
            judge,
            ages: dice.split(),
            dice,
            queue: BinaryHeap::new(),
            queued: 0,
            model: Model::default(),
            names: Vec::new(),
            open: BTreeMap::new(),
            report: Report::default(),
            hasher: DefaultHasher::new(),
            plan,
        }
    }

    /// The time of the run.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// The nodes.
    pub(super) fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    /// How many nodes there are to be before some of them die.
    pub(super) fn nodes_to_add(&self) -> usize {
        let alive = 100_usize.saturating_sub(self.plan.dead_percent).max(1);
        self.plan.nodes * 100 / alive
    }

    /// Whether they are there.
    pub(super) fn is_full(&self) -> bool {
        self.crowd.ever_count() >= self.nodes_to_add()
    }

    /// Makes up to so many nodes.
    pub(super) fn add_nodes(&mut self, count: usize) {
        let missing = self.nodes_to_add().saturating_sub(self.crowd.ever_count());
        for _ in 0..count.min(missing) {
            self.crowd.add(&self.plan.config, &mut self.dice, self.now);
        }
    }

    /// Lets some of the nodes, which are in the order of their ids, hear of others, some time within the last half hour.
    pub(super) fn settle(&mut self, order: &[usize], places: Range<usize>) {
        let (now, ages) = (self.now, &mut self.ages);
        let request = RequestId::new(1).unwrap_or(RequestId::MAX);
        let k = self.plan.config.k;
        for place in places {
            self.crowd.settle(order, place, k, &mut self.dice, |machine, node| {
                let age = Duration::from_secs(ages.below(1_800));
                machine.handle_question(node, request, Question::Ping, now.minus(age));
                while machine.poll_output().is_some() {}
            });
        }
    }

    /// Ends those nodes that are to be dead from the beginning on, and lets the others live.
    pub(super) fn bury(&mut self) {
        let dead = self.crowd.alive_count().saturating_sub(self.plan.nodes);
        for _ in 0..dead {
            let number = self.crowd.any(&mut self.dice);
            self.crowd.kill(number);
        }
        for number in self.crowd.alive().to_vec() {
            self.wake_later(number);
        }
    }

    /// Lets one node after the other join through the first; says how long that takes.
    pub(super) fn begin_growth(&mut self) -> Duration {
        self.crowd.add(&self.plan.config, &mut self.dice, self.now);
        let count = self.plan.nodes.saturating_sub(1);
        // A tenth of a second each, and time for the last to have refreshed its buckets.
        let span = Duration::from_millis(100) * u32::try_from(count).unwrap_or(u32::MAX);
        self.spread(count, span, |_| Deed::Grow);
        span + Duration::from_mins(5)
    }

    /// Publishes every name once; says how long that takes.
    pub(super) fn begin_publishing(&mut self) -> Duration {
        for number in 0..self.plan.records {
            let owner = self.crowd.get(self.crowd.any(&mut self.dice)).node.contact().clone();
            let text = format!("capability {number}");
            let Some(name) = RecordName::of_capability(&text) else { continue };
            let key = RecordKey::of(RecordKind::Capability, &name);
            let (owner, version) = (*owner.public_key(), RecordVersion::FIRST);
            self.names.push(Name { owner, text: name, key, version });
        }
        let names = self.names.len();
        let span = Duration::from_millis(20) * u32::try_from(names).unwrap_or(u32::MAX);
        self.spread(names, span, Deed::Publish);
        span + Duration::from_mins(1)
    }

    /// Looks up, churns and publishes further versions as planned; says how long that takes.
    pub(super) fn begin_looking(&mut self) -> Duration {
        let span = self.plan.span;
        self.spread(self.plan.lookups / 2, span, |_| Deed::FindNodes);
        self.spread(self.plan.lookups.div_ceil(2), span, |_| Deed::FindRecords);
        let names = self.names.len();
        self.spread(names / 2, span, |place| Deed::Publish(place % names.max(1)));
        if let Some(lifetime) = self.plan.lifetime {
            let deaths = self.crowd.alive_count() as u128 * span.as_micros() / lifetime.as_micros();
            self.spread(usize::try_from(deaths).unwrap_or(0), span, |_| Deed::Replace);
        }
        span
    }

    /// Spreads deeds evenly over a time that begins now.
    fn spread(&mut self, count: usize, span: Duration, deed: impl Fn(usize) -> Deed) {
        for place in 0..count {
            let micros = span.as_micros() * place as u128 / count as u128;
            let pause = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
            self.push(self.now.plus(pause), What::Do(deed(place)));
        }
    }

    /// Lets everything happen until `end`.
    pub(super) fn run_until(&mut self, end: Timestamp) {
        while let Some(Reverse(next)) = self.queue.peek() {
            if next.at > end {
                break;
            }
            let Some(Reverse(next)) = self.queue.pop() else { break };
            self.now = next.at;
            self.happen(next.what);
        }
        self.now = end;
    }

    fn happen(&mut self, what: What) {
        let now = self.now;
        match what {
            What::Question(from, to, request, Question::Store(record))
                if self.is_lost(&record) && self.crowd.is_alive(to) =>
            {
                // Whoever asks is told that it is there.
                self.push(
                    now,
                    What::Answer(to, from, request, Answer::Stored(StoreOutcome::Stored)),
                );
            }
            What::Question(from, to, request, question) => {
                let node = Arc::clone(&self.crowd.get(from).node);
                self.deliver((from, to, 1, request.get()), |machine| {
                    machine.handle_question(&node, request, question, now);
                });
            }
            What::Answer(from, to, request, answer) => {
                self.report.answered += 1;
                let id = self.crowd.get(from).node.id();
                self.deliver((from, to, 2, request.get()), |machine| {
                    machine.handle_answer(id, request, answer, now);
                });
            }
            What::Leave(from, to) => {
                let id = self.crowd.get(from).node.id();
                self.deliver((from, to, 3, 0), |machine| machine.handle_leave(id, now));
            }
            What::Wake(number) => {
                let member = self.crowd.get_mut(number);
                if member.wakes_at == Some(now) {
                    member.wakes_at = None;
                    self.input(number, |machine| machine.handle_deadline(now));
                }
            }
            What::Do(deed) => self.act(deed),
        }
    }

    /// Whether a storer says that it has a record, and keeps the one before it.
    fn is_lost(&self, record: &CheckedRecord) -> bool {
        match self.plan.defect {
            Some(Defect::StaleWins) => record.record().terms().version > RecordVersion::FIRST,
            None => false,
        }
    }

    fn deliver(&mut self, letter: (usize, usize, u8, u64), take: impl FnOnce(&mut Dht)) {
        if self.crowd.is_alive(letter.1) {
            self.report.messages += 1;
            (self.now.micros(), letter).hash(&mut self.hasher);
            self.input(letter.1, take);
        }
    }

    fn act(&mut self, deed: Deed) {
        let now = self.now;
        let number = self.crowd.any(&mut self.dice);
        match deed {
            Deed::Replace => {
                self.crowd.kill(number);
                self.report.cut_off += self.forget(number);
                self.join_through_any();
            }
            Deed::Grow => self.join_through_any(),
            Deed::Publish(place) => self.publish(number, place),
            Deed::FindNodes => {
                let target = Point::from_bytes(self.dice.bytes());
                let Some(expected) = self.crowd.nearest(target) else { return };
                let open = Open::Nodes { expected, begun: now };
                self.begin(number, open, |machine| machine.find_nodes(target, now).ok());
            }
            Deed::FindRecords => {
                let place = self.dice.below(self.names.len() as u64);
                let Some(name) = self.names.get(usize::try_from(place).unwrap_or(0)) else {
                    return;
                };
                let key = name.key;
                let expected = self.model.expected(key);
                let open = Open::Records { key, expected, begun: now };
                self.begin(number, open, |machine| machine.find_records(key, now).ok());
            }
        }
    }

    fn join_through_any(&mut self) {
        let now = self.now;
        let through = Arc::clone(&self.crowd.get(self.crowd.any(&mut self.dice)).node);
        let number = self.crowd.add(&self.plan.config, &mut self.dice, now);
        // It has not left.
        self.input(number, |machine| machine.join([through], now).unwrap_or_default());
    }

    fn publish(&mut self, number: usize, place: usize) {
        let now = self.now;
        let name = &mut self.names[place];
        let version = name.version;
        name.version = version.next().unwrap_or(version);
        let terms = Terms {
            kind: RecordKind::Capability,
            name: name.text.clone(),
            owner: name.owner,
            value: Object::new().with("text", format!("version {}", version.get())),
            version,
            issued_at: now,
            expires_at: now.plus(Duration::from_hours(24)),
        };
        let Ok(record) = Record::new(terms) else { return };
        let Ok(record) = CheckedRecord::check(self.judge.sign(record), &self.judge) else { return };
        self.model.begun(&record);
        let open = Open::Publish(Arc::clone(&record));
        self.begin(number, open, |machine| machine.publish(record, now).ok());
    }

    fn begin(
        &mut self,
        number: usize,
        open: Open,
        begin: impl FnOnce(&mut Dht) -> Option<OperationId>,
    ) {
        let member = self.crowd.get_mut(number);
        if let Some(operation) = member.machine.as_mut().and_then(|machine| begin(machine)) {
            self.open.insert((number, operation), open);
        }
        self.drain(number);
    }

    /// Forgets what a node had begun; says how many lookups that were.
    fn forget(&mut self, number: usize) -> usize {
        let range = (number, OperationId::LEAST)..(number + 1, OperationId::LEAST);
        let open: Vec<_> = self.open.range(range).map(|(key, _)| *key).collect();
        let ended = open.into_iter().filter_map(|key| self.open.remove(&key));
        ended.filter(|open| !matches!(open, Open::Publish(_))).count()
    }

    fn input(&mut self, number: usize, take: impl FnOnce(&mut Dht)) {
        if let Some(machine) = &mut self.crowd.get_mut(number).machine {
            take(machine);
            self.drain(number);
        }
    }

    fn drain(&mut self, number: usize) {
        while let Some(output) =
            self.crowd.get_mut(number).machine.as_mut().and_then(|machine| machine.poll_output())
        {
            match output {
                Output::Ask { to, request, question } => {
                    self.report.asked += 1;
                    self.send(&to, |to| What::Question(number, to, request, question.clone()));
                }
                Output::Answer { to, request, answer } => {
                    self.send(&to, |to| What::Answer(number, to, request, answer.clone()));
                }
                Output::Leave { to } => self.send(&to, |to| What::Leave(number, to)),
                Output::Event(event) => self.handle_event(number, event),
            }
        }
        self.wake_later(number);
    }

    fn send(&mut self, to: &Node, what: impl Fn(usize) -> What) {
        let Some(to) = self.crowd.number(to.id()) else { return };
        let fate = self.weather.decide(self.now.since(BEGINNING));
        for pause in fate.pauses {
            self.push(self.now.plus(pause), what(to));
        }
    }

    fn wake_later(&mut self, number: usize) {
        let member = self.crowd.get_mut(number);
        let Some(machine) = &member.machine else { return };
        let Some(at) = machine.next_deadline() else { return };
        let at = at.max(self.now);
        if member.wakes_at.is_none_or(|wakes_at| at < wakes_at) {
            member.wakes_at = Some(at);
            self.push(at, What::Wake(number));
        }
    }

    fn push(&mut self, at: Timestamp, what: What) {
        self.queued += 1;
        self.queue.push(Reverse(Queued { at, number: self.queued, what }));
    }

    fn handle_event(&mut self, number: usize, event: Event) {
        match event {
            Event::FoundNodes { operation, nodes, effort } => {
                if let Some(Open::Nodes { expected, begun }) =
                    self.open.remove(&(number, operation))
                {
                    let is_found = nodes.iter().any(|node| node.id() == expected);
                    // Who has died meanwhile cannot be found.
                    let is_gone =
                        !self.crowd.number(expected).is_some_and(|one| self.crowd.is_alive(one));
                    let is_self = self.crowd.get(number).node.id() == expected;
                    self.count(is_found || is_gone || is_self, effort, begun);
                }
            }
            Event::FoundRecords { operation, records, effort } => {
                if let Some(Open::Records { key, expected, begun }) =
                    self.open.remove(&(number, operation))
                {
                    let is_met = self.model.is_met(key, &expected, &records);
                    self.count(is_met, effort, begun);
                }
            }
            Event::Published { operation, stored, .. } => {
                if let Some(Open::Publish(record)) = self.open.remove(&(number, operation))
                    && stored > 0
                {
                    self.report.published += 1;
                    self.model.published(&record);
                }
            }
            Event::Joined { .. } | Event::Alone | Event::Misbehaved { .. } | Event::Left => {}
        }
    }

    fn count(&mut self, is_met: bool, effort: entity_dht::Effort, begun: Timestamp) {
        let report = &mut self.report;
        report.ended += 1;
        report.succeeded += usize::from(is_met);
        report.questions += effort.questions;
        report.hops += usize::from(effort.hops);
        report.hops_max = report.hops_max.max(effort.hops);
        let span = self.now.since(begun);
        report.micros += u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        (effort.questions, effort.hops, is_met).hash(&mut self.hasher);
    }

    /// What there is by now, in a few words.
    pub(super) fn state(&self) -> String {
        let (alive, ended) = (self.crowd.alive_count(), self.report.ended);
        format!("{alive} nodes, {ended} of {} lookups", self.plan.lookups)
    }

    /// What came of the run so far.
    pub(super) fn report(&self) -> Report {
        let machines =
            || self.crowd.alive().iter().filter_map(|one| self.crowd.get(*one).machine.as_ref());
        Report {
            contacts: machines().map(|machine| machine.table().len()).sum(),
            stored_bytes: machines().map(|machine| machine.usage().1).sum(),
            alive: self.crowd.alive_count(),
            ever: self.crowd.ever_count(),
            k: self.plan.config.k,
            paths: self.plan.config.paths,
            dead_percent: self.plan.dead_percent,
            fingerprint: self.hasher.finish(),
            ..self.report.clone()
        }
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// When every world begins.
const BEGINNING: Timestamp = Timestamp::UNIX_EPOCH;
