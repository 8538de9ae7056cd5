//! TUN: a network interface whose other end is a descriptor.
//!
//! Reason for `unsafe`: what the interface is to be is said by an `ioctl`, whose argument the compiler cannot check.
//! Source: `Documentation/networking/tuntap.rst` of Linux, netdevice(7).
#![expect(unsafe_code, reason = "an ioctl with an argument")]

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open};
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// `TUNSETIFF`: names the interface of a descriptor and says what passes.
const SET_INTERFACE: Opcode = opcode::write::<i32>(b'T', 202);

/// Packets of IP, no frames of Ethernet.
const IFF_TUN: u16 = 0x0001;
/// Nothing stands before a packet.
const IFF_NO_PI: u16 = 0x1000;
/// A `virtio_net_hdr` stands before each packet: what segmentation offload needs.
const IFF_VNET_HDR: u16 = 0x4000;

/// Longest name of an interface, in bytes: `IFNAMSIZ` less the final zero.
pub(crate) const NAME_MAX: usize = 15;

/// `struct ifreq`, with the flags out of its union.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; NAME_MAX + 1],
    flags: u16,
    rest: [u8; 22],
}

/// Makes a TUN interface in the network of this thread. It goes when the descriptor, which does not block, is closed.
///
/// # Errors
///
/// `ENOENT` where the system has no `/dev/net/tun`, `EACCES` and `EPERM` where this user may not, `EINVAL` for a name that is
/// too long.
pub(crate) fn open_tun(name: &str, offload: bool) -> io::Result<OwnedFd> {
    let mut request = InterfaceRequest { name: [0; NAME_MAX + 1], flags: 0, rest: [0; 22] };
    if name.len() > NAME_MAX {
        return Err(rustix::io::Errno::INVAL.into());
    }
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    request.flags = IFF_TUN | IFF_NO_PI | if offload { IFF_VNET_HDR } else { 0 };
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let tun = open("/dev/net/tun", flags, Mode::empty())?;
    // SAFETY: `TUNSETIFF` reads and writes a `struct ifreq`, which is what it gets, with the size of 40 bytes that it has.
    unsafe { ioctl(&tun, Updater::<SET_INTERFACE, InterfaceRequest>::new(&mut request)) }?;
    Ok(tun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_laid_out_as_the_system_has_it() {
        assert_eq!(size_of::<InterfaceRequest>(), 40);
        assert_eq!(std::mem::offset_of!(InterfaceRequest, flags), 16);
        assert_eq!(SET_INTERFACE, 0x4004_54ca);
    }

    #[test]
    fn a_name_that_is_too_long_is_refused() {
        let refused = open_tun("a-name-of-16-let", false).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(rustix::io::Errno::INVAL.raw_os_error()));
    }
}
