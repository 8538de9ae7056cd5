//! Descriptors: a process may open no more, `EMFILE`, by `prlimit(2)` on what runs.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use handfast_faults::account::{Line, LineVerdict};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use rustix::thread::{CapabilitySet, capabilities};

use super::line::line;
use super::{InForce, LimitError};
use crate::usage::descendants;

const WHAT: &str = "descriptors";

/// How often is looked how many are open: often enough for what lasts as long as an answer, and 0.1 % of a core (guessed).
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The process that plays a role at the moment, and the limit that is in force for whatever plays it.
#[derive(Debug, Default)]
pub(super) struct Player {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pid: Option<u32>,
    most: Option<u64>,
    /// What each process had before, to be given back.
    before: BTreeMap<u32, Rlimit>,
}

impl Player {
    /// A process begins to play the role.
    pub(super) fn started(&self, pid: u32) {
        let mut state = self.lock();
        state.pid = Some(pid);
        state.before.clear();
        if let Some(most) = state.most {
            // A process that is gone needs no limit.
            drop(state.put_on(pid, most));
        }
    }

    /// A panic elsewhere leaves the state whole: each change to it is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put_on(&mut self, pid: u32, most: u64) -> std::io::Result<()> {
        let Some(target) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
        let before = prlimit(Some(target), Resource::Nofile, limit_of(most))?;
        self.before.entry(pid).or_insert(before);
        Ok(())
    }
}

/// The hard limit, too, so that a peer cannot raise its own again; but not everybody could give that back.
fn limit_of(most: u64) -> Rlimit {
    let hard = if may_raise() { Some(most) } else { getrlimit(Resource::Nofile).maximum };
    Rlimit { current: Some(most), maximum: hard }
}

/// Whether this process may raise hard limits (`CAP_SYS_RESOURCE`), which root may not everywhere.
pub(crate) fn may_raise() -> bool {
    let own = capabilities(None);
    own.is_ok_and(|own| own.effective.contains(CapabilitySet::SYS_RESOURCE))
}

/// A limit that is in force.
#[derive(Debug)]
pub(super) struct Descriptors {
    player: Arc<Player>,
    most: u64,
    peak: Arc<AtomicU64>,
    watch: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

impl Descriptors {
    /// Puts it on the process that plays the role and on what it has started; what is open already stays open.
    pub(super) fn apply(player: Arc<Player>, role: &str, most: u64) -> Result<Self, LimitError> {
        let refused = |source| LimitError::Refused { what: WHAT, source };
        {
            let mut state = player.lock();
            let Some(pid) = state.pid else {
                return Err(LimitError::NotRunning { role: role.to_owned() });
            };
            state.put_on(pid, most).map_err(|error| match error.raw_os_error() {
                Some(errno) if errno == rustix::io::Errno::SRCH.raw_os_error() => {
                    LimitError::NotRunning { role: role.to_owned() }
                }
                _ => refused(error),
            })?;
            for descendant in descendants(pid) {
                // It may have ended since.
                drop(state.put_on(descendant, most));
            }
            state.most = Some(most);
        }
        let peak = Arc::new(AtomicU64::new(0));
        let watch = watch(player.clone(), peak.clone()).map_err(refused)?;
        Ok(Self { player, most, peak, watch: Some(watch) })
    }

    fn release(&mut self) -> std::io::Result<()> {
        drop(self.watch.take().map(|(stop, thread)| {
            drop(stop);
            thread.join()
        }));
        let mut state = self.player.lock();
        state.most = None;
        let player = state.pid;
        let mut result = Ok(());
        for (pid, before) in std::mem::take(&mut state.before) {
            let Some(target) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { continue };
            let back = prlimit(Some(target), Resource::Nofile, before);
            if let (Err(error), true) = (back, Some(pid) == player && is_alive(pid)) {
                result = Err(error.into());
            }
        }
        result
    }
}

impl InForce for Descriptors {
    fn measured(&mut self) -> Vec<Line> {
        look(&self.player, &self.peak);
        let peak = self.peak.load(Ordering::Relaxed);
        let verdict = if peak >= self.most { LineVerdict::Held } else { LineVerdict::TooFew };
        let asked = format!("{} a process", self.most);
        vec![line("descriptors", asked, format!("at most {peak} open"), verdict)]
    }

    fn undo(mut self: Box<Self>) -> Result<Vec<Line>, LimitError> {
        let lines = self.measured();
        self.release().map_err(|source| LimitError::Refused { what: WHAT, source })?;
        Ok(lines)
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        if self.watch.is_some() {
            // Nobody is left to hear of it.
            drop(self.release());
        }
    }
}

/// Looks again and again, until the sender is dropped.
fn watch(
    player: Arc<Player>,
    peak: Arc<AtomicU64>,
) -> std::io::Result<(mpsc::Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = mpsc::channel();
    let thread = std::thread::Builder::new().name("descriptors".to_owned()).spawn(move || {
        while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            look(&player, &peak);
        }
    })?;
    Ok((stop, thread))
}

/// Keeps the most descriptors that one process of the role has open.
fn look(player: &Player, peak: &AtomicU64) {
    let Some(pid) = player.lock().pid else { return };
    let open = descendants(pid).into_iter().chain([pid]).filter_map(open_in).max();
    peak.fetch_max(open.unwrap_or_default(), Ordering::Relaxed);
}

fn open_in(pid: u32) -> Option<u64> {
    u64::try_from(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count()).ok()
}

fn is_alive(pid: u32) -> bool {
    fs::exists(format!("/proc/{pid}/fd")).unwrap_or_default()
}
