//! The handle of a connection: queues what is to be sent, within bounds.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use entity_wire::socket::CONTROL;
use futures_util::task::AtomicWaker;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::limits::SocketLimits;
use super::message::{Broken, Outcome, Outgoing};
use crate::http::slots::Slot;
use crate::turns::Line;

/// A connection; clones are the same one. It stays open while its other side does, whether or not somebody holds a handle.
#[derive(Clone)]
pub struct Connection(Arc<Shared>);

/// Names a connection of this process. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// Its number, from 1.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// Which side opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// We did.
    Dialled,
    /// The other side did.
    Accepted,
}

/// There is no room in the queue; the message comes back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// It may have some later.
    #[error("too many messages without an answer")]
    Queue(Outgoing),
    /// The connection has ended.
    #[error("the connection is closed")]
    Closed(Outgoing),
}

/// Who hears of an outcome.
#[derive(Debug)]
pub(super) enum Sink {
    /// The receiver, by this ticket.
    Ticket(u64),
    /// Somebody who waits for it.
    Waiting(oneshot::Sender<Outcome>),
}

/// One message that is to be written.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) message: Outgoing,
    pub(super) deadline: Instant,
    pub(super) sink: Sink,
}

pub(super) struct Shared {
    id: ConnectionId,
    side: Side,
    remote: SocketAddr,
    limits: SocketLimits,
    queue: Mutex<Queue>,
    /// Wakes the connection's task.
    pub(super) waker: AtomicWaker,
    room: Notify,
    ended: Notify,
    /// Whose work it is.
    line: Line,
    /// The place that it holds, where somebody else dialled.
    slot: Weak<Slot>,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) entries: VecDeque<Entry>,
    /// Notices and controls: not counted, not answered.
    pub(super) controls: VecDeque<Bytes>,
    /// Those in `entries`, and those written that are not answered.
    unanswered: usize,
    unanswered_bytes: usize,
    /// Somebody wants it closed.
    pub(super) is_closing: bool,
    is_closed: bool,
}

static LAST_ID: AtomicU64 = AtomicU64::new(0);

impl Connection {
    pub(super) fn new(
        (side, remote): (Side, SocketAddr),
        limits: SocketLimits,
        (line, slot): (Line, Option<&Arc<Slot>>),
    ) -> Self {
        Self(Arc::new(Shared {
            id: ConnectionId(LAST_ID.fetch_add(1, Ordering::Relaxed) + 1),
            side,
            remote,
            limits,
            queue: Mutex::default(),
            waker: AtomicWaker::new(),
            room: Notify::new(),
            ended: Notify::new(),
            line,
            slot: slot.map(Arc::downgrade).unwrap_or_default(),
        }))
    }

    /// Its name.
    pub fn id(&self) -> ConnectionId {
        self.0.id
    }

    /// Which side opened it.
    pub fn side(&self) -> Side {
        self.0.side
    }

    /// The address of its other side, as the operating system says.
    pub fn remote(&self) -> SocketAddr {
        self.0.remote
    }

    /// Queues a message whose outcome the receiver gets under `ticket`, within `timeout`. Never waits.
    ///
    /// # Errors
    ///
    /// [`Full`]; the receiver then hears nothing of it.
    pub fn post(&self, message: Outgoing, ticket: u64, timeout: Duration) -> Result<(), Full> {
        self.queue(message, timeout, || Sink::Ticket(ticket))
    }

    /// Queues a message now, where there is room, so that whatever is sent later goes after it; the future waits for its outcome,
    /// first for room where there was none, all within `timeout`.
    pub fn send(
        &self,
        message: Outgoing,
        timeout: Duration,
    ) -> impl Future<Output = Outcome> + Send + use<> {
        let deadline = Instant::now() + timeout;
        let first = self.try_send(message, deadline);
        let connection = self.clone();
        async move {
            let mut tried = first;
            loop {
                let message = match tried {
                    Ok(outcome) => return outcome.await.unwrap_or(Outcome::Broken),
                    Err(Full::Closed(_)) => return Outcome::Broken,
                    Err(Full::Queue(back)) => back,
                };
                // Before the queue is looked at: what becomes free afterwards is not missed.
                let room = connection.0.room.notified();
                tried = connection.try_send(message, deadline);
                if matches!(tried, Err(Full::Queue(_)))
                    && tokio::time::timeout_at(deadline, room).await.is_err()
                {
                    return Outcome::TimedOut;
                }
            }
        }
    }

    fn try_send(
        &self,
        message: Outgoing,
        deadline: Instant,
    ) -> Result<oneshot::Receiver<Outcome>, Full> {
        let (told, outcome) = oneshot::channel();
        let left = deadline.saturating_duration_since(Instant::now());
        self.queue(message, left, || Sink::Waiting(told)).map(|()| outcome)
    }

    /// Queues an object about the connection itself, UTF-8 JSON; nobody answers it.
    ///
    /// # Errors
    ///
    /// [`Broken`] where it is closed or too many wait already.
    pub fn control(&self, object: &[u8]) -> Result<(), Broken> {
        let mut message = BytesMut::with_capacity(1 + object.len());
        message.put_u8(CONTROL);
        message.put_slice(object);
        let mut queue = self.0.queue();
        if queue.is_closed || queue.controls.len() >= self.0.limits.controls_max {
            return Err(Broken);
        }
        queue.controls.push_back(message.freeze());
        drop(queue);
        self.0.waker.wake();
        Ok(())
    }

    /// Notes that this peer has proved that it is at the other end: what comes next is its own cost, and strangers do not take
    /// its place.
    pub fn belongs_to(&self, peer: &str) {
        self.0.line.belongs_to(peer);
        if let Some(slot) = self.0.slot.upgrade() {
            slot.set_known();
        }
    }

    /// Ends it; what is not answered then is [`Outcome::Broken`].
    pub fn close(&self) {
        self.0.queue().is_closing = true;
        self.0.waker.wake();
    }

    /// Whether it is open still.
    pub fn is_open(&self) -> bool {
        let queue = self.0.queue();
        !queue.is_closed && !queue.is_closing
    }

    /// Waits until it has ended.
    pub async fn closed(&self) {
        loop {
            let ended = self.0.ended.notified();
            if self.0.queue().is_closed {
                return;
            }
            ended.await;
        }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }

    fn queue(
        &self,
        message: Outgoing,
        timeout: Duration,
        sink: impl FnOnce() -> Sink,
    ) -> Result<(), Full> {
        let limits = &self.0.limits;
        let len_bytes = message.len_bytes();
        let mut queue = self.0.queue();
        if queue.is_closed || queue.is_closing {
            return Err(Full::Closed(message));
        }
        // One message always has room, however long it is.
        let is_full = queue.unanswered >= limits.unanswered_max
            || queue.unanswered_bytes.saturating_add(len_bytes) > limits.unanswered_max_bytes;
        if is_full && queue.unanswered > 0 {
            return Err(Full::Queue(message));
        }
        queue.unanswered += 1;
        queue.unanswered_bytes += len_bytes;
        let is_first = queue.entries.is_empty();
        queue.entries.push_back(Entry {
            message,
            deadline: Instant::now() + timeout,
            sink: sink(),
        });
        drop(queue);
        if is_first {
            self.0.waker.wake();
        }
        Ok(())
    }
}

impl Shared {
    /// Notes that something that came is being answered, or has been.
    pub(super) fn set_busy(&self, is_busy: bool) {
        if let Some(slot) = self.slot.upgrade() {
            slot.set_busy(is_busy);
        }
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        // Each change leaves a valid queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that so many messages are answered.
    pub(super) fn answered(&self, count: usize, len_bytes: usize) {
        let mut queue = self.queue();
        queue.unanswered = queue.unanswered.saturating_sub(count);
        queue.unanswered_bytes = queue.unanswered_bytes.saturating_sub(len_bytes);
        drop(queue);
        self.room.notify_waiters();
    }

    /// Takes no more, and returns what was never written.
    pub(super) fn end(&self) -> VecDeque<Entry> {
        let mut queue = self.queue();
        queue.is_closed = true;
        queue.controls.clear();
        let entries = std::mem::take(&mut queue.entries);
        drop(queue);
        self.room.notify_waiters();
        self.ended.notify_waiters();
        entries
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("id", &self.0.id)
            .field("side", &self.0.side)
            .finish_non_exhaustive()
    }
}
