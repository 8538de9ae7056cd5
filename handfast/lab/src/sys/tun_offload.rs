//! What a TUN does for itself: whether a header stands before each packet, and whether segmentation is left to us.
//!
//! Reason for `unsafe`: both are asked of the kernel by `ioctl`, whose argument only the number of the request gives a type.
#![expect(
    unsafe_code,
    reason = "an ioctl has the type that its number says, which no compiler checks"
)]

use std::os::fd::AsFd;

use rustix::io::Result;
use rustix::ioctl::{Getter, IntegerSetter, Opcode, ioctl, opcode};

/// Whether a `virtio_net_hdr` stands before each packet of this TUN (`IFF_VNET_HDR`).
///
/// # Errors
///
/// The descriptor is no TUN, or one without an interface.
pub(crate) fn has_preface(tun: impl AsFd) -> Result<bool> {
    // SAFETY: the number is that of TUNGETIFF, which writes a `struct ifreq`; `Request` has its size and may hold any bytes.
    let request = unsafe { ioctl(tun, Getter::<GET_INTERFACE, Request>::new())? };
    Ok(request.flags & PREFACE != 0)
}

/// Lets the kernel hand on large TCP segments and packets without checksum (`TUNSETOFFLOAD`), or not.
///
/// # Errors
///
/// The descriptor is no TUN, or the kernel does not know the request.
pub(crate) fn set_large(tun: impl AsFd, is_large: bool) -> Result<()> {
    let features = if is_large { SUM | SEGMENTS_4 | SEGMENTS_6 } else { 0 };
    // SAFETY: the number is that of TUNSETOFFLOAD, whose argument is the number itself and no address.
    unsafe { ioctl(tun, IntegerSetter::<SET_OFFLOAD>::new_usize(features)) }
}

/// `struct ifreq` of netdevice(7): a name, then a union whose first member here are the flags.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// The requests of `linux/if_tun.h`; both are declared with an `unsigned int`, whatever they take.
const GET_INTERFACE: Opcode = opcode::read::<u32>(b'T', 210);
const SET_OFFLOAD: Opcode = opcode::write::<u32>(b'T', 208);

/// `IFF_VNET_HDR` and `TUN_F_*` of the same file.
const PREFACE: u16 = 0x4000;
const SUM: usize = 1;
const SEGMENTS_4: usize = 2;
const SEGMENTS_6: usize = 4;
