//! Segmentation offload: up to 64 KB of a TCP stream at once, as one packet behind a `virtio_net_hdr`.
//!
//! The kernel makes such packets for a TUN that says it can do without segmentation and checksums. They pass only where nothing is asked
//! of a link: a fault would hit forty packets at once. When a link gets faults while large packets are still in the queue of its
//! TUN, they are cut here into the packets that a network card would have made of them ([`cut`]).
//!
//! The header is that of VIRTIO 1.2, 5.1.6, in the byte order of the machine: ten bytes, `IFF_VNET_HDR` of Linux.

/// The header before each packet of a TUN with `IFF_VNET_HDR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Preface {
    flags: u8,
    kind: u8,
    piece: u16,
    sum_from: u16,
    sum_at: u16,
}

impl Preface {
    /// Its length in bytes.
    pub(super) const LENGTH: usize = 10;

    /// The one of a packet that is as it would be on the wire.
    pub(super) const PLAIN: [u8; Self::LENGTH] = [0; Self::LENGTH];

    /// Reads it.
    pub(super) fn read(bytes: [u8; Self::LENGTH]) -> Self {
        let number = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        // Bytes 2 and 3 are a hint how long all headers are; we read them in the packet.
        Self {
            flags: bytes[0],
            kind: bytes[1],
            piece: number(4),
            sum_from: number(6),
            sum_at: number(8),
        }
    }

    /// Whether the packet is as it would be on the wire.
    pub(super) fn is_plain(self) -> bool {
        self.kind == KIND_NONE && self.flags & NEEDS_SUM == 0
    }
}

/// Makes of a packet with a preface those that would be on the wire, and shows each to `each`. What is none of the kinds that we have
/// asked the kernel for is dropped; the return value says so.
pub(super) fn cut(packet: &mut [u8], preface: Preface, mut each: impl FnMut(&mut [u8])) -> bool {
    match preface.kind & !KIND_ECN {
        KIND_NONE => {
            let is_whole = preface.flags & NEEDS_SUM == 0 || complete(packet, preface);
            if is_whole {
                each(packet);
            }
            is_whole
        }
        KIND_TCP4 | KIND_TCP6 => segments(packet, preface, each).is_some(),
        _ => false,
    }
}

/// Finishes a checksum: the kernel has summed the pseudo header into its place already.
fn complete(packet: &mut [u8], preface: Preface) -> bool {
    let from = usize::from(preface.sum_from);
    let at = from + usize::from(preface.sum_at);
    if at + 2 > packet.len() {
        return false;
    }
    let sum = !fold(sum(&packet[from..], 0));
    // 0 would say of a datagram that it has none (RFC 768).
    let sum = if sum == 0 { u16::MAX } else { sum };
    packet[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    true
}

/// Cuts a TCP packet; none where its headers are not what the preface says.
fn segments(packet: &[u8], preface: Preface, mut each: impl FnMut(&mut [u8])) -> Option<()> {
    let tcp_at = usize::from(preface.sum_from);
    let offset = usize::from(packet.get(tcp_at + 12)? >> 4) * 4;
    let payload_at = tcp_at + offset;
    let piece = usize::from(preface.piece);
    let is_version_4 = packet.first()? >> 4 == 4;
    let head = if is_version_4 { 20 } else { 40 };
    if piece == 0 || offset < 20 || tcp_at < head || payload_at > packet.len() {
        return None;
    }
    let (headers, payload) = packet.split_at(payload_at);
    let count = payload.len().div_ceil(piece);
    let mut segment = Vec::with_capacity(payload_at + piece);
    for (index, part) in payload.chunks(piece).enumerate() {
        segment.clear();
        segment.extend_from_slice(headers);
        segment.extend_from_slice(part);
        let place = Place { tcp_at, index, skipped: index * piece, is_last: index + 1 == count };
        if is_version_4 {
            ip4(&mut segment, &place);
        } else {
            let length = u16::try_from(segment.len() - 40).ok()?;
            segment[4..6].copy_from_slice(&length.to_be_bytes());
        }
        tcp(&mut segment, &place, is_version_4);
        each(&mut segment);
    }
    Some(())
}

/// Which part of a large packet a segment is.
struct Place {
    tcp_at: usize,
    index: usize,
    skipped: usize,
    is_last: bool,
}

fn ip4(segment: &mut [u8], place: &Place) {
    let length = u16::try_from(segment.len()).unwrap_or(u16::MAX);
    segment[2..4].copy_from_slice(&length.to_be_bytes());
    let id = u16::from_be_bytes([segment[4], segment[5]]);
    let id = id.wrapping_add(u16::try_from(place.index).unwrap_or(0));
    segment[4..6].copy_from_slice(&id.to_be_bytes());
    segment[10..12].fill(0);
    let sum = !fold(sum(&segment[..place.tcp_at], 0));
    segment[10..12].copy_from_slice(&sum.to_be_bytes());
}

fn tcp(segment: &mut [u8], place: &Place, is_version_4: bool) {
    let at = place.tcp_at;
    let first = [segment[at + 4], segment[at + 5], segment[at + 6], segment[at + 7]];
    let skipped = u32::try_from(place.skipped).unwrap_or(0);
    let sequence = u32::from_be_bytes(first).wrapping_add(skipped);
    segment[at + 4..at + 8].copy_from_slice(&sequence.to_be_bytes());
    if !place.is_last {
        segment[at + 13] &= !(FIN | PSH);
    }
    if place.index > 0 {
        segment[at + 13] &= !CWR;
    }
    segment[at + 16..at + 18].fill(0);
    let addresses = if is_version_4 { 12..20 } else { 8..40 };
    let length = u64::try_from(segment.len() - at).unwrap_or(0);
    let pseudo = sum(&segment[addresses], u64::from(PROTOCOL_TCP) + length);
    let sum = !fold(sum(&segment[at..], pseudo));
    segment[at + 16..at + 18].copy_from_slice(&sum.to_be_bytes());
}

/// The sum of RFC 1071, not folded.
fn sum(bytes: &[u8], from: u64) -> u64 {
    let pairs = bytes
        .chunks(2)
        .map(|pair| u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])));
    from + pairs.sum::<u64>()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM` and `VIRTIO_NET_HDR_GSO_*`.
const NEEDS_SUM: u8 = 1;
const KIND_NONE: u8 = 0;
const KIND_TCP4: u8 = 1;
const KIND_TCP6: u8 = 4;
const KIND_ECN: u8 = 0x80;

/// Flags of TCP (RFC 9293, 3.1).
const FIN: u8 = 1;
const PSH: u8 = 8;
const CWR: u8 = 0x80;
const PROTOCOL_TCP: u8 = 6;

#[cfg(test)]
#[path = "offload_tests.rs"]
mod tests;
