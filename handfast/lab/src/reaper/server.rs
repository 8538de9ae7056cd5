//! The reaper's own loop: one thread, two descriptors, no time.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitStatus, kill_process, set_child_subreaper};

use crate::exit::Exit;
use crate::reaper::frame::{self, Order, Report, SpawnOrder};
use crate::reaper::tree;
use crate::scratch;
use crate::sys::death_signal;

/// Serves the lifeline on standard input until it says so or breaks, then ends every descendant and
/// removes `dir`.
///
/// # Errors
///
/// If the system refuses to make this process a subreaper, or processes or the folder could not be
/// removed.
pub(crate) fn serve(dir: &Path) -> io::Result<()> {
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let lifeline = io::stdin().as_fd().try_clone_to_owned()?;
    let mut reaper = Server::new(lifeline)?;
    // An error on the lifeline is as good as its end: the duty to clean up does not depend on it.
    let asked = reaper.until_the_end().unwrap_or(false);
    let left = tree::end_descendants();
    let folder = scratch::remove(dir);
    if asked && let Ok(left) = &left {
        let folder = folder.as_ref().err().map(ToString::to_string);
        let report = Report::Finished { left: left.clone(), folder, cpu_us: tree::cpu_us() };
        // Handfast may have died in the meantime; there is nobody left to tell.
        drop(frame::send(&reaper.lifeline, &report, &[]));
    }
    left.and(folder)
}

struct Server {
    lifeline: OwnedFd,
    /// Becomes readable when a child ended.
    child_ended: UnixStream,
    /// The processes it was asked to start and has not waited for.
    running: BTreeMap<u64, Pid>,
    buffer: Vec<u8>,
}

impl Server {
    fn new(lifeline: OwnedFd) -> io::Result<Self> {
        let (child_ended, signal_side) = UnixStream::pair()?;
        child_ended.set_nonblocking(true)?;
        signal_side.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(Signal::CHILD.as_raw(), signal_side)?;
        Ok(Self { lifeline, child_ended, running: BTreeMap::new(), buffer: Vec::new() })
    }

    /// Serves until the end; `true` if handfast asked for it, `false` if it is gone.
    fn until_the_end(&mut self) -> io::Result<bool> {
        loop {
            let mut descriptors = [
                PollFd::new(&self.lifeline, PollFlags::IN),
                PollFd::new(&self.child_ended, PollFlags::IN),
            ];
            match poll(&mut descriptors, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let [order, ended] = descriptors.map(|descriptor| !descriptor.revents().is_empty());
            if ended {
                self.report_the_dead()?;
            }
            if order {
                match frame::receive(&self.lifeline, &mut self.buffer)? {
                    None => return Ok(false),
                    Some((Order::Finish, _)) => return Ok(true),
                    Some((Order::Kill { id }, _)) => self.kill(id),
                    Some((Order::Spawn { id, order }, stdio)) => self.spawn(id, &order, stdio)?,
                }
            }
        }
    }

    fn spawn(&mut self, id: u64, order: &SpawnOrder, stdio: Vec<OwnedFd>) -> io::Result<()> {
        let report = match spawn(order, stdio) {
            Ok(pid) => {
                self.running.insert(id, pid);
                Report::Spawned { id, pid: pid.as_raw_nonzero().get().unsigned_abs() }
            }
            Err(error) => Report::NotSpawned { id, reason: error.to_string() },
        };
        frame::send(&self.lifeline, &report, &[])
    }

    fn kill(&self, id: u64) {
        if let Some(&pid) = self.running.get(&id) {
            // Nobody has waited for it, so the id is still its own.
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    fn report_the_dead(&mut self) -> io::Result<()> {
        let mut sink = [0; 64];
        while matches!(self.child_ended.read(&mut sink), Ok(len) if len > 0) {}
        let mut reports = Vec::new();
        tree::reap_the_dead(|pid, status| {
            let of = self.running.iter().find_map(|(&id, &other)| (other == pid).then_some(id));
            if let Some(id) = of {
                self.running.remove(&id);
                reports.push(Report::Exited { id, exit: exit_of(status) });
            }
        })?;
        reports.iter().try_for_each(|report| frame::send(&self.lifeline, report, &[]))
    }
}

fn spawn(order: &SpawnOrder, stdio: Vec<OwnedFd>) -> io::Result<Pid> {
    let Ok([stdin, stdout, stderr]) = <[OwnedFd; 3]>::try_from(stdio) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "three descriptors are needed"));
    };
    let mut command = Command::new(&order.program);
    command.args(&order.args).envs(&order.env).current_dir(&order.cwd);
    command.stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
    // A group of its own: what a peer does to its group must not reach the reaper.
    command.process_group(0);
    death_signal::die_with_parent(&mut command);
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("the system gave no process id"))
}

fn exit_of(status: WaitStatus) -> Exit {
    match status.terminating_signal() {
        Some(signal) => Exit::Signal(signal),
        None => Exit::Code(status.exit_status().unwrap_or_default()),
    }
}
