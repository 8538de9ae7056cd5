//! The task of a connection: reads, hands over, answers, writes, keeps it alive.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use entity_wire::socket::{BinaryKind, Notice};
use futures_util::{Sink as _, Stream as _};
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tracing::debug;

use super::accounts::Accounts;
use super::connection::{Connection, Entry, Queue, Side, Sink};
use super::limits::SocketLimits;
use super::message::{Incoming, Outcome, Receiver};
use super::meter::{Budget, Metered, Share};
use super::settling::Settling;

/// One open connection.
pub(super) struct Link {
    socket: WebSocketStream<Metered>,
    connection: Connection,
    receiver: Arc<dyn Receiver>,
    limits: SocketLimits,
    share: Share,
    accounts: Accounts,
    settling: Settling,
    outcomes: Vec<(u64, Outcome)>,
    alarm: Pin<Box<Sleep>>,
    heard_at: Instant,
    pings: u32,
    /// Bytes that belong to finished messages, of those read so far.
    consumed_bytes: u64,
    /// Since when a message is unfinished.
    unfinished_since: Option<Instant>,
    /// The receiver knows of it, and has not heard of its end.
    is_open: bool,
    /// Something is being answered.
    is_busy: bool,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the other side closed it")]
    Closed,
    #[error("it was to be closed")]
    Asked,
    #[error("it broke: {0}")]
    Broken(#[from] Error),
    #[error("nothing was heard for too long")]
    Silent,
    #[error("a message took too long to arrive")]
    Slow,
    #[error("unfinished messages take too much memory")]
    Memory,
    #[error("the other side does not keep the protocol: {0}")]
    Protocol(&'static str),
}

/// Why no more is read for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// A batch is full.
    Batch,
    /// Nothing more has come; what comes wakes us.
    Everything,
    /// Too much waits for its answer or to be written. What settles a batch or takes what is to be written wakes us.
    NoRoom,
}

/// How a library that frames messages is told our bounds.
pub(super) fn config(limits: &SocketLimits) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(SocketLimits::READ_BUFFER_BYTES)
        .write_buffer_size(SocketLimits::WRITE_BUFFER_BYTES)
        // One message beyond what is gathered: `Link::write` adds none before that has gone.
        .max_write_buffer_size(SocketLimits::WRITE_BUFFER_BYTES * 4 + limits.message_max_bytes * 2)
        .max_message_size(Some(limits.message_max_bytes))
        .max_frame_size(Some(limits.message_max_bytes))
}

impl Link {
    pub(super) fn new(
        socket: WebSocketStream<Metered>,
        connection: Connection,
        receiver: Arc<dyn Receiver>,
        (limits, budget): (SocketLimits, &Budget),
    ) -> Self {
        let now = Instant::now();
        let consumed_bytes = socket.get_ref().read_bytes();
        Self {
            socket,
            connection,
            receiver,
            limits,
            share: Share::of(budget),
            accounts: Accounts::default(),
            settling: Settling::default(),
            outcomes: Vec::new(),
            alarm: Box::pin(tokio::time::sleep_until(now + limits.ping_after)),
            heard_at: now,
            pings: 0,
            consumed_bytes,
            unfinished_since: None,
            is_open: false,
            is_busy: false,
        }
    }

    /// Serves the connection until it ends.
    pub(super) async fn run(mut self) {
        self.is_open = true;
        self.receiver.opened(&self.connection);
        let Err(end) = std::future::poll_fn(|cx| self.poll(cx)).await;
        debug!(connection = ?self.connection.id(), reason = %end, "connection ended");
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<std::convert::Infallible, End>> {
        self.connection.shared().waker.register(cx.waker());
        loop {
            let read = self.read(cx)?;
            self.tell();
            self.settle(cx);
            self.write(cx)?;
            self.watch(cx)?;
            // Timers and writing may have brought outcomes about.
            self.tell();
            match read {
                Read::Batch => {}
                // Room that came about since then wakes nobody: what has come is looked at before anybody sleeps.
                Read::NoRoom if self.has_room() => {}
                Read::NoRoom | Read::Everything => return Poll::Pending,
            }
            // Another batch is for the next turn, where others want one.
            let line = self.connection.shared().line();
            if line.is_contended() {
                line.is_ahead();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Reads what has come and hands it over, at most one batch.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<Read, End> {
        let mut batch = Vec::new();
        let mut read = Read::Batch;
        let mut taken = 0;
        let is_contended = self.connection.shared().line().is_contended();
        let batch_max = if is_contended {
            self.limits.batch_max.min(SocketLimits::CONTENDED_BATCH_MAX)
        } else {
            self.limits.batch_max
        };
        // What needs no answer costs as well.
        while taken < batch_max {
            if !self.has_room() {
                read = Read::NoRoom;
                break;
            }
            let Poll::Ready(message) = Pin::new(&mut self.socket).poll_next(cx) else {
                read = Read::Everything;
                break;
            };
            let message = message.ok_or(End::Closed)??;
            taken += 1;
            self.heard(&message);
            match message {
                Message::Text(text) => {
                    batch.push(Incoming::Text(text.into()));
                    // Its signature alone costs as much as a batch of frames.
                    if is_contended {
                        break;
                    }
                }
                Message::Binary(bytes) => self.take_binary(bytes, &mut batch)?,
                Message::Close(_) => return Err(End::Closed),
                // The library answers a ping.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        self.measure()?;
        if !batch.is_empty() {
            let count = batch.len();
            let answers = self.receiver.receive(&self.connection, batch);
            self.settling.push(count, answers);
            // Until it is settled: in the middle of an answer nobody has to go. What waits to be written does not count, or whoever
            // reads nothing would stay.
            self.is_busy = true;
            self.connection.shared().set_busy(true);
        }
        Ok(read)
    }

    /// Whether anything may be read.
    fn has_room(&self) -> bool {
        self.settling.len() < self.limits.batches_max && !self.is_backed_up()
    }

    fn take_binary(&mut self, bytes: Bytes, batch: &mut Vec<Incoming>) -> Result<(), End> {
        match BinaryKind::of(&bytes) {
            BinaryKind::Notice => {
                let notice = Notice::decode(&bytes).map_err(|_| End::Protocol("its answers"))?;
                let outcomes = &mut self.outcomes;
                let freed = self
                    .accounts
                    .answer(notice, |sink, outcome| tell_sink(outcomes, sink, outcome))
                    .map_err(|_| End::Protocol("its answers"))?;
                self.connection.shared().answered(freed.count, freed.len_bytes);
            }
            BinaryKind::Control => self.receiver.control(&self.connection, bytes.slice(1..)),
            BinaryKind::Frame | BinaryKind::Forward | BinaryKind::Unknown => {
                batch.push(Incoming::Binary(bytes));
            }
        }
        Ok(())
    }

    /// Whether what we have to say about the connection is not taken by the other side.
    fn is_backed_up(&self) -> bool {
        self.connection.shared().queue().controls.len() > self.limits.controls_max
    }

    fn heard(&mut self, message: &Message) {
        self.heard_at = Instant::now();
        self.pings = 0;
        match message {
            // What was read beyond it is at most what the reader's buffer holds.
            Message::Text(_) | Message::Binary(_) => {
                self.consumed_bytes = self.socket.get_ref().read_bytes();
                self.unfinished_since = None;
            }
            // These may stand between the parts of a message, and must not make it look finished.
            Message::Ping(payload) | Message::Pong(payload) => {
                let head = if self.connection.side() == Side::Accepted { 6 } else { 2 };
                self.consumed_bytes += u64::try_from(payload.len()).unwrap_or(0) + head;
            }
            Message::Close(_) | Message::Frame(_) => {}
        }
    }

    /// Looks at how much of an unfinished message there is.
    fn measure(&mut self) -> Result<(), End> {
        let read_bytes = self.socket.get_ref().read_bytes();
        let unfinished = read_bytes.saturating_sub(self.consumed_bytes);
        let unfinished = usize::try_from(unfinished).unwrap_or(usize::MAX);
        if unfinished > SocketLimits::UNFINISHED_SMALL_BYTES && self.unfinished_since.is_none() {
            let now = Instant::now();
            self.unfinished_since = Some(now);
            self.arm(now + self.limits.message_timeout);
        }
        if self.share.hold(unfinished) { Ok(()) } else { Err(End::Memory) }
    }

    /// Has [`Link::watch`] look no later than `at`.
    fn arm(&mut self, at: Instant) {
        if at < self.alarm.deadline() {
            self.alarm.as_mut().reset(at);
        }
    }

    /// Hands over what became of messages.
    fn tell(&mut self) {
        if !self.outcomes.is_empty() {
            let outcomes = std::mem::take(&mut self.outcomes);
            self.receiver.outcomes(&self.connection, outcomes);
        }
    }

    /// Queues the answers that may be told.
    fn settle(&mut self, cx: &mut Context<'_>) {
        if self.settling.len() == 0 {
            return;
        }
        let mut notices = Vec::new();
        self.settling.poll(cx, |notice| notices.push(Bytes::from(notice)));
        if !notices.is_empty() {
            self.connection.shared().queue().controls.extend(notices);
        }
        if self.settling.len() == 0 && std::mem::take(&mut self.is_busy) {
            self.connection.shared().set_busy(false);
        }
    }

    /// Writes what is queued, as far as the other side takes it. One that is to be closed does not wait for that.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let shared = self.connection.clone();
        let is_closing = shared.shared().queue().is_closing;
        while Pin::new(&mut self.socket).poll_ready(cx)?.is_ready() {
            let next = next_to_write(&mut shared.shared().queue());
            match next {
                Next::Control(bytes) => {
                    Pin::new(&mut self.socket).start_send(Message::Binary(bytes))?;
                }
                Next::Entry(Entry { message, deadline, sink }) => {
                    self.accounts.sent(message.len_bytes(), deadline, sink);
                    self.arm(deadline);
                    Pin::new(&mut self.socket).start_send(message.into_message())?;
                }
                Next::Nothing => break,
            }
        }
        // Whether it is all taken or not: then we are woken.
        let _: bool = Pin::new(&mut self.socket).poll_flush(cx)?.is_ready();
        if is_closing { Err(End::Asked) } else { Ok(()) }
    }

    /// Does what is due.
    fn watch(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        while self.alarm.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let silence = now.duration_since(self.heard_at);
            let outcomes = &mut self.outcomes;
            let expired =
                self.accounts.expire(now, |sink, outcome| tell_sink(outcomes, sink, outcome));
            if expired && silence >= self.limits.silence_max {
                return Err(End::Silent);
            }
            let slow = |since: Instant| now.duration_since(since) >= self.limits.message_timeout;
            if self.unfinished_since.is_some_and(slow) {
                return Err(End::Slow);
            }
            let mut next_ping = self.heard_at + self.limits.ping_after * (self.pings + 1);
            if next_ping <= now {
                if self.pings >= self.limits.pings_max {
                    return Err(End::Silent);
                }
                self.pings += 1;
                next_ping += self.limits.ping_after;
                Pin::new(&mut self.socket).start_send(Message::Ping(Bytes::new()))?;
                let _: bool = Pin::new(&mut self.socket).poll_flush(cx)?.is_ready();
            }
            let due = [
                Some(next_ping),
                self.accounts.next_deadline(),
                self.unfinished_since.map(|since| since + self.limits.message_timeout),
            ];
            let next = due.into_iter().flatten().min().unwrap_or(next_ping);
            self.alarm.as_mut().reset(next);
        }
        Ok(())
    }

    fn end(&mut self) {
        let waiting = self.connection.shared().end();
        let outcomes = &mut self.outcomes;
        for sink in self.accounts.take_all().chain(waiting.into_iter().map(|entry| entry.sink)) {
            tell_sink(outcomes, sink, Outcome::Broken);
        }
        // Nobody hears of one that nobody has heard of.
        if std::mem::take(&mut self.is_open) {
            self.tell();
            self.receiver.closed(&self.connection);
        }
    }
}

impl Drop for Link {
    /// Whoever waits hears of the end, also where its task was cut off.
    fn drop(&mut self) {
        self.end();
    }
}

enum Next {
    Control(Bytes),
    Entry(Entry),
    Nothing,
}

fn next_to_write(queue: &mut Queue) -> Next {
    if let Some(bytes) = queue.controls.pop_front() {
        return Next::Control(bytes);
    }
    // Of one that is to be closed what says something about what came goes out, where it can at once; no message does.
    if queue.is_closing {
        return Next::Nothing;
    }
    queue.entries.pop_front().map_or(Next::Nothing, Next::Entry)
}

fn tell_sink(outcomes: &mut Vec<(u64, Outcome)>, sink: Sink, outcome: Outcome) {
    match sink {
        Sink::Ticket(ticket) => outcomes.push((ticket, outcome)),
        // Who waited may have gone.
        Sink::Waiting(told) => drop(told.send(outcome)),
    }
}
