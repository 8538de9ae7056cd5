//! The task that speaks the contract with one peer.
//!
//! It owns the pure client and both pipes; callers reach it through a bounded queue. It never waits
//! for one thing only: a peer that does not read its stdin can still be heard, and one that floods
//! its stdout can still be given up.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use handfast_contract::client::{Client, Output, Violation};
use handfast_contract::codec::{CodecError, LINE_LEN_MAX};
use serde_json::Value;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

use crate::evidence::Fact;
use crate::exit::Exit;
use crate::peer::{CallError, PeerFault, Shared};
use crate::reaper::Running;

/// Notifications a unit takes from one peer (guessed: ten times the largest scenario).
pub const EVENTS_MAX: u64 = 100_000;

/// Size of the notifications a unit takes from one peer, in bytes (guessed).
pub const EVENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Requests that may wait for a peer to read its stdin, in bytes (guessed: eight of the longest).
pub const OUTGOING_MAX: usize = 8 * 1024 * 1024;

/// How much is read from stdout at once, in bytes: a pipe's own capacity.
const READ_LEN: usize = 64 * 1024;

/// What a caller asks of the driver.
pub(super) enum Ask {
    Call { ticket: u64, method: String, params: Value, within: Duration, reply: Reply },
    Withdraw { ticket: u64 },
}

pub(super) type Reply = oneshot::Sender<Result<Value, CallError>>;

pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) running: Running,
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) stdin: Option<pipe::Sender>,
    pub(super) stdout: Option<pipe::Receiver>,
    client: Client,
    open: BTreeMap<u64, Open>,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    events: u64,
    event_bytes: usize,
    /// Length of the line that the client is given at the moment.
    line_len: usize,
}

struct Open {
    ticket: u64,
    within: Duration,
    reply: Reply,
}

enum Happened {
    Asked(Option<Ask>),
    Readable,
    Writable,
    Due,
    Ended(Option<Exit>),
}

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        running: Running,
        asks: mpsc::Receiver<Ask>,
        (stdin, stdout): (pipe::Sender, pipe::Receiver),
    ) -> Self {
        Self {
            shared,
            running,
            asks,
            stdin: Some(stdin),
            stdout: Some(stdout),
            client: Client::new(),
            open: BTreeMap::new(),
            outgoing: Vec::new(),
            incoming: Vec::new(),
            events: 0,
            event_bytes: 0,
            line_len: 0,
        }
    }

    /// Drives until the process has ended, then answers every further call at once.
    pub(super) async fn run(mut self) {
        loop {
            match self.next().await {
                Happened::Asked(Some(ask)) => self.on_ask(ask),
                // Nobody holds the peer any more; the pipes are kept until its process has ended.
                Happened::Asked(None) => {}
                Happened::Readable => self.read(),
                Happened::Writable => self.write(),
                Happened::Due => self.client.handle_deadline(self.now()),
                Happened::Ended(exit) => {
                    self.read();
                    self.drain();
                    return self.on_end(exit).await;
                }
            }
            self.drain();
        }
    }

    async fn next(&mut self) -> Happened {
        let now = self.now();
        let due = self.client.next_deadline().map(|due| due.saturating_sub(now));
        tokio::select! {
            exit = self.running.exited() => Happened::Ended(exit),
            ask = self.asks.recv(), if !self.asks.is_closed() || !self.asks.is_empty() => Happened::Asked(ask),
            () = readable(self.stdout.as_ref()) => Happened::Readable,
            () = writable(self.stdin.as_ref()), if !self.outgoing.is_empty() => Happened::Writable,
            () = sleep(due) => Happened::Due,
        }
    }

    fn on_ask(&mut self, ask: Ask) {
        match ask {
            Ask::Call { ticket, method, params, within, reply } => {
                if let Some(fault) = self.shared.fault() {
                    // The caller may have given up waiting; so with every reply below.
                    drop(reply.send(Err(CallError::Fault(fault))));
                    return;
                }
                if self.outgoing.len() > OUTGOING_MAX {
                    let max_bytes = OUTGOING_MAX;
                    drop(reply.send(Err(CallError::NotReading { max_bytes })));
                    return;
                }
                match self.client.request(&method, params, within, self.now()) {
                    Ok(id) => {
                        self.open.insert(id, Open { ticket, within, reply });
                    }
                    Err(error) => drop(reply.send(Err(CallError::Request(error)))),
                }
            }
            Ask::Withdraw { ticket } => {
                let id = self.open.iter().find(|(_, open)| open.ticket == ticket);
                if let Some(id) = id.map(|(&id, _)| id) {
                    self.open.remove(&id);
                    self.client.cancel(id);
                }
            }
        }
    }

    /// Reads what is there, at most a pipe full, and hands on its lines.
    fn read(&mut self) {
        let Some(stdout) = &self.stdout else { return };
        let start = self.incoming.len();
        self.incoming.resize(start + READ_LEN, 0);
        let read = stdout.try_read(self.incoming.get_mut(start..).unwrap_or_default());
        self.incoming.truncate(start + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(0) => self.stdout = None,
            Ok(_) => self.take_lines(start),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.stdout = None,
        }
    }

    /// Hands complete lines to the client; the first `searched` bytes hold no line end.
    fn take_lines(&mut self, searched: usize) {
        let mut from = 0;
        let mut search = searched;
        while let Some(found) =
            self.incoming.get(search..).and_then(|rest| rest.iter().position(|&b| b == b'\n'))
        {
            let end = search + found;
            self.line_len = end - from;
            self.client.handle_line(self.incoming.get(from..end).unwrap_or_default());
            // A fault closes stdout; the lines behind it are not looked at.
            self.drain();
            if self.stdout.is_none() {
                return;
            }
            from = end + 1;
            search = from;
        }
        self.incoming.drain(..from);
        if self.incoming.len() > LINE_LEN_MAX {
            let line = CodecError::TooLong { len: self.incoming.len() };
            self.on_fault(Violation::Line(line).into());
        }
    }

    fn write(&mut self) {
        let Some(stdin) = &self.stdin else { return };
        match stdin.try_write(&self.outgoing) {
            Ok(written) => drop(self.outgoing.drain(..written)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // The peer does not listen any more. Its answers, its end or the deadlines settle the
            // open calls.
            Err(_) => {
                self.stdin = None;
                self.outgoing = Vec::new();
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Write(bytes) => {
                    if self.stdin.is_some() {
                        self.outgoing.extend_from_slice(&bytes);
                    }
                }
                Output::Answered { id, method, outcome } => {
                    let outcome = outcome.map_err(|error| {
                        if error.is_unsupported() {
                            CallError::Unsupported { method }
                        } else {
                            CallError::Refused(error)
                        }
                    });
                    self.settle(id, |_| outcome);
                }
                Output::TimedOut { id, method } => {
                    self.settle(id, |within| Err(CallError::TimedOut { method, within }));
                }
                Output::Event { n, event, params } => self.on_event(n, event, params),
                Output::Violation(violation) => self.on_fault(violation.into()),
            }
        }
        // Most writes fit into the pipe at once and need no wake-up.
        if !self.outgoing.is_empty() {
            self.write();
        }
    }

    fn on_event(&mut self, n: u64, method: String, params: Value) {
        if self.shared.fault().is_some() {
            return;
        }
        self.events += 1;
        // Answers do not count: each was asked for.
        self.event_bytes += self.line_len;
        if self.events > EVENTS_MAX || self.event_bytes > EVENT_BYTES_MAX {
            let (events_max, bytes_max) = (EVENTS_MAX, EVENT_BYTES_MAX);
            return self.on_fault(PeerFault::EventFlood { events_max, bytes_max });
        }
        let role = self.shared.role.clone();
        self.shared.evidence.record(Fact::Notification { role, n, method, params });
    }

    /// Stops listening for good: closing the pipe also stops a peer that only writes.
    fn on_fault(&mut self, fault: PeerFault) {
        self.stdout = None;
        self.incoming = Vec::new();
        if self.shared.set_fault(fault.clone()) {
            let role = self.shared.role.clone();
            self.shared.evidence.record(Fact::Fault { role, fault: fault.clone() });
        }
        for id in self.open.keys().copied().collect::<Vec<_>>() {
            self.client.cancel(id);
            self.settle(id, |_| Err(CallError::Fault(fault.clone())));
        }
    }

    fn settle(&mut self, id: u64, outcome: impl FnOnce(Duration) -> Result<Value, CallError>) {
        if let Some(open) = self.open.remove(&id) {
            drop(open.reply.send(outcome(open.within)));
        }
    }

    async fn on_end(mut self, exit: Option<Exit>) {
        if let Some(exit) = exit {
            let (role, expected) = (self.shared.role.clone(), self.shared.end_is_expected());
            self.shared.evidence.record(Fact::Exited { role, exit, expected });
        }
        let gone = self.shared.fault().map_or(CallError::Gone { exit }, CallError::Fault);
        for (_, open) in std::mem::take(&mut self.open) {
            drop(open.reply.send(Err(gone.clone())));
        }
        (self.stdin, self.stdout) = (None, None);
        while let Some(ask) = self.asks.recv().await {
            match ask {
                Ask::Call { reply, .. } => drop(reply.send(Err(gone.clone()))),
                Ask::Withdraw { .. } => {}
            }
        }
    }

    fn now(&self) -> Duration {
        Duration::from_micros(self.shared.evidence.clock().now_us())
    }
}

/// Waits until there is something to read; for ever if the pipe is closed.
async fn readable(pipe: Option<&pipe::Receiver>) {
    match pipe {
        // An error shows itself in the read that follows.
        Some(pipe) => drop(pipe.readable().await),
        None => std::future::pending().await,
    }
}

async fn writable(pipe: Option<&pipe::Sender>) {
    match pipe {
        Some(pipe) => drop(pipe.writable().await),
        None => std::future::pending().await,
    }
}

async fn sleep(due: Option<Duration>) {
    match due {
        Some(due) => tokio::time::sleep(due).await,
        None => std::future::pending().await,
    }
}
