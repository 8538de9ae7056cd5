//! The reaper's own loop: one thread, two descriptors, no time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitStatus, kill_process, set_child_subreaper};

use crate::exit::Exit;
use crate::reaper::disks::Disks;
use crate::reaper::frame::{self, Order, Report, SpawnOrder};
use crate::reaper::tree;
use crate::resource::groups::{self, PROCESSES};
use crate::scratch;
use crate::sys::{death_signal, join, namespace};

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
    let mut reaper = Server::new(lifeline, dir)?;
    // An error on the lifeline is as good as its end: the duty to clean up does not depend on it.
    let asked = reaper.until_the_end().unwrap_or(false);
    let left = tree::end_descendants();
    let folder = reaper.remove_folder();
    if asked && let Ok(left) = &left {
        let folder = folder.as_ref().err().map(ToString::to_string);
        let report = Report::Finished { left: left.clone(), folder, cpu_us: tree::cpu_us() };
        // Handfast may have died in the meantime; there is nobody left to tell.
        drop(frame::send(&reaper.lifeline, &report, &[]));
    }
    left.and(folder)
}

struct Server {
    dir: PathBuf,
    lifeline: OwnedFd,
    disks: Disks,
    /// Becomes readable when a child ended.
    child_ended: UnixStream,
    /// The processes it was asked to start and has not waited for.
    running: BTreeMap<u64, Running>,
    buffer: Vec<u8>,
}

struct Running {
    pid: Pid,
    groups: Vec<PathBuf>,
    /// How many processes of its groups the kernel had killed for want of memory when it began.
    killed_before: u64,
    /// Whether handfast asked for its end.
    is_killed: bool,
}

impl Server {
    fn new(lifeline: OwnedFd, dir: &Path) -> io::Result<Self> {
        let (child_ended, signal_side) = UnixStream::pair()?;
        child_ended.set_nonblocking(true)?;
        signal_side.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(Signal::CHILD.as_raw(), signal_side)?;
        Ok(Self {
            dir: dir.to_owned(),
            lifeline,
            disks: Disks::default(),
            child_ended,
            running: BTreeMap::new(),
            buffer: Vec::new(),
        })
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
                    Some((Order::Spawn { id, order }, descriptors)) => {
                        self.spawn(id, &order, descriptors)?;
                    }
                    Some((Order::Mount { id, role, bytes }, _)) => {
                        let mounted = self.disks.mount(&self.dir, &role, bytes);
                        let problem = mounted.err().map(|error| error.to_string());
                        frame::send(&self.lifeline, &Report::Mounted { id, problem }, &[])?;
                    }
                }
            }
        }
    }

    fn spawn(&mut self, id: u64, order: &SpawnOrder, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        let killed_before = groups::killed_in(&order.groups);
        let report = match spawn(order, descriptors) {
            Ok(pid) => {
                let groups = order.groups.clone();
                self.running.insert(id, Running { pid, groups, killed_before, is_killed: false });
                Report::Spawned { id, pid: pid.as_raw_nonzero().get().unsigned_abs() }
            }
            Err(error) => Report::NotSpawned { id, reason: error.to_string() },
        };
        frame::send(&self.lifeline, &report, &[])
    }

    fn kill(&mut self, id: u64) {
        if let Some(running) = self.running.get_mut(&id) {
            running.is_killed = true;
            // Nobody has waited for it, so the id is still its own.
            let _ = kill_process(running.pid, Signal::KILL);
        }
    }

    /// Removes what is in the way of the unit's folder, and the folder.
    fn remove_folder(&self) -> io::Result<()> {
        let groups = groups::inventory::remove_all(&self.dir);
        self.disks.unmount(&self.dir)?;
        // The inventory is in it: while a group is left, the next start has to find it.
        groups?;
        scratch::remove(&self.dir)
    }

    fn report_the_dead(&mut self) -> io::Result<()> {
        let mut sink = [0; 64];
        while matches!(self.child_ended.read(&mut sink), Ok(len) if len > 0) {}
        let mut reports = Vec::new();
        tree::reap_the_dead(|pid, status| {
            let of = self.running.iter().find_map(|(&id, one)| (one.pid == pid).then_some(id));
            if let Some((id, running)) = of.and_then(|id| Some((id, self.running.remove(&id)?))) {
                reports.push(Report::Exited { id, exit: running.exit_of(status) });
            }
        })?;
        reports.iter().try_for_each(|report| frame::send(&self.lifeline, report, &[]))
    }
}

fn spawn(order: &SpawnOrder, mut descriptors: Vec<OwnedFd>) -> io::Result<Pid> {
    let namespaces = descriptors.split_off(descriptors.len().min(3));
    let Ok([stdin, stdout, stderr]) = <[OwnedFd; 3]>::try_from(descriptors) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "three descriptors are needed"));
    };
    let mut command = Command::new(&order.program);
    command.args(&order.args).envs(&order.env).current_dir(&order.cwd);
    command.stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
    // A group of its own: what a peer does to its group must not reach the reaper.
    command.process_group(0);
    let groups = order.groups.iter().map(|group| group.join(PROCESSES));
    let groups: io::Result<Vec<File>> =
        groups.map(|file| File::options().write(true).open(file)).collect();
    join::join_groups(&mut command, groups?);
    namespace::enter(&mut command, namespaces);
    // After the above: the system may forget the signal of a process that changes what it may do.
    death_signal::die_with_parent(&mut command);
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::Error::other("the system gave no process id"))
}

impl Running {
    fn exit_of(&self, status: WaitStatus) -> Exit {
        match status.terminating_signal() {
            Some(signal) if signal == Signal::KILL.as_raw() && !self.is_killed => {
                let killed = groups::killed_in(&self.groups);
                if killed > self.killed_before { Exit::OutOfMemory } else { Exit::Signal(signal) }
            }
            Some(signal) => Exit::Signal(signal),
            None => Exit::Code(status.exit_status().unwrap_or_default()),
        }
    }
}
