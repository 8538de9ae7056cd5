//! The machines of a scenario, what is between them, and the time.
//!
//! It is told what to do and says what happened: [`Field::noted`]. What becomes of a message decides a [`Line`]; that
//! nothing leaves a machine before what it rests on is kept decides the [`Machine`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use entity_contract::{Answer, Look, Outcome, RpcError};
use entity_peer::output::{Delivery, FailureKind, IoOutcome, PeerEvent, Request, Transmit};
use entity_peer::{CommandId, Config, Output, Peer};
use handfast_faults::{Conditions, Dice, Direction, HoldId, Link};
use handfast_scenario::event::WireTaken;

use super::link::{Line, Passed};
use super::tap::{Fate, Tap};
use crate::machine::{Machine, PowerFailed, Waiting};
use crate::network::{Exchange, Packet};

/// Things that happen in a run at most: what takes more does not come to rest.
pub(super) const STEPS_MAX: u64 = 3_000_000;

/// How long after the end of a process whoever is connected with it sees that.
const CLOSED_AFTER: Duration = Duration::from_millis(1);

/// What happened, in order.
#[derive(Debug)]
pub(super) enum Noted {
    /// A peer told something.
    Told(usize, PeerEvent),
    /// A request over the contract was answered; nothing where its peer is gone.
    Answered(u64, Option<Outcome>),
    /// An exchange between two peers is over.
    Exchanged(Exchanged),
}

/// An exchange between two peers that is over.
#[derive(Debug)]
pub(super) struct Exchanged {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Its number in its direction, from 1.
    pub(super) number: u64,
    /// Whether it is a frame.
    pub(super) is_frame: bool,
    pub(super) request: Bytes,
    /// What was delivered in its place, if a rule has changed it.
    pub(super) delivered: Option<Bytes>,
    pub(super) answer: Option<(u16, Bytes)>,
    /// What the rules of the wire did to it.
    pub(super) taken: WireTaken,
}

/// Machines, links and time.
#[derive(Debug)]
pub(super) struct Field {
    now: Duration,
    machines: Vec<Machine>,
    addresses: Vec<String>,
    lines: BTreeMap<(usize, usize), Line>,
    /// What comes at which time.
    due: BTreeMap<(Duration, u64), Due>,
    deadlines: BTreeSet<(Duration, usize)>,
    deadline_of: Vec<Option<Duration>>,
    /// What waits for a machine that is paused.
    paused: BTreeMap<usize, Vec<Due>>,
    open: BTreeMap<Exchange, Sent>,
    sent: BTreeMap<(usize, usize), u64>,
    /// What peers were asked for and have not answered.
    asked: BTreeMap<u64, (usize, Answer)>,
    looks: Vec<(u64, usize, Look)>,
    noted: VecDeque<Noted>,
    tap: Tap,
    disk: Duration,
    order: u64,
    steps: u64,
    flows: u64,
}

/// A request that is under way.
#[derive(Debug)]
struct Sent {
    to: usize,
    number: u64,
    is_frame: bool,
    body: Option<Bytes>,
    delivered: Option<Bytes>,
    taken: WireTaken,
}

impl Sent {
    fn new(to: usize, number: u64, is_frame: bool, body: Option<Bytes>) -> Self {
        Self { to, number, is_frame, body, delivered: None, taken: WireTaken::Passed }
    }
}

/// Something that comes at its time.
#[derive(Debug)]
enum Due {
    /// Packets of a message are sent, for the first time or again.
    Sends {
        from: usize,
        to: usize,
        packet: Packet,
        left: u32,
        tries: u32,
        flow: u64,
    },
    Arrives {
        from: usize,
        to: usize,
        packet: Packet,
    },
    TimeUp(Exchange),
    /// The connection of an exchange broke.
    Broke(Exchange),
    /// A rule answers it.
    Responded(Exchange, u16, Bytes),
    Written(usize, u32),
    Done(usize, u32, Box<IoOutcome>),
    /// A request over the contract.
    Asked(u64, usize, Box<entity_contract::Request>),
}

/// A law of every run that does not hold, in words.
pub(super) type Broken = String;

impl Field {
    /// Machines that are off, with clear links between all of them.
    pub(super) fn new(configs: Vec<Config>, seed: u64, dice: &mut Dice) -> Self {
        let names: Vec<String> = configs.iter().map(|config| config.id.to_string()).collect();
        let mut lines = BTreeMap::new();
        for (from, name) in names.iter().enumerate() {
            for (to, other) in names.iter().enumerate().filter(|(to, _)| *to != from) {
                let line = Line::new(seed, format!("{name} -> {other}"), dice.split());
                lines.insert((from, to), line);
            }
        }
        let disk = [0, 200, 5_000][usize::try_from(dice.below(3)).unwrap_or(0)];
        let machines: Vec<Machine> =
            configs.into_iter().map(|config| Machine::new(config, 0, dice.split())).collect();
        Self {
            now: Duration::ZERO,
            deadline_of: vec![None; machines.len()],
            machines,
            addresses: names.iter().map(|name| address_of(name)).collect(),
            lines,
            due: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            paused: BTreeMap::new(),
            open: BTreeMap::new(),
            sent: BTreeMap::new(),
            asked: BTreeMap::new(),
            looks: Vec::new(),
            noted: VecDeque::new(),
            tap: Tap::default(),
            disk: Duration::from_micros(disk),
            order: 0,
            steps: 0,
            flows: 0,
        }
    }

    /// The time since the start of the run.
    pub(super) fn now(&self) -> Duration {
        self.now
    }

    /// One of its machines.
    pub(super) fn machine(&self, at: usize) -> &Machine {
        &self.machines[at]
    }

    /// The next thing that happened and was not taken yet.
    pub(super) fn noted(&mut self) -> Option<Noted> {
        self.noted.pop_front()
    }

    /// Things that have happened so far.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// When the next thing happens.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let due = self.due.keys().next().map(|(at, _)| *at);
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        due.into_iter().chain(deadline).min()
    }

    /// Lets the time come to `now`, at most to the next thing that happens.
    pub(super) fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// Does the one thing that is due, if one is.
    pub(super) fn step(&mut self) -> Result<(), Broken> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(format!(
                "after {STEPS_MAX} things that happened it has not come to an end"
            ));
        }
        if self.due.keys().next().is_some_and(|(at, _)| *at <= self.now)
            && let Some((_, due)) = self.due.pop_first()
        {
            return self.happens(due);
        }
        match self.deadlines.first() {
            Some((due, at)) if *due <= self.now => {
                let at = *at;
                self.input(at, Peer::handle_deadline).map(drop)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Switches a machine on with what it kept.
    pub(super) fn start(&mut self, at: usize) -> Result<(), Broken> {
        let now = self.now;
        let started = self.machines[at].start(now);
        started.map_err(|error| format!("{} starts: {error}", self.addresses[at]))?;
        self.input(at, |_, _| ()).map(drop)
    }

    /// Takes the power of a machine: what is not on its disk is gone.
    pub(super) fn kill(&mut self, at: usize) {
        self.machines[at].crash();
        self.ended(at);
    }

    /// Ends a machine in order.
    pub(super) fn stop(&mut self, at: usize) {
        self.machines[at].stop();
        self.ended(at);
    }

    /// Lets a machine stand still: what comes for it waits.
    pub(super) fn pause(&mut self, at: usize) {
        self.paused.entry(at).or_default();
        self.note_deadline(at);
    }

    /// Lets it go on.
    pub(super) fn resume(&mut self, at: usize) {
        for due in self.paused.remove(&at).into_iter().flatten() {
            self.set(self.now, due);
        }
        self.note_deadline(at);
    }

    /// Changes what one direction is like.
    pub(super) fn set_conditions(&mut self, from: usize, to: usize, conditions: Conditions) {
        if let Some(line) = self.lines.get_mut(&(from, to)) {
            line.set(conditions, self.now);
        }
    }

    /// Asks a peer for something over the contract; it is answered as [`Noted::Answered`].
    pub(super) fn ask(&mut self, number: u64, at: usize, request: entity_contract::Request) {
        if self.machines[at].is_on() {
            self.set(self.now, Due::Asked(number, at, Box::new(request)));
        } else {
            self.noted.push_back(Noted::Answered(number, None));
        }
    }

    /// The messages that have left their sender and are neither answered nor given up.
    pub(super) fn under_way(&self) -> Vec<Exchange> {
        let messages = self.open.iter().filter(|(_, sent)| sent.body.is_some());
        messages.map(|(exchange, _)| *exchange).collect()
    }

    /// Whether this is one of them.
    pub(super) fn is_under_way(&self, exchange: &Exchange) -> bool {
        self.open.contains_key(exchange)
    }

    /// Nobody waits for an answer any more.
    pub(super) fn forget(&mut self, number: u64) {
        self.asked.remove(&number);
        self.looks.retain(|(look, ..)| *look != number);
    }

    fn happens(&mut self, due: Due) -> Result<(), Broken> {
        if let Some(waiting) = self.paused.get_mut(&owner(&due)) {
            waiting.push(due);
            return Ok(());
        }
        match due {
            Due::Sends { from, to, packet, left, tries, flow } => {
                self.passes(from, to, packet, left, tries, flow)
            }
            Due::Arrives { from, to, packet } => self.arrives(from, to, packet),
            Due::TimeUp(exchange) => {
                self.settle(exchange, Delivery::Failed { kind: FailureKind::TimedOut })
            }
            Due::Broke(exchange) => {
                self.settle(exchange, Delivery::Failed { kind: FailureKind::Broken })
            }
            Due::Responded(exchange, status, body) => {
                self.settle(exchange, Delivery::Answered { status, body })
            }
            Due::Written(at, life) if self.machines[at].life == life => {
                self.machines[at].write();
                self.release(at)
            }
            Due::Done(at, life, outcome) if self.machines[at].life == life => {
                self.input(at, |peer, now| peer.handle_io(*outcome, now)).map(drop)
            }
            Due::Written(..) | Due::Done(..) => Ok(()),
            Due::Asked(number, at, request) => self.begin(number, at, *request),
        }
    }

    fn begin(
        &mut self,
        number: u64,
        at: usize,
        request: entity_contract::Request,
    ) -> Result<(), Broken> {
        if !self.machines[at].is_on() {
            self.noted.push_back(Noted::Answered(number, None));
            return Ok(());
        }
        match request {
            entity_contract::Request::Command(command, answer) => {
                self.asked.insert(number, (at, answer));
                let give = |peer: &mut Peer, now| {
                    peer.handle_command(CommandId(number), *command, now);
                };
                self.input(at, give).map(drop)
            }
            entity_contract::Request::Look(look) => {
                self.looks.push((number, at, look));
                self.show(at);
                Ok(())
            }
        }
    }

    fn passes(
        &mut self,
        from: usize,
        to: usize,
        packet: Packet,
        left: u32,
        tries: u32,
        flow: u64,
    ) -> Result<(), Broken> {
        let Some(line) = self.lines.get_mut(&(from, to)) else { return Ok(()) };
        match line.pass(left, tries, flow, self.now) {
            Passed::By(at) => self.set(at, Due::Arrives { from, to, packet }),
            Passed::Again(left, at) => {
                let again = Due::Sends { from, to, packet, left, tries: tries + 1, flow };
                self.set(at, again);
            }
            // Whoever waits finds out by his own limit.
            Passed::GivenUp => {}
            Passed::Reset => {
                let (Packet::Request(exchange, _)
                | Packet::Answer(exchange, ..)
                | Packet::Refused(exchange)) = packet;
                return self.settle(exchange, Delivery::Failed { kind: FailureKind::Broken });
            }
        }
        Ok(())
    }

    fn arrives(&mut self, from: usize, to: usize, packet: Packet) -> Result<(), Broken> {
        match packet {
            Packet::Request(exchange, _) if !self.machines[to].is_on() => {
                self.send(to, from, Packet::Refused(exchange));
                Ok(())
            }
            Packet::Request(exchange, None) => {
                self.send(to, from, Packet::Answer(exchange, 200, Bytes::new()));
                Ok(())
            }
            Packet::Request(exchange, Some(body)) => {
                // An envelope is an object; no kind of frame is a brace.
                let is_envelope = body.first() == Some(&b'{');
                let reply = self.input(to, |peer, now| {
                    if is_envelope {
                        peer.handle_message(&body, now)
                    } else {
                        peer.handle_frame(&body, now)
                    }
                })?;
                if let Some(reply) = reply {
                    self.machines[to].answer(exchange, reply.status, reply.body.into());
                    self.release(to)?;
                }
                Ok(())
            }
            Packet::Answer(exchange, status, body) => self.answered(exchange, status, body),
            Packet::Refused(exchange) => {
                self.settle(exchange, Delivery::Failed { kind: FailureKind::Refused })
            }
        }
    }

    /// An answer has come as far as the rules of the wire.
    fn answered(&mut self, exchange: Exchange, status: u16, body: Bytes) -> Result<(), Broken> {
        let unchanged = |body| Delivery::Answered { status, body };
        let Some(sent) = self.open.get_mut(&exchange) else { return Ok(()) };
        let Some(request) = &sent.body else { return self.settle(exchange, unchanged(body)) };
        let link = link(&self.machines, exchange.from, sent.to);
        let which = (&link, Direction::Response);
        let (fate, taken) = self.tap.judge(which, sent.number, (request, &body));
        if taken != WireTaken::Passed {
            sent.taken = taken;
        }
        let delivery = match fate {
            // Holding an answer is refused before a run begins.
            Fate::Passes(None) | Fate::Held(_) => unchanged(body),
            Fate::Passes(Some(changed)) => unchanged(changed),
            Fate::Broken => Delivery::Failed { kind: FailureKind::Broken },
            Fate::Answered(status, body) => Delivery::Answered { status, body },
        };
        self.settle(exchange, delivery)
    }

    /// The rules of the wire, and what they keep.
    pub(super) fn tap(&mut self) -> &mut Tap {
        &mut self.tap
    }

    /// Lets a request go on that a rule keeps; its exchange.
    pub(super) fn let_go(&mut self, id: HoldId) -> Option<Exchange> {
        let held = self.tap.release(id)?;
        let held_for = self.now.saturating_sub(held.since);
        let for_us = u64::try_from(held_for.as_micros()).unwrap_or(u64::MAX);
        if let Some(sent) = self.open.get_mut(&held.exchange) {
            sent.taken = WireTaken::Held { for_us };
        }
        let packet = Packet::Request(held.exchange, Some(held.body));
        self.send(held.exchange.from, held.to, packet);
        Some(held.exchange)
    }

    /// Tells a peer what became of an attempt, once.
    fn settle(&mut self, exchange: Exchange, delivery: Delivery) -> Result<(), Broken> {
        let Some(sent) = self.open.remove(&exchange) else { return Ok(()) };
        if let Some(request) = sent.body {
            let answer = match &delivery {
                Delivery::Answered { status, body } => Some((*status, body.clone())),
                Delivery::Failed { .. } => None,
            };
            let Sent { to, number, is_frame, delivered, taken, .. } = sent;
            let from = exchange.from;
            let exchanged =
                Exchanged { from, to, number, is_frame, request, delivered, answer, taken };
            self.noted.push_back(Noted::Exchanged(exchanged));
        }
        if self.machines[exchange.from].life != exchange.life {
            return Ok(());
        }
        let input = |peer: &mut Peer, now| peer.handle_delivery(exchange.id, delivery, now);
        self.input(exchange.from, input).map(drop)
    }

    /// Gives a peer an input and lets out what may leave; nothing where the machine is off.
    fn input<T>(
        &mut self,
        at: usize,
        input: impl FnOnce(&mut Peer, entity_wire::time::Timestamp) -> T,
    ) -> Result<Option<T>, Broken> {
        let batches = self.machines[at].batches;
        let outcome = self.machines[at].input(self.now, input);
        self.note_deadline(at);
        match outcome {
            None | Some(Err(PowerFailed)) => Ok(None),
            Some(Ok(outcome)) => {
                if batches != self.machines[at].batches {
                    self.audit(at)?;
                }
                self.release(at)?;
                Ok(Some(outcome))
            }
        }
    }

    /// Whatever the scenario asks for: no token comes from nowhere and none gets lost, on any machine, after any input.
    pub(super) fn audit(&self, at: usize) -> Result<(), Broken> {
        let Some(ledger) = self.machines[at].peer().and_then(Peer::ledger) else { return Ok(()) };
        let audit = ledger.audit();
        if audit.holds() {
            return Ok(());
        }
        Err(format!("the books of {} do not balance: {audit:?}", self.machines[at].config.id))
    }

    fn release(&mut self, at: usize) -> Result<(), Broken> {
        loop {
            match self.machines[at].release() {
                Some(Waiting::Output(output)) => self.leaves(at, *output)?,
                Some(Waiting::Answer(exchange, status, body)) => {
                    self.send(at, exchange.from, Packet::Answer(exchange, status, body));
                }
                // `release` has none while one waits in front.
                Some(Waiting::Batch(_)) => return Err("a batch passed the gate".to_owned()),
                None if !self.machines[at].has_to_write() => {
                    self.show(at);
                    return Ok(());
                }
                None => {
                    let life = self.machines[at].life;
                    self.set(self.now + self.disk, Due::Written(at, life));
                    return Ok(());
                }
            }
        }
    }

    /// Answers those who want to look, once everything that the peer knows is kept.
    fn show(&mut self, at: usize) {
        if self.machines[at].has_to_write() {
            return;
        }
        let Some(peer) = self.machines[at].peer() else { return };
        let mut later = Vec::new();
        for (number, whose, look) in std::mem::take(&mut self.looks) {
            if whose == at {
                self.noted.push_back(Noted::Answered(number, Some(look.show(peer))));
            } else {
                later.push((number, whose, look));
            }
        }
        self.looks = later;
    }

    fn leaves(&mut self, at: usize, output: Output) -> Result<(), Broken> {
        match output {
            Output::Persist(_) => return Err("a batch came as an output".to_owned()),
            Output::Event(event) => self.noted.push_back(Noted::Told(at, event)),
            Output::Done { command, result } => {
                if let Some((_, answer)) = self.asked.remove(&command.0) {
                    let outcome = result.map_err(RpcError::from).and_then(|done| answer.of(done));
                    self.noted.push_back(Noted::Answered(command.0, Some(outcome)));
                }
            }
            Output::Io(io) => {
                if let Some(outcome) = self.machines[at].files.run(io) {
                    let life = self.machines[at].life;
                    self.set(self.now, Due::Done(at, life, Box::new(outcome)));
                }
            }
            Output::Transmit(transmit) => self.transmit(at, transmit),
        }
        Ok(())
    }

    fn transmit(&mut self, at: usize, transmit: Transmit) {
        let exchange = Exchange { from: at, life: self.machines[at].life, id: transmit.id };
        let (body, is_frame) = match transmit.request {
            Request::Message(body) => (Some(body), false),
            Request::Frame(body) => (Some(body), true),
            Request::Health => (None, false),
        };
        let to = self.addresses.iter().position(|address| *address == transmit.address);
        let Some(to) = to.filter(|to| *to != at) else {
            self.open.insert(exchange, Sent::new(at, 0, is_frame, None));
            self.set(
                self.now,
                Due::Arrives { from: at, to: at, packet: Packet::Refused(exchange) },
            );
            return;
        };
        let number = self.sent.entry((at, to)).or_default();
        *number += u64::from(body.is_some());
        let mut sent = Sent::new(to, *number, is_frame, body.clone());
        self.set(self.now + transmit.timeout, Due::TimeUp(exchange));
        let Some(request) = body else {
            self.open.insert(exchange, sent);
            self.send(at, to, Packet::Request(exchange, None));
            return;
        };
        let link = link(&self.machines, at, to);
        let which = (&link, Direction::Request);
        let (fate, taken) = self.tap.judge(which, sent.number, (&request, &request));
        sent.taken = taken;
        if let Fate::Passes(changed) = &fate {
            sent.delivered.clone_from(changed);
        }
        self.open.insert(exchange, sent);
        let soon = self.now + CLOSED_AFTER;
        match fate {
            Fate::Passes(changed) => {
                self.send(at, to, Packet::Request(exchange, Some(changed.unwrap_or(request))));
            }
            Fate::Held(id) => self.tap.hold(id, link, (exchange, to, request), self.now),
            Fate::Broken => self.set(soon, Due::Broke(exchange)),
            Fate::Answered(status, body) => {
                self.set(soon, Due::Responded(exchange, status, body));
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, packet: Packet) {
        let len = match &packet {
            Packet::Request(_, body) => body.as_ref().map_or(0, Bytes::len),
            Packet::Answer(_, _, body) => body.len(),
            Packet::Refused(_) => 0,
        };
        self.flows += 1;
        let (left, tries, flow) = (Line::packets(len), 0, self.flows);
        self.set(self.now, Due::Sends { from, to, packet, left, tries, flow });
    }

    fn ended(&mut self, at: usize) {
        self.paused.remove(&at);
        self.note_deadline(at);
        self.open.retain(|exchange, _| exchange.from != at);
        // Whoever waits for an answer of it sees the end of the connection.
        let waiting: Vec<Exchange> = self
            .open
            .iter()
            .filter(|(exchange, sent)| sent.to == at && !self.tap.is_held(exchange))
            .map(|(exchange, _)| *exchange)
            .collect();
        for exchange in waiting {
            self.set(self.now + CLOSED_AFTER, Due::Broke(exchange));
        }
        let asked: Vec<u64> = self
            .asked
            .iter()
            .filter(|(_, (whose, _))| *whose == at)
            .map(|(number, _)| *number)
            .collect();
        let looks =
            self.looks.iter().filter(|(_, whose, _)| *whose == at).map(|(number, ..)| *number);
        let gone: Vec<u64> = asked.into_iter().chain(looks).collect();
        for number in gone {
            self.forget(number);
            self.noted.push_back(Noted::Answered(number, None));
        }
    }

    /// Keeps in mind when a machine wants to be woken.
    fn note_deadline(&mut self, at: usize) {
        let machine = &self.machines[at];
        let runs = !self.paused.contains_key(&at);
        let due = machine.peer().filter(|_| runs).and_then(Peer::next_deadline);
        let due = due.map(|due| machine.when(due));
        let before = std::mem::replace(&mut self.deadline_of[at], due);
        if before != due {
            if let Some(before) = before {
                self.deadlines.remove(&(before, at));
            }
            self.deadlines.extend(due.map(|due| (due, at)));
        }
    }

    fn set(&mut self, at: Duration, due: Due) {
        self.order += 1;
        self.due.insert((at, self.order), due);
    }
}

/// Whose process has to run for something to happen. Packets on their way need nobody's.
fn owner(due: &Due) -> usize {
    match due {
        Due::Sends { .. } => usize::MAX,
        Due::Arrives { to, .. } => *to,
        Due::TimeUp(exchange) | Due::Broke(exchange) | Due::Responded(exchange, ..) => {
            exchange.from
        }
        Due::Written(at, _) | Due::Done(at, ..) | Due::Asked(_, at, _) => *at,
    }
}

fn link(machines: &[Machine], from: usize, to: usize) -> Link {
    Link::new(machines[from].config.id.as_str(), machines[to].config.id.as_str())
}

/// Where the machine of this name is reached.
pub(super) fn address_of(name: &str) -> String {
    format!("http://{name}")
}
