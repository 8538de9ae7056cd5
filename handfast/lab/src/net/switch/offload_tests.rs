use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TcpHeader, TransportSlice, UdpHeader};

use super::*;

fn preface(flags: u8, kind: u8, piece: u16, sum_from: u16, sum_at: u16) -> Preface {
    let mut bytes = [flags, kind, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[4..6].copy_from_slice(&piece.to_ne_bytes());
    bytes[6..8].copy_from_slice(&sum_from.to_ne_bytes());
    bytes[8..10].copy_from_slice(&sum_at.to_ne_bytes());
    Preface::read(bytes)
}

fn large(is_version_4: bool, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = if is_version_4 {
        PacketBuilder::ipv4([10, 77, 0, 1], [10, 77, 0, 2], 64)
    } else {
        PacketBuilder::ipv6([1; 16], [2; 16], 64)
    };
    let builder = builder.tcp(1, 2, u32::MAX - 1_000, 500).ack(9).psh().fin();
    builder.write(&mut packet, payload).unwrap();
    packet
}

fn pieces(packet: &mut [u8], preface: Preface) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    assert!(cut(packet, preface, |piece| all.push(piece.to_vec())));
    all
}

#[test]
fn a_large_packet_becomes_the_segments_that_a_card_would_make() {
    let payload: Vec<u8> = (0..3_001_u32).map(|at| (at % 251) as u8).collect();
    for (is_version_4, kind, head) in [(true, KIND_TCP4, 20), (false, KIND_TCP6, 40)] {
        let mut packet = large(is_version_4, &payload);
        let pieces = pieces(&mut packet, preface(NEEDS_SUM, kind, 1_448, head, 16));
        let mut whole = Vec::new();
        assert_eq!(pieces.len(), 3);
        for (index, piece) in pieces.iter().enumerate() {
            let sliced = SlicedPacket::from_ip(piece).unwrap();
            let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
            let header: TcpHeader = tcp.to_header();
            let right = match sliced.net.unwrap() {
                NetSlice::Ipv4(ip) => {
                    let ip = ip.header().to_header();
                    assert_eq!(ip.header_checksum, ip.calc_header_checksum());
                    assert_eq!(usize::from(ip.identification), index);
                    header.calc_checksum_ipv4(&ip, tcp.payload()).unwrap()
                }
                NetSlice::Ipv6(ip) => {
                    let ip = ip.header().to_header();
                    header.calc_checksum_ipv6(&ip, tcp.payload()).unwrap()
                }
                NetSlice::Arp(_) => panic!("no IP"),
            };
            assert_eq!(header.checksum, right);
            let skipped = u32::try_from(whole.len()).unwrap();
            assert_eq!(header.sequence_number, (u32::MAX - 1_000).wrapping_add(skipped));
            assert_eq!((header.fin, header.psh), (index == 2, index == 2));
            whole.extend_from_slice(tcp.payload());
        }
        assert_eq!(whole, payload);
    }
}

#[test]
fn a_checksum_is_finished() {
    let mut whole = Vec::new();
    let builder = PacketBuilder::ipv4([10, 77, 0, 1], [10, 77, 0, 2], 64).udp(1, 2);
    builder.write(&mut whole, b"hello").unwrap();
    let mut half = whole.clone();
    // What the kernel leaves there: the sum of the pseudo header.
    let pseudo = fold(sum(&whole[12..20], 17 + 13));
    half[26..28].copy_from_slice(&pseudo.to_be_bytes());
    let transport = SlicedPacket::from_ip(&whole).unwrap().transport.unwrap();
    let TransportSlice::Udp(udp) = transport else { panic!("no UDP") };
    let header: UdpHeader = udp.to_header();
    assert_ne!(header.checksum, 0);
    assert_eq!(pieces(&mut half, preface(NEEDS_SUM, KIND_NONE, 0, 20, 6)), [whole]);
}

#[test]
fn a_plain_packet_stays_as_it_is() {
    let mut packet = large(true, b"hello");
    let whole = packet.clone();
    let plain = Preface::read(Preface::PLAIN);
    assert!(plain.is_plain());
    assert_eq!(pieces(&mut packet, plain), [whole]);
}

proptest::proptest! {
    #[test]
    fn no_preface_makes_it_panic(bytes: [u8; Preface::LENGTH], mut packet: Vec<u8>, kind in 0_u8..6) {
        let mut bytes = bytes;
        bytes[1] = kind;
        let (length, preface) = (packet.len(), Preface::read(bytes));
        let mut sum = 0_usize;
        cut(&mut packet, preface, |piece| {
            sum += piece.len();
            assert!(piece.len() <= length);
        });
    }
}

#[test]
fn what_the_preface_says_falsely_is_dropped() {
    let whole = large(true, &[7; 100]);
    let wrong = [
        preface(0, 3, 10, 20, 16),                 // UDP, which we never ask for
        preface(0, KIND_TCP4, 0, 20, 16),          // pieces of nothing
        preface(0, KIND_TCP4, 10, 8, 16),          // a segment inside of the IP header
        preface(0, KIND_TCP4, 10, 60_000, 16),     // one behind the end
        preface(NEEDS_SUM, KIND_NONE, 0, 20, 200), // a sum behind the end
        preface(NEEDS_SUM, KIND_NONE, 0, 60_000, 6),
    ];
    for preface in wrong {
        let mut packet = whole.clone();
        assert!(!cut(&mut packet, preface, |_| panic!("{preface:?}")), "{preface:?}");
        assert!(!cut(&mut [], preface, |_| panic!("{preface:?}")), "{preface:?}");
    }
}
