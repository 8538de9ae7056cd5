//! One transfer on its way out.
//!
//! Every chunk is in exactly one place: acknowledged, under way, lost and to be sent again, or not yet reached by the
//! cursor.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity_flaw::{Flaw, planted};
use entity_wire::payload::chunk::{ChunkInit, Cut, Ranges, TransferId};
use entity_wire::time::Timestamp;

use crate::chunk_set::ChunkSet;
use crate::vocabulary::{Io, Message, Offer};
use crate::window::Window;

/// One transfer on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) id: TransferId,
    pub(crate) offer: Offer,
    pub(crate) cut: Cut,
    pub(crate) offered_at: Timestamp,
    state: State,
    acked: ChunkSet,
    flight: BTreeMap<u32, Flight>,
    lost: BTreeSet<u32>,
    /// Chunks from here on that are neither acknowledged nor under way are still to be sent.
    cursor: u32,
    /// Chunks from here on were never sent.
    reached: u32,
    window: Window,
    /// Deliveries that failed one after the other.
    failures: u32,
    /// How often the receiver forgot it without any progress in between.
    restarts: u32,
    /// When the receiver last got further.
    progress_at: Timestamp,
    /// When anything was last sent or heard.
    stirred_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not begun: others to the same peer come first.
    Waiting,
    /// The receiver was asked how far it is.
    Asked { at: Timestamp, wait: Duration },
    /// Nothing gets through, or the receiver wants to be left alone for a while.
    Paused { until: Timestamp, wait: Duration },
    /// Chunks are sent.
    Sending,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    /// `None` while it is read.
    sent_at: Option<Timestamp>,
    is_repeat: bool,
}

/// What an outgoing transfer wants done.
#[derive(Debug, PartialEq)]
pub(crate) enum Want {
    Send(Message),
    Io(Io),
}

impl Outgoing {
    pub(crate) fn new(
        id: TransferId,
        offer: Offer,
        cut: Cut,
        (window_max, now): (u32, Timestamp),
    ) -> Self {
        Self {
            id,
            offer,
            cut,
            offered_at: now,
            state: State::Waiting,
            acked: ChunkSet::new(cut.total_chunks()),
            flight: BTreeMap::new(),
            lost: BTreeSet::new(),
            cursor: 0,
            reached: 0,
            window: Window::new(window_max),
            failures: 0,
            restarts: 0,
            progress_at: now,
            stirred_at: now,
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }

    /// The bytes that the receiver said it has.
    pub(crate) fn acked_bytes(&self) -> u64 {
        let bytes = u64::from(self.acked.count()) * u64::from(self.cut.chunk_size());
        bytes.min(self.cut.total_size())
    }

    /// Asks the receiver how far it is: at the beginning, in a new session, after a restart, after silence.
    pub(crate) fn ask(&mut self, wants: &mut Vec<Want>, now: Timestamp) {
        let wait = match self.state {
            State::Asked { wait, .. } | State::Paused { wait, .. } => wait,
            State::Waiting | State::Sending => ASK_WAIT_MIN,
        };
        self.state = State::Asked { at: now, wait };
        self.stirred_at = now;
        wants.push(Want::Send(Message::Init(ChunkInit {
            transfer: self.id,
            cut: self.cut,
            sha256: self.offer.sha256,
            kind: self.offer.kind.clone(),
            name: self.offer.name.clone(),
        })));
    }

    /// Takes what the receiver says it has.
    pub(crate) fn handle_ack(&mut self, received: &Ranges, wants: &mut Vec<Want>, now: Timestamp) {
        let had = self.acked.count();
        match self.state {
            State::Waiting => return,
            // The answer counts, whatever was believed: the receiver may have lost something.
            State::Asked { .. } | State::Paused { .. } => {
                self.acked = ChunkSet::from_ranges(self.cut.total_chunks(), received);
                if planted(Flaw::StartsTransferOver) {
                    self.acked = ChunkSet::new(self.cut.total_chunks());
                }
                self.lost.clear();
                // What was sent before the question and is not in the answer may never arrive, and nobody waits to see.
                self.flight.retain(|index, flight| {
                    flight.sent_at.is_none() || self.acked.contains(*index)
                });
                self.cursor = 0;
                self.state = State::Sending;
            }
            State::Sending if planted(Flaw::StartsTransferOver) => {
                // Of what was sent before the interruption it will not know anything.
                let received = ChunkSet::from_ranges(self.cut.total_chunks(), received);
                for (index, _) in self.flight.iter().filter(|(_, flight)| flight.sent_at.is_some())
                {
                    if received.contains(*index) {
                        self.acked.insert(*index);
                    }
                }
            }
            State::Sending => {
                self.acked.insert_ranges(received);
            }
        }
        self.failures = 0;
        self.stirred_at = now;
        if self.acked.count() > had {
            self.restarts = 0;
            self.progress_at = now;
        }
        self.land(now);
        self.fill(wants, now);
    }

    /// Takes out of the flight what was acknowledged.
    fn land(&mut self, now: Timestamp) {
        let acked = &self.acked;
        let landed: Vec<(u32, Flight)> =
            self.flight.extract_if(.., |index, _| acked.contains(*index)).collect();
        let newest = landed.iter().filter(|(_, flight)| !flight.is_repeat);
        if let Some(sent_at) = newest.filter_map(|(_, flight)| flight.sent_at).max() {
            self.window.sample(now.since(sent_at));
        }
        self.window.acknowledged(u32::try_from(landed.len()).unwrap_or(u32::MAX));
        self.lost.retain(|index| !acked.contains(*index));
    }

    /// Takes a wish for chunks to be sent again.
    pub(crate) fn handle_resend(&mut self, ranges: &Ranges, wants: &mut Vec<Want>, now: Timestamp) {
        if self.state != State::Sending || planted(Flaw::NeverRepeatsChunks) {
            return;
        }
        for (first, last) in ranges.as_slice() {
            // What the cursor has not reached is sent anyway.
            for index in *first..last.saturating_add(1).min(self.cursor) {
                // What is being read is not sent yet.
                let is_read =
                    self.flight.get(&index).is_some_and(|flight| flight.sent_at.is_none());
                if !is_read {
                    self.acked.remove(index);
                    self.flight.remove(&index);
                    self.lost.insert(index);
                }
            }
        }
        self.window.lost();
        self.stirred_at = now;
        self.fill(wants, now);
    }

    /// Takes a chunk that was read.
    pub(crate) fn handle_read(
        &mut self,
        index: u32,
        message: Message,
        wants: &mut Vec<Want>,
        now: Timestamp,
    ) {
        let Some(flight) = self.flight.get_mut(&index) else { return };
        match self.state {
            State::Sending => {
                flight.sent_at = Some(now);
                self.stirred_at = now;
                wants.push(Want::Send(message));
            }
            State::Waiting | State::Asked { .. } | State::Paused { .. } => {
                self.lose(index);
            }
        }
    }

    /// Takes what became of delivering a chunk, or a `chunk_init` for `None`.
    pub(crate) fn handle_sent(
        &mut self,
        index: Option<u32>,
        is_accepted: bool,
        wants: &mut Vec<Want>,
        now: Timestamp,
    ) {
        if is_accepted {
            self.failures = 0;
            return;
        }
        self.failures = self.failures.saturating_add(1);
        match index {
            None => {
                if matches!(self.state, State::Asked { .. }) {
                    self.pause(now);
                }
            }
            Some(index) => {
                if self.flight.contains_key(&index) {
                    self.lose(index);
                    self.window.lost();
                }
                if self.state == State::Sending && self.failures > FAILURES_MAX {
                    self.pause(now);
                }
                self.fill(wants, now);
            }
        }
    }

    /// The receiver does not know it: from the start, but not for ever. Says whether it is worth it.
    pub(crate) fn restart(&mut self, wants: &mut Vec<Want>, now: Timestamp) -> bool {
        // Chunks that were under way bring about the same answer each; one question is enough.
        if matches!(self.state, State::Asked { .. }) {
            return true;
        }
        self.restarts += 1;
        if self.restarts > RESTARTS_MAX {
            return false;
        }
        self.ask(wants, now);
        true
    }

    /// Leaves the receiver alone for a while, each time longer.
    pub(crate) fn pause(&mut self, now: Timestamp) {
        let wait = match self.state {
            State::Paused { .. } => return,
            State::Asked { wait, .. } => wait,
            State::Waiting | State::Sending => ASK_WAIT_MIN,
        };
        let next = (wait * 2).min(ASK_WAIT_MAX);
        self.state = State::Paused { until: now.plus(wait), wait: next };
    }

    /// Does what is due.
    pub(crate) fn handle_deadline(&mut self, wants: &mut Vec<Want>, now: Timestamp) {
        match self.state {
            State::Waiting => {}
            State::Asked { at, wait } => {
                if now >= at.plus(wait) {
                    self.state = State::Asked { at, wait: (wait * 2).min(ASK_WAIT_MAX) };
                    self.ask(wants, now);
                }
            }
            State::Paused { until, .. } => {
                if now >= until {
                    self.ask(wants, now);
                }
            }
            State::Sending => self.handle_silence(wants, now),
        }
    }

    fn handle_silence(&mut self, wants: &mut Vec<Want>, now: Timestamp) {
        let timeout = self.window.timeout();
        let overdue = |flight: &Flight| flight.sent_at.is_some_and(|at| now >= at.plus(timeout));
        let late: Vec<u32> = self
            .flight
            .iter()
            .filter(|(_, flight)| overdue(flight))
            .map(|(index, _)| *index)
            .collect();
        if !late.is_empty() {
            self.window.timed_out();
            for index in late {
                self.lose(index);
            }
            self.fill(wants, now);
        } else if planted(Flaw::NeverRepeatsChunks) {
            self.stirred_at = now;
        } else if self.flight.is_empty() && now >= self.stirred_at.plus(timeout) {
            // Everything was acknowledged and the end does not come: its message may be lost.
            self.ask(wants, now);
        }
    }

    /// When [`Self::handle_deadline`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Waiting => None,
            State::Asked { at, wait } => Some(at.plus(wait)),
            State::Paused { until, .. } => Some(until),
            State::Sending => {
                let oldest = self.flight.values().filter_map(|flight| flight.sent_at).min();
                let since = match oldest {
                    Some(sent_at) => sent_at,
                    None if self.flight.is_empty() => self.stirred_at,
                    None => return None,
                };
                Some(since.plus(self.window.timeout()))
            }
        }
    }

    /// When the receiver last got further.
    pub(crate) fn progress_at(&self) -> Timestamp {
        self.progress_at
    }

    /// Reads as many further chunks as the window allows.
    fn fill(&mut self, wants: &mut Vec<Want>, now: Timestamp) {
        while self.state == State::Sending && self.flight.len() < self.window.size() as usize {
            let Some((index, is_repeat)) = self.next_chunk() else { break };
            let Some((begin, len)) = self.cut.chunk(index) else { break };
            self.flight.insert(index, Flight { sent_at: None, is_repeat });
            self.stirred_at = now;
            wants.push(Want::Io(Io::Read {
                transfer: self.id,
                source: self.offer.source.clone(),
                total_size: self.cut.total_size(),
                index,
                begin,
                len,
            }));
        }
    }

    fn next_chunk(&mut self) -> Option<(u32, bool)> {
        if let Some(index) = self.lost.pop_first() {
            return Some((index, true));
        }
        loop {
            let index = self.acked.next_missing(self.cursor)?;
            self.cursor = index + 1;
            let is_repeat = index < self.reached;
            self.reached = self.reached.max(self.cursor);
            if !self.flight.contains_key(&index) {
                return Some((index, is_repeat));
            }
        }
    }

    fn lose(&mut self, index: u32) {
        self.flight.remove(&index);
        if index < self.cursor && !self.acked.contains(index) && !planted(Flaw::NeverRepeatsChunks)
        {
            self.lost.insert(index);
        }
    }
}

/// The pause before a question is repeated, doubled each time.
const ASK_WAIT_MIN: Duration = Duration::from_secs(2);
const ASK_WAIT_MAX: Duration = Duration::from_secs(30);
/// Failed deliveries in a row after which the receiver is left alone. Guessed: more than chance makes of a bad wire.
const FAILURES_MAX: u32 = 4;
/// How often a transfer begins anew because the receiver forgot it.
const RESTARTS_MAX: u32 = 3;
