//! One peer: its process, its contract, its log.
//!
//! - [`Peer`]: what a runner holds
//! - `driver`: the task that speaks the contract
//! - `capture`: the log on stderr
//! - `error`: what can go wrong, sorted by blame

mod capture;
mod driver;
mod error;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use handfast_contract::Initialized;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub use capture::{CapturedLog, LOG_HEAD_MAX, LOG_LINE_MAX, LOG_TAIL_MAX, LogLine};
pub use driver::{EVENT_BYTES_MAX, EVENTS_MAX, OUTGOING_MAX};
pub use error::{CallError, PeerFault, StartError};

use crate::evidence::{Evidence, Fact};
use crate::exit::Exit;
use crate::reaper::Running;
use capture::LineCutter;
use driver::{Ask, Driver};

/// Calls that may wait for the driver's attention; further callers wait for room.
const ASKS_MAX: usize = 256;

/// A started peer that answered `initialize`.
#[derive(Debug)]
pub struct Peer {
    shared: Arc<Shared>,
    running: Running,
    asks: mpsc::Sender<Ask>,
    next_ticket: AtomicU64,
    ready: OnceLock<(Initialized, u64)>,
    log_reader: Mutex<Option<JoinHandle<()>>>,
}

impl Peer {
    /// Calls a method and waits for the answer, at most `within`.
    ///
    /// Dropping the future withdraws the call with `$/cancel`.
    ///
    /// # Errors
    ///
    /// [`CallError`]; after [`CallError::Fault`] and [`CallError::Gone`] every call fails alike.
    pub async fn call(
        &self,
        method: &str,
        params: Value,
        within: Duration,
    ) -> Result<Value, CallError> {
        let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        let method = method.to_owned();
        let ask = Ask::Call { ticket, method, params, within, reply };
        let gone = || CallError::Gone { exit: self.exit() };
        self.asks.send(ask).await.map_err(|_| gone())?;
        let mut withdrawal = Withdrawal { asks: &self.asks, ticket, is_open: true };
        let answer = answer.await;
        withdrawal.is_open = false;
        answer.map_err(|_| gone())?
    }

    /// The role it plays.
    pub fn role(&self) -> &str {
        &self.shared.role
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Its answer to `initialize`.
    ///
    /// # Panics
    ///
    /// Never: [`crate::Unit::start`] gives no peer without it.
    pub fn initialized(&self) -> &Initialized {
        &self.ready.get().expect("a unit hands out a peer only after this is set").0
    }

    /// From asking for the process to its answer to `initialize`, in microseconds.
    pub fn ready_us(&self) -> u64 {
        self.ready.get().map_or(0, |(_, ready_us)| *ready_us)
    }

    /// What it wrote on stderr so far.
    pub fn log(&self) -> CapturedLog {
        self.shared.log().clone()
    }

    /// How its process ended, if it did.
    pub fn exit(&self) -> Option<Exit> {
        self.running.exit()
    }

    /// Waits for the end of its process; `None` if its reaper was gone first.
    pub async fn exited(&self) -> Option<Exit> {
        self.running.exited().await
    }

    /// How it broke the contract, if it did.
    pub fn fault(&self) -> Option<PeerFault> {
        self.shared.fault()
    }

    /// Starts the tasks around a process that was just spawned.
    pub(crate) fn attach(
        role: &str,
        running: Running,
        evidence: Evidence,
        pipes: PeerPipes,
    ) -> Self {
        let shared = Arc::new(Shared {
            role: role.to_owned(),
            evidence,
            log: Mutex::default(),
            fault: OnceLock::new(),
            end_is_expected: AtomicBool::new(false),
        });
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let pair = (pipes.stdin, pipes.stdout);
        tokio::spawn(Driver::new(shared.clone(), running.clone(), asked, pair).run());
        let log_reader = tokio::spawn(read_log(shared.clone(), pipes.stderr));
        Self {
            shared,
            running,
            asks,
            next_ticket: AtomicU64::new(0),
            ready: OnceLock::new(),
            log_reader: Mutex::new(Some(log_reader)),
        }
    }

    /// Keeps the answer to `initialize`; the first one counts.
    pub(crate) fn set_ready(&self, initialized: Initialized, ready_us: u64) {
        drop(self.ready.set((initialized, ready_us)));
    }

    /// Says that the process will be ended on purpose.
    pub(crate) fn expect_end(&self) {
        self.shared.end_is_expected.store(true, Ordering::Relaxed);
    }

    pub(crate) fn running(&self) -> &Running {
        &self.running
    }

    /// Waits until the log is read to its end, which comes when no process holds it open.
    pub(crate) async fn log_complete(&self) {
        let reader = self.log_reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = reader {
            // The reader ends by itself; if it panicked, the log is what it had.
            drop(reader.await);
        }
    }
}

/// Handfast's ends of a peer's three pipes.
pub(crate) struct PeerPipes {
    pub(crate) stdin: pipe::Sender,
    pub(crate) stdout: pipe::Receiver,
    pub(crate) stderr: pipe::Receiver,
}

#[derive(Debug)]
struct Shared {
    role: String,
    evidence: Evidence,
    log: Mutex<CapturedLog>,
    fault: OnceLock<PeerFault>,
    end_is_expected: AtomicBool,
}

impl Shared {
    fn fault(&self) -> Option<PeerFault> {
        self.fault.get().cloned()
    }

    /// Keeps the first fault; `true` if this is it.
    fn set_fault(&self, fault: PeerFault) -> bool {
        self.fault.set(fault).is_ok()
    }

    fn end_is_expected(&self) -> bool {
        self.end_is_expected.load(Ordering::Relaxed)
    }

    /// A panic elsewhere leaves the log whole: every change to it is one line.
    fn log(&self) -> MutexGuard<'_, CapturedLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Withdraws a call whose future is dropped before its answer.
struct Withdrawal<'a> {
    asks: &'a mpsc::Sender<Ask>,
    ticket: u64,
    is_open: bool,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // If there is no room, the call's deadline withdraws it.
            drop(self.asks.try_send(Ask::Withdraw { ticket: self.ticket }));
        }
    }
}

async fn read_log(shared: Arc<Shared>, mut stderr: pipe::Receiver) {
    let mut cutter = LineCutter::default();
    let mut buffer = vec![0; 16 * 1024];
    let keep = |text: String, truncated: bool| {
        let at_us = shared.evidence.clock().now_us();
        let line = LogLine { at_us, text: text.clone(), truncated };
        if shared.log().push(line) {
            let role = shared.role.clone();
            shared.evidence.record(Fact::LogLine { role, line: text, truncated });
        }
    };
    while let Ok(len @ 1..) = stderr.read(&mut buffer).await {
        cutter.push(buffer.get(..len).unwrap_or_default(), keep);
    }
    if let Some((text, truncated)) = cutter.finish() {
        keep(text, truncated);
    }
}
