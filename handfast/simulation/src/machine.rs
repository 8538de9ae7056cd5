//! One peer as a program runs it: its journal, and the gate that lets nothing out that rests on what is not durable yet.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use entity_crypto::signing::SigningKey;
use entity_journal::{Batch, Journal as _, JournalError, MemoryJournal};
use entity_peer::output::MemoryFiles;
use entity_peer::{Config, Output, Peer, RestoreError};
use entity_wire::time::Timestamp;
use handfast_faults::Dice;

use crate::network::Exchange;

/// Where a crash strikes beside a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before it is durable: it is gone, and so is what came after it.
    Before,
    /// After it is durable, before anything that rests on it leaves.
    After,
}

/// What waits behind the gate, in order.
#[derive(Debug)]
pub enum Waiting {
    /// To be made durable.
    Batch(Batch),
    /// An output of the peer.
    Output(Box<Output>),
    /// The answer to a request.
    Answer(Exchange, u16, Bytes),
}

/// One peer, its journal, its clock.
#[derive(Debug)]
pub struct Machine {
    /// Its configuration; its name is the peer's id.
    pub config: Config,
    /// How far its clock is off.
    pub skew: i64,
    /// Its life, from 0; the next one has the next number.
    pub life: u32,
    /// Batches that its peer wanted kept, in all its lives.
    pub batches: u64,
    /// The power fails at the batch with this number, counted as [`Machine::batches`].
    pub crash_at: Option<(u64, Side)>,
    /// What its peer reads and writes; a loss of power leaves it as it is.
    pub files: MemoryFiles,
    seed: [u8; 32],
    journal: MemoryJournal,
    peer: Option<Peer>,
    gate: VecDeque<Waiting>,
    dice: Dice,
}

/// Why the power failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerFailed;

/// What the files of a machine may take, in bytes: far more than a plan sends.
const FILES_MAX: usize = 64 << 20;

impl Machine {
    /// Makes a machine that is off. Everything it leaves to chance comes from `dice`.
    pub fn new(config: Config, skew: i64, mut dice: Dice) -> Self {
        Self {
            config,
            skew,
            life: 0,
            batches: 0,
            crash_at: None,
            files: MemoryFiles::new(FILES_MAX),
            seed: dice.bytes(),
            journal: MemoryJournal::default(),
            peer: None,
            gate: VecDeque::new(),
            dice,
        }
    }

    /// Its identity.
    pub fn key(&self) -> SigningKey {
        SigningKey::from_seed(self.seed)
    }

    /// What its clock shows.
    pub fn clock(&self, now: Duration) -> Timestamp {
        beginning().plus(now).offset(self.skew)
    }

    /// When, by our time, its clock shows `due`.
    pub fn when(&self, due: Timestamp) -> Duration {
        due.offset(-self.skew).since(beginning())
    }

    /// Whether it runs.
    pub fn is_on(&self) -> bool {
        self.peer.is_some()
    }

    /// Its peer, while it runs.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// Switches it on with what was kept.
    ///
    /// # Errors
    ///
    /// The peer cannot read what it kept, which no fault here explains.
    pub fn start(&mut self, now: Duration) -> Result<(), StartError> {
        let stored = self.journal.load()?;
        let (key, seed, now) = (self.key(), self.dice.bytes(), self.clock(now));
        self.peer = Some(Peer::restore(self.config.clone(), key, seed, stored, now)?);
        Ok(())
    }

    /// Takes its power: what is not durable is gone. Of the batches on their way to the disk some may have got there.
    pub fn crash(&mut self) {
        let waiting =
            self.gate.iter().filter(|waiting| matches!(waiting, Waiting::Batch(_))).count();
        let kept = self.dice.below(u64::try_from(waiting).unwrap_or(0) + 1);
        for _ in 0..kept {
            self.commit_next();
        }
        self.off();
    }

    /// Gives the peer an input, and what it brings about to the gate. Says whether the power failed at a batch of it.
    pub fn input<T>(
        &mut self,
        now: Duration,
        input: impl FnOnce(&mut Peer, Timestamp) -> T,
    ) -> Option<Result<T, PowerFailed>> {
        let clock = self.clock(now);
        let peer = self.peer.as_mut()?;
        let outcome = input(peer, clock);
        while let Some(output) = self.peer.as_mut().and_then(Peer::poll_output) {
            let Output::Persist(batch) = output else {
                self.gate.push_back(Waiting::Output(Box::new(output)));
                continue;
            };
            self.batches += 1;
            match self.crash_at {
                Some((number, side)) if number == self.batches => {
                    self.crash_at = None;
                    self.fail_at(batch, side);
                    return Some(Err(PowerFailed));
                }
                Some(_) | None => self.gate.push_back(Waiting::Batch(batch)),
            }
        }
        Some(Ok(outcome))
    }

    /// Lets the answer to a request wait for everything before it.
    pub fn answer(&mut self, exchange: Exchange, status: u16, body: Bytes) {
        self.gate.push_back(Waiting::Answer(exchange, status, body));
    }

    /// Whether something waits for the disk.
    pub fn has_to_write(&self) -> bool {
        matches!(self.gate.front(), Some(Waiting::Batch(_)))
    }

    /// Makes everything that waits durable, as one write.
    pub fn write(&mut self) {
        while self.commit_next() {}
    }

    /// Takes what may leave: everything before the first batch that is not durable.
    pub fn release(&mut self) -> Option<Waiting> {
        if self.has_to_write() { None } else { self.gate.pop_front() }
    }

    /// Commits the first batch that waits; `false` where none does. What waits around it keeps its order.
    fn commit_next(&mut self) -> bool {
        let is_batch = |waiting: &Waiting| matches!(waiting, Waiting::Batch(_));
        let Some(place) = self.gate.iter().position(is_batch) else { return false };
        if let Some(Waiting::Batch(batch)) = self.gate.remove(place) {
            self.keep(&batch);
        }
        true
    }

    fn fail_at(&mut self, batch: Batch, side: Side) {
        // The disk writes in order: what came before the batch is durable where the batch is.
        if side == Side::After {
            self.write();
            self.keep(&batch);
            self.off();
        } else {
            self.crash();
        }
    }

    fn keep(&mut self, batch: &Batch) {
        self.journal.commit(std::slice::from_ref(batch)).expect("memory does not fail");
    }

    fn off(&mut self) {
        self.gate.clear();
        self.peer = None;
        self.life += 1;
    }
}

/// A peer did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot use what it kept.
    #[error("it cannot go on: {0}")]
    Restore(#[from] RestoreError),
    /// Its journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What a clock that is right shows at the start of every run: 2026-11-22T08:00:00Z.
fn beginning() -> Timestamp {
    Timestamp::UNIX_EPOCH.plus(Duration::from_hours(498_704))
}
