//! The run loop around one pure peer.
//!
//! There is no task that owns the peer: whoever has an input takes the lock, gives the input, drains the outputs, and carries
//! the transmissions out after the lock is gone. A received message therefore stays in the task of its connection from the
//! first byte to the last, and its signature is checked outside the lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use entity_crypto::signing::SigningKey;
use entity_peer::command::{Command, CommandError, CommandId, CommandResult};
use entity_peer::inbound::{DecodeRules, decode};
use entity_peer::output::{Delivery, FailureKind, Output, PeerEvent, Request, Transmit};
use entity_peer::{Config, Peer};
use entity_transport::http::{Address, Call, Client, ClientLimits, Failure, Method};
use entity_wire::reply::Reply;
use entity_wire::time::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{debug, info};

use crate::clock::Clock;

/// A running peer; clones are the same peer.
#[derive(Debug, Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    rules: DecodeRules,
    clock: Clock,
    client: Client,
    /// Told when the earliest deadline moves forward.
    deadline_moved: Notify,
}

#[derive(Debug)]
struct State {
    peer: Peer,
    commands: BTreeMap<CommandId, oneshot::Sender<Result<CommandResult, CommandError>>>,
    last_command: u64,
    /// What the timer waits for at the moment.
    timer: Option<Timestamp>,
    listener: Option<mpsc::Sender<Numbered>>,
    events: u64,
}

/// An event of the contract with its place in the order of all such events of this peer, counted from 1.
///
/// A listener that is too slow misses events and sees that by a gap.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// The place.
    pub n: u64,
    /// The event.
    pub event: PeerEvent,
}

impl Node {
    /// Events that wait for a slow listener; further ones are dropped, which it sees as a gap. Guessed: a burst of messages
    /// between two turns of the listener.
    pub const EVENTS_MAX: usize = 4096;

    /// Makes a peer. `seed` is all its randomness.
    pub fn new(config: Config, key: SigningKey, seed: [u8; 32], clock: Clock) -> Self {
        let peer = Peer::new(config, key, seed, clock.now());
        let rules = peer.decode_rules();
        let state = State {
            peer,
            commands: BTreeMap::new(),
            last_command: 0,
            timer: None,
            listener: None,
            events: 0,
        };
        let client = Client::new(ClientLimits {
            answer_max_bytes: Delivery::BODY_LEN_BYTES_MAX,
            ..ClientLimits::default()
        });
        let deadline_moved = Notify::new();
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                rules,
                clock,
                client,
                deadline_moved,
            }),
        }
    }

    /// Keeps the peer's deadlines. Runs until dropped; without it nothing is retried, probed or expired.
    pub async fn keep_deadlines(&self) {
        loop {
            let deadline = {
                let mut state = self.state();
                state.timer = state.peer.next_deadline();
                state.timer
            };
            let due = async {
                match deadline {
                    Some(deadline) => {
                        tokio::time::sleep_until(self.shared.clock.instant_of(deadline)).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.input(Peer::handle_deadline),
                () = self.shared.deadline_moved.notified() => {}
            }
        }
    }

    /// Takes the body of one `POST /message` and returns its answer.
    pub fn message(&self, body: &[u8]) -> Reply {
        let decoded = match decode(&self.shared.rules, body) {
            Ok(decoded) => decoded,
            Err(refusal) => return self.input(|peer, _| peer.handle_refusal(refusal)),
        };
        let check = match self.input(|peer, now| peer.admit(decoded, now)) {
            Ok(check) => check,
            Err(reply) => return reply,
        };
        match check.run() {
            Ok(checked) => self.input(|peer, now| peer.handle_checked(checked, now)),
            Err(refusal) => self.input(|peer, _| peer.handle_refusal(refusal)),
        }
    }

    /// Gives a command to the peer and waits for its end. Dropping the future withdraws the command.
    ///
    /// # Errors
    ///
    /// The peer's own refusal.
    pub async fn command(&self, command: Command) -> Result<CommandResult, CommandError> {
        let (done, end) = oneshot::channel();
        let id = self.input_state(|state, now| {
            let id = state.next_command();
            state.commands.insert(id, done);
            state.peer.handle_command(id, command, now);
            id
        });
        let mut withdrawal = Withdrawal { node: self, command: Some(id) };
        let result = end.await;
        withdrawal.command = None;
        result.unwrap_or(Err(CommandError::Cancelled))
    }

    /// Looks at the peer.
    pub fn look<T>(&self, look: impl FnOnce(&Peer, Timestamp) -> T) -> T {
        let now = self.shared.clock.now();
        look(&self.state().peer, now)
    }

    /// Hears of every event from here on; an earlier listener hears no more.
    pub fn listen(&self) -> mpsc::Receiver<Numbered> {
        let (sender, receiver) = mpsc::channel(Self::EVENTS_MAX);
        self.state().listener = Some(sender);
        receiver
    }

    /// The client that the peer's transmissions go through.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    fn input<T>(&self, input: impl FnOnce(&mut Peer, Timestamp) -> T) -> T {
        self.input_state(|state, now| input(&mut state.peer, now))
    }

    /// Gives one input under the lock, drains the outputs, and starts the transmissions after the lock.
    fn input_state<T>(&self, input: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let (outcome, transmits) = {
            let mut state = self.state();
            // Read under the lock, so that the peer never sees time go back.
            let now = self.shared.clock.now();
            let outcome = input(&mut state, now);
            let transmits = state.drain();
            if state.deadline_moved_forward() {
                self.shared.deadline_moved.notify_one();
            }
            (outcome, transmits)
        };
        for transmit in transmits {
            tokio::spawn(self.clone().deliver(transmit));
        }
        outcome
    }

    async fn deliver(self, transmit: Transmit) {
        let id = transmit.id;
        let delivery = self.attempt(transmit).await;
        self.input(|peer, now| peer.handle_delivery(id, delivery, now));
    }

    async fn attempt(&self, transmit: Transmit) -> Delivery {
        let Ok(address) = transmit.address.parse::<Address>() else {
            return Delivery::Failed { kind: FailureKind::Address };
        };
        let (method, path, body) = match transmit.request {
            Request::Message(body) => (Method::POST, "/message", body),
            Request::Health => (Method::GET, "/health", Bytes::new()),
        };
        let call = Call { method, path, body, timeout: transmit.timeout };
        match self.shared.client.call(&address, call).await {
            Ok(answer) => Delivery::Answered { status: answer.status, body: answer.body },
            Err(failure) => {
                debug!(peer = %transmit.peer, %address, error = %failure, "no answer");
                Delivery::Failed { kind: kind_of(&failure) }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The peer keeps its state valid at every return; a panic in between has been reported already.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_command(&mut self) -> CommandId {
        self.last_command += 1;
        CommandId(self.last_command)
    }

    /// Hands out events and ends of commands at once, in order, and returns what is to be transmitted.
    fn drain(&mut self) -> Vec<Transmit> {
        let mut transmits = Vec::new();
        while let Some(output) = self.peer.poll_output() {
            match output {
                // Nothing is kept yet: there is no store.
                Output::Persist(_) => {}
                Output::Transmit(transmit) => transmits.push(transmit),
                Output::Event(event) => self.tell(event),
                Output::Done { command, result } => {
                    if let Some(waiting) = self.commands.remove(&command) {
                        // Who withdrew the command waits for it no more.
                        drop(waiting.send(result));
                    }
                }
            }
        }
        transmits
    }

    fn tell(&mut self, event: PeerEvent) {
        match &event {
            // The contract has no events for these, and its count has no gaps.
            PeerEvent::KeyPinned { peer, key } => {
                return info!(%peer, %key, "key pinned on first use");
            }
            PeerEvent::HealthChanged { peer, healthy } => {
                return info!(%peer, healthy, "health changed");
            }
            PeerEvent::PeerAdded { .. }
            | PeerEvent::SessionReady { .. }
            | PeerEvent::SessionClosed { .. }
            | PeerEvent::MessageReceived(_)
            | PeerEvent::MessageRefused { .. }
            | PeerEvent::HandshakeFailed { .. } => {}
        }
        self.events += 1;
        if let Some(listener) = &self.listener {
            // A listener that is full misses the event and sees the gap.
            drop(listener.try_send(Numbered { n: self.events, event }));
        }
    }

    /// Whether the earliest deadline lies before what the timer waits for.
    fn deadline_moved_forward(&mut self) -> bool {
        match (self.peer.next_deadline(), self.timer) {
            (Some(next), Some(timer)) if next >= timer => false,
            (Some(next), _) => {
                self.timer = Some(next);
                true
            }
            (None, _) => false,
        }
    }
}

/// Withdraws a command whose end nobody waits for any more.
struct Withdrawal<'a> {
    node: &'a Node,
    command: Option<CommandId>,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if let Some(command) = self.command {
            self.node.input_state(|state, now| {
                state.commands.remove(&command);
                let id = state.next_command();
                state.peer.handle_command(id, Command::Cancel { command }, now);
            });
        }
    }
}

fn kind_of(failure: &Failure) -> FailureKind {
    match failure {
        Failure::Connect(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            FailureKind::Refused
        }
        Failure::Connect(_) | Failure::Request(_) => FailureKind::Address,
        Failure::ConnectTimeout | Failure::Timeout => FailureKind::TimedOut,
        Failure::Broken(error) if error.is_parse() => FailureKind::Malformed,
        Failure::Broken(_) => FailureKind::Broken,
        Failure::AnswerTooLarge => FailureKind::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_is_too_slow_sees_a_gap() {
        let config = Config::new("a".parse().unwrap());
        let node = Node::new(config, SigningKey::from_seed([1; 32]), [2; 32], Clock::start());
        let mut events = node.listen();
        let more = 3;
        for _ in 0..Node::EVENTS_MAX + more {
            assert_eq!(node.message(b"no message").status, 400);
        }
        let mut last = 0;
        while let Ok(event) = events.try_recv() {
            last += 1;
            assert_eq!(event.n, last);
        }
        assert_eq!(usize::try_from(last).unwrap(), Node::EVENTS_MAX);
        node.message(b"no message");
        assert_eq!(
            usize::try_from(events.try_recv().unwrap().n).unwrap(),
            Node::EVENTS_MAX + more + 1
        );
    }
}
