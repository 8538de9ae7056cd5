//! One transfer on its way in.

use std::collections::BTreeSet;
use std::time::Duration;

use entity_crypto::identity::PeerId;
use entity_wire::payload::chunk::{
    BreakReason, ChunkAck, ChunkHead, ChunkInit, ChunkResend, FILE, Ranges,
};
use entity_wire::time::Timestamp;

use crate::chunk_set::ChunkSet;
use crate::config::Config;
use crate::outgoing::Want;
use crate::vocabulary::{ChunkBody, Io, Keep, Message, WriteOutcome};

/// One transfer on its way in.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) peer: PeerId,
    pub(crate) init: ChunkInit,
    /// What is written.
    received: ChunkSet,
    unwritten: BTreeSet<u32>,
    /// Written chunks that were not acknowledged, and when they have to be.
    unacked: u32,
    ack_due: Option<Timestamp>,
    sync: Sync,
    resend_wait: Duration,
    resend_due: Option<Timestamp>,
    corrupt: u32,
    heard_at: Timestamp,
    is_finishing: bool,
}

/// What was written and is not durable yet.
#[derive(Debug, Clone, Default)]
struct Sync {
    bytes: u64,
    since: Option<Timestamp>,
    /// What will be durable once the synchronisation under way ends.
    running: Option<ChunkSet>,
}

impl Incoming {
    pub(crate) fn new(peer: PeerId, init: ChunkInit, received: &Ranges, now: Timestamp) -> Self {
        let received = ChunkSet::from_ranges(init.cut.total_chunks(), received);
        Self {
            peer,
            init,
            received,
            unwritten: BTreeSet::new(),
            unacked: 0,
            ack_due: None,
            sync: Sync::default(),
            resend_wait: RESEND_WAIT_MIN,
            resend_due: None,
            corrupt: 0,
            heard_at: now,
            is_finishing: false,
        }
    }

    /// The bytes that are written.
    pub(crate) fn received_bytes(&self) -> u64 {
        let bytes = u64::from(self.received.count()) * u64::from(self.init.cut.chunk_size());
        bytes.min(self.init.cut.total_size())
    }

    pub(crate) fn heard_at(&self) -> Timestamp {
        self.heard_at
    }

    /// Says how far it is: the answer to `chunk_init`. What is whole already is finished instead.
    pub(crate) fn answer(&mut self, wants: &mut Vec<Want>, now: Timestamp) {
        self.acknowledge(wants);
        self.finish(wants);
        self.rearm_resend(now);
    }

    /// Takes a chunk.
    ///
    /// # Errors
    ///
    /// It cannot be a chunk of this transfer, which breaks it.
    pub(crate) fn handle_chunk(
        &mut self,
        head: ChunkHead,
        body: ChunkBody,
        (config, now): (&Config, Timestamp),
        wants: &mut Vec<Want>,
    ) -> Result<(), BreakReason> {
        let cut = self.init.cut;
        let (_, len) = cut.chunk(head.index).ok_or(BreakReason::Refused)?;
        if len != head.len {
            return Err(BreakReason::Refused);
        }
        if self.received.contains(head.index) {
            // The sender does not know, so an acknowledgement was lost.
            self.ack_due.get_or_insert(now.plus(ACK_DELAY));
            return Ok(());
        }
        let has_room = self.unwritten.len() < config.unwritten_max;
        if has_room && self.unwritten.insert(head.index) {
            let (transfer, index) = (head.transfer, head.index);
            wants.push(Want::Io(Io::Write { transfer, cut, index, body }));
        }
        Ok(())
    }

    /// Takes what became of writing a chunk.
    ///
    /// # Errors
    ///
    /// It cannot go on.
    pub(crate) fn handle_written(
        &mut self,
        index: u32,
        outcome: WriteOutcome,
        (config, now): (&Config, Timestamp),
        wants: &mut Vec<Want>,
    ) -> Result<(), BreakReason> {
        self.unwritten.remove(&index);
        match outcome {
            WriteOutcome::Failed => return Err(BreakReason::Storage),
            WriteOutcome::Corrupt => {
                self.corrupt += 1;
                if self.corrupt > CORRUPT_MAX {
                    return Err(BreakReason::Mismatch);
                }
                let ranges = Ranges::new(vec![(index, index)]).unwrap_or_default();
                wants.push(self.resend(ranges));
            }
            WriteOutcome::Written => {
                if self.received.insert(index) {
                    self.heard_at = now;
                    self.count(index, (config, now), wants);
                }
            }
        }
        self.rearm_resend(now);
        Ok(())
    }

    /// Counts a written chunk towards the next acknowledgement and the next synchronisation.
    fn count(&mut self, index: u32, (config, now): (&Config, Timestamp), wants: &mut Vec<Want>) {
        self.unacked += 1;
        self.ack_due.get_or_insert(now.plus(ACK_DELAY));
        self.resend_wait = RESEND_WAIT_MIN;
        if self.received.is_full() {
            return self.finish(wants);
        }
        if self.unacked >= ACK_COUNT {
            self.acknowledge(wants);
        }
        self.sync.bytes += self.init.cut.chunk(index).map_or(0, |(_, len)| u64::from(len));
        self.sync.since.get_or_insert(now);
        if self.sync.bytes >= config.sync_bytes {
            self.synchronise(wants);
        }
    }

    /// Takes note that everything up to the last [`Io::Sync`] is durable, and says what that is.
    pub(crate) fn handle_synced(&mut self) -> Option<Ranges> {
        self.sync.running.take().map(|durable| durable.ranges())
    }

    /// Does what is due.
    pub(crate) fn handle_deadline(
        &mut self,
        (config, now): (&Config, Timestamp),
        wants: &mut Vec<Want>,
    ) {
        if self.ack_due.is_some_and(|due| now >= due) {
            self.acknowledge(wants);
        }
        if self.sync_due(config).is_some_and(|due| now >= due) {
            self.synchronise(wants);
        }
        if self.resend_due.is_some_and(|due| now >= due) {
            self.resend_wait = (self.resend_wait * 2).min(RESEND_WAIT_MAX);
            self.resend_due = Some(now.plus(self.resend_wait));
            let gaps = self.gaps();
            if !gaps.is_empty() {
                wants.push(self.resend(gaps));
            }
        }
    }

    /// When [`Self::handle_deadline`] has something to do.
    pub(crate) fn next_deadline(&self, config: &Config) -> Option<Timestamp> {
        [self.ack_due, self.sync_due(config), self.resend_due].into_iter().flatten().min()
    }

    fn sync_due(&self, config: &Config) -> Option<Timestamp> {
        let is_idle = self.sync.running.is_none() && !self.is_finishing;
        self.sync.since.filter(|_| is_idle).map(|since| since.plus(config.sync_interval))
    }

    fn acknowledge(&mut self, wants: &mut Vec<Want>) {
        self.unacked = 0;
        self.ack_due = None;
        let (transfer, received) = (self.init.transfer, self.received.ranges());
        wants.push(Want::Send(Message::Ack(ChunkAck { transfer, received })));
    }

    fn synchronise(&mut self, wants: &mut Vec<Want>) {
        if self.sync.running.is_none() && !self.is_finishing {
            let running = Some(self.received.clone());
            self.sync = Sync { bytes: 0, since: None, running };
            wants.push(Want::Io(Io::Sync { transfer: self.init.transfer }));
        }
    }

    fn finish(&mut self, wants: &mut Vec<Want>) {
        if self.is_finishing || !self.received.is_full() {
            return;
        }
        self.is_finishing = true;
        self.ack_due = None;
        let keep = if self.init.kind == FILE {
            Keep::File { name: self.init.name.clone() }
        } else {
            Keep::Message { kind: self.init.kind.clone() }
        };
        let (transfer, cut, sha256) = (self.init.transfer, self.init.cut, self.init.sha256);
        wants.push(Want::Io(Io::Finish { transfer, cut, sha256, keep }));
    }

    /// What is missing below what is there, and not being written.
    fn gaps(&self) -> Ranges {
        if self.unwritten.is_empty() { self.received.gaps() } else { Ranges::default() }
    }

    fn resend(&self, ranges: Ranges) -> Want {
        Want::Send(Message::Resend(ChunkResend { transfer: self.init.transfer, ranges }))
    }

    fn rearm_resend(&mut self, now: Timestamp) {
        let is_wanted = self.received.has_gaps() && !self.is_finishing;
        self.resend_due = is_wanted.then(|| now.plus(self.resend_wait));
    }
}

/// Written chunks that are acknowledged together.
///
/// Source: docs/protocol/1.1.md#chunk-ack
const ACK_COUNT: u32 = 8;
const ACK_DELAY: Duration = Duration::from_millis(50);
/// Source: docs/protocol/1.1.md#chunk-resend
const RESEND_WAIT_MIN: Duration = Duration::from_secs(2);
const RESEND_WAIT_MAX: Duration = Duration::from_secs(30);
/// Chunks of a transfer whose digest may not hold before it is given up. Guessed: far above what a wire does, given
/// that a message was signed.
const CORRUPT_MAX: u32 = 1_024;
