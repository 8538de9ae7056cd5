//! The messages on the lifeline: one JSON value a packet, descriptors beside it.
//!
//! The socket keeps packet borders (`SOCK_SEQPACKET`), so a frame is one send and one receive. Both
//! ends are the same build of the same program: the format is private and has no version.

use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

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

/// Namespaces a process can be started in, more than the system has kinds of (8).
pub(crate) const NAMESPACES_MAX: usize = 8;

/// Descriptors a frame can carry: stdin, stdout and stderr of a peer, and its namespaces.
const DESCRIPTORS_MAX: usize = 3 + NAMESPACES_MAX;

/// What handfast asks of a reaper.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Start a process; its stdin, stdout and stderr come with the frame, then the namespaces that it enters first.
    Spawn {
        /// Names the process in later frames.
        id: u64,
        /// What to start.
        order: SpawnOrder,
    },
    /// Give a role's folder a file system of its own, see [`crate::resource`].
    Mount {
        /// Names the order in the report.
        id: u64,
        /// The role.
        role: String,
        /// Size of the file system.
        bytes: u64,
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
    /// The folders of the control groups that it joins before its program begins.
    pub groups: Vec<PathBuf>,
}

/// What a reaper tells handfast.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The process runs.
    Spawned { id: u64, pid: u32 },
    /// The process could not be started.
    NotSpawned { id: u64, reason: String },
    /// The file system is there, or this is why not.
    Mounted { id: u64, problem: Option<String> },
    /// A process it started ended.
    Exited { id: u64, exit: Exit },
    /// No process is left.
    Finished {
        /// Processes that still lived when it was asked to finish; they are dead.
        left: Vec<LeftProcess>,
        /// Why the folder could not be removed, if it could not.
        folder: Option<String>,
        /// Processor time of all processes, microseconds.
        cpu_us: u64,
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write, pipe};

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    fn sockets() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
    }

    fn order(argument_len: usize) -> Order {
        let order = SpawnOrder {
            program: "program".to_owned(),
            args: vec!["x".repeat(argument_len)],
            env: BTreeMap::from([("A".to_owned(), "1".to_owned())]),
            cwd: "/".to_owned(),
            groups: Vec::new(),
        };
        Order::Spawn { id: 7, order }
    }

    #[test]
    fn an_order_arrives_with_its_descriptors() {
        let (near, far) = sockets();
        let (mut reader, writer) = pipe().unwrap();
        let writer = OwnedFd::from(writer);
        send(&near, &order(1), &[writer.as_fd(), writer.as_fd()]).unwrap();
        drop(writer);
        let (received, descriptors) = receive::<Order>(&far, &mut Vec::new()).unwrap().unwrap();
        assert!(matches!(received, Order::Spawn { id: 7, .. }));
        let [first, second] = <[OwnedFd; 2]>::try_from(descriptors).unwrap();
        drop(second);
        File::from(first).write_all(b"through").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    }

    #[test]
    fn a_closed_end_is_the_end() {
        let (near, far) = sockets();
        drop(near);
        assert!(receive::<Order>(&far, &mut Vec::new()).unwrap().is_none());
    }

    #[test]
    fn the_longest_frame_passes_and_a_longer_one_is_refused() {
        let (near, far) = sockets();
        let frame_len = |len| serde_json::to_vec(&order(len)).unwrap().len();
        let longest = FRAME_MAX - frame_len(0);
        assert_eq!(frame_len(longest), FRAME_MAX);
        send(&near, &order(longest), &[]).unwrap();
        let (Order::Spawn { order: received, .. }, _) =
            receive(&far, &mut Vec::new()).unwrap().unwrap()
        else {
            panic!("another order")
        };
        assert_eq!(received.args[0].len(), longest);
        let refused = send(&near, &order(longest + 1), &[]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }
}
