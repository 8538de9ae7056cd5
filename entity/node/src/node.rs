//! The run loop around one pure peer.
//!
//! There is no task that owns the peer: whoever has an input takes the lock, gives the input, drains the outputs, and carries
//! the transmissions out after the lock is gone. A received message therefore stays in the task of its connection from the
//! first byte to the last, and its signature is checked outside the lock.
//!
//! What the peer wants kept goes in line for the journal's thread, and everything after it waits at the `gate` until it is
//! durable: transmissions, events, ends of commands, and the answer to the message. With nothing in line nothing waits.
//! No lock is held over input or output.

mod aside;
mod deliver;
mod gate;
mod state;

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use entity_bridge::route::Suspicion;
use entity_crypto::signing::SigningKey;
use entity_journal::{Journal as _, JournalError, MemoryJournal, Record, Space, Stored};
use entity_peer::command::{Command, CommandError, CommandId, CommandResult};
use entity_peer::config::Frames;
use entity_peer::inbound::{Check, Checked, DecodeRules, Decoded, Refusal, decode, decode_frame};
use entity_peer::output::{Delivery, IoOutcome, PeerEvent};
use entity_peer::{Config, Peer, PeerName, RestoreError};
use entity_transport::http::{Caller, Client, ClientLimits};
use entity_wire::code::ErrorCode;
use entity_wire::frame::batch;
use entity_wire::reply::Reply;
use entity_wire::time::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tracing::{debug, error};

use crate::clock::Clock;
use crate::files::Files;
use crate::layers::Layers;
use crate::storage::Storage;
use crate::storage::writer::{Progress, Scan, Writer};
use state::{Keeper, State};

pub(crate) use state::Passage;

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
    layers: Layers,
    /// Told when the earliest deadline moves forward.
    deadline_moved: Notify,
    /// How many transmissions are under way.
    under_way: watch::Sender<usize>,
    /// Batches that are durable and not let go yet.
    durable: AtomicUsize,
    frames_taken: AtomicU64,
    /// Why the journal failed, once it has.
    failure: watch::Sender<Option<Arc<JournalError>>>,
    /// Places for those who read the journal.
    readers: Semaphore,
}

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What was kept cannot be used.
    #[error("go on with what was kept")]
    Restore(#[from] RestoreError),
    /// The store cannot be read.
    #[error("go on with what was kept")]
    Journal(#[from] JournalError),
    /// The system does not let us.
    #[error("start")]
    System(#[source] io::Error),
}

/// An event of the contract with its place in the order of all such events of this peer, counted from 1.
///
/// A listener that is too slow misses events and sees that by a gap.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// The place.
    pub n: u64,
    /// The event.
    pub event: NodeEvent,
}

/// Something that the owner of a node may want to know.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeEvent {
    /// Of the peer.
    Peer(PeerEvent),
    /// A relay is suspected of something.
    RelaySuspected(Suspicion),
}

impl Node {
    /// Events that wait for a slow listener; further ones are dropped, which it sees as a gap. Guessed: a burst of messages
    /// between two turns of the listener.
    pub const EVENTS_MAX: usize = 4096;

    /// Most records of one [`Node::scan`].
    pub const SCAN_COUNT_MAX: usize = 1000;

    /// Scans at a moment; a further one waits. Guessed: they take turns on the journal's thread anyway.
    const READERS_MAX: usize = 16;

    /// Makes a peer that keeps its records in memory. `seed` is all its randomness.
    pub fn new(config: Config, key: SigningKey, seed: [u8; 32], clock: Clock) -> Self {
        let peer = Peer::new(config, key, seed, clock.now());
        Self::around(peer, clock, Keeper::Memory(MemoryJournal::default()))
    }

    /// Makes a peer that goes on with `stored`, what `storage` keeps, and keeps its records there. `seed` is all its
    /// randomness. Call [`Node::listen`] before the first input, and no event is missed.
    ///
    /// # Errors
    ///
    /// [`StartError`]; outside the async runtime as well.
    pub fn restore(
        config: Config,
        key: SigningKey,
        seed: [u8; 32],
        clock: Clock,
        (storage, stored): (Storage, Stored),
    ) -> Result<Self, StartError> {
        let peer = Peer::restore(config, key, seed, stored, clock.now())?;
        let journal = match storage {
            Storage::Memory(journal) => {
                return Ok(Self::around(peer, clock, Keeper::Memory(journal)));
            }
            Storage::Journal(journal) => journal,
        };
        let node = Self::around(peer, clock, Keeper::Memory(MemoryJournal::default()));
        let runtime =
            Handle::try_current().map_err(|error| StartError::System(io::Error::other(error)))?;
        // The thread must not keep the node alive.
        let told = Arc::downgrade(&node.shared);
        let writer = Writer::start(journal, move |progress| {
            if let Some(shared) = Weak::upgrade(&told) {
                Self { shared }.journal_told(progress, &runtime);
            }
        });
        node.state().journal = Keeper::Writer(writer.map_err(StartError::System)?);
        Ok(node)
    }

    /// Lets transfers read and write files: what is received goes below `data_dir`; without one, messages are taken and
    /// files are not. To be called once, before the first input.
    ///
    /// # Errors
    ///
    /// The directory cannot be used, or there is no async runtime.
    pub fn keep_files(&self, data_dir: Option<&Path>) -> io::Result<()> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let open: Vec<_> = self.look(|peer, _| peer.incoming_transfers().collect());
        // The threads must not keep the node alive.
        let told = Arc::downgrade(&self.shared);
        // Where nothing goes in frames, chunks are encoded here and not under the lock.
        let is_text = self.look(|peer, _| match peer.config().frames {
            Frames::Always => false,
            Frames::Socket => !peer.config().websocket,
            Frames::Never => true,
        });
        let files = Files::new(data_dir, &open, move |outcome| {
            let outcome = if is_text { encoded(outcome) } else { outcome };
            if let Some(shared) = Weak::upgrade(&told) {
                let _context = runtime.enter();
                Self { shared }.input(|peer, now| peer.handle_io(outcome, now));
            }
        })?;
        self.state().files = Some(files);
        Ok(())
    }

    fn around(peer: Peer, clock: Clock, journal: Keeper) -> Self {
        let rules = peer.decode_rules();
        let layers = Layers::of(peer.config());
        let state = State::new(peer, journal);
        let client = Client::new(ClientLimits {
            answer_max_bytes: Delivery::BODY_LEN_BYTES_MAX,
            ..ClientLimits::default()
        });
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                rules,
                clock,
                client,
                layers,
                deadline_moved: Notify::new(),
                under_way: watch::Sender::new(0),
                durable: AtomicUsize::new(0),
                frames_taken: AtomicU64::new(0),
                failure: watch::Sender::new(None),
                readers: Semaphore::new(Self::READERS_MAX),
            }),
        }
    }

    /// Keeps the peer's deadlines. Runs until dropped; without it nothing is retried, probed or expired.
    pub async fn keep_deadlines(&self) {
        // What the peer wants at its start waits for somebody to take it.
        self.input(|_, _| ());
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

    /// Takes the body of one `POST /message` and returns its answer, once everything that it rests on is durable.
    pub async fn message(&self, body: &[u8]) -> Reply {
        self.kept(self.judge(body, None)).await
    }

    /// The same, of a message that somebody posted; where it is accepted, they are its sender.
    pub(crate) async fn message_of(&self, body: &[u8], caller: &Caller) -> Reply {
        self.kept(self.judge(body, Some(caller))).await
    }

    /// Takes one compact frame and returns its answer, once everything that it rests on is durable.
    pub async fn frame(&self, frame: &[u8]) -> Reply {
        self.kept(self.judge_frame(frame, None)).await
    }

    /// Takes the body of one `POST /frame`: its frames one after the other. Returns what became of each, once everything that
    /// they rest on is durable.
    pub async fn frames(&self, body: &[u8]) -> Reply {
        self.frames_of(body, None).await
    }

    /// The same, of somebody who posted them.
    pub(crate) async fn frames_of(&self, body: &[u8], caller: Option<&Caller>) -> Reply {
        let caller = caller.map(|caller| caller as &dyn Origin);
        let frames = match batch::split(body) {
            Ok(frames) => frames,
            Err(error) => return Reply::error(error.code()),
        };
        let (replies, passage) = self.judge_frames(&frames, caller);
        if let Some(passage) = passage
            && passage.await.is_err()
        {
            // The journal failed: what the answers say may be forgotten.
            return Reply::retry_later(ErrorCode::ServiceUnavailable, RETRY_AFTER_MS);
        }
        let outcomes: Vec<_> =
            replies.iter().map(|reply| reply.code().map_or(Ok(()), Err)).collect();
        Reply { status: 200, body: batch::results(&outcomes), retry_after_seconds: None }
    }

    /// The answer, once what it rests on is durable.
    async fn kept(&self, judged: Judged) -> Reply {
        match judged {
            Judged { reply, passage: None } => reply,
            Judged { reply, passage: Some(passage) } => match passage.await {
                Ok(()) => reply,
                // The journal failed: what the answer says may be forgotten.
                Err(_) => Reply::retry_later(ErrorCode::ServiceUnavailable, RETRY_AFTER_MS),
            },
        }
    }

    /// The answer to a message, and what it has to wait for. Where it is accepted, `unknown` hears whose it is, before
    /// anything leaves that it brings about.
    pub(crate) fn judge(&self, body: &[u8], unknown: Option<&dyn Origin>) -> Judged {
        self.judge_decoded(decode(&self.shared.rules, body), unknown)
    }

    /// The same for a compact frame.
    pub(crate) fn judge_frame(&self, frame: &[u8], unknown: Option<&dyn Origin>) -> Judged {
        self.judge_decoded(decode_frame(&self.shared.rules, frame), unknown)
    }

    /// Takes frames in their order, all under one lock: opening one costs less than taking the lock again. Returns their
    /// answers, and what these have to wait for.
    pub(crate) fn judge_frames(
        &self,
        frames: &[impl AsRef<[u8]>],
        mut unknown: Option<&dyn Origin>,
    ) -> (Vec<Reply>, Option<Passage>) {
        let decoded = frames.iter().map(|frame| decode_frame(&self.shared.rules, frame.as_ref()));
        let decoded: Vec<_> = decoded.collect();
        let mut heard = None;
        let judged = self.step(
            |state, now| {
                let mut replies = Vec::with_capacity(decoded.len());
                for decoded in decoded {
                    let (reply, sender) = state.take_frame(decoded, now);
                    if let (Some(origin), Some(sender)) = (unknown, &sender) {
                        origin.heard_of(self, sender);
                        unknown = None;
                    }
                    if reply.status == 200 {
                        self.shared.frames_taken.fetch_add(1, Ordering::Relaxed);
                    }
                    heard = sender.or_else(|| heard.take());
                    replies.push(reply);
                }
                replies
            },
            |state, replies| (replies, state.passage()),
        );
        // What comes over one connection is, as a rule, of one peer.
        if let Some(heard) = heard.filter(|_| self.notes_heard()) {
            self.note_heard(&heard);
        }
        judged
    }

    /// Takes envelopes in their order. The signatures of some are verified together, ahead of handling the first of them. Returns
    /// their answers, and what these have to wait for.
    pub(crate) fn judge_texts(
        &self,
        bodies: &[impl AsRef<[u8]>],
        mut unknown: Option<&dyn Origin>,
    ) -> (Vec<Reply>, Option<Passage>) {
        let mut bodies = bodies.iter().map(AsRef::as_ref);
        let mut decoded = VecDeque::with_capacity(AHEAD_MAX);
        let mut replies = Vec::with_capacity(bodies.len());
        let mut rests_on = None;
        loop {
            if decoded.is_empty() {
                self.decode_some(&mut bodies, &mut decoded);
            }
            let checks = self.admit_ahead(&mut decoded);
            let passage = if checks.is_empty() {
                let Some(decoded) = decoded.pop_front() else { break };
                let Judged { reply, passage } = self.judge_decoded(decoded, unknown);
                // From here on it may be known whose the connection is.
                if reply.status == 200 {
                    unknown = None;
                }
                replies.push(reply);
                passage
            } else {
                let (judged, passage) = self.judge_checked(Check::run_all(checks), &mut unknown);
                replies.extend(judged);
                passage
            };
            // What is durable last has everything before it durable, too.
            rests_on = passage.or(rests_on);
        }
        (replies, rests_on)
    }

    /// Reads the next few: at most [`AHEAD_MAX`], and no more once they have [`AHEAD_BYTES_MAX`].
    fn decode_some<'a>(
        &self,
        bodies: &mut impl Iterator<Item = &'a [u8]>,
        decoded: &mut VecDeque<Result<Decoded, Refusal>>,
    ) {
        let mut len_bytes = 0;
        while decoded.len() < AHEAD_MAX && len_bytes < AHEAD_BYTES_MAX {
            let Some(body) = bodies.next() else { break };
            len_bytes += body.len();
            decoded.push_back(decode(&self.shared.rules, body));
        }
    }

    /// The first of what is left whose signatures may be verified before any of them is handled.
    fn admit_ahead(&self, left: &mut VecDeque<Result<Decoded, Refusal>>) -> Vec<Check> {
        let state = self.state();
        let mut checks = Vec::new();
        while !state.gate.is_full() {
            match left.pop_front() {
                None => break,
                Some(Err(refusal)) => {
                    left.push_front(Err(refusal));
                    break;
                }
                Some(Ok(decoded)) => match state.peer.admit_ahead(decoded) {
                    Ok(check) => checks.push(check),
                    Err(decoded) => {
                        left.push_front(Ok(*decoded));
                        break;
                    }
                },
            }
        }
        checks
    }

    /// Handles messages in their order, all under one lock.
    fn judge_checked(
        &self,
        checked: Vec<Result<Checked, Refusal>>,
        unknown: &mut Option<&dyn Origin>,
    ) -> (Vec<Reply>, Option<Passage>) {
        let is_asked = unknown.is_some() || self.notes_heard();
        let mut heard = None;
        let judged = self.step(
            |state, now| {
                let mut replies = Vec::with_capacity(checked.len());
                for checked in checked {
                    let checked = match checked {
                        Ok(checked) => checked,
                        Err(refusal) => {
                            replies.push(state.peer.handle_refusal(refusal));
                            continue;
                        }
                    };
                    let sender = if is_asked { checked.sender() } else { None };
                    let reply = state.peer.handle_checked(checked, now);
                    if let (200, Some(sender)) = (reply.status, sender) {
                        if let Some(origin) = unknown.take() {
                            origin.heard_of(self, &sender);
                        }
                        heard = Some(sender);
                    }
                    replies.push(reply);
                }
                replies
            },
            |state, replies| (replies, state.passage()),
        );
        // What comes over one connection is, as a rule, of one peer.
        if let Some(heard) = heard.filter(|_| self.notes_heard()) {
            self.note_heard(&heard);
        }
        judged
    }

    fn judge_decoded(
        &self,
        decoded: Result<Decoded, Refusal>,
        unknown: Option<&dyn Origin>,
    ) -> Judged {
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(refusal) => return self.answer(|peer, _| peer.handle_refusal(refusal)),
        };
        let admitted = self.step(
            |state, now| {
                if state.gate.is_full() {
                    let code = ErrorCode::ServiceUnavailable;
                    return Err(Reply::retry_later(code, RETRY_AFTER_MS));
                }
                state.peer.admit(decoded, now)
            },
            |state, admitted| admitted.map_err(|reply| Judged { reply, passage: state.passage() }),
        );
        match admitted.map(Check::run) {
            Ok(Ok(checked)) => {
                let is_asked = unknown.is_some() || self.notes_heard();
                let sender = if is_asked { checked.sender() } else { None };
                let judged = self.answer(|peer, now| {
                    let reply = peer.handle_checked(checked, now);
                    if let (200, Some(origin), Some(peer)) = (reply.status, unknown, &sender) {
                        origin.heard_of(self, peer);
                    }
                    reply
                });
                if let Some(sender) = sender.filter(|_| judged.reply.status == 200) {
                    self.note_heard(&sender);
                }
                judged
            }
            Ok(Err(refusal)) => self.answer(|peer, _| peer.handle_refusal(refusal)),
            Err(refused) => refused,
        }
    }

    /// Waits until everything that the peer knows now is durable. Who shows what the peer keeps calls it first, so that
    /// nothing is shown that a crash takes back. Returns at once with nothing on its way to the disk.
    ///
    /// # Errors
    ///
    /// [`Unsettled`] when the journal fails.
    pub async fn settled(&self) -> Result<(), Unsettled> {
        let passage = self.state().passage();
        match passage {
            None => Ok(()),
            Some(passage) => passage.await.map_err(|_| Unsettled),
        }
    }

    /// Looks up records that are not kept in memory: up to `count_max` of `space`, at most [`Node::SCAN_COUNT_MAX`], whose
    /// keys begin with `prefix`, in the order of their keys, from the first above `after`. Everything the peer wanted kept
    /// before the call is seen.
    ///
    /// # Errors
    ///
    /// [`JournalError`] where the store cannot be read, or has failed before.
    pub async fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<Record>, JournalError> {
        let closed = || JournalError { action: "read", reason: "it is closed".to_owned() };
        let count_max = count_max.min(Self::SCAN_COUNT_MAX);
        let place = self.shared.readers.acquire().await.map_err(|_| closed())?;
        let answer = match &self.state().journal {
            Keeper::Memory(journal) => return journal.scan(space, prefix, after, count_max),
            Keeper::Writer(writer) => writer.scan(Scan {
                space,
                prefix: prefix.to_vec(),
                after: after.map(<[u8]>::to_vec),
                count_max,
            }),
        };
        let found = answer.await.map_err(|_| closed())?;
        drop(place);
        found
    }

    /// Waits until the journal fails; then the node has stopped, and its owner has to end.
    pub async fn failed(&self) -> Arc<JournalError> {
        let mut failure = self.shared.failure.subscribe();
        loop {
            if let Some(error) = failure.borrow_and_update().clone() {
                return error;
            }
            if failure.changed().await.is_err() {
                // This node holds the sender, so this is never reached.
                return std::future::pending().await;
            }
        }
    }

    /// Takes no new commands from here on; what is under way goes on.
    pub fn refuse_commands(&self) {
        self.state().is_closing = true;
    }

    /// Lets transmissions under way end for at most `patience`, makes everything durable, and closes the journal.
    ///
    /// # Errors
    ///
    /// Why the journal failed, now or before: then not everything is durable.
    pub async fn close(&self, patience: Duration) -> Result<(), Arc<JournalError>> {
        self.refuse_commands();
        let mut under_way = self.shared.under_way.subscribe();
        let ended = under_way.wait_for(|count| *count == 0);
        if tokio::time::timeout(patience, ended).await.is_err() {
            debug!("transmissions still under way are cut");
        }
        self.shared.layers.close();
        // The counters as they are: what starts again need not pass over numbers that were never used.
        self.input(|peer, _| peer.handle_shutdown());
        self.state().keep_late();
        let closed = match &self.state().journal {
            Keeper::Memory(_) => None,
            Keeper::Writer(writer) => Some(writer.close()),
        };
        if let Some(closed) = closed {
            closed.await;
            // What was made durable last may not have been let go yet.
            self.let_go();
        }
        self.state().stop();
        match self.shared.failure.borrow().clone() {
            None => Ok(()),
            Some(failure) => Err(failure),
        }
    }

    /// Gives a command to the peer and waits for its end. Dropping the future withdraws the command.
    ///
    /// # Errors
    ///
    /// The peer's own refusal; [`CommandError::Overloaded`] when too much is on its way to the disk, and
    /// [`CommandError::Cancelled`] when the node stops.
    pub async fn command(&self, command: Command) -> Result<CommandResult, CommandError> {
        let (done, end) = oneshot::channel();
        let id = self.input_state(|state, now| {
            if state.is_closing {
                return Err(CommandError::Cancelled);
            }
            if state.gate.is_full() {
                return Err(CommandError::Overloaded { limit: "batches_under_way_max" });
            }
            let id = state.next_command();
            state.commands.insert(id, done);
            state.peer.handle_command(id, command, now);
            Ok(id)
        })?;
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

    /// How many WebSockets are open, and of how many it is known whose they are.
    pub fn sockets(&self) -> (usize, usize) {
        self.shared.layers.count()
    }

    /// Waits until there is a connection that belongs to a peer that is known.
    pub async fn reached_by_socket(&self) {
        loop {
            let changed = self.shared.layers.changed();
            if self.sockets().1 > 0 {
                return;
            }
            changed.await;
        }
    }

    /// How many compact frames were taken and not refused, since the start.
    pub fn frames_taken(&self) -> u64 {
        self.shared.frames_taken.load(Ordering::Relaxed)
    }

    /// The ways out.
    pub(crate) fn layers(&self) -> &Layers {
        &self.shared.layers
    }

    /// The same node, not kept alive.
    pub(crate) fn downgrade(&self) -> WeakNode {
        WeakNode(Arc::downgrade(&self.shared))
    }

    /// Notes that so many transmissions more are under way.
    pub(crate) fn count_under_way(&self, count: usize) {
        if count > 0 {
            self.shared.under_way.send_modify(|under_way| *under_way += count);
        }
    }

    /// Notes that so many have ended.
    pub(crate) fn uncount_under_way(&self, count: usize) {
        if count > 0 {
            self.shared.under_way.send_modify(|under_way| *under_way -= count);
        }
    }

    pub(crate) fn input<T>(&self, input: impl FnOnce(&mut Peer, Timestamp) -> T) -> T {
        self.input_state(|state, now| input(&mut state.peer, now))
    }

    fn input_state<T>(&self, input: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        self.step(input, |_, outcome| outcome)
    }

    /// Gives an input that is answered.
    fn answer(&self, input: impl FnOnce(&mut Peer, Timestamp) -> Reply) -> Judged {
        self.step(
            |state, now| input(&mut state.peer, now),
            |state, reply| Judged { reply, passage: state.passage() },
        )
    }

    /// Gives one input under the lock, drains the outputs, looks at the outcome, and starts the transmissions after the lock.
    fn step<T, U>(
        &self,
        input: impl FnOnce(&mut State, Timestamp) -> T,
        outcome: impl FnOnce(&mut State, T) -> U,
    ) -> U {
        let (outcome, drained, ended) = {
            let mut state = self.state();
            // Read under the lock, so that the peer never sees time go back.
            let now = self.shared.clock.now();
            let input = input(&mut state, now);
            let drained = state.drain();
            let ended = std::mem::take(&mut state.ended);
            if state.deadline_moved_forward() {
                self.shared.deadline_moved.notify_one();
            }
            (outcome(&mut state, input), drained, ended)
        };
        self.note_ended(&ended);
        match drained {
            Ok(transmits) => self.carry(transmits),
            Err(error) => self.fail(error),
        }
        outcome
    }

    /// Runs on the journal's thread.
    fn journal_told(&self, progress: Progress, runtime: &Handle) {
        match progress {
            // What waited is let go on a thread of the runtime: from here each task would wake one of them anew.
            Progress::Durable { batches } => {
                self.shared.durable.fetch_add(batches, Ordering::AcqRel);
                let node = self.clone();
                runtime.spawn(async move { node.let_go() });
            }
            Progress::Failed(error) => self.fail(error),
        }
    }

    /// Lets go what waited for batches that are durable by now.
    fn let_go(&self) {
        let (transmits, ended) = {
            let mut state = self.state();
            let batches = self.shared.durable.swap(0, Ordering::AcqRel);
            (state.durable(batches), std::mem::take(&mut state.ended))
        };
        self.note_ended(&ended);
        self.carry(transmits);
    }

    /// Lets nothing leave any more and tells the owner.
    fn fail(&self, error: JournalError) {
        error!(%error, "the journal failed, nothing is done any more");
        self.state().stop();
        self.shared.failure.send_replace(Some(Arc::new(error)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The peer keeps its state valid at every return; a panic in between has been reported already.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A node that is not kept alive.
#[derive(Debug, Clone)]
pub(crate) struct WeakNode(Weak<Shared>);

impl WeakNode {
    /// The node, where it lives.
    pub(crate) fn upgrade(&self) -> Option<Node> {
        self.0.upgrade().map(|shared| Node { shared })
    }
}

/// Where messages come from. It hears whose an accepted one is.
pub(crate) trait Origin: Sync {
    /// Notes that an accepted message was of this peer.
    fn heard_of(&self, node: &Node, peer: &PeerName);
}

impl Origin for Caller {
    fn heard_of(&self, _: &Node, peer: &PeerName) {
        self.is(peer.as_str());
    }
}

/// The answer to a message, and what it has to wait for.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) reply: Reply,
    pub(crate) passage: Option<Passage>,
}

/// The journal failed before everything was durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("make it durable: the journal failed")]
pub struct Unsettled;

/// Signatures that are verified together. Of more than eight, encoding their points saves no more that counts, and the first would
/// wait for the last.
const AHEAD_MAX: usize = 8;

/// Bytes of envelopes from which on no further one is read ahead: what is read of them takes some times as much memory.
const AHEAD_BYTES_MAX: usize = 64 * 1024;

/// How long a caller is asked to stay away when the disk does not keep up. Guessed: a few commits of a slow disk.
const RETRY_AFTER_MS: u64 = 1000;

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

/// The same with its chunk as text, too.
fn encoded(outcome: IoOutcome) -> IoOutcome {
    match outcome {
        IoOutcome::Read { transfer, index, outcome: Ok(piece) } => {
            IoOutcome::Read { transfer, index, outcome: Ok(piece.encoded()) }
        }
        IoOutcome::Read { outcome: Err(_), .. }
        | IoOutcome::Written { .. }
        | IoOutcome::Synced { .. }
        | IoOutcome::Finished { .. }
        | IoOutcome::Message { .. } => outcome,
    }
}

#[cfg(test)]
mod tests;
