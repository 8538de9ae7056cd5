//! The thread of the switch.

use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, TryRecvError};

use rustix::io::Errno;

use super::alarm::Alarm;
use super::capture::Capture;
use super::table::Table;
use super::{Footing, Order, SwitchError, SwitchReport, start};
use crate::clock::{monotonic_ns, unix_us};
use crate::net::plan::NetPlan;
use crate::net::port::Port;
use crate::sys;

/// All that the thread has.
#[derive(Debug)]
pub(super) struct Worker {
    table: Table,
    alarm: Alarm,
    orders: Receiver<Order>,
    bell: OwnedFd,
    buffer: Vec<u8>,
}

/// Whether the thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

/// Gets the calling thread ready for its work, as far as the host allows it.
pub(super) fn get_ready() -> Footing {
    let text = |error: io::Error| error.to_string();
    let slack = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    Footing {
        thread: rustix::thread::gettid().as_raw_nonzero().get(),
        exact_timers: slack.map_err(|error| text(error.into())),
        real_time: sys::schedule::go_first().map_err(text),
    }
}

impl Worker {
    /// Everything that can fail before the thread runs.
    pub(super) fn new(
        ports: Vec<Port>,
        plan: &NetPlan,
        (orders, bell): (Receiver<Order>, OwnedFd),
    ) -> Result<Self, SwitchError> {
        let names: Vec<String> = ports.iter().map(|port| port.name.clone()).collect();
        let unknown = plan.base.keys().find(|link| {
            !names.contains(&link.from) || !names.contains(&link.to) || link.from == link.to
        });
        if let Some(link) = unknown {
            return Err(SwitchError::NoLink { from: link.from.clone(), to: link.to.clone() });
        }
        let capture = match &plan.capture {
            Some(path) => {
                let unix_ns = u64::try_from(unix_us()).unwrap_or(0).saturating_mul(1_000);
                let begin_ns = unix_ns.saturating_sub(monotonic_ns());
                Some(Capture::start(path, &names, begin_ns).map_err(SwitchError::Capture)?)
            }
            None => None,
        };
        let table = Table::new(ports, plan, capture);
        let alarm = Alarm::new(monotonic_ns()).map_err(start)?;
        alarm.listen(&bell, BELL).map_err(start)?;
        for (index, tun) in table.tuns().enumerate() {
            alarm.listen(tun, index as u64).map_err(start)?;
        }
        Ok(Self { table, alarm, orders, bell, buffer: vec![0; PACKET_MAX] })
    }

    /// Works until it is told to stop, or nobody is left who could.
    pub(super) fn run(mut self) -> SwitchReport {
        let error = self.work().err().map(|error| error.to_string());
        let captured = self.table.take_capture().map(Capture::finish);
        SwitchReport { captured, error, ..self.report() }
    }

    fn work(&mut self) -> rustix::io::Result<()> {
        let mut ready = Vec::new();
        loop {
            self.table.deliver_due();
            let due_ns = self.table.next_due();
            if due_ns.is_none() {
                self.table.rest();
            }
            self.alarm.wait(due_ns)?;
            ready.clear();
            ready.extend_from_slice(self.alarm.ready());
            for source in &ready {
                if *source == BELL {
                    if self.obey() == Next::Stop {
                        return Ok(());
                    }
                } else {
                    self.read(usize::try_from(*source).unwrap_or(0));
                }
            }
        }
    }

    /// Carries packets of a port on, a few at a time: the others have to come to their turn, and so do those that wait.
    fn read(&mut self, port: usize) {
        for _ in 0..BATCH {
            match self.table.carry(port, &mut self.buffer) {
                Ok(()) => {}
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(_) => {
                    // The network of this place is gone, and its descriptor would wake us for ever. The others go on.
                    if let Some(tun) = self.table.tuns().nth(port) {
                        self.alarm.forget(tun).unwrap_or_default();
                    }
                    return;
                }
            }
        }
    }

    fn obey(&mut self) -> Next {
        let mut counter = [0; 8];
        // Only a counter of 0 would be refused: then there is nothing to be done.
        rustix::io::read(&self.bell, &mut counter).unwrap_or_default();
        loop {
            match self.orders.try_recv() {
                // Whoever asked may have stopped waiting.
                Ok(Order::Report { reply }) => reply.send(self.report()).unwrap_or_default(),
                Ok(Order::Set { from, to, conditions, reply }) => {
                    let now_ns = monotonic_ns();
                    let set = match self.table.lane(&from, &to) {
                        Some(lane) if from != to => {
                            lane.set(*conditions, now_ns);
                            self.table.follow_conditions();
                            Ok(now_ns)
                        }
                        Some(_) | None => Err(SwitchError::NoLink { from, to }),
                    };
                    reply.send(set).unwrap_or_default();
                }
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return Next::Stop,
                Err(TryRecvError::Empty) => return Next::Go,
            }
        }
    }

    fn report(&self) -> SwitchReport {
        let (accounts, unrouted) = (self.table.accounts(), self.table.unrouted);
        SwitchReport { accounts, unrouted, captured: None, error: None }
    }
}

/// Packets of one port in a row.
const BATCH: usize = 32;

/// The largest that a TUN gives: 65,535 bytes, and a header before it.
const PACKET_MAX: usize = (64 << 10) + 16;

/// How the bell is called among the sources; ports are called by their numbers.
const BELL: u64 = u64::MAX - 1;
