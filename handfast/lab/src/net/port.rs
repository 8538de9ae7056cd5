//! The switch's end of a place.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

/// What a switch needs of a place: the interface's other end, and the addresses that are to be found there.
#[derive(Debug)]
pub struct Port {
    /// The role.
    pub name: String,
    /// The TUN interface: a read gives one packet that a peer sent, a write lets one arrive. Does not block. The
    /// holder has the other descriptor of it: when both are closed, the interface is gone.
    pub tun: OwnedFd,
    /// The address of the place.
    pub v4: Ipv4Addr,
    /// The other address; nothing has it on a host without IPv6.
    pub v6: Ipv6Addr,
}
