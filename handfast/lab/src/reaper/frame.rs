//! The messages on the lifeline: one JSON value a packet, descriptors beside it.
//!
//! The socket keeps packet borders (`SOCK_SEQPACKET`), so a frame is one send and one receive. Both
//! ends are the same build of the same program: the format is private and has no version.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::reaper::tree::LeftProcess;

/// Longest frame, in bytes: a command line with its additions to the environment. Below what the
/// system lets one packet hold by default (208 KiB).
pub(crate) const FRAME_MAX: usize = 128 * 1024;

/// Descriptors a frame can carry: stdin, stdout and stderr of a peer.
const DESCRIPTORS_MAX: usize = 3;

/// What handfast asks of a reaper.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Start a process; its stdin, stdout and stderr come with the frame.
    Spawn {
        /// Names the process in later frames.
        id: u64,
        /// What to start.
        order: SpawnOrder,
    },
    /// Send SIGKILL to a process it started, if it still runs.
    Kill {
        /// The process.
        id: u64,
    },
    /// End everything, report, and end.
    Finish,
}

/// A process to be started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpawnOrder {
    /// The program: an absolute path, or a name looked up in `PATH`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What is added to handfast's own environment.
    pub env: BTreeMap<String, String>,
    /// The folder it starts in.
    pub cwd: String,
}

/// What a reaper tells handfast.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The process runs.
    Spawned { id: u64, pid: u32 },
    /// The process could not be started.
    NotSpawned { id: u64, reason: String },
    /// A process it started ended.
    Exited { id: u64, exit: Exit },
    /// No process is left.
    Finished {
        /// Processes that still lived when it was asked to finish; they are dead.
        left: Vec<LeftProcess>,
        /// Why the folder could not be removed, if it could not.
        folder: Option<String>,
    },
}

/// Sends one frame; blocks, or fails with `WouldBlock`, as the socket does.
pub(crate) fn send(
    socket: impl AsFd,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > FRAME_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the frame is too long"));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
    }
    sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one frame and its descriptors; `None` when the other end is gone.
pub(crate) fn receive<M: DeserializeOwned>(
    socket: impl AsFd,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
    buffer.resize(FRAME_MAX, 0);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(buffer)];
    let received = recvmsg(socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    let frame = buffer.get(..received.bytes).unwrap_or_default();
    Ok(Some((serde_json::from_slice(frame)?, descriptors)))
}
