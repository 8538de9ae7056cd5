//! The switch: every packet between two places of a network passes it, under the conditions of its link.
//!
//! It runs on one thread of its own, beside the async runtime, whose timers are a millisecond coarse. A packet is read from the TUN of
//! its sender, shown to the [`Shaper`] of its direction, and written to the TUN of its receiver when the shaper says; the switch
//! itself decides nothing. `docs/design/lab.md` says why it is a TUN, and how exact it is.
//!
//! - [`Switch`]: started, changed and asked while it runs
//! - `worker`: the thread; `table`: which packet goes where; `lane`: one direction of a link
//! - `alarm`: waiting for packets or a moment; `store`: packets that wait
//! - `header`, `change`, `offload`: the bytes of packets: read, flipped, answered by a reset, cut
//! - `capture`: what passed, as a file
//! - `account`: what came of it
//!
//! [`Shaper`]: handfast_faults::Shaper

mod account;
mod alarm;
mod capture;
mod change;
mod header;
mod lane;
mod offload;
mod store;
mod table;
mod worker;

#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use handfast_faults::Conditions;
use rustix::event::{EventfdFlags, eventfd};
use thiserror::Error;

pub use self::account::{Carried, LinkAccount};
pub use self::capture::Captured;
use self::worker::Worker;
use super::plan::NetPlan;
use super::port::Port;

/// A switch that runs; it ends, and closes its ports, when it is dropped.
#[derive(Debug)]
pub struct Switch {
    orders: SyncSender<Order>,
    bell: OwnedFd,
    thread: Option<JoinHandle<SwitchReport>>,
    footing: Footing,
}

/// What is left when a switch has ended.
#[derive(Clone, Debug)]
pub struct SwitchReport {
    /// For each direction what was asked and what came of it, for each of the conditions that there were.
    pub accounts: Vec<LinkAccount>,
    /// Packets that were for nobody: a multicast, an address that no place has, or no IP at all.
    pub unrouted: u64,
    /// What came of the capture, if there was one.
    pub captured: Option<Captured>,
    /// Why it ended by itself, if it did.
    pub error: Option<String>,
}

/// How this host lets the switch's thread run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footing {
    /// The number by which the system knows the thread, for `top -H` and `/proc`.
    pub thread: i32,
    /// Whether it goes before every ordinary thread (`SCHED_FIFO`); if not, why.
    pub real_time: Result<(), String>,
    /// Whether its timers are not gathered with others (`PR_SET_TIMERSLACK`); if not, why.
    pub exact_timers: Result<(), String>,
}

/// Why a switch did not start, or did not do what it was told: the caller, then the host, then the platform.
#[derive(Debug, Error)]
pub enum SwitchError {
    /// There is no such direction.
    #[error("no link leads from {from} to {to}")]
    NoLink {
        /// Who would send.
        from: String,
        /// To whom.
        to: String,
    },
    /// The system did not give what a switch needs.
    #[error("the switch could not start")]
    Start(#[source] io::Error),
    /// The capture could not be begun.
    #[error("the capture could not begin")]
    Capture(#[source] io::Error),
    /// The switch has not answered in time: this host does not let it run.
    #[error("the switch has not answered for {} s", REPLY_WITHIN.as_secs())]
    Busy,
    /// The switch has ended.
    #[error("the switch has ended")]
    Ended,
}

/// What the thread is told.
#[derive(Debug)]
enum Order {
    Set {
        from: String,
        to: String,
        conditions: Box<Conditions>,
        reply: Sender<Result<u64, SwitchError>>,
    },
    Report {
        reply: Sender<SwitchReport>,
    },
    Stop,
}

impl Switch {
    /// Joins the ports under the conditions of `plan`: which are calm where the plan says nothing.
    ///
    /// # Errors
    ///
    /// [`SwitchError::NoLink`] where the plan names a role without a port; otherwise what the host did not give.
    pub fn start(ports: Vec<Port>, plan: &NetPlan) -> Result<Self, SwitchError> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(start)?;
        let ear = bell.try_clone().map_err(SwitchError::Start)?;
        let (orders, told) = sync_channel(ORDERS_MAX);
        let worker = Worker::new(ports, plan, (told, ear))?;
        let (ready, is_ready) = channel();
        let run = move || {
            let footing = worker::get_ready();
            // Whoever starts the switch waits for it.
            ready.send(footing).unwrap_or_default();
            worker.run()
        };
        let thread = std::thread::Builder::new().name("switch".to_owned()).spawn(run);
        let thread = Some(thread.map_err(SwitchError::Start)?);
        let footing = answer(&is_ready)?;
        Ok(Self { orders, bell, thread, footing })
    }

    /// Changes the conditions of one direction; what waits already leaves as it was decided. Returns the moment from which they hold, in
    /// nanoseconds of [`crate::clock::monotonic_ns`].
    ///
    /// # Errors
    ///
    /// [`SwitchError::NoLink`], [`SwitchError::Busy`], [`SwitchError::Ended`].
    pub fn set(&self, from: &str, to: &str, conditions: Conditions) -> Result<u64, SwitchError> {
        let (reply, replied) = channel();
        let (from, to) = (from.to_owned(), to.to_owned());
        self.tell(Order::Set { from, to, conditions: Box::new(conditions), reply })?;
        answer(&replied)?
    }

    /// What each direction was asked for and did until now, for each of the conditions that there were.
    ///
    /// # Errors
    ///
    /// [`SwitchError::Busy`], [`SwitchError::Ended`].
    pub fn accounts(&self) -> Result<Vec<LinkAccount>, SwitchError> {
        Ok(self.report()?.accounts)
    }

    /// What came of everything until now; of a capture only when the switch has stopped.
    ///
    /// # Errors
    ///
    /// [`SwitchError::Busy`], [`SwitchError::Ended`].
    pub fn report(&self) -> Result<SwitchReport, SwitchError> {
        let (reply, replied) = channel();
        self.tell(Order::Report { reply })?;
        answer(&replied)
    }

    /// How this host lets it run.
    pub fn footing(&self) -> &Footing {
        &self.footing
    }

    /// Ends it: what still waits is not delivered, the ports are closed, the capture is complete.
    pub fn stop(mut self) -> SwitchReport {
        self.end().unwrap_or_else(|| SwitchReport::broken("the switch panicked"))
    }

    fn end(&mut self) -> Option<SwitchReport> {
        let thread = self.thread.take()?;
        // Where it has ended by itself, there is nobody to be told.
        self.tell(Order::Stop).unwrap_or_default();
        thread.join().ok()
    }

    fn tell(&self, order: Order) -> Result<(), SwitchError> {
        self.orders.send(order).map_err(|_| SwitchError::Ended)?;
        // The counter of the bell cannot be full: the thread reads it.
        rustix::io::write(&self.bell, &1_u64.to_ne_bytes()).map_err(start)?;
        Ok(())
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        drop(self.end());
    }
}

impl SwitchReport {
    fn broken(error: &str) -> Self {
        Self { accounts: Vec::new(), unrouted: 0, captured: None, error: Some(error.to_owned()) }
    }
}

fn answer<T>(replied: &Receiver<T>) -> Result<T, SwitchError> {
    replied.recv_timeout(REPLY_WITHIN).map_err(|error| match error {
        RecvTimeoutError::Timeout => SwitchError::Busy,
        RecvTimeoutError::Disconnected => SwitchError::Ended,
    })
}

fn start(error: rustix::io::Errno) -> SwitchError {
    SwitchError::Start(error.into())
}

/// Orders that wait for the thread at most; whoever gives more waits itself.
const ORDERS_MAX: usize = 64;

/// How long the thread may take to answer: it needs microseconds, and a host that is ten thousand times slower is of no use.
const REPLY_WITHIN: Duration = Duration::from_secs(5);
