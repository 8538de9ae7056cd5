//! Talking with a person: what is typed without being shown, and what a waiting person is told.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// A line longer than this is no answer; the passphrase of most bytes fits.
const LINE_LEN_MAX: usize = 1100;

/// The terminal that answers are typed at.
pub(super) enum Terminal {
    /// Standard input is one.
    Stdin(io::Stdin),
    /// Standard input is something else, but there is one.
    Controlling(File),
}

impl Terminal {
    /// Finds it; `None` where nobody is there to answer.
    pub(super) fn find() -> Option<Self> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Some(Self::Stdin(stdin));
        }
        OpenOptions::new().read(true).write(true).open("/dev/tty").ok().map(Self::Controlling)
    }

    /// Asks, and reads one line that is not shown while it is typed. `None` at the end of input.
    ///
    /// # Errors
    ///
    /// What the terminal says.
    pub(super) fn ask_hidden(&self, question: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let silence = Silence::begin(self.fd())?;
        self.say(question);
        let line = self.line();
        drop(silence);
        self.say("\n");
        line
    }

    /// Asks, and reads one line. `None` at the end of input.
    ///
    /// # Errors
    ///
    /// What the terminal says.
    pub(super) fn ask(&self, question: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        self.say(question);
        self.line()
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stdin(stdin) => stdin.as_fd(),
            Self::Controlling(file) => file.as_fd(),
        }
    }

    fn say(&self, text: &str) {
        // Whoever redirected it still sees the question at the terminal.
        match self {
            Self::Stdin(_) => drop(io::stderr().write_all(text.as_bytes())),
            Self::Controlling(file) => drop({ file }.write_all(text.as_bytes())),
        }
    }

    /// Byte by byte and past the library's buffers, which are not wiped.
    fn line(&self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let mut line = Zeroizing::new(Vec::with_capacity(LINE_LEN_MAX));
        let mut byte = Zeroizing::new([0]);
        loop {
            match rustix::io::read(self.fd(), byte.as_mut_slice()) {
                Ok(0) if line.is_empty() => return Ok(None),
                Ok(0) => return Ok(Some(line)),
                Ok(_) if byte[0] == b'\n' => return Ok(Some(line)),
                Ok(_) if line.len() == LINE_LEN_MAX => {
                    return Err(io::Error::other("the line is too long"));
                }
                Ok(_) => line.push(byte[0]),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// While it lives, the terminal does not show what is typed.
struct Silence<'a> {
    fd: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn begin(fd: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(fd)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // What was typed before the question is dropped: it was shown.
        tcsetattr(fd, OptionalActions::Flush, &silent)?;
        Ok(Self { fd, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no repair.
        tcsetattr(self.fd, OptionalActions::Now, &self.before).unwrap_or_default();
    }
}

/// Tells a waiting person what takes so long, for as long as `work` takes. Nothing where nobody watches.
pub(super) fn while_saying<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let mut stderr = io::stderr();
    let watched = stderr.is_terminal();
    if watched {
        drop(write!(stderr, "{what} ..."));
    }
    let outcome = work();
    if watched {
        // Back to the beginning of the line, and nothing left on it.
        drop(write!(stderr, "\r\u{1b}[K"));
    }
    outcome
}
