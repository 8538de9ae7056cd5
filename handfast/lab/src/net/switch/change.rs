//! What the switch does to the bytes of a packet: one bit flipped, or a reset made for the sender.
//!
//! A checksum catches every single flipped bit, on a real link as here: what is flipped and left so, the receiving kernel drops. That
//! is what corruption is on nearly every link. What slips through comes from memory and middleboxes, which compute the checksum
//! after they have done their damage (Stone, Partridge: "When the CRC and TCP checksum disagree", SIGCOMM 2000): [`Corruption`] has both.

use std::net::IpAddr;

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TcpSlice, TransportSlice};

use super::header::Header;

/// What a flipped bit leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Corruption {
    /// The checksum stays as it was: the receiving kernel drops the packet, as it does on a real link.
    Caught,
    /// The checksum is made right again: the application receives the changed bytes.
    Unnoticed,
}

/// Flips a bit of the payload, or of the whole segment where there is no payload; never of the IP header, so that the packet still
/// reaches whom it is for. `choose` names one of so many bits.
pub(super) fn flip(
    packet: &mut [u8],
    header: &Header,
    choose: impl FnOnce(u64) -> u64,
    corruption: Corruption,
) {
    let from = if header.payload_at < packet.len() { header.payload_at } else { header.segment_at };
    let bits = (packet.len() - from.min(packet.len())) as u64 * 8;
    if bits == 0 {
        return;
    }
    let bit = usize::try_from(choose(bits) % bits).unwrap_or(0);
    let at = from + bit / 8;
    let old = word(packet, header.segment_at, at);
    packet[at] ^= 1 << (bit % 8);
    let new = word(packet, header.segment_at, at);
    if corruption == Corruption::Unnoticed {
        repair(packet, header, old, new);
    }
}

/// The 16 bits around a byte, as a checksum that begins at `base` counts them.
fn word(packet: &[u8], base: usize, at: usize) -> u16 {
    let first = base + (at - base) / 2 * 2;
    u16::from_be_bytes([packet[first], packet.get(first + 1).copied().unwrap_or(0)])
}

/// Follows a changed word in the checksum: RFC 1624, equation 3.
fn repair(packet: &mut [u8], header: &Header, old: u16, new: u16) {
    let Some(at) = header.checksum_at.filter(|at| at + 2 <= packet.len()) else { return };
    let sum = u16::from_be_bytes([packet[at], packet[at + 1]]);
    // A UDP datagram of version 4 may go without one (RFC 768): then there is nothing to follow.
    if sum == 0 {
        return;
    }
    let mut total = u32::from(!sum) + u32::from(!old) + u32::from(new);
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    let sum = !u16::try_from(total).unwrap_or(u16::MAX);
    // 0 would say that there is none.
    let sum = if sum == 0 { u16::MAX } else { sum };
    packet[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// The reset that ends the connection of a TCP segment for its sender, as if its receiver knew of no such connection: RFC 9293, section
/// 3.10.7.1. None for whatever is no TCP, or a reset itself.
pub(super) fn reset(packet: &[u8]) -> Option<Vec<u8>> {
    let sliced = SlicedPacket::from_ip(packet).ok()?;
    let (source, target) = match sliced.net.as_ref()? {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            (IpAddr::V4(header.source_addr()), IpAddr::V4(header.destination_addr()))
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            (IpAddr::V6(header.source_addr()), IpAddr::V6(header.destination_addr()))
        }
        NetSlice::Arp(_) => return None,
    };
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { return None };
    if tcp.rst() {
        return None;
    }
    let builder = match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            PacketBuilder::ipv4(target.octets(), source.octets(), RESET_HOPS)
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            PacketBuilder::ipv6(target.octets(), source.octets(), RESET_HOPS)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    };
    let (sequence, acknowledged) = numbers(&tcp);
    let reset = builder.tcp(tcp.destination_port(), tcp.source_port(), sequence, 0).rst();
    let reset = match acknowledged {
        Some(acknowledged) => reset.ack(acknowledged),
        None => reset,
    };
    let mut bytes = Vec::with_capacity(60);
    reset.write(&mut bytes, &[]).ok()?;
    Some(bytes)
}

/// Sequence and acknowledgement of a reset: what the segment acknowledges is what its sender expects next, and only that resets (RFC 5961).
fn numbers(tcp: &TcpSlice<'_>) -> (u32, Option<u32>) {
    if tcp.ack() {
        return (tcp.acknowledgment_number(), None);
    }
    let payload = u32::try_from(tcp.payload().len()).unwrap_or(0);
    let length = payload + u32::from(tcp.syn()) + u32::from(tcp.fin());
    (0, Some(tcp.sequence_number().wrapping_add(length)))
}

const RESET_HOPS: u8 = 64;

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
