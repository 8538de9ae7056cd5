//! Peers that reach each other without a network, in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use entity_crypto::entropy::Entropy;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_journal::{Batch, Journal, MemoryJournal, Space};
use entity_peer::command::{AddPeer, Send};
use entity_peer::config::{AutoConnect, Config, Liveness, Protocols};
use entity_peer::output::{FailureKind, MemoryFiles, Request};
use entity_peer::view::SessionView;
use entity_peer::{
    Command, CommandError, CommandId, CommandResult, Delivery, Output, Peer, PeerEvent, PeerName,
    Transmit,
};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::reply::Reply;
use entity_wire::time::Timestamp;

/// One message as it travelled, and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    pub(crate) body: Bytes,
    pub(crate) status: u16,
}

/// Some peers, and what happened.
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) peers: BTreeMap<String, Peer>,
    pub(crate) events: Vec<(String, PeerEvent)>,
    pub(crate) passed: Vec<Passed>,
    done: BTreeMap<CommandId, Result<CommandResult, CommandError>>,
    pending: VecDeque<(String, Transmit)>,
    /// What each reads and writes.
    pub(crate) files: BTreeMap<String, MemoryFiles>,
    /// Peers that nobody reaches.
    pub(crate) unreachable: Vec<String>,
    /// Decides what the network does to a message, where it does anything.
    pub(crate) weather: Option<Entropy>,
    /// An answer that somebody between writes to the next message, which does not arrive.
    pub(crate) forged: Option<Reply>,
    /// What it writes to the messages after that one.
    pub(crate) forged_next: VecDeque<Reply>,
    /// What somebody between answers to every message from here on; none arrives.
    pub(crate) forged_always: Option<Reply>,
    /// The peer whose requests stay on their way.
    pub(crate) hold_from: Option<String>,
    held: Vec<(String, Transmit)>,
    /// To how many of the next messages the answer gets lost.
    pub(crate) answers_lost: usize,
    /// The peer that loses its power when it next wants something kept: whether before that is kept or after.
    pub(crate) crash: Option<(String, Crash)>,
    /// What each peer is told and keeps.
    kept: BTreeMap<String, (Config, MemoryJournal)>,
    /// How often a peer was started.
    starts: u8,
    last_command: u64,
}

/// A loss of power at a persist point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crash {
    /// How many batches are kept before.
    pub(crate) after: usize,
    /// Whether the batch itself is kept; nothing that comes after it leaves.
    pub(crate) keeps_batch: bool,
}
/// What the files of a peer may take: far more than any test sends.
const FILES_MAX: usize = 64 << 20;

pub(crate) fn key(name: &str) -> SigningKey {
    let mut seed = [0; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    SigningKey::from_seed(seed)
}

pub(crate) fn public_key(name: &str) -> PublicKey {
    key(name).public_key()
}

pub(crate) fn name(text: &str) -> PeerName {
    text.parse().unwrap()
}

/// A peer that opens sessions on command only.
pub(crate) fn config(id: &str, protocols: Protocols) -> Config {
    Config { protocols, auto_connect: AutoConnect::OnCommand, ..Config::new(id.parse().unwrap()) }
}

/// Opens a session.
#[track_caller]
pub(crate) fn open(world: &mut World, from: &str, to: &str) -> SessionView {
    match world.run(from, Command::OpenSession { to: name(to) }) {
        Some(Ok(CommandResult::Session(session))) => session,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn message(to: &str, text: &str) -> Send {
    Send::new(name(to), MessageKind::Message, Object::new().with("text", text))
}

impl World {
    /// Makes peers with these configurations. They do not know each other.
    pub(crate) fn new(configs: impl IntoIterator<Item = Config>) -> Self {
        let silent = |config| Config { liveness: Liveness::Silent, ..config };
        Self::lively(configs.into_iter().map(silent))
    }

    /// Makes peers that ask each other whether they live, where their configuration says so.
    pub(crate) fn lively(configs: impl IntoIterator<Item = Config>) -> Self {
        let now = Timestamp::from_iso("2026-11-22T08:00:00+00:00").unwrap();
        let (mut peers, mut kept) = (BTreeMap::new(), BTreeMap::new());
        for (index, config) in (1..).zip(configs) {
            let id = config.id.to_string();
            let peer = Peer::new(config.clone(), key(&id), [index; 32], now);
            kept.insert(id.clone(), (config, MemoryJournal::default()));
            peers.insert(id, peer);
        }
        Self {
            now,
            peers,
            events: Vec::new(),
            passed: Vec::new(),
            done: BTreeMap::new(),
            pending: VecDeque::new(),
            files: BTreeMap::new(),
            unreachable: Vec::new(),
            weather: None,
            forged: None,
            forged_next: VecDeque::new(),
            forged_always: None,
            hold_from: None,
            held: Vec::new(),
            answers_lost: 0,
            crash: None,
            kept,
            starts: 100,
            last_command: 0,
        }
    }

    /// Starts a command.
    pub(crate) fn start(&mut self, at: &str, command: Command) -> CommandId {
        self.last_command += 1;
        let id = CommandId(self.last_command);
        let now = self.now;
        self.peer(at).handle_command(id, command, now);
        self.drain(at);
        id
    }

    /// Starts a command, lets everything happen that happens without time passing, and returns its end.
    pub(crate) fn run(
        &mut self,
        at: &str,
        command: Command,
    ) -> Option<Result<CommandResult, CommandError>> {
        let id = self.start(at, command);
        self.settle();
        self.done.remove(&id)
    }

    /// Returns the end of a command.
    pub(crate) fn end_of(&mut self, id: CommandId) -> Option<Result<CommandResult, CommandError>> {
        self.done.remove(&id)
    }

    /// Lets `at` know `other`.
    pub(crate) fn introduce(
        &mut self,
        at: &str,
        other: &str,
        key: Option<PublicKey>,
        connect: bool,
    ) {
        let peer = AddPeer {
            name: name(other),
            address: format!("http://{other}"),
            key,
            connect: Some(connect),
        };
        let id = self.start(at, Command::AddPeer(peer));
        assert_eq!(self.done.remove(&id), Some(Ok(CommandResult::Done)));
    }

    /// Lets two peers know each other's keys, without connecting.
    pub(crate) fn acquaint(&mut self, a: &str, b: &str) {
        self.introduce(a, b, Some(public_key(b)), false);
        self.introduce(b, a, Some(public_key(a)), false);
    }

    /// Delivers the next `count` requests.
    pub(crate) fn step(&mut self, count: usize) {
        for _ in 0..count {
            let (from, transmit) = self.pending.pop_front().expect("something is under way");
            self.deliver(&from, &transmit);
        }
    }

    /// Delivers until nothing is under way.
    pub(crate) fn settle(&mut self) {
        while let Some((from, transmit)) = self.pending.pop_front() {
            if self.hold_from.as_ref() == Some(&from) {
                self.held.push((from, transmit));
            } else {
                self.deliver(&from, &transmit);
            }
        }
    }

    /// Returns the messages that are to be delivered next.
    pub(crate) fn under_way(&self) -> Vec<Bytes> {
        let body = |(_, transmit): &(String, Transmit)| match &transmit.request {
            Request::Message(body) | Request::Frame(body) => Some(body.clone()),
            Request::Health => None,
        };
        self.pending.iter().filter_map(body).collect()
    }

    /// Lets what stayed on its way go on.
    pub(crate) fn release(&mut self) {
        self.hold_from = None;
        self.pending.extend(self.held.drain(..));
    }

    /// Returns how many requests stay on their way.
    pub(crate) fn held_count(&self) -> usize {
        self.held.len()
    }

    /// Lets time pass, deadline by deadline.
    pub(crate) fn advance(&mut self, span: Duration) {
        let end = self.now.plus(span);
        self.settle();
        loop {
            let due = self.peers.values().filter_map(Peer::next_deadline).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            let now = self.now;
            for at in self.peers.keys().cloned().collect::<Vec<_>>() {
                self.peer(&at).handle_deadline(now);
                self.drain(&at);
            }
            self.settle();
        }
        self.now = end;
    }

    /// Ends a peer without a word and starts it with what it kept. What it had under way is lost, commands included.
    pub(crate) fn restart(&mut self, id: &str) {
        self.starts += 1;
        let (config, journal) = &self.kept[id];
        let stored = journal.load().unwrap();
        let seed = [self.starts; 32];
        let peer = Peer::restore(config.clone(), key(id), seed, stored, self.now);
        self.peers.insert(id.to_owned(), peer.unwrap_or_else(|error| panic!("{error}")));
        self.pending.retain(|(from, _)| from != id);
        self.held.retain(|(from, _)| from != id);
        self.drain(id);
    }

    /// Changes what a peer is told from its next start on.
    pub(crate) fn reconfigure(&mut self, id: &str, change: impl FnOnce(&mut Config)) {
        if let Some((config, _)) = self.kept.get_mut(id) {
            change(config);
        }
    }

    /// Everything that a peer has kept so far.
    pub(crate) fn copy(&self, id: &str) -> MemoryJournal {
        self.kept[id].1.clone()
    }

    /// Starts a peer again with an older copy of what it had kept.
    pub(crate) fn put_back(&mut self, id: &str, copy: MemoryJournal) {
        if let Some((_, journal)) = self.kept.get_mut(id) {
            *journal = copy;
        }
        self.restart(id);
    }

    /// Returns how many records a peer keeps in a space.
    pub(crate) fn record_count(&self, id: &str, space: &'static str) -> usize {
        let (_, journal) = &self.kept[id];
        journal.scan(Space::state(space), b"", None, usize::MAX).unwrap().len()
    }

    /// Hands bytes to a peer as if they came over its wire.
    pub(crate) fn inject(&mut self, to: &str, body: &[u8]) -> Reply {
        self.inject_unless_it_crashes(to, body).unwrap_or_else(|| Reply::detail(500, ""))
    }

    fn inject_unless_it_crashes(&mut self, to: &str, body: &[u8]) -> Option<Reply> {
        let now = self.now;
        let is_envelope = body.first() == Some(&b'{');
        let peer = self.peer(to);
        let reply =
            if is_envelope { peer.handle_message(body, now) } else { peer.handle_frame(body, now) };
        self.drain(to).then_some(reply)
    }

    pub(crate) fn peer(&mut self, id: &str) -> &mut Peer {
        self.peers.get_mut(id).expect("the test names one of its peers")
    }

    /// Returns how many messages reached a handler of `at`.
    pub(crate) fn handled(&self, at: &str) -> usize {
        self.received(at).len()
    }

    /// Returns the bodies of the messages that reached a handler of `at`.
    pub(crate) fn received(&self, at: &str) -> Vec<&entity_peer::output::Received> {
        self.events
            .iter()
            .filter_map(|(peer, event)| match event {
                PeerEvent::MessageReceived(received) if peer == at => Some(received),
                _ => None,
            })
            .collect()
    }

    fn deliver(&mut self, from: &str, transmit: &Transmit) {
        let to = transmit.address.trim_start_matches("http://");
        let delivery = match &transmit.request {
            _ if self.unreachable.iter().any(|id| id == to) => {
                Delivery::Failed { kind: FailureKind::Refused }
            }
            Request::Health => Delivery::Answered { status: 200, body: Bytes::new() },
            Request::Message(_) | Request::Frame(_) if self.forged_always.is_some() => {
                let reply = self.forged_always.clone().unwrap_or_else(|| Reply::detail(500, ""));
                Delivery::Answered { status: reply.status, body: reply.body.into() }
            }
            Request::Message(_) | Request::Frame(_) if self.forged.is_some() => {
                let next = self.forged_next.pop_front();
                let reply = std::mem::replace(&mut self.forged, next);
                let reply = reply.unwrap_or_else(|| Reply::detail(500, ""));
                Delivery::Answered { status: reply.status, body: reply.body.into() }
            }
            Request::Message(_) | Request::Frame(_) if self.happens() => {
                Delivery::Failed { kind: FailureKind::Broken }
            }
            Request::Message(body) | Request::Frame(body) => {
                if self.happens() {
                    self.inject(to, body);
                }
                let Some(reply) = self.inject_unless_it_crashes(to, body) else {
                    let delivery = Delivery::Failed { kind: FailureKind::Broken };
                    let now = self.now;
                    self.peer(from).handle_delivery(transmit.id, delivery, now);
                    self.drain(from);
                    return;
                };
                self.passed.push(Passed { body: body.clone(), status: reply.status });
                let is_lost = self.answers_lost > 0;
                self.answers_lost = self.answers_lost.saturating_sub(1);
                if is_lost || self.happens() {
                    Delivery::Failed { kind: FailureKind::TimedOut }
                } else {
                    Delivery::Answered { status: reply.status, body: reply.body.into() }
                }
            }
        };
        let now = self.now;
        self.peer(from).handle_delivery(transmit.id, delivery, now);
        self.drain(from);
    }

    /// In bad weather, one time in four.
    fn happens(&mut self) -> bool {
        self.weather.as_mut().is_some_and(|dice| dice.bytes::<1>()[0] < 64)
    }

    /// Does what a peer wants done; says whether it lives.
    fn drain(&mut self, at: &str) -> bool {
        while let Some(output) = self.peer(at).poll_output() {
            match output {
                Output::Persist(batch) => {
                    if !self.keep(at, batch) {
                        self.restart(at);
                        return false;
                    }
                }
                Output::Transmit(transmit) => self.pending.push_back((at.to_owned(), transmit)),
                Output::Io(io) => {
                    let files = self.files.entry(at.to_owned());
                    let outcome = files.or_insert_with(|| MemoryFiles::new(FILES_MAX)).run(io);
                    let now = self.now;
                    if let Some(outcome) = outcome {
                        self.peer(at).handle_io(outcome, now);
                    }
                }
                Output::Event(event) => self.events.push((at.to_owned(), event)),
                Output::Done { command, result } => {
                    assert!(self.done.insert(command, result).is_none(), "{command:?} ends once");
                }
            }
        }
        true
    }

    /// Keeps a batch; says whether the peer lives to see it.
    fn keep(&mut self, at: &str, batch: Batch) -> bool {
        let due = self.crash.as_mut().filter(|(id, _)| id == at).map(|(_, crash)| {
            let is_now = crash.after == 0;
            crash.after = crash.after.saturating_sub(1);
            (is_now, crash.keeps_batch)
        });
        let (is_now, keeps_batch) = due.unwrap_or((false, true));
        if !is_now || keeps_batch {
            let (_, journal) = self.kept.get_mut(at).expect("the test names one of its peers");
            journal.commit(&[batch]).unwrap();
        }
        if is_now {
            self.crash = None;
        }
        !is_now
    }
}
