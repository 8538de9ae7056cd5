//! A connection whose two directions are carried under their conditions.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::flight::{Arrived, Flight, PIECE_MAX, Reset};
use super::{Direction, since};

/// What the two ends of a connection inside of the tap hold back from each other, in bytes.
const BETWEEN: usize = 64 * 1024;

/// The caller's end of a connection that is carried.
#[derive(Debug)]
pub struct Shaped {
    end: DuplexStream,
    is_reset: Arc<AtomicBool>,
}

/// Carries what goes over `stream`, in a task of its own.
pub(super) fn start(
    carriers: &mut JoinSet<()>,
    stream: TcpStream,
    origin: Instant,
    (there, back): (Arc<Direction>, Arc<Direction>),
    flow: u64,
) -> io::Result<Shaped> {
    let (end, inner) = duplex(BETWEEN);
    let is_reset = Arc::new(AtomicBool::new(false));
    // A second descriptor of the same socket: the last one to be closed decides how it ends.
    let last: OwnedFd = stream.as_fd().try_clone_to_owned()?;
    let told = Arc::clone(&is_reset);
    carriers.spawn(async move {
        let (from_caller, to_caller) = tokio::io::split(inner);
        let (from_peer, to_peer) = stream.into_split();
        let ways = [(&there, &back), (&back, &there)];
        let ways =
            ways.map(|(way, other)| Way { direction: way.clone(), other: other.clone(), origin });
        let [out, home] = ways;
        let carried = tokio::try_join!(
            out.carry(from_caller, to_peer, Flight::new(flow)),
            home.carry(from_peer, to_caller, Flight::new(flow)),
        );
        if let Err(Reset) = carried {
            told.store(true, Ordering::Release);
            // Only a socket that is gone already takes no options.
            drop(SockRef::from(&last).set_linger(Some(Duration::ZERO)));
        }
    });
    Ok(Shaped { end, is_reset })
}

/// One direction of a connection.
struct Way {
    direction: Arc<Direction>,
    other: Arc<Direction>,
    origin: Instant,
}

impl Way {
    /// Carries everything until the end of the stream has arrived, or one of its ends is gone.
    async fn carry(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        mut flight: Flight,
    ) -> Result<(), Reset> {
        let mut piece = vec![0; PIECE_MAX];
        loop {
            let arrived = self.arrived(&mut flight)?;
            let has_arrived = !arrived.is_empty();
            for arrived in arrived {
                let is_through = match &arrived {
                    Arrived::Bytes(bytes) => to.write_all(bytes).await.is_ok(),
                    Arrived::End => false,
                };
                if !is_through {
                    // The other side has gone, or is to hear that this one has.
                    drop(to.shutdown().await);
                    return Ok(());
                }
            }
            let now_ns = since(self.origin);
            if has_arrived {
                flight.handle_handed_on(now_ns);
            }
            let room_ns = flight.room_at(&self.direction.lane().shaper, now_ns);
            let has_room = room_ns.is_some_and(|room_ns| room_ns <= now_ns);
            let room_ns = room_ns.filter(|_| !has_room);
            let next_ns = flight.next_deadline_ns().into_iter().chain(room_ns).min();
            let next = self.origin + Duration::from_nanos(next_ns.unwrap_or(0));
            tokio::select! {
                read = from.read(&mut piece), if has_room => {
                    // A connection that broke ends as one that was closed.
                    let bytes = Bytes::copy_from_slice(&piece[..read.unwrap_or(0)]);
                    self.send(&mut flight, bytes)?;
                }
                () = sleep_until(next), if next_ns.is_some() => {}
                else => return Ok(()),
            }
        }
    }

    fn arrived(&self, flight: &mut Flight) -> Result<Vec<Arrived>, Reset> {
        let mut lane = self.direction.lane();
        let now_ns = since(self.origin);
        flight.handle_deadline(&mut lane.shaper, now_ns)?;
        Ok(std::iter::from_fn(|| flight.poll_arrived(&mut lane.shaper, now_ns)).collect())
    }

    fn send(&self, flight: &mut Flight, bytes: Bytes) -> Result<(), Reset> {
        let round_trip = self.direction.delay() + self.other.delay();
        let round_trip_ns = u64::try_from(round_trip.as_nanos()).unwrap_or(u64::MAX);
        let mut lane = self.direction.lane();
        flight.handle_sent(bytes, &mut lane.shaper, round_trip_ns, since(self.origin))
    }
}

impl Shaped {
    fn reset(&self) -> Option<io::Error> {
        let is_reset = self.is_reset.load(Ordering::Acquire);
        is_reset.then(|| io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for Shaped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.end).poll_read(context, buffer);
        match (polled, self.reset()) {
            (Poll::Ready(_), Some(error)) if buffer.filled().len() == before => {
                Poll::Ready(Err(error))
            }
            (polled, _) => polled,
        }
    }
}

impl AsyncWrite for Shaped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match (Pin::new(&mut self.end).poll_write(context, bytes), self.reset()) {
            (Poll::Ready(Err(_)), Some(error)) => Poll::Ready(Err(error)),
            (polled, _) => polled,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_shutdown(context)
    }
}
