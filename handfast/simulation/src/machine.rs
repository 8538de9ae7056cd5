//! One peer as a program runs it: its journal, and the gate that lets nothing out that rests on what is not durable yet.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use entity_crypto::signing::{PublicKey, SigningKey};
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

/// What is wrong with a machine on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// What rests on a batch leaves before the batch is durable.
    AnswersTooSoon,
    /// Of the batch that the disk is at when the power fails, a part is kept.
    TearsBatches,
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
    /// How many of these were durable or lost before, when the power failed last: those after it are lost.
    pub lost_after: u64,
    /// The power fails at the batch with this number, counted as [`Machine::batches`].
    pub crash_at: Option<(u64, Side)>,
    /// What its peer reads and writes; a loss of power leaves it as it is.
    pub files: MemoryFiles,
    /// What is wrong with it.
    pub defect: Option<Defect>,
    seed: [u8; 32],
    public_key: PublicKey,
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
        let seed = dice.bytes();
        Self {
            config,
            skew,
            life: 0,
            batches: 0,
            lost_after: 0,
            crash_at: None,
            files: MemoryFiles::new(FILES_MAX),
            defect: None,
            seed,
            public_key: SigningKey::from_seed(seed).public_key(),
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

    /// What others know it by.
    pub fn public_key(&self) -> PublicKey {
        self.public_key
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
        self.flush_some();
        self.off();
    }

    /// Ends it in order: everything is durable.
    pub fn stop(&mut self) {
        self.write();
        self.off();
    }

    fn flush_some(&mut self) {
        let waiting =
            self.gate.iter().filter(|waiting| matches!(waiting, Waiting::Batch(_))).count();
        let kept = self.dice.below(u64::try_from(waiting).unwrap_or(0) + 1);
        for _ in 0..kept {
            self.commit_next();
        }
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
        if self.defect == Some(Defect::AnswersTooSoon) {
            let mut waiting = self.gate.iter();
            let place = waiting.position(|waiting| !matches!(waiting, Waiting::Batch(_)))?;
            return self.gate.remove(place);
        }
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

    /// Keeps a part of the first batch that waits.
    fn tear_next(&mut self) {
        let batch = self.gate.iter().find_map(|waiting| match waiting {
            Waiting::Batch(batch) => Some(batch.writes().to_vec()),
            Waiting::Output(_) | Waiting::Answer(..) => None,
        });
        if let Some(mut writes) = batch {
            let part = self.dice.below(u64::try_from(writes.len()).unwrap_or(0));
            writes.truncate(usize::try_from(part).unwrap_or(0));
            self.keep(&Batch::from(writes));
        }
    }

    fn fail_at(&mut self, batch: Batch, side: Side) {
        // The disk writes in order: what came before the batch is durable where the batch is.
        if side == Side::After {
            self.write();
            self.keep(&batch);
            self.off();
        } else {
            self.crash_before(batch);
        }
    }

    /// Takes the power before a batch is durable; whatever was before it may have got to the disk.
    fn crash_before(&mut self, batch: Batch) {
        self.flush_some();
        self.gate.push_back(Waiting::Batch(batch));
        self.off();
    }

    fn keep(&mut self, batch: &Batch) {
        self.journal.commit(std::slice::from_ref(batch)).expect("memory does not fail");
    }

    fn off(&mut self) {
        let waits = |waiting: &&Waiting| matches!(waiting, Waiting::Batch(_));
        let lost = u64::try_from(self.gate.iter().filter(waits).count()).unwrap_or(0);
        self.lost_after = self.batches - lost;
        if self.defect == Some(Defect::TearsBatches) {
            self.tear_next();
        }
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
