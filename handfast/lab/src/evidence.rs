//! Everything a unit observes, in one bounded log on one time axis.
//!
//! Peers, taps and the reaper append facts; any number of readers follow at their own pace. A slow
//! reader delays nobody, and the log never grows over its limits: what does not fit is counted as
//! lost, and a unit with losses must not be judged.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use handfast_faults::{Effect, HoldId};
use serde_json::Value;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::exit::Exit;
use crate::peer::PeerFault;
use crate::tap::Exchange;

/// Facts one unit may record: a thousand messages each way make some 10,000 (guessed with room for
/// a hundred times a usual scenario).
pub const FACTS_MAX: usize = 200_000;

/// Sum of the sizes of a unit's facts, in bytes (guessed: a thousand 100 KB bodies, twice).
pub const FACT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Sum of the sizes of the exchanges that a unit keeps whole, in bytes. Of the bodies of later ones the first
/// [`CUT_LEN`] bytes are kept, so that a file of any size can pass (guessed: far above what scenarios about single
/// messages send).
pub const WHOLE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes kept of each body after that (guessed: all of a short answer).
pub const CUT_LEN: usize = 1024;

/// Something that happened in a unit, and when.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Microseconds since the run started; never falls within one log.
    pub at_us: u64,
    /// What happened.
    pub fact: Fact,
}

/// Something that happened in a unit.
#[derive(Clone, Debug)]
pub enum Fact {
    /// A peer answered `initialize`.
    Ready {
        /// Its role.
        role: String,
        /// Its process.
        pid: u32,
        /// From asking for the process to its answer, in microseconds.
        ready_us: u64,
    },
    /// A peer sent a notification.
    Notification {
        /// Its role.
        role: String,
        /// The peer's own counter of its events.
        n: u64,
        /// Which notification.
        method: String,
        /// Its parameters, without the counter.
        params: Value,
    },
    /// A request went through the tap and is over.
    Exchange(Arc<Exchange>),
    /// The tap keeps a message back from here on.
    Held {
        /// The name to release it by.
        hold: HoldId,
        /// The message.
        message: Effect,
    },
    /// A peer wrote a line on its stderr; only lines of the log's head come as facts.
    LogLine {
        /// Its role.
        role: String,
        /// The line without its end, cut to [`crate::peer::LOG_LINE_MAX`] bytes.
        line: String,
        /// Whether the line was longer.
        truncated: bool,
    },
    /// A peer broke the contract; nothing is read from it any more.
    Fault {
        /// Its role.
        role: String,
        /// How.
        fault: PeerFault,
    },
    /// A peer's process ended.
    Exited {
        /// Its role.
        role: String,
        /// How.
        exit: Exit,
        /// Whether it was asked to stop, or killed by the lab.
        expected: bool,
    },
}

/// The log of one unit; clones append to the same log.
#[derive(Clone, Debug)]
pub struct Evidence {
    shared: Arc<Shared>,
}

impl Evidence {
    /// Opens an empty log that stamps with `clock`.
    pub fn new(clock: Clock) -> Self {
        Self::with_limits(clock, FACTS_MAX, FACT_BYTES_MAX)
    }

    /// Appends a fact and wakes the readers; a fact that does not fit is counted as lost.
    pub fn record(&self, mut fact: Fact) {
        let mut log = self.shared.log();
        if let Fact::Exchange(exchange) = &mut fact {
            let whole = log.whole_bytes.saturating_add(exchange.size_bytes());
            if whole <= self.shared.whole_bytes_max {
                log.whole_bytes = whole;
            } else {
                Arc::make_mut(exchange).cut_bodies(CUT_LEN);
            }
        }
        let size = fact.size_bytes();
        let fits = log.facts.len() < self.shared.facts_max
            && log.bytes.saturating_add(size) <= self.shared.bytes_max;
        if log.closed || !fits {
            log.lost += 1;
            return;
        }
        log.bytes += size;
        let at_us = self.shared.clock.now_us();
        log.facts.push(Arc::new(Observation { at_us, fact }));
        drop(log);
        self.shared.grown.notify_waiters();
    }

    /// Follows the log from its first fact on.
    pub fn reader(&self) -> Reader {
        Reader { shared: self.shared.clone(), next: 0 }
    }

    /// Facts that did not fit, or came after the end.
    pub fn lost(&self) -> u64 {
        self.shared.log().lost
    }

    /// The clock that stamps this log.
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// Ends the log: readers see its end after the last fact.
    pub(crate) fn close(&self) {
        self.shared.log().closed = true;
        self.shared.grown.notify_waiters();
    }

    fn with_limits(clock: Clock, facts_max: usize, bytes_max: usize) -> Self {
        let shared = Shared {
            clock,
            facts_max,
            bytes_max,
            whole_bytes_max: WHOLE_BYTES_MAX,
            log: Mutex::new(Log::default()),
            grown: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }
}

/// A place in the log of one unit.
#[derive(Clone, Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    next: usize,
}

impl Reader {
    /// The next fact; waits for it, and gives `None` once the unit is closed and all is read.
    pub async fn next(&mut self) -> Option<Arc<Observation>> {
        let shared = self.shared.clone();
        loop {
            // Made before looking: a fact between the look and the wait wakes it too.
            let grown = shared.grown.notified();
            if let Some(observation) = self.try_next() {
                return Some(observation);
            }
            if shared.log().closed {
                return self.try_next();
            }
            grown.await;
        }
    }

    /// The next fact if it is there already.
    pub fn try_next(&mut self) -> Option<Arc<Observation>> {
        let observation = self.shared.log().facts.get(self.next).cloned()?;
        self.next += 1;
        Some(observation)
    }
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    facts_max: usize,
    bytes_max: usize,
    whole_bytes_max: usize,
    log: Mutex<Log>,
    grown: Notify,
}

impl Shared {
    /// A panic elsewhere leaves the log whole: every change to it is one push.
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Log {
    facts: Vec<Arc<Observation>>,
    bytes: usize,
    whole_bytes: usize,
    lost: u64,
    closed: bool,
}

impl Fact {
    /// About how much memory the fact keeps, in bytes.
    fn size_bytes(&self) -> usize {
        const FRAME: usize = 128;
        FRAME
            + match self {
                Self::Ready { .. }
                | Self::Fault { .. }
                | Self::Exited { .. }
                | Self::Held { .. } => 0,
                Self::Notification { method, params, .. } => {
                    method.len() + params.to_string().len() * 2
                }
                Self::Exchange(exchange) => exchange.size_bytes(),
                Self::LogLine { line, .. } => line.len(),
            }
    }
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
