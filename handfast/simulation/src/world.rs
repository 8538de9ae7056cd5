//! The loop: what is due next, one thing after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use entity_peer::command::AddPeer;
use entity_peer::output::{FailureKind, IoOutcome, Request};
use entity_peer::{Command, CommandId, Delivery, Output, Peer, PeerName, Transmit};
use handfast_faults::{Dice, Fault};

use crate::history::{Happened, History, What};
use crate::laws::{self, Laws, Tally};
use crate::machine::{Machine, PowerFailed, Waiting};
use crate::network::{Exchange, Network, Packet};
use crate::plan::{Action, Plan, number_of};

/// Machines, what is between them, and the time.
#[derive(Debug)]
pub struct World {
    now: Duration,
    machines: Vec<Machine>,
    /// For each machine those that it knows.
    knows: Vec<Vec<usize>>,
    network: Network,
    /// When each machine that has a deadline wants to be woken, by our time.
    deadlines: BTreeSet<(Duration, usize)>,
    /// The same, by machine.
    deadline_of: Vec<Option<Duration>>,
    timers: BTreeMap<(Duration, u64), Timer>,
    /// Attempts that their peer waits for.
    open: BTreeSet<Exchange>,
    history: History,
    laws: Laws,
    /// How long a disk takes to make something durable.
    disk: Duration,
    /// Whether peers that are added connect by themselves.
    connect: bool,
    /// Whether all peers keep a ledger together.
    ledger: bool,
    off_for: Duration,
    steps: u64,
    steps_max: u64,
    transmitted: u64,
    last_timer: u64,
    last_command: u64,
}

#[derive(Debug)]
enum Timer {
    /// An attempt has taken as long as it may.
    TimeUp(Exchange),
    /// A disk is done.
    Written(usize, u32),
    /// Something was read or written.
    Done(usize, u32, Box<IoOutcome>),
    /// A machine is switched on.
    Start(usize),
    /// Something of the plan.
    Act(Action),
}

/// A law that does not hold, in words.
pub type Broken = String;

impl World {
    /// Builds what a plan asks for, with all machines on that start at once.
    ///
    /// # Errors
    ///
    /// A law that the very start breaks.
    pub fn new(plan: &Plan, dice: &mut Dice) -> Result<Self, Broken> {
        let defect = plan.defect;
        let machines: Vec<_> = plan
            .machines
            .iter()
            .map(|plan| {
                let mut machine = Machine::new(plan.config(), plan.skew_us, dice.split());
                machine.crash_at = plan.crash_at;
                machine.defect = defect;
                machine
            })
            .collect();
        let mut world = Self {
            now: Duration::ZERO,
            network: Network::new(&plan.knows, &plan.weather, dice),
            knows: plan.knows.clone(),
            deadlines: BTreeSet::new(),
            deadline_of: vec![None; machines.len()],
            laws: Laws::new(plan),
            disk: plan.disk,
            connect: plan.connect,
            ledger: plan.ledger,
            off_for: plan.off_for,
            machines,
            timers: BTreeMap::new(),
            open: BTreeSet::new(),
            history: History::new(plan.keep),
            steps: 0,
            steps_max: plan.steps_max,
            transmitted: 0,
            last_timer: 0,
            last_command: 0,
        };
        for (machine, one) in plan.machines.iter().enumerate() {
            if one.starts_at > Duration::ZERO {
                world.set_timer(one.starts_at, Timer::Start(machine));
            } else {
                world.start(machine)?;
            }
        }
        for (at, action) in &plan.actions {
            world.set_timer(*at, Timer::Act(action.clone()));
        }
        Ok(world)
    }

    /// The time since the start of the run.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// What happened so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The machines, by number.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// For each machine those that it knows.
    pub fn knows(&self) -> &[Vec<usize>] {
        &self.knows
    }

    /// What was asked for so far, and what came of it.
    pub fn tally(&self) -> Tally {
        self.laws.tally()
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Messages that left machines so far, repeats included, answers not.
    pub fn transmitted(&self) -> u64 {
        self.transmitted
    }

    /// Gives a peer a command; `None` where its machine is off.
    ///
    /// # Errors
    ///
    /// A law that this breaks.
    pub fn command(&mut self, at: usize, command: Command) -> Result<Option<CommandId>, Broken> {
        if !self.machines[at].is_on() {
            return Ok(None);
        }
        self.last_command += 1;
        let id = CommandId(self.last_command);
        self.happened(at, What::Asked(id))?;
        self.input(at, |peer, now| peer.handle_command(id, command, now))?;
        Ok(Some(id))
    }

    /// Lets everything happen until `end`.
    ///
    /// # Errors
    ///
    /// A law that is broken on the way.
    pub fn run_until(&mut self, end: Duration) -> Result<(), Broken> {
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.step()?;
        }
        self.now = self.now.max(end);
        Ok(())
    }

    /// Ends the bad weather, and switches on whatever is off.
    ///
    /// # Errors
    ///
    /// A law that this breaks.
    pub fn heal(&mut self) -> Result<(), Broken> {
        self.network.change_all(&[Fault::Delay {
            least: Duration::from_millis(1),
            most: Duration::from_millis(1),
        }]);
        for at in 0..self.machines.len() {
            self.machines[at].crash_at = None;
            self.start(at)?;
        }
        Ok(())
    }

    /// Lets a liar show everybody what its friend has certificates for.
    ///
    /// # Errors
    ///
    /// A law that this breaks.
    pub fn present(&mut self) -> Result<(), Broken> {
        let liar = self.machines.len() - 1;
        for command in self.laws.present(&self.machines) {
            self.command(liar, command)?;
        }
        Ok(())
    }

    /// Judges the run as a whole, at its end.
    ///
    /// # Errors
    ///
    /// A law that is broken.
    pub fn judge(&self) -> Result<(), Broken> {
        self.laws.judge(self)
    }

    fn next_due(&self) -> Option<Duration> {
        let timer = self.timers.keys().next().map(|(at, _)| *at);
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        [deadline, timer, self.network.next_arrival()].into_iter().flatten().min()
    }

    /// Does the one thing that is due: what arrives before what is timed, and that before the peers' deadlines.
    fn step(&mut self) -> Result<(), Broken> {
        self.steps += 1;
        if self.steps > self.steps_max {
            return Err(format!("after {} steps it has not come to rest", self.steps_max));
        }
        if self.network.next_arrival().is_some_and(|at| at <= self.now)
            && let Some((from, to, packet)) = self.network.arrive(self.now)
        {
            return self.arrived(from, to, packet);
        }
        if self.timers.keys().next().is_some_and(|(at, _)| *at <= self.now)
            && let Some((_, timer)) = self.timers.pop_first()
        {
            return self.fire(timer);
        }
        match self.deadlines.first() {
            Some((due, at)) if *due <= self.now => {
                let at = *at;
                self.input(at, Peer::handle_deadline).map(|_| ())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Keeps in mind when a machine wants to be woken.
    fn note_deadline(&mut self, at: usize) {
        let machine = &self.machines[at];
        let due = machine.peer().and_then(Peer::next_deadline).map(|due| machine.when(due));
        let before = std::mem::replace(&mut self.deadline_of[at], due);
        if before != due {
            if let Some(before) = before {
                self.deadlines.remove(&(before, at));
            }
            self.deadlines.extend(due.map(|due| (due, at)));
        }
    }

    fn arrived(&mut self, from: usize, to: usize, packet: Packet) -> Result<(), Broken> {
        match packet {
            Packet::Request(exchange, _) if !self.machines[to].is_on() => {
                self.network.send(to, from, Packet::Refused(exchange), self.now);
                Ok(())
            }
            Packet::Request(exchange, None) => {
                self.network.send(to, from, Packet::Answer(exchange, 200, Bytes::new()), self.now);
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
            Packet::Answer(exchange, status, body) => {
                self.settle(exchange, Delivery::Answered { status, body })
            }
            Packet::Refused(exchange) => {
                self.settle(exchange, Delivery::Failed { kind: FailureKind::Refused })
            }
        }
    }

    fn fire(&mut self, timer: Timer) -> Result<(), Broken> {
        match timer {
            Timer::TimeUp(exchange) => {
                self.settle(exchange, Delivery::Failed { kind: FailureKind::TimedOut })
            }
            Timer::Written(at, life) if self.machines[at].life == life => {
                self.machines[at].write();
                self.release(at)
            }
            Timer::Done(at, life, outcome) if self.machines[at].life == life => {
                self.input(at, |peer, now| peer.handle_io(*outcome, now)).map(|_| ())
            }
            Timer::Written(..) | Timer::Done(..) => Ok(()),
            Timer::Start(at) => self.start(at),
            Timer::Act(action) => self.act(action),
        }
    }

    /// Does something now.
    ///
    /// # Errors
    ///
    /// A law that this breaks.
    pub fn act(&mut self, action: Action) -> Result<(), Broken> {
        match action {
            Action::Ask { at, request } => {
                let command = self.laws.asked(at, &request, &self.machines);
                let Some(command) = command.filter(|_| self.machines[at].is_on()) else {
                    return Ok(());
                };
                // A command may come to its end within the input that gives it.
                let id = CommandId(self.last_command + 1);
                self.laws.given(id, at, &request, &self.machines);
                self.command(at, command).map(|_| ())
            }
            Action::Lie { at, lie } => match self.laws.lie(at, &lie, &self.machines) {
                Some(command) => self.command(at, command).map(drop),
                None => Ok(()),
            },
            Action::Crash { at } => {
                if self.machines[at].is_on() {
                    self.machines[at].crash();
                    self.crashed(at)?;
                }
                Ok(())
            }
            Action::CrashAtBatch { at, after, side } => {
                let machine = &mut self.machines[at];
                machine.crash_at = Some((machine.batches + after, side));
                Ok(())
            }
            Action::Turn { faults } => {
                self.network.change_all(&faults);
                Ok(())
            }
            Action::Weather { from, to, faults } => {
                self.network.change(from, to, &faults);
                Ok(())
            }
        }
    }

    fn start(&mut self, at: usize) -> Result<(), Broken> {
        if self.machines[at].is_on() {
            return Ok(());
        }
        let name = self.name(at);
        self.machines[at].start(self.now).map_err(|error| format!("{name} starts: {error}"))?;
        self.happened(at, What::Started)?;
        self.input(at, |_, _| ())?;
        for other in self.knows[at].clone() {
            let added = AddPeer {
                name: self.name(other),
                address: format!("http://{}", self.name(other)),
                key: Some(self.machines[other].public_key()),
                connect: Some(self.connect),
            };
            self.command(at, Command::AddPeer(added))?;
        }
        if self.ledger {
            self.act(Action::Ask { at, request: laws::Request::OpenLedger })?;
        }
        for request in Laws::left_to_do(&self.machines[at]) {
            let action = Action::Ask { at, request };
            self.set_timer(self.now + REACTION, Timer::Act(action));
        }
        Ok(())
    }

    fn crashed(&mut self, at: usize) -> Result<(), Broken> {
        self.note_deadline(at);
        self.open.retain(|exchange| exchange.from != at);
        self.set_timer(self.now + self.off_for, Timer::Start(at));
        self.happened(at, What::Crashed)
    }

    /// Tells a peer what became of an attempt, once.
    fn settle(&mut self, exchange: Exchange, delivery: Delivery) -> Result<(), Broken> {
        let is_awaited =
            self.open.remove(&exchange) && self.machines[exchange.from].life == exchange.life;
        if !is_awaited {
            return Ok(());
        }
        let input = |peer: &mut Peer, now| peer.handle_delivery(exchange.id, delivery, now);
        self.input(exchange.from, input).map(|_| ())
    }

    /// Gives a peer an input and lets out what may leave; `None` where the machine is off, or went off by this.
    fn input<T>(
        &mut self,
        at: usize,
        input: impl FnOnce(&mut Peer, entity_wire::time::Timestamp) -> T,
    ) -> Result<Option<T>, Broken> {
        let outcome = self.machines[at].input(self.now, input);
        self.note_deadline(at);
        match outcome {
            None => Ok(None),
            Some(Err(PowerFailed)) => self.crashed(at).map(|()| None),
            Some(Ok(outcome)) => {
                self.laws.look(at, &self.machines)?;
                self.release(at)?;
                Ok(Some(outcome))
            }
        }
    }

    fn release(&mut self, at: usize) -> Result<(), Broken> {
        loop {
            match self.machines[at].release() {
                Some(Waiting::Output(output)) => self.leaves(at, *output)?,
                Some(Waiting::Answer(exchange, status, body)) => {
                    self.history.travelled(self.now, &body);
                    let answer = Packet::Answer(exchange, status, body);
                    self.network.send(at, exchange.from, answer, self.now);
                }
                // `release` has none while one waits in front.
                Some(Waiting::Batch(_)) => return Err("a batch passed the gate".to_owned()),
                None if !self.machines[at].has_to_write() => return Ok(()),
                None if self.disk > Duration::ZERO => {
                    let life = self.machines[at].life;
                    self.set_timer(self.now + self.disk, Timer::Written(at, life));
                    return Ok(());
                }
                None => self.machines[at].write(),
            }
        }
    }

    fn leaves(&mut self, at: usize, output: Output) -> Result<(), Broken> {
        match output {
            Output::Persist(_) => Err("a batch came as an output".to_owned()),
            Output::Event(event) => self.happened(at, What::Event(event)),
            Output::Done { command, result } => {
                self.happened(at, What::Done(command, Box::new(result)))
            }
            Output::Io(io) => {
                if let Some(outcome) = self.machines[at].files.run(io) {
                    let life = self.machines[at].life;
                    self.set_timer(self.now, Timer::Done(at, life, Box::new(outcome)));
                }
                Ok(())
            }
            Output::Transmit(transmit) => self.transmit(at, transmit),
        }
    }

    fn transmit(&mut self, at: usize, transmit: Transmit) -> Result<(), Broken> {
        let exchange = Exchange { from: at, life: self.machines[at].life, id: transmit.id };
        let body = match transmit.request {
            Request::Message(body) | Request::Frame(body) => {
                self.transmitted += 1;
                self.history.travelled(self.now, &body);
                self.laws.travels(at, &body)?;
                Some(body)
            }
            Request::Health => None,
        };
        self.open.insert(exchange);
        self.set_timer(self.now + transmit.timeout, Timer::TimeUp(exchange));
        let to = transmit.address.strip_prefix("http://").and_then(number_of);
        if let Some(to) = to {
            self.network.send(at, to, Packet::Request(exchange, body), self.now);
        }
        Ok(())
    }

    fn happened(&mut self, machine: usize, what: What) -> Result<(), Broken> {
        let life = self.machines[machine].life;
        let happened = Happened { at: self.now, machine, life, what };
        let lawful = self.laws.happens(&happened);
        // A program takes a moment to act on what it is told.
        if let Some(request) = Laws::reaction(&happened) {
            let action = Action::Ask { at: machine, request };
            self.set_timer(self.now + REACTION, Timer::Act(action));
        }
        self.history.push(happened);
        lawful
    }

    fn set_timer(&mut self, at: Duration, timer: Timer) {
        self.last_timer += 1;
        self.timers.insert((at, self.last_timer), timer);
    }

    fn name(&self, at: usize) -> PeerName {
        let id = self.machines[at].config.id.as_str();
        id.parse().expect("the id of a peer is a name")
    }
}

/// How long a program takes to act on an event.
const REACTION: Duration = Duration::from_millis(20);
