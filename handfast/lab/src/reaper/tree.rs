//! What `/proc` says about processes: who descends from whom, and who carries a run's marker.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, pidfd_send_signal, wait,
    waitpid,
};
use serde::{Deserialize, Serialize};

use crate::net::badge::Half;
use crate::reaper::{RUN_MARKER, UNIT_MARKER};

/// A process that outlived its peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftProcess {
    /// Its id.
    pub pid: u32,
    /// Its name, as the system keeps it (at most 15 bytes).
    pub name: String,
}

/// Kills every descendant of this process and waits until the system knows no child of it.
///
/// Gives the descendants that lived at the start. A process that forks while it is being killed
/// leaves its child to this subreaper, and the next round finds it.
///
/// # Errors
///
/// If `/proc` cannot be read; processes may be left then.
pub(crate) fn end_descendants() -> io::Result<Vec<LeftProcess>> {
    let mut left = None;
    loop {
        if !reap_the_dead(|_, _| ())? {
            return Ok(left.unwrap_or_default());
        }
        let (own, living) = living_descendants()?;
        for process in &living {
            // The process may be gone already; its id cannot be in use again before its parent, or
            // this process, has waited for it.
            let _ = kill_process(process.pid, Signal::KILL);
        }
        // A direct child that was killed is sure to end, so waiting for it cannot block for good.
        if let Some(child) = living.iter().find(|process| Some(process.parent) == own) {
            let _ = waitpid(Some(child.pid), WaitOptions::empty());
        }
        left.get_or_insert_with(|| living.iter().map(Process::left).collect());
    }
}

/// Waits for every child that is dead already; `false` if there is no child at all.
pub(crate) fn reap_the_dead(
    mut ended: impl FnMut(Pid, rustix::process::WaitStatus),
) -> io::Result<bool> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => ended(pid, status),
            Ok(None) => return Ok(true),
            Err(rustix::io::Errno::CHILD) => return Ok(false),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Microseconds of one tick in `/proc`: `USER_HZ` is 100 wherever Linux runs.
const TICK_US: u64 = 10_000;

/// Processor time of this process and of every child it has waited for, microseconds; 0 if the system does not say.
pub(crate) fn cpu_us() -> u64 {
    fs::read_to_string("/proc/self/stat").map_or(0, |stat| cpu_of(&stat))
}

fn cpu_of(stat: &str) -> u64 {
    // The name, in brackets, may hold blanks and brackets; utime, stime, cutime and cstime are the 14th to 17th field.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks = fields.skip(11).take(4).filter_map(|field| field.parse::<u64>().ok());
    ticks.fold(0, u64::saturating_add).saturating_mul(TICK_US)
}

/// What marks processes: a variable such as `HANDFAST_RUN=x`, and the network they are in.
#[derive(Clone, Debug)]
pub(crate) struct Marker {
    variable: Vec<u8>,
    network: Half,
}

impl Marker {
    /// Marks every process of a run.
    pub(crate) fn of_run(run: &str) -> Self {
        let variable = format!("{RUN_MARKER}={run}").into_bytes();
        Self { variable, network: Half::of_run(run.as_ref()) }
    }

    /// Marks every process of a unit.
    pub(crate) fn of_unit(dir: &Path) -> Self {
        let variable = [UNIT_MARKER.as_bytes(), b"=", dir.as_os_str().as_bytes()].concat();
        Self { variable, network: Half::of_unit(dir) }
    }

    /// Whether a process carries it. Zombies have neither environment nor network any more.
    fn is_on(&self, pid: Pid) -> bool {
        // Other users' processes are unreadable, and those that just ended are gone: neither is ours.
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == self.variable)
            || self.network.is_around(pid)
    }
}

/// Rounds of killing before giving up on processes that keep coming (guessed).
const ROUNDS_MAX: usize = 100;

/// How long a killed process may take to vanish (guessed: a full disk's worth of exit work).
const VANISH_WITHIN: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// Kills every process that carries a marker, and waits until each is gone.
///
/// For the case that there is no reaper any more. What is killed may be a parent that leaves a
/// child behind; that one is found in the next round.
///
/// # Errors
///
/// If `/proc` cannot be read, or processes do not end or keep coming.
pub(crate) fn end_marked(marker: &Marker) -> io::Result<Vec<LeftProcess>> {
    let mut ended = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let pids = all_pids()?.into_iter().filter_map(Pid::from_raw);
        let marked: Vec<Pid> = pids.filter(|&pid| marker.is_on(pid)).collect();
        if marked.is_empty() {
            return Ok(ended);
        }
        for pid in marked {
            ended.extend(end(pid, marker)?);
        }
    }
    Err(io::Error::other("killed processes keep coming back"))
}

/// Kills one process and waits until it is gone; `None` if it was gone already.
fn end(pid: Pid, marker: &Marker) -> io::Result<Option<LeftProcess>> {
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(None) };
    // The id may have been given to another process before the handle was opened, not after.
    let Some(process) = read(pid.as_raw_nonzero().get()).filter(|_| marker.is_on(pid)) else {
        return Ok(None);
    };
    if pidfd_send_signal(&handle, Signal::KILL).is_err() {
        return Ok(None);
    }
    if poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&VANISH_WITHIN))? == 0 {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "a killed process does not end"));
    }
    Ok(Some(process.left()))
}

struct Process {
    pid: Pid,
    parent: i32,
    name: String,
    is_zombie: bool,
}

impl Process {
    fn left(&self) -> LeftProcess {
        LeftProcess { pid: self.pid.as_raw_nonzero().get().unsigned_abs(), name: self.name.clone() }
    }
}

/// This process and its living descendants, near ones first.
fn living_descendants() -> io::Result<(Option<i32>, Vec<Process>)> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for pid in all_pids()? {
        if let Some(process) = read(pid) {
            children.entry(process.parent).or_default().push(process);
        }
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([own]);
    let mut parents = vec![own];
    while let Some(parent) = parents.pop() {
        for process in children.remove(&parent).unwrap_or_default() {
            let pid = process.pid.as_raw_nonzero().get();
            if seen.insert(pid) {
                parents.push(pid);
                found.push(process);
            }
        }
    }
    found.retain(|process| !process.is_zombie);
    Ok((Some(own), found))
}

fn all_pids() -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(pids)
}

/// Whether there is such a process, and it has not ended.
pub(crate) fn is_alive(pid: i32) -> bool {
    read(pid).is_some_and(|process| !process.is_zombie)
}

/// Reads `/proc/PID/stat`: `pid (name) state parent ...`, where the name may hold anything.
fn read(pid: i32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&String::from_utf8_lossy(&stat))
}

fn parse_stat(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let is_zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let pid = Pid::from_raw(pid.parse().ok()?)?;
    Some(Process { pid, parent, name: name.to_owned(), is_zombie })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stat: &str, expected: Option<(i32, i32, &str, bool)>) {
        let process = parse_stat(stat);
        let seen = process.as_ref().map(|process| {
            let pid = process.pid.as_raw_nonzero().get();
            (pid, process.parent, process.name.as_str(), process.is_zombie)
        });
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_name_with_brackets_and_blanks_is_read_whole() {
        check("7 (a) R 9 (b) S 3 1 1", Some((7, 3, "a) R 9 (b", false)));
    }

    #[test]
    fn a_zombie_is_told_from_the_living() {
        check("12 (sh) Z 1 2", Some((12, 1, "sh", true)));
    }

    #[test]
    fn anything_else_is_no_process() {
        check("", None);
        check("x (y) S 1", None);
    }
}
