//! What a schedule waits for: a time, a signal, the end of its run.

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Child;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use super::timer::Timer;

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The time has come, or the clock was set.
    Time,
    /// The run is over.
    Ended,
    /// SIGTERM or Ctrl-C.
    Stop,
    /// SIGHUP.
    Reload,
}

/// Everything that can wake a schedule.
#[derive(Debug)]
pub(super) struct Ears {
    timer: Timer,
    stop: UnixStream,
    reload: UnixStream,
}

impl Ears {
    /// Listens from now on.
    pub(super) fn open() -> io::Result<Self> {
        let (stop, stops) = UnixStream::pair()?;
        let (reload, reloads) = UnixStream::pair()?;
        for stream in [&stop, &reload] {
            stream.set_nonblocking(true)?;
        }
        pipe::register(SIGTERM, stops.try_clone()?)?;
        pipe::register(SIGINT, stops)?;
        pipe::register(SIGHUP, reloads)?;
        Ok(Self { timer: Timer::new()?, stop, reload })
    }

    /// Sleeps until one of them is heard; nothing is looked at in between.
    pub(super) fn wait(
        &mut self,
        deadline: Option<Timestamp>,
        child: Option<&Watched>,
    ) -> io::Result<Heard> {
        if self.timer.set(deadline)? {
            return Ok(Heard::Time);
        }
        loop {
            let mut polled = vec![
                PollFd::new(&self.timer, PollFlags::IN),
                PollFd::new(&self.stop, PollFlags::IN),
                PollFd::new(&self.reload, PollFlags::IN),
            ];
            polled.extend(child.map(|child| PollFd::new(&child.pidfd, PollFlags::IN)));
            match poll(&mut polled, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ended = polled.get(3).is_some_and(|child| !child.revents().is_empty());
            drop(polled);
            // Whoever asks for the end is heard first.
            if take(&mut self.stop)? {
                return Ok(Heard::Stop);
            }
            if ended {
                return Ok(Heard::Ended);
            }
            if take(&mut self.reload)? {
                return Ok(Heard::Reload);
            }
            if self.timer.take()? {
                return Ok(Heard::Time);
            }
        }
    }
}

/// A run and what tells of its end.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) child: Child,
    pub(super) pid: Pid,
    pidfd: OwnedFd,
}

impl Watched {
    /// Watches a process. One that cannot be watched is ended: nobody would hear of its end.
    pub(super) fn new(child: Child) -> io::Result<Self> {
        Self::by(child, |pid| Ok(pidfd_open(pid, PidfdFlags::empty())?))
    }

    fn by(mut child: Child, open: impl FnOnce(Pid) -> io::Result<OwnedFd>) -> io::Result<Self> {
        let pid = Pid::from_child(&child);
        match open(pid) {
            Ok(pidfd) => Ok(Self { child, pid, pidfd }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }
}

/// Takes one signal: a second one of the same kind is heard the next time.
fn take(stream: &mut UnixStream) -> io::Result<bool> {
    match stream.read(&mut [0]) {
        Ok(count) => Ok(count > 0),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::io::Errno;
    use rustix::process::test_kill_process;

    use super::*;

    #[test]
    fn a_process_that_cannot_be_watched_is_ended() {
        let child = Command::new("sleep").arg("3600").spawn().unwrap();
        let pid = Pid::from_child(&child);
        let watched = Watched::by(child, |_| Err(Errno::MFILE.into()));
        assert_eq!(watched.unwrap_err().raw_os_error(), Some(Errno::MFILE.raw_os_error()));
        assert_eq!(test_kill_process(pid), Err(Errno::SRCH), "it is still there");
    }
}
