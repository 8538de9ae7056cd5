//! Handfast's end of a holder's lifeline.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::HOLD;
use super::message::{Make, Reply, Request, SocketKind};
use crate::net::error::NetError;
use crate::net::namespaces::Owner;
use crate::reaper::{RUN_MARKER, UNIT_MARKER, frame};

/// How long a reply may take (guessed: some hundred times what it takes).
const REPLY_WITHIN: Duration = Duration::from_secs(10);

/// A running holder process. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Holder {
    /// One request at a time, with all its replies.
    lifeline: Mutex<Lifeline>,
    pid: u32,
    /// `None` once it is being ended.
    process: Option<Child>,
}

#[derive(Debug)]
struct Lifeline {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// A place that was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) network: OwnedFd,
    pub(crate) tun: OwnedFd,
    /// Comes with the first place alone.
    pub(crate) users: Option<OwnedFd>,
    pub(crate) rootless: bool,
    pub(crate) has_v6: bool,
}

impl Holder {
    /// Starts a holder; it need not be up before it is asked.
    ///
    /// # Errors
    ///
    /// If the system gives no socket or process.
    pub(crate) fn start(owner: &Owner) -> io::Result<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&ours, Timeout::Recv, Some(REPLY_WITHIN))?;
        let Some((program, arguments)) = owner.reaper.split_first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the holder has no command"));
        };
        let process = Command::new(program)
            .args(arguments)
            .arg(HOLD)
            .env(RUN_MARKER, &owner.run)
            .env(UNIT_MARKER, &owner.dir)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C on the terminal goes to handfast's group; what is being talked to must outlive it.
            .process_group(0)
            .spawn()?;
        let lifeline = Mutex::new(Lifeline { socket: ours, buffer: Vec::new() });
        Ok(Self { lifeline, pid: process.id(), process: Some(process) })
    }

    /// Makes places; once in a holder's life.
    ///
    /// # Errors
    ///
    /// [`NetError::NotHere`] if the system refuses, [`NetError::Holder`] if the process failed.
    pub(crate) fn make(&self, order: Make) -> Result<Vec<Made>, NetError> {
        let mut lifeline = self.lifeline.lock().unwrap_or_else(PoisonError::into_inner);
        lifeline.send(&Request::Make(order)).map_err(NetError::Holder)?;
        let mut made = Vec::new();
        for _ in 0..order.places {
            match lifeline.receive().map_err(NetError::Holder)? {
                (Reply::Place { rootless, has_v6 }, descriptors) => {
                    let mut descriptors = descriptors.into_iter();
                    let (Some(network), Some(tun)) = (descriptors.next(), descriptors.next())
                    else {
                        return Err(NetError::Holder(confused()));
                    };
                    let users = descriptors.next();
                    made.push(Made { network, tun, users, rootless, has_v6 });
                }
                (Reply::Refused { why, .. }, _) => return Err(NetError::NotHere { why }),
                (Reply::Socket, _) => return Err(NetError::Holder(confused())),
            }
        }
        Ok(made)
    }

    /// Makes a socket at a place.
    ///
    /// # Errors
    ///
    /// What the system said, or that the holder is gone.
    pub(crate) fn socket(&self, place: u8, kind: SocketKind) -> io::Result<OwnedFd> {
        let mut lifeline = self.lifeline.lock().unwrap_or_else(PoisonError::into_inner);
        lifeline.send(&Request::Socket { place, kind })?;
        match lifeline.receive()? {
            (Reply::Socket, descriptors) => descriptors.into_iter().next().ok_or_else(confused),
            (Reply::Refused { os: Some(os), .. }, _) => Err(io::Error::from_raw_os_error(os)),
            (Reply::Refused { why, os: None }, _) => Err(io::Error::other(why)),
            (Reply::Place { .. }, _) => Err(confused()),
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It has nothing to lose: what it made lives by the descriptors that it gave away.
            drop(process.kill());
            // Its end takes as long as the system takes to take the interfaces down; nobody has to wait for that.
            let wait = std::thread::Builder::new().name("end of a holder".to_owned());
            drop(wait.spawn(move || process.wait()));
        }
    }
}

impl Lifeline {
    fn send(&self, request: &Request) -> io::Result<()> {
        frame::send(&self.socket, request, &[])
    }

    fn receive(&mut self) -> io::Result<(Reply, Vec<OwnedFd>)> {
        loop {
            match frame::receive(&self.socket, &mut self.buffer) {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => return Err(gone()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(late()),
                Err(error) => return Err(error),
            }
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the holder is gone")
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("the holder said nothing for {REPLY_WITHIN:?}"))
}

fn confused() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the holder said something else than it was asked")
}
