//! The runner's end of the lifeline.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, PipeWriter, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{ARGUMENT, NEWS, OVER};
use crate::presence;

/// The file with the last words of a courier that could not go on, in [`presence::folder`].
pub const LAST_WORDS: &str = "courier.log";

/// A courier, seen by its runner. Dropping it breaks the lifeline.
#[derive(Debug)]
pub struct Handle {
    child: Child,
    lifeline: PipeWriter,
}

impl Handle {
    /// Starts a courier for `run`; `program` is the handfast program.
    ///
    /// # Errors
    ///
    /// If the system gives no pipe or process.
    pub fn start(program: &OsString, root: &Path, run: &str) -> io::Result<Self> {
        let (theirs, lifeline) = io::pipe()?;
        let folder = presence::folder(root);
        fs::create_dir_all(&folder)?;
        let mut command = Command::new(program);
        command
            .arg(ARGUMENT)
            .arg(root)
            .arg(run)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::from(File::create(folder.join(LAST_WORDS))?));
        handfast_lab::detach(&mut command);
        Ok(Self { child: command.spawn()?, lifeline })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says that there are new letters. A courier that is dead is noticed by [`Handle::is_alive`].
    pub fn news(&mut self) {
        drop(self.lifeline.write_all(&[NEWS]));
    }

    /// Says that the run is over.
    pub fn over(&mut self) {
        drop(self.lifeline.write_all(&[OVER]));
    }

    /// Whether it lives.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it has done what there was to do, at most so long. `false`: it lives, or was killed.
    pub fn has_done(&mut self, longest: Duration) -> bool {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Ok(process) = pidfd_open(pid, PidfdFlags::empty())
        {
            let mut polled = [PollFd::new(&process, PollFlags::IN)];
            let longest = Timespec {
                tv_sec: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(longest.subsec_nanos()),
            };
            let _ = poll(&mut polled, Some(&longest));
        }
        matches!(self.child.try_wait(), Ok(Some(status)) if status.success())
    }
}
