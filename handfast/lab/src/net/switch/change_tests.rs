use etherparse::{PacketBuilder, SlicedPacket, TcpHeader, TransportSlice, UdpHeader};

use super::super::header;
use super::*;

const A: [u8; 4] = [10, 77, 0, 1];
const B: [u8; 4] = [10, 77, 0, 2];

fn segment(payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(A, B, 64).tcp(1_000, 2_000, 77, 500).ack(4_000);
    builder.write(&mut packet, payload).unwrap();
    packet
}

fn datagram(payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64).udp(5, 6).write(&mut packet, payload).unwrap();
    packet
}

/// Whether a receiving kernel would take it: its checksum is right.
fn is_taken(packet: &[u8]) -> bool {
    let sliced = SlicedPacket::from_ip(packet).unwrap();
    let net = sliced.net.unwrap();
    match (sliced.transport.unwrap(), net) {
        (TransportSlice::Tcp(tcp), NetSlice::Ipv4(ip)) => {
            let header: TcpHeader = tcp.to_header();
            let ip = ip.header().to_header();
            header.checksum == header.calc_checksum_ipv4(&ip, tcp.payload()).unwrap()
        }
        (TransportSlice::Udp(udp), NetSlice::Ipv6(ip)) => {
            let header: UdpHeader = udp.to_header();
            let ip = ip.header().to_header();
            header.checksum == header.calc_checksum_ipv6(&ip, udp.payload()).unwrap()
        }
        _ => panic!("another kind of packet"),
    }
}

#[test]
fn one_bit_of_the_payload_flips_wherever_and_the_checksum_catches_it() {
    let whole = segment(b"odd");
    let header = header::read(&whole).unwrap();
    for place in 0..48 {
        let mut packet = whole.clone();
        flip(&mut packet, &header, |_| place, Corruption::Caught);
        let differs: u32 = whole.iter().zip(&packet).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(differs, 1, "{place}");
        assert_eq!(whole[..header.payload_at], packet[..header.payload_at], "{place}");
        assert!(!is_taken(&packet), "{place}");
    }
}

#[test]
fn an_unnoticed_flip_has_a_right_checksum_again() {
    for whole in [segment(b"odd"), segment(b"even"), datagram(b"odd"), datagram(b"even")] {
        let header = header::read(&whole).unwrap();
        for place in 0..24 {
            let mut packet = whole.clone();
            flip(&mut packet, &header, |_| place, Corruption::Unnoticed);
            assert_ne!(whole[header.payload_at..], packet[header.payload_at..], "{place}");
            assert!(is_taken(&packet), "{place}");
        }
    }
}

#[test]
fn without_a_payload_a_bit_of_the_segment_flips() {
    let whole = segment(b"");
    let header = header::read(&whole).unwrap();
    let mut packet = whole.clone();
    flip(&mut packet, &header, |_| 3, Corruption::Caught);
    assert_eq!(whole[..header.segment_at], packet[..header.segment_at]);
    assert_ne!(whole, packet);
}

#[test]
fn a_reset_has_the_number_that_its_receiver_expects() {
    let reset = reset(&segment(b"data")).unwrap();
    let sliced = SlicedPacket::from_ip(&reset).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
    assert!(tcp.rst() && !tcp.ack());
    assert_eq!((tcp.source_port(), tcp.destination_port()), (2_000, 1_000));
    assert_eq!(tcp.sequence_number(), 4_000);
    let there = header::read(&reset).unwrap();
    assert_eq!((there.source, there.target), (B.into(), A.into()));
    assert!(is_taken(&reset));
}

#[test]
fn the_reset_of_a_first_segment_acknowledges_it() {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv6([1; 16], [2; 16], 64).tcp(1, 2, 77, 500).syn();
    builder.write(&mut packet, &[]).unwrap();
    let reset = reset(&packet).unwrap();
    let sliced = SlicedPacket::from_ip(&reset).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
    assert!(tcp.rst() && tcp.ack());
    assert_eq!((tcp.sequence_number(), tcp.acknowledgment_number()), (0, 78));
}

#[test]
fn a_reset_is_answered_by_nothing_and_so_is_a_datagram() {
    assert_eq!(reset(&reset(&segment(b"data")).unwrap()), None);
    assert_eq!(reset(&datagram(b"data")), None);
    assert_eq!(reset(b"no packet"), None);
}
