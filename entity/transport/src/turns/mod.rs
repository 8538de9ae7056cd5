//! Turns: how the processor is shared out among those who are connected.
//!
//! ```text
//! fair   start-time fair queueing of classes of anything (pure)
//! book   hosts among each other, and within a host the accounts on it (pure)
//! mod    the same for tasks: a connection is polled only while it has a turn
//! ```
//!
//! Whatever a connection costs, it costs while its task is polled: reading, parsing, checking signatures, answering. So that is what
//! needs a turn, before a byte is read, and what the turn took is what its host and its account are charged. While one who has had
//! more than others waits for its turn nothing is read from it, and its own network holds it back.

mod book;
mod fair;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::host::Host;
use book::{Book, Flow, Ticket, Turn};

/// The turns of one node, shared by everything that strangers make it do; clones are the same.
#[derive(Clone)]
pub struct Turns(Arc<Shared>);

struct Shared {
    started: Instant,
    state: Mutex<State>,
    /// Told when a turn ends while others wait for time to pass.
    ended: Notify,
    /// See [`Line::pause`].
    is_contended: AtomicBool,
    last_ticket: AtomicU64,
}

struct State {
    book: Book,
    /// As many as there are connections.
    waiting: BTreeMap<Ticket, Waiting>,
    /// Whether somebody sees to it that those who wait get their turns.
    is_served: bool,
    /// Whether they wait for time to pass.
    is_held: bool,
}

struct Waiting {
    waker: Waker,
    turn: Option<Turn>,
}

impl Turns {
    /// So many at a moment: as many as there are threads to work.
    pub fn new(turns_max: usize) -> Self {
        Self(Arc::new(Shared {
            started: Instant::now(),
            state: Mutex::new(State {
                book: Book::new(turns_max),
                waiting: BTreeMap::new(),
                is_served: false,
                is_held: false,
            }),
            ended: Notify::new(),
            is_contended: AtomicBool::new(false),
            last_ticket: AtomicU64::new(0),
        }))
    }

    /// As many as the runtime has workers that this is called on, which need not be as many as there are processors: more would
    /// never be taken, and what is done about the last one would never be done. One outside of any runtime.
    pub fn for_this_runtime() -> Self {
        let runtime = tokio::runtime::Handle::try_current();
        Self::new(runtime.map_or(1, |runtime| runtime.metrics().num_workers()))
    }

    /// How many there are at a moment.
    pub fn count(&self) -> usize {
        self.state().book.turns_max()
    }

    /// The line of one connection to `remote`.
    pub fn line(&self, remote: IpAddr) -> Line {
        self.line_of(Host::of(remote))
    }

    pub(crate) fn line_of(&self, host: Host) -> Line {
        let ticket = self.0.last_ticket.fetch_add(1, Ordering::Relaxed) + 1;
        Line(Arc::new(LineShared {
            turns: self.clone(),
            ticket,
            flow: Mutex::new(Flow { host, account: None }),
            done: AtomicU64::new(0),
            is_ahead: AtomicBool::new(false),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change leaves a valid state.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// Has somebody see to those who wait.
    fn serve(&self, state: &mut State) {
        if !state.book.has_next() {
            return;
        }
        if !state.is_served {
            state.is_served = true;
            tokio::spawn(self.clone().hand_out());
        } else if state.is_held {
            self.0.ended.notify_one();
        }
    }

    /// Hands free turns out until there are none, or nobody wants one.
    async fn hand_out(self) {
        loop {
            // Behind everybody who is ready to run and a look at the network: whoever has something to say has asked by now.
            tokio::task::yield_now().await;
            let held_until = {
                let mut state = self.state();
                let now = self.now();
                state.is_held = false;
                if let Some((ticket, turn)) = state.book.next(now) {
                    let Some(waiting) = state.waiting.get_mut(&ticket) else {
                        state.book.end(turn, Duration::ZERO, now);
                        continue;
                    };
                    waiting.turn = Some(turn);
                    let waker = waiting.waker.clone();
                    drop(state);
                    waker.wake();
                    continue;
                }
                let held_until = state.book.held_until(now);
                state.is_held = held_until.is_some();
                // Without a free turn, or with one that is not for those who wait, the next turn that ends goes on.
                state.is_served = held_until.is_some();
                held_until
            };
            let Some(held_until) = held_until else { return };
            let at = self.0.started + held_until;
            // A turn that ends meanwhile is looked at as well: the hold may be over by then, sooner than the timer says.
            drop(tokio::time::timeout_at(at, self.0.ended.notified()).await);
        }
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Turns").finish_non_exhaustive()
    }
}

/// One connection's place in the order of turns; clones are the same.
#[derive(Clone)]
pub struct Line(Arc<LineShared>);

struct LineShared {
    turns: Turns,
    ticket: Ticket,
    flow: Mutex<Flow>,
    /// Pieces of work in this turn.
    done: AtomicU64,
    /// Whether more has come already than was done in the last turn.
    is_ahead: AtomicBool,
}

impl Line {
    /// Charges what comes next to a peer that has proved who it is, and no longer to whoever is on that host.
    pub fn belongs_to(&self, account: &str) {
        let mut flow = self.flow();
        if flow.account.as_deref() != Some(account) {
            flow.account = Some(account.into());
        }
    }

    /// Whether others want turns as well these days.
    pub(crate) fn is_contended(&self) -> bool {
        self.0.turns.0.is_contended.load(Ordering::Relaxed)
    }

    /// Notes that more has come already than is done in this turn.
    pub(crate) fn is_ahead(&self) {
        self.0.is_ahead.store(true, Ordering::Relaxed);
    }

    /// Lets others go before the second piece of work of one turn, where there are others.
    pub(crate) async fn pause(&self) {
        if self.0.done.fetch_add(1, Ordering::Relaxed) == 0 || !self.is_contended() {
            return;
        }
        self.is_ahead();
        let mut has_paused = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut has_paused, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.0.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Polls `future` only in turns of this line.
    pub(crate) fn run<F: Future>(&self, future: F) -> InTurn<F> {
        InTurn { line: self.clone(), asked: None, future: Box::pin(future) }
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.0.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Line").field("ticket", &self.0.ticket).finish_non_exhaustive()
    }
}

/// A future that is polled only in turns.
pub(crate) struct InTurn<F> {
    line: Line,
    /// The flow it waits in.
    asked: Option<Flow>,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for InTurn<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(turn) = self.turn(cx) else { return Poll::Pending };
        let _running = Running {
            turns: &self.line.0.turns.clone(),
            turn: Some(turn),
            started: Instant::now(),
        };
        self.line.0.done.store(0, Ordering::Relaxed);
        self.future.as_mut().poll(cx)
    }
}

impl<F> InTurn<F> {
    /// The turn, or a place in the line for one.
    fn turn(&mut self, cx: &mut Context<'_>) -> Option<Turn> {
        let line = &self.line.0;
        let turns = &line.turns;
        let mut state = turns.state();
        if self.asked.is_some() {
            let waiting = state.waiting.get_mut(&line.ticket)?;
            let Some(turn) = waiting.turn.take() else {
                waiting.waker.clone_from(cx.waker());
                return None;
            };
            state.waiting.remove(&line.ticket);
            self.asked = None;
            return Some(turn);
        }
        let flow = self.line.flow().clone();
        let now = turns.now();
        let is_ahead = line.is_ahead.swap(false, Ordering::Relaxed);
        let turn = state.book.ask(&flow, (line.ticket, is_ahead), now);
        turns.0.is_contended.store(state.book.is_contended(now), Ordering::Relaxed);
        if turn.is_none() {
            let waiting = Waiting { waker: cx.waker().clone(), turn: None };
            state.waiting.insert(line.ticket, waiting);
            self.asked = Some(flow);
            turns.serve(&mut state);
        }
        turn
    }
}

impl<F> Drop for InTurn<F> {
    fn drop(&mut self) {
        let Some(flow) = self.asked.take() else { return };
        let line = &self.line.0;
        let mut state = line.turns.state();
        match state.waiting.remove(&line.ticket) {
            Some(Waiting { turn: Some(turn), .. }) => {
                state.book.end(turn, Duration::ZERO, line.turns.now());
            }
            Some(Waiting { turn: None, .. }) | None => state.book.withdraw(&flow, line.ticket),
        }
        line.turns.serve(&mut state);
    }
}

/// A turn under way; whatever happens it ends.
struct Running<'a> {
    turns: &'a Turns,
    turn: Option<Turn>,
    started: Instant,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let cost = self.started.elapsed();
        let Some(turn) = self.turn.take() else { return };
        let mut state = self.turns.state();
        state.book.end(turn, cost, self.turns.now());
        self.turns.serve(&mut state);
    }
}
