//! A run, seen from both of its ends.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use handfast_scenario::ExitCode;
use handfast_schedule::{Begin, Claim, Mark, Stage};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use super::store::{Folder, replace};
use crate::around::{SCHEDULED, Scheduled};
use crate::commands::interruption;
use crate::console::Stream;

/// Starts a run, in a process group of its own: Ctrl-C on a terminal reaches the scheduler alone, which then ends the run in order.
pub(super) fn start(
    program: &Path,
    root: &Path,
    words: &[String],
    begin: &Begin,
) -> io::Result<Child> {
    let mark = Folder::of(root).mark_file();
    Command::new(program)
        .arg(SCHEDULED)
        .arg(std::process::id().to_string())
        .arg(mark)
        .arg(Claim::of(begin).to_string())
        .args(words)
        .current_dir(root)
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Carries out a run that a schedule has started: it ends with the scheduler, begins after what is left of an earlier run is gone, and
/// writes down that it began and, unless it was asked to end, how it ended.
pub(crate) fn scheduled(scheduled: &Scheduled, run: impl FnOnce() -> ExitCode) -> ExitCode {
    let begun = bind(&scheduled.parent).and_then(|()| begin(scheduled));
    let (_alone, claim) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            Stream::Error.print(&format!("the scheduled run cannot begin: {error}\n"));
            return ExitCode::Infrastructure;
        }
    };
    let code = run();
    if interruption::was_asked() {
        // It did not come to its end, and is begun once more.
        return code;
    }
    let mark = Mark::new(claim, Stage::Ended(code.number()));
    if let Err(error) = replace(&scheduled.mark, &mark.to_bytes()) {
        Stream::Error.print(&format!("failed to write {}: {error}\n", scheduled.mark.display()));
    }
    code
}

/// Dies with the scheduler; what the run has started is then ended by its reapers.
fn bind(parent: &str) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have died before: then no signal would come.
    let is_there = parent.parse().ok().and_then(Pid::from_raw) == getppid();
    is_there.then_some(()).ok_or_else(|| io::Error::other("its scheduler is gone"))
}

fn begin(scheduled: &Scheduled) -> io::Result<(File, Claim)> {
    let claim = Claim::parse(&scheduled.claim)
        .ok_or_else(|| io::Error::other(format!("{:?} claims nothing", scheduled.claim)))?;
    let mut lock = scheduled.mark.as_os_str().to_owned();
    lock.push(".lock");
    let alone = OpenOptions::new().write(true).create(true).truncate(false).open(lock)?;
    // A run whose scheduler was killed dies at the same moment; this waits for that moment.
    flock(&alone, FlockOperation::LockExclusive)?;
    replace(&scheduled.mark, &Mark::new(claim.clone(), Stage::Began).to_bytes())?;
    Ok((alone, claim))
}
