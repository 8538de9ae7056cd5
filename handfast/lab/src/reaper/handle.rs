//! Handfast's end of the lifeline.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};
use thiserror::Error;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::exit::Exit;
use crate::reaper::frame::{self, Order, Report, SpawnOrder};
use crate::reaper::{LeftProcess, RUN_MARKER, UNIT_MARKER};

/// Processes one reaper starts in its life, restarts included (guessed).
pub const SPAWNS_MAX: u64 = 10_000;

/// A running reaper process. Dropping it breaks the lifeline, and the reaper cleans up.
#[derive(Debug)]
pub struct Reaper {
    lifeline: Arc<AsyncFd<OwnedFd>>,
    shared: Arc<Mutex<Shared>>,
    pid: u32,
    process: Mutex<Option<Child>>,
    listener: JoinHandle<()>,
}

/// A process a reaper started.
#[derive(Clone, Debug)]
pub struct Running {
    id: u64,
    pid: u32,
    exit: watch::Receiver<Option<Exit>>,
}

/// What a reaper said at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Processes that still lived when it was asked to finish; they are dead.
    pub left: Vec<LeftProcess>,
    /// Why the unit's folder could not be removed, if it could not.
    pub folder: Option<String>,
    /// Processor time of everything it started and of itself, in steps of 10 ms.
    pub cpu: Duration,
}

/// Why a process could not be started.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// The system refused: most often there is no such program.
    #[error("{reason}")]
    Refused {
        /// What the system said.
        reason: String,
    },
    /// The reaper is gone, or the order does not fit into a frame.
    #[error("the reaper does not answer")]
    Reaper(#[source] io::Error),
}

impl Reaper {
    /// Starts a reaper that will remove `dir`; `command` becomes one, see
    /// [`crate::LabConfig::reaper`]. It need not be up before it is given orders.
    ///
    /// # Errors
    ///
    /// If the system gives no socket or process.
    pub fn start(command: &[OsString], run: &str, dir: &Path) -> io::Result<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        let Some((program, arguments)) = command.split_first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the reaper has no command"));
        };
        let process = Command::new(program)
            .args(arguments)
            .arg(dir)
            .env(RUN_MARKER, run)
            .env(UNIT_MARKER, dir)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C on the terminal goes to handfast's group; the reaper must outlive it.
            .process_group(0)
            .spawn()?;
        let pid = process.id().unwrap_or_default();
        let lifeline = Arc::new(register(ours)?);
        let shared = Arc::new(Mutex::new(Shared::default()));
        let listener = tokio::spawn(listen(lifeline.clone(), shared.clone()));
        Ok(Self { lifeline, shared, pid, process: Mutex::new(Some(process)), listener })
    }

    /// Its own process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Starts a process with these three descriptors as stdin, stdout and stderr.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]; no process runs then.
    pub async fn spawn(
        &self,
        order: SpawnOrder,
        stdio: [OwnedFd; 3],
    ) -> Result<Running, SpawnError> {
        self.spawn_inside(order, stdio, &[]).await
    }

    /// The same inside these namespaces, which the process enters in this order before it becomes the program: a user namespace
    /// stands first.
    ///
    /// # Errors
    ///
    /// As of [`Reaper::spawn`]; also if there are more than 8 namespaces, or the process may not enter one.
    pub async fn spawn_inside(
        &self,
        order: SpawnOrder,
        stdio: [OwnedFd; 3],
        namespaces: &[BorrowedFd<'_>],
    ) -> Result<Running, SpawnError> {
        let (answer, answered) = oneshot::channel();
        let (exit_sender, exit) = watch::channel(None);
        let id = lock(&self.shared)
            .expect(Expected { answer: Some(answer), exit: exit_sender })
            .map_err(SpawnError::Reaper)?;
        let descriptors: Vec<_> =
            stdio.iter().map(AsFd::as_fd).chain(namespaces.iter().copied()).collect();
        self.send(&Order::Spawn { id, order }, &descriptors).await.map_err(SpawnError::Reaper)?;
        drop(stdio);
        match answered.await {
            Ok(Ok(pid)) => Ok(Running { id, pid, exit }),
            Ok(Err(reason)) => Err(SpawnError::Refused { reason }),
            Err(_) => Err(SpawnError::Reaper(gone())),
        }
    }

    /// Puts a file system of its own under a role's folder; the error says why it cannot.
    pub(crate) async fn mount(&self, role: &str, bytes: u64) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let id = lock(&self.shared).expect_mount(answer).map_err(|error| error.to_string())?;
        let order = Order::Mount { id, role: role.to_owned(), bytes };
        self.send(&order, &[]).await.map_err(|error| error.to_string())?;
        match answered.await {
            Ok(None) => Ok(()),
            Ok(Some(problem)) => Err(problem),
            Err(_) => Err(gone().to_string()),
        }
    }

    /// Sends SIGKILL to a process, if it still runs.
    ///
    /// # Errors
    ///
    /// If the reaper is gone.
    pub async fn kill(&self, running: &Running) -> io::Result<()> {
        self.send(&Order::Kill { id: running.id }, &[]).await
    }

    /// Sends SIGKILL to a process without waiting for room on the lifeline; where there is none,
    /// the unit's end kills it.
    pub(crate) fn kill_at_once(&self, running: &Running) {
        drop(frame::send(self.lifeline.get_ref(), &Order::Kill { id: running.id }, &[]));
    }

    /// Ends everything and waits for the reaper's own end.
    ///
    /// # Errors
    ///
    /// If the reaper was gone before it could say that nothing is left.
    pub async fn finish(&self) -> io::Result<Finished> {
        let (sender, finished) = oneshot::channel();
        lock(&self.shared).finished = Some(sender);
        self.send(&Order::Finish, &[]).await?;
        let finished = finished.await.map_err(|_| gone())?;
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut process) = process {
            process.wait().await?;
        }
        Ok(finished)
    }

    async fn send(&self, order: &Order, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            let mut ready = self.lifeline.writable().await?;
            match ready.try_io(|socket| frame::send(socket, order, descriptors)) {
                Ok(sent) => return sent,
                Err(_would_block) => {}
            }
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        // The listener holds the descriptor too, so closing ours would not break the lifeline yet.
        let _ = shutdown(self.lifeline.get_ref(), Shutdown::Both);
        self.listener.abort();
    }
}

impl Running {
    /// The process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it did.
    pub fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits for its end; `None` if the reaper was gone first.
    pub async fn exited(&self) -> Option<Exit> {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await.ok()?;
        *ended
    }
}

#[derive(Debug, Default)]
struct Shared {
    next_id: u64,
    expected: BTreeMap<u64, Expected>,
    mounts: BTreeMap<u64, oneshot::Sender<Option<String>>>,
    finished: Option<oneshot::Sender<Finished>>,
    gone: bool,
}

#[derive(Debug)]
struct Expected {
    answer: Option<oneshot::Sender<Result<u32, String>>>,
    exit: watch::Sender<Option<Exit>>,
}

impl Shared {
    fn expect(&mut self, expected: Expected) -> io::Result<u64> {
        let id = self.new_id()?;
        self.expected.insert(id, expected);
        Ok(id)
    }

    fn expect_mount(&mut self, answer: oneshot::Sender<Option<String>>) -> io::Result<u64> {
        let id = self.new_id()?;
        self.mounts.insert(id, answer);
        Ok(id)
    }

    fn new_id(&mut self) -> io::Result<u64> {
        if self.gone {
            return Err(gone());
        }
        if self.next_id >= SPAWNS_MAX {
            return Err(io::Error::other("the reaper has started too many processes"));
        }
        let id = self.next_id;
        self.next_id += 1;
        Ok(id)
    }

    fn on_report(&mut self, report: Report) {
        match report {
            Report::Spawned { id, pid } => self.answer(id, Ok(pid)),
            Report::NotSpawned { id, reason } => {
                self.answer(id, Err(reason));
                self.expected.remove(&id);
            }
            Report::Mounted { id, problem } => {
                if let Some(waiting) = self.mounts.remove(&id) {
                    // Whoever asked may have given up waiting.
                    drop(waiting.send(problem));
                }
            }
            Report::Exited { id, exit } => {
                if let Some(expected) = self.expected.remove(&id) {
                    expected.exit.send_replace(Some(exit));
                }
            }
            Report::Finished { left, folder, cpu_us } => {
                if let Some(finished) = self.finished.take() {
                    // Whoever asked may have given up waiting.
                    let cpu = Duration::from_micros(cpu_us);
                    drop(finished.send(Finished { left, folder, cpu }));
                }
            }
        }
    }

    fn answer(&mut self, id: u64, answer: Result<u32, String>) {
        let waiting = self.expected.get_mut(&id).and_then(|expected| expected.answer.take());
        if let Some(waiting) = waiting {
            // Whoever asked may have given up waiting; the unit's end finds the process.
            drop(waiting.send(answer));
        }
    }
}

#[expect(deprecated, reason = "its successor is unsafe; an owned descriptor stays open as it asks")]
fn register(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(descriptor)
}

/// Takes the reports until the reaper is gone.
async fn listen(lifeline: Arc<AsyncFd<OwnedFd>>, shared: Arc<Mutex<Shared>>) {
    let mut buffer = Vec::new();
    while let Ok(mut ready) = lifeline.readable().await {
        match ready.try_io(|socket| frame::receive(socket, &mut buffer)) {
            Ok(Ok(Some((report, _)))) => lock(&shared).on_report(report),
            Ok(Ok(None) | Err(_)) => break,
            Err(_would_block) => {}
        }
    }
    // Dropping the senders tells everyone who waits.
    let mut shared = lock(&shared);
    shared.gone = true;
    shared.expected.clear();
    shared.mounts.clear();
    shared.finished = None;
}

/// A panic elsewhere leaves the table whole: each change to it is complete in itself.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the reaper is gone")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reaper_starts_at_most_so_many_processes() {
        let expected = || {
            let (exit, _) = watch::channel(None);
            Expected { answer: None, exit }
        };
        let mut shared = Shared::default();
        for id in 0..SPAWNS_MAX {
            assert_eq!(shared.expect(expected()).unwrap(), id);
            shared.on_report(Report::Exited { id, exit: Exit::Code(0) });
        }
        assert!(shared.expect(expected()).is_err());
        assert!(shared.expected.is_empty(), "ended processes are forgotten");
    }
}
