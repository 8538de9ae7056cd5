//! What the switch reads in a packet: who sent it, who it is for, and where its payload begins.

use std::net::IpAddr;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

/// The parts of an IP packet that the switch needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Who sent it.
    pub(super) source: IpAddr,
    /// Who it is for.
    pub(super) target: IpAddr,
    /// Which packets belong to one conversation: the same in both directions, for another one another.
    pub(super) flow: u64,
    /// Where the segment or datagram begins: after the IP header and its extensions.
    pub(super) segment_at: usize,
    /// Where that which an application sent begins; the packet's length where there is nothing of it.
    pub(super) payload_at: usize,
    /// Where the checksum of the segment lies, and which bytes it covers from; none for what has no such.
    pub(super) checksum_at: Option<usize>,
}

/// Reads an IPv4 or IPv6 packet as it comes from a TUN; none for whatever else.
pub(super) fn read(packet: &[u8]) -> Option<Header> {
    let sliced = SlicedPacket::from_ip(packet).ok()?;
    let (source, target, segment) = match sliced.net.as_ref()? {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            let (source, target) = (header.source_addr(), header.destination_addr());
            (IpAddr::V4(source), IpAddr::V4(target), ip.payload().payload)
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            let (source, target) = (header.source_addr(), header.destination_addr());
            (IpAddr::V6(source), IpAddr::V6(target), ip.payload().payload)
        }
        NetSlice::Arp(_) => return None,
    };
    let segment_at = offset(packet, segment);
    let (ports, payload_at, checksum_at) = match sliced.transport.as_ref() {
        Some(TransportSlice::Tcp(tcp)) => {
            let ports = (tcp.source_port(), tcp.destination_port(), TCP);
            (ports, offset(packet, tcp.payload()), Some(segment_at + TCP_CHECKSUM))
        }
        Some(TransportSlice::Udp(udp)) => {
            let ports = (udp.source_port(), udp.destination_port(), UDP);
            (ports, offset(packet, udp.payload()), Some(segment_at + UDP_CHECKSUM))
        }
        Some(_) | None => ((0, 0, OTHER), segment_at, None),
    };
    let flow = flow(source, target, ports);
    Some(Header { source, target, flow, segment_at, payload_at, checksum_at })
}

/// Where a part of a packet begins in it.
fn offset(packet: &[u8], part: &[u8]) -> usize {
    // An empty part may be anything, for instance a constant: it begins where the packet ends.
    if part.is_empty() {
        return packet.len();
    }
    (part.as_ptr() as usize).saturating_sub(packet.as_ptr() as usize).min(packet.len())
}

/// FNV-1a over addresses, ports and protocol (draft-eastlake-fnv): the same in every run, which the standard library's hash is not. The
/// lesser end comes first, whoever sends.
fn flow(source: IpAddr, target: IpAddr, (from, to, protocol): (u16, u16, u8)) -> u64 {
    let mut hash = FNV_OFFSET;
    let mut take = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
        }
    };
    let mut ends = [(source, from), (target, to)];
    ends.sort_unstable();
    for (address, port) in ends {
        match address {
            IpAddr::V4(address) => take(&address.octets()),
            IpAddr::V6(address) => take(&address.octets()),
        }
        take(&port.to_be_bytes());
    }
    take(&[protocol]);
    hash
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// IANA protocol numbers, and 0 for what has no ports.
const TCP: u8 = 6;
const UDP: u8 = 17;
const OTHER: u8 = 0;

/// Where the checksum lies in a segment (RFC 9293) and in a datagram (RFC 768).
const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = 6;

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn datagram(source_port: u16, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv4([10, 77, 0, 1], [10, 77, 0, 2], 64).udp(source_port, 9);
        builder.write(&mut packet, payload).unwrap();
        packet
    }

    #[test]
    fn a_datagram_says_who_it_is_for_and_where_its_payload_is() {
        let packet = datagram(7, b"hello");
        let header = read(&packet).unwrap();
        assert_eq!(header.source, IpAddr::from([10, 77, 0, 1]));
        assert_eq!(header.target, IpAddr::from([10, 77, 0, 2]));
        assert_eq!(&packet[header.payload_at..], b"hello");
        assert_eq!((header.segment_at, header.checksum_at), (20, Some(26)));
    }

    #[test]
    fn a_segment_of_version_6_without_payload_ends_where_the_packet_ends() {
        let mut packet = Vec::new();
        let (a, b) = ([0xfd; 16], [0xfe; 16]);
        PacketBuilder::ipv6(a, b, 64).tcp(1, 2, 3, 4).write(&mut packet, &[]).unwrap();
        let header = read(&packet).unwrap();
        assert_eq!((header.source, header.target), (IpAddr::from(a), IpAddr::from(b)));
        assert_eq!((header.payload_at, header.segment_at), (packet.len(), 40));
        assert_eq!(header.checksum_at, Some(56));
    }

    #[test]
    fn a_flow_is_one_conversation() {
        let flow = |packet: &[u8]| read(packet).unwrap().flow;
        assert_eq!(flow(&datagram(7, b"one")), flow(&datagram(7, b"another")));
        assert_ne!(flow(&datagram(7, b"one")), flow(&datagram(8, b"one")));
        let mut answer = Vec::new();
        let builder = PacketBuilder::ipv4([10, 77, 0, 2], [10, 77, 0, 1], 64).udp(9, 7);
        builder.write(&mut answer, b"answer").unwrap();
        assert_eq!(flow(&datagram(7, b"one")), flow(&answer));
        // Pinned: a record names flows.
        assert_eq!(flow(&datagram(7, b"one")), 0xa2e8_16df_dbd8_a029);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_places_lie_inside(bytes: Vec<u8>, head in 0_u8..=255) {
            let mut packet = datagram(7, &bytes);
            packet[0] = head;
            for packet in [&bytes, &packet] {
                let Some(header) = read(packet) else { continue };
                proptest::prop_assert!(header.segment_at <= header.payload_at);
                proptest::prop_assert!(header.payload_at <= packet.len());
            }
        }
    }

    #[test]
    fn what_is_no_packet_is_none() {
        let whole = datagram(7, b"hello");
        for length in 0..20 {
            assert_eq!(read(&whole[..length]), None, "{length}");
        }
        assert_eq!(read(&[0xff; 64]), None);
    }
}
