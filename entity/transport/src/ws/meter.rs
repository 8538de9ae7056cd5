//! How much of an unfinished message a connection holds.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::limits::SocketLimits;

/// A stream that counts what is read.
#[derive(Debug)]
pub(super) struct Metered {
    stream: TcpStream,
    read_bytes: u64,
}

impl Metered {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, read_bytes: 0 }
    }

    /// All bytes read so far.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read_bytes
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = buffer.filled().len() - before;
        self.read_bytes += u64::try_from(read).unwrap_or(u64::MAX);
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The memory for unfinished messages that connections share.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    taken: Arc<AtomicUsize>,
    max_bytes: usize,
}

impl Budget {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { taken: Arc::default(), max_bytes }
    }
}

/// The part of a [`Budget`] that one connection takes; given back on drop.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    held: usize,
}

impl Share {
    pub(super) fn of(budget: &Budget) -> Self {
        Self { budget: budget.clone(), held: 0 }
    }

    /// Notes how much of an unfinished message there is; `false` where that is too much.
    pub(super) fn hold(&mut self, unfinished_bytes: usize) -> bool {
        let needed = unfinished_bytes.saturating_sub(SocketLimits::UNFINISHED_SMALL_BYTES);
        if needed <= self.held {
            self.budget.taken.fetch_sub(self.held - needed, Ordering::Relaxed);
            self.held = needed;
            return true;
        }
        let more = needed - self.held;
        let before = self.budget.taken.fetch_add(more, Ordering::Relaxed);
        self.held = needed;
        before.saturating_add(more) <= self.budget.max_bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_messages_share_a_bound_and_give_back_what_they_took() {
        const SMALL: usize = SocketLimits::UNFINISHED_SMALL_BYTES;
        let budget = Budget::new(100);
        let (mut one, mut other) = (Share::of(&budget), Share::of(&budget));
        assert!(one.hold(SMALL) && other.hold(SMALL), "a small one is free");
        assert!(one.hold(SMALL + 60));
        assert!(other.hold(SMALL + 40));
        assert!(!other.hold(SMALL + 41), "no more than the bound");
        drop(other);
        assert!(one.hold(SMALL + 100));
        assert!(one.hold(0));
        assert_eq!(budget.taken.load(Ordering::Relaxed), 0);
    }
}
