//! The files of transfers: what the peer wants read and written, done by threads that may wait for a disk.
//!
//! - `Files`: three threads, one for what is read, one for chunks that are written, one for what takes long.
//! - `incoming`: the directory of what is received, and what is in it.
//! - `outgoing`: the files that are sent.
//!
//! What is under way is bounded by the peer: its windows and its quotas. No thread is there before the first transfer.

mod incoming;
mod outgoing;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use entity_peer::output::{Io, IoOutcome};
use entity_wire::payload::chunk::TransferId;
use rustix::fs::OFlags;
use tracing::warn;

use incoming::Incoming;
use outgoing::Outgoing;

pub use outgoing::{Described, describe};

/// Who reads and writes for a peer.
pub(crate) struct Files {
    desk: Arc<Desk>,
    lanes: BTreeMap<Lane, Sender<Job>>,
}

struct Desk {
    incoming: Incoming,
    outgoing: Outgoing,
    told: Box<dyn Fn(IoOutcome) + Send + Sync>,
}

/// What a thread takes from its queue.
enum Job {
    Do(Io),
    /// For another thread, once everything before it is done here.
    Pass(Io, Sender<Job>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Read,
    Write,
    /// Synchronising and finishing: chunks of others are written meanwhile.
    Finish,
}

impl Files {
    /// Makes the files of a peer that calls `told` with the end of each [`Io`] that has one. Incoming files go below
    /// `directory`; without one none is taken, and messages are put together in memory.
    ///
    /// What is there of transfers that are not `open` is removed.
    ///
    /// # Errors
    ///
    /// The directory cannot be used.
    pub(crate) fn new(
        directory: Option<&Path>,
        open: &[TransferId],
        told: impl Fn(IoOutcome) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let incoming = Incoming::new(directory, open)?;
        let desk = Desk { incoming, outgoing: Outgoing::default(), told: Box::new(told) };
        Ok(Self { desk: Arc::new(desk), lanes: BTreeMap::new() })
    }

    /// Takes something to do, and returns at once.
    pub(crate) fn submit(&mut self, io: Io) {
        let sent = match &io {
            Io::Read { .. } | Io::Close { .. } => self.send(Lane::Read, Job::Do(io)),
            Io::Write { .. } => self.send(Lane::Write, Job::Do(io)),
            Io::Sync { .. } | Io::Finish { .. } => self.send(Lane::Finish, Job::Do(io)),
            // After the chunks that wait to be written, which would make the part anew, and after its end.
            Io::Discard { .. } => self
                .lane(Lane::Finish)
                .and_then(|finish| self.send(Lane::Write, Job::Pass(io, finish))),
        };
        if let Err(error) = sent {
            // The transfer stands still until it expires; a machine without threads has other troubles.
            warn!(%error, "no thread for files");
        }
    }

    /// How many parts are open.
    #[cfg(test)]
    fn open_parts(&self) -> usize {
        self.desk.incoming.open_parts()
    }

    fn send(&mut self, lane: Lane, job: Job) -> io::Result<()> {
        self.lane(lane)?.send(job).map_err(|_| io::Error::other("it ended"))
    }

    fn lane(&mut self, lane: Lane) -> io::Result<Sender<Job>> {
        if let Some(sender) = self.lanes.get(&lane) {
            return Ok(sender.clone());
        }
        let sender = self.desk.clone().start(lane)?;
        self.lanes.insert(lane, sender.clone());
        Ok(sender)
    }
}

impl Desk {
    /// Starts a thread that ends with its sender.
    fn start(self: Arc<Self>, lane: Lane) -> io::Result<Sender<Job>> {
        let (sender, jobs) = channel();
        let name = match lane {
            Lane::Read => "files-read",
            Lane::Write => "files-write",
            Lane::Finish => "files-finish",
        };
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            for job in jobs {
                match job {
                    Job::Do(io) => {
                        if let Some(outcome) = self.run(io) {
                            (self.told)(outcome);
                        }
                    }
                    // A thread that ended has nothing left to take back either.
                    Job::Pass(io, next) => drop(next.send(Job::Do(io))),
                }
            }
        })?;
        Ok(sender)
    }

    fn run(&self, io: Io) -> Option<IoOutcome> {
        match io {
            Io::Read { transfer, source, total_size, index, begin, len } => {
                let outcome = self.outgoing.read(transfer, &source, total_size, (begin, len));
                Some(IoOutcome::Read { transfer, index, outcome })
            }
            Io::Write { transfer, cut, index, body } => {
                let outcome = self.incoming.write(transfer, (cut, index), &body);
                Some(IoOutcome::Written { transfer, index, outcome })
            }
            Io::Sync { transfer } => {
                let is_durable = self.incoming.sync(transfer);
                Some(IoOutcome::Synced { transfer, is_durable })
            }
            Io::Finish { transfer, cut, sha256, keep } => {
                Some(self.incoming.finish(transfer, cut, sha256, &keep))
            }
            Io::Discard { transfer } => {
                self.incoming.discard(transfer);
                None
            }
            Io::Close { transfer } => {
                self.outgoing.close(transfer);
                None
            }
        }
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Files(..)")
    }
}

/// Flags of opening, as the standard library takes them.
fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

/// What a lock guards here stays valid at every return; a panic in between has been reported already.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
