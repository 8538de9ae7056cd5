//! Datagrams between the two places, each with its number and the moment at which it was sent.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::probe::sleep_until;
use super::{FROM, TO};
use crate::clock::monotonic_ns;
use crate::net::holder::SocketKind;
use crate::net::network::Net;
use crate::sys;

/// Which datagrams are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    packets: usize,
    per_s: u64,
    packet_bytes: u32,
}

impl Load {
    /// So many, at even distances; their length counts the headers of IPv4 and UDP.
    pub(super) fn paced(packets: usize, per_s: u64, packet_bytes: u32) -> Self {
        Self { packets, per_s, packet_bytes }
    }

    /// Length of each with its headers.
    pub(super) fn packet_bytes(&self) -> u32 {
        self.packet_bytes
    }

    /// How many a second.
    #[cfg(test)]
    pub(super) fn per_s(&self) -> u64 {
        self.per_s
    }

    /// How long sending takes.
    pub(super) fn span(&self) -> Duration {
        Duration::from_nanos(self.at_ns(self.packets as u64))
    }

    fn at_ns(&self, number: u64) -> u64 {
        number.saturating_mul(1_000_000_000) / self.per_s.max(1)
    }
}

/// What was sent and what arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    /// When each was sent.
    pub(super) sent: Vec<u64>,
    /// How long each took first, in nanoseconds; none for what did not arrive.
    pub(super) took: Vec<Option<u64>>,
    /// When each arrived first.
    pub(super) arrived: Vec<Option<u64>>,
    /// Arrivals, copies included.
    pub(super) arrivals: u64,
}

/// Two sockets, one at each place.
pub(super) struct Ends {
    from: UdpSocket,
    to: UdpSocket,
}

impl Ends {
    /// Makes both.
    pub(super) fn open(net: &Net) -> io::Result<Self> {
        let from: UdpSocket = net.socket(FROM, SocketKind::Udp4)?.into();
        let to = net.socket(TO, SocketKind::Udp4)?;
        to.set_recv_buffer_size(RECEIVE_BYTES)?;
        let place = net.place(TO).ok_or(io::ErrorKind::NotFound)?;
        to.bind(&SocketAddr::from((place.v4, 0)).into())?;
        let to: UdpSocket = to.into();
        to.set_read_timeout(Some(LOOK))?;
        from.connect(to.local_addr()?)?;
        Ok(Self { from, to })
    }

    /// Sends all, and listens `patience` longer than the last one was sent.
    pub(super) fn run(&self, load: &Load, patience: Duration) -> io::Result<Traffic> {
        // The moment at which listening ends; not known before the last one is sent.
        let over_ns = AtomicU64::new(u64::MAX);
        let round = monotonic_ns();
        std::thread::scope(|scope| {
            let listening = scope.spawn(|| {
                // Where it is allowed: an instrument should be quicker than what it measures.
                sys::schedule::go_first().unwrap_or_default();
                self.listen(load, round, &over_ns)
            });
            let sent = self.send(load, round);
            let patience = u64::try_from((patience + PATIENCE).as_nanos()).unwrap_or(u64::MAX);
            over_ns.store(monotonic_ns().saturating_add(patience), Ordering::Relaxed);
            let heard = listening.join().unwrap_or_else(|_| Err(io::Error::other("a panic")))?;
            Ok(Traffic { sent: sent?, ..heard })
        })
    }

    fn send(&self, load: &Load, round: u64) -> io::Result<Vec<u64>> {
        let headers = usize::try_from(HEADERS).unwrap_or(0);
        let length = usize::try_from(load.packet_bytes).unwrap_or(0).saturating_sub(headers);
        let mut payload = vec![0x5a; length.max(PREFACE)];
        let mut sent = Vec::with_capacity(load.packets);
        let begin_ns = monotonic_ns() + 1_000_000;
        for number in 0..load.packets as u64 {
            let at_ns = begin_ns + load.at_ns(number);
            wait_until(at_ns);
            let now_ns = monotonic_ns();
            payload[..8].copy_from_slice(&round.to_be_bytes());
            payload[8..16].copy_from_slice(&number.to_be_bytes());
            payload[16..24].copy_from_slice(&now_ns.to_be_bytes());
            self.from.send(&payload)?;
            sent.push(now_ns);
        }
        Ok(sent)
    }

    fn listen(&self, load: &Load, round: u64, over_ns: &AtomicU64) -> io::Result<Traffic> {
        let mut traffic = Traffic {
            sent: Vec::new(),
            took: vec![None; load.packets],
            arrived: vec![None; load.packets],
            arrivals: 0,
        };
        let mut buffer = [0; 2_048];
        loop {
            let length = match self.to.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) => return Err(error),
            };
            let now_ns = monotonic_ns();
            if length >= PREFACE {
                let number = |at: usize| {
                    let mut bytes = [0; 8];
                    bytes.copy_from_slice(&buffer[at..at + 8]);
                    u64::from_be_bytes(bytes)
                };
                let place = usize::try_from(number(8)).unwrap_or(usize::MAX);
                // One of an earlier round that was long under way is none of this one.
                if number(0) == round && place < load.packets {
                    traffic.arrivals += 1;
                    if traffic.took[place].is_none() {
                        traffic.took[place] = Some(now_ns.saturating_sub(number(16)));
                        traffic.arrived[place] = Some(now_ns);
                    }
                }
            }
            if now_ns > over_ns.load(Ordering::Relaxed) {
                return Ok(traffic);
            }
        }
    }
}

/// Sleeps, and looks at the clock for the rest: the distances of packets are part of the load.
fn wait_until(at_ns: u64) {
    if at_ns > monotonic_ns() + LOOKING_NS {
        sleep_until(at_ns - LOOKING_NS);
    }
    while monotonic_ns() < at_ns {
        std::hint::spin_loop();
    }
}

const LOOKING_NS: u64 = 60_000;

/// Headers of IPv4 and UDP.
const HEADERS: u32 = 28;

/// Round, number and moment at the head of each datagram.
const PREFACE: usize = 24;

/// How often the receiver looks whether it is over; how long a packet may be under way without any delay.
const LOOK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_millis(100);

/// What the receiver asks for; most hosts give less.
const RECEIVE_BYTES: usize = 4 << 20;
