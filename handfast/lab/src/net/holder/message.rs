//! What goes over the lifeline of a holder: one request, then its replies, in frames of the reaper.
//!
//! Both ends are the same build of the same program: the format is private and has no version.

use std::net::Ipv6Addr;

use rustix::net::{AddressFamily, SocketType};
use serde::{Deserialize, Serialize};

/// What handfast asks of a holder.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Make so many places, numbered from 0; once in a holder's life. Answered by a [`Reply::Place`] each, in order, or by a
    /// [`Reply::Refused`] that ends it.
    Make(Make),
    /// Make a socket at a place.
    Socket { place: u8, kind: SocketKind },
}

/// What is to be made.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Make {
    pub(crate) rights: Rights,
    pub(crate) places: u8,
    /// Whether a `virtio_net_hdr` stands before each packet of the TUN interfaces.
    pub(crate) offload: bool,
    /// The badge of each network.
    pub(crate) badge: Ipv6Addr,
}

/// By what right namespaces are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Rights {
    /// The process's own; where it has none, those inside a user namespace.
    Either,
    /// The process's own.
    Own,
    /// Those inside a user namespace.
    Users,
}

/// A kind of socket of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SocketKind {
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// UDP over IPv4.
    Udp4,
    /// UDP over IPv6.
    Udp6,
}

impl SocketKind {
    pub(crate) fn parts(self) -> (AddressFamily, SocketType) {
        match self {
            Self::Tcp4 => (AddressFamily::INET, SocketType::STREAM),
            Self::Tcp6 => (AddressFamily::INET6, SocketType::STREAM),
            Self::Udp4 => (AddressFamily::INET, SocketType::DGRAM),
            Self::Udp6 => (AddressFamily::INET6, SocketType::DGRAM),
        }
    }
}

/// What a holder answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// A place is ready. Its network and its TUN interface come with the frame; with the first place of a rootless network
    /// also the user namespace.
    Place { rootless: bool, has_v6: bool },
    /// The socket comes with the frame.
    Socket,
    /// The system refused.
    Refused { why: String, os: Option<i32> },
}
