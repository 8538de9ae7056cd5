//! The switch between sockets in place of TUNs: packets are packets, and no right is needed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};
use handfast_faults::{Cause, Chance, Cut, Delay, LineVerdict, Link, Loss, Packet, Shaper};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::*;
use crate::clock::monotonic_ns;

/// Three places, and our end of each.
struct Lab {
    switch: Switch,
    ends: Vec<OwnedFd>,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

impl Lab {
    fn new(plan: NetPlan) -> Self {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let mut ends = Vec::new();
        let mut ports = Vec::new();
        for (index, name) in NAMES.into_iter().enumerate() {
            let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
            let (tun, end) = pair.unwrap();
            ports.push(Port { name: name.to_owned(), tun, v4: v4(index), v6: v6(index) });
            ends.push(end);
        }
        Self { switch: Switch::start(ports, &plan).unwrap(), ends }
    }

    fn calm() -> Self {
        Self::new(NetPlan::default())
    }

    fn under(conditions: Conditions) -> Self {
        let base = BTreeMap::from([(Link::new("a", "b"), conditions)]);
        Self::new(NetPlan { base, seed: 7, ..NetPlan::default() })
    }

    fn send(&self, place: usize, packet: &[u8]) {
        assert_eq!(rustix::io::write(&self.ends[place], packet), Ok(packet.len()));
    }

    /// The next packet that arrives at a place; none where none comes for as long as a switch that works never takes.
    fn receive(&self, place: usize) -> Option<Vec<u8>> {
        self.receive_within(place, Duration::from_secs(5))
    }

    fn receive_within(&self, place: usize, within: Duration) -> Option<Vec<u8>> {
        let mut poll_end = [PollFd::new(&self.ends[place], PollFlags::IN)];
        let within = Timespec::try_from(within).unwrap();
        if poll(&mut poll_end, Some(&within)).unwrap() == 0 {
            return None;
        }
        let mut buffer = vec![0; 70_000];
        let length = rustix::io::read(&self.ends[place], &mut buffer).unwrap();
        buffer.truncate(length);
        Some(buffer)
    }

    fn account(&self, from: &str, to: &str) -> LinkAccount {
        let all = self.switch.accounts().unwrap();
        all.into_iter().rfind(|account| account.from == from && account.to == to).unwrap()
    }
}

fn v4(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, u8::try_from(index + 1).unwrap())
}

fn v6(index: usize) -> Ipv6Addr {
    Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, u16::try_from(index + 1).unwrap())
}

fn datagram(from: usize, to: usize, number: u32) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(v4(from).octets(), v4(to).octets(), 64).udp(5, 6);
    builder.write(&mut packet, &number.to_be_bytes()).unwrap();
    packet
}

fn number_of(packet: &[u8]) -> u32 {
    let payload = packet.last_chunk::<4>().unwrap();
    u32::from_be_bytes(*payload)
}

fn segment(from: usize, to: usize) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv6(v6(from).octets(), v6(to).octets(), 64);
    builder.tcp(5, 6, 100, 500).ack(900).write(&mut packet, b"payload").unwrap();
    packet
}

fn delay(ms: u64) -> Conditions {
    let delay = Delay::constant(Duration::from_millis(ms));
    Conditions { delay, ..Conditions::default() }
}

fn cut(how: Cut) -> Conditions {
    Conditions { cut: Some(how), ..Conditions::default() }
}

#[test]
fn packets_of_both_versions_reach_whom_they_are_for_and_nobody_else() {
    let lab = Lab::calm();
    lab.send(0, &datagram(0, 1, 1));
    lab.send(0, &segment(0, 2));
    lab.send(2, &datagram(2, 0, 3));
    assert_eq!(lab.receive(1), Some(datagram(0, 1, 1)));
    assert_eq!(lab.receive(2), Some(segment(0, 2)));
    assert_eq!(lab.receive(0), Some(datagram(2, 0, 3)));
    assert_eq!(lab.receive_within(1, Duration::from_millis(1)), None);
    assert_eq!(lab.account("a", "b").account.packets, 1);
    assert_eq!(lab.account("b", "a").account.packets, 0);
    assert_eq!(lab.account("c", "a").carried.unwrap().delivered, 1);
}

#[test]
fn what_is_for_nobody_is_counted_and_goes_nowhere() {
    let lab = Lab::calm();
    lab.send(0, b"no packet");
    lab.send(0, &datagram(0, 7, 1));
    lab.send(0, &datagram(0, 0, 2));
    lab.send(0, &datagram(0, 1, 3));
    assert_eq!(lab.receive(1), Some(datagram(0, 1, 3)));
    assert_eq!(lab.switch.report().unwrap().unrouted, 3);
}

#[test]
fn a_delayed_packet_does_not_come_early_and_the_other_direction_is_not_delayed() {
    let lab = Lab::under(delay(30));
    let sent_ns = monotonic_ns();
    for number in 0..100 {
        lab.send(0, &datagram(0, 1, number));
    }
    lab.send(1, &datagram(1, 0, 7));
    assert_eq!(lab.receive(0), Some(datagram(1, 0, 7)));
    for number in 0..100 {
        assert_eq!(number_of(&lab.receive(1).unwrap()), number);
        assert!(monotonic_ns() >= sent_ns + 30_000_000);
    }
    let account = lab.account("a", "b");
    assert_eq!(account.account.late.count(), 100);
    assert_eq!(account.carried.unwrap().unasked_losses(), 0);
}

#[test]
fn the_same_seed_loses_the_same_packets() {
    let loss = Loss::Independent(Chance::per_mille(200));
    let lossy = Conditions { loss, ..Conditions::default() };
    let mut twin = Shaper::new(lossy.clone(), 7, "a -> b");
    let packet = Packet { length: 32, flow: 1 };
    let expected: Vec<u32> =
        (0..500).filter(|_| twin.handle_packet(packet, 0).dropped.is_none()).collect();
    for _ in 0..2 {
        let lab = Lab::under(lossy.clone());
        let mut arrived = Vec::new();
        for number in 0..500 {
            lab.send(0, &datagram(0, 1, number));
            if expected.contains(&number) {
                arrived.push(number_of(&lab.receive(1).unwrap()));
            }
        }
        assert_eq!(arrived, expected);
        let account = lab.account("a", "b");
        assert_eq!(account.account.dropped(Cause::Loss), 500 - expected.len() as u64);
        assert!(account.judge().iter().all(|line| line.verdict == LineVerdict::Held));
    }
}

#[test]
fn conditions_change_while_packets_are_under_way() {
    let lab = Lab::under(delay(20));
    lab.send(0, &datagram(0, 1, 1));
    // It is under way when the account has it.
    while lab.account("a", "b").account.packets == 0 {}
    let before_ns = monotonic_ns();
    let at_ns = lab.switch.set("a", "b", cut(Cut::Silent)).unwrap();
    assert!(at_ns >= before_ns && at_ns <= monotonic_ns());
    lab.send(0, &datagram(0, 1, 2));
    assert_eq!(lab.receive(1), Some(datagram(0, 1, 1)));
    assert_eq!(lab.account("a", "b").account.dropped(Cause::Cut), 1);
    lab.switch.set("a", "b", Conditions::default()).unwrap();
    lab.send(0, &datagram(0, 1, 3));
    assert_eq!(lab.receive(1), Some(datagram(0, 1, 3)));
    let all = lab.switch.accounts().unwrap();
    let ours: Vec<_> = all.iter().filter(|one| one.from == "a" && one.to == "b").collect();
    let asked: Vec<_> = ours.iter().map(|one| one.asked.clone()).collect();
    assert_eq!(asked, [delay(20), cut(Cut::Silent), Conditions::default()]);
    assert!(ours.iter().all(|one| one.account.packets == 1));
}

#[test]
fn a_cut_that_resets_tells_the_sender_of_a_segment() {
    let lab = Lab::under(cut(Cut::Reset));
    lab.send(0, &segment(0, 1));
    let reset = lab.receive(0).unwrap();
    let sliced = SlicedPacket::from_ip(&reset).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
    assert!(tcp.rst());
    assert_eq!((tcp.source_port(), tcp.sequence_number()), (6, 900));
    assert_eq!(header::read(&reset).unwrap().source, IpAddr::V6(v6(1)));
    lab.send(0, &datagram(0, 1, 1));
    while lab.account("a", "b").account.packets < 2 {}
    assert_eq!(lab.account("a", "b").carried.unwrap().resets, 1);
    assert_eq!(lab.receive_within(1, Duration::from_millis(1)), None);
}

#[test]
fn a_damaged_packet_differs_in_one_bit_of_its_payload() {
    let damaging = Conditions { corrupt: Chance::ALWAYS, ..Conditions::default() };
    let lab = Lab::under(damaging.clone());
    let whole = segment(0, 1);
    lab.send(0, &whole);
    let damaged = lab.receive(1).unwrap();
    let differs: u32 = whole.iter().zip(&damaged).map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!((differs, damaged.len()), (1, whole.len()));
    // With checksums that fit again one more place differs.
    let unseen = Conditions { renew_checksums: true, ..damaging };
    lab.switch.set("a", "b", unseen).unwrap();
    lab.send(0, &whole);
    let damaged = lab.receive(1).unwrap();
    assert_ne!(damaged[56..58], whole[56..58]);
    assert_ne!(damaged[60..], whole[60..]);
}

#[test]
fn a_doubled_packet_arrives_twice() {
    let lab = Lab::under(Conditions { duplicate: Chance::ALWAYS, ..Conditions::default() });
    lab.send(0, &datagram(0, 1, 1));
    assert_eq!(lab.receive(1), Some(datagram(0, 1, 1)));
    assert_eq!(lab.receive(1), Some(datagram(0, 1, 1)));
    assert_eq!(lab.account("a", "b").carried.unwrap().delivered, 2);
}

#[test]
fn a_place_that_is_gone_does_not_stop_the_others() {
    let mut lab = Lab::calm();
    drop(lab.ends.remove(2));
    lab.send(0, &datagram(0, 2, 1));
    lab.send(0, &datagram(0, 1, 2));
    assert_eq!(lab.receive(1), Some(datagram(0, 1, 2)));
    let carried = lab.account("a", "c").carried.unwrap();
    assert_eq!((carried.refused, carried.unasked_losses()), (1, 1));
    let lines = lab.account("a", "c").judge();
    assert!(lines.iter().any(|line| line.verdict == LineVerdict::Missed), "{lines:?}");
}

#[test]
fn what_there_is_no_link_for_is_refused() {
    let lab = Lab::calm();
    for (from, to) in [("a", "z"), ("z", "a"), ("a", "a")] {
        let error = lab.switch.set(from, to, delay(1)).unwrap_err();
        assert_eq!(error.to_string(), format!("no link leads from {from} to {to}"));
    }
    let base = BTreeMap::from([(Link::new("a", "b"), delay(1))]);
    let plan = NetPlan { base, ..NetPlan::default() };
    assert!(matches!(Switch::start(Vec::new(), &plan), Err(SwitchError::NoLink { .. })));
}

#[test]
fn a_switch_that_is_dropped_closes_its_ports() {
    let Lab { switch, ends } = Lab::calm();
    drop(switch);
    let mut buffer = [0; 8];
    assert_eq!(rustix::io::read(&ends[0], &mut buffer), Ok(0));
}

#[test]
fn a_switch_that_stops_says_what_came_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packets.pcapng");
    let base = BTreeMap::from([(Link::new("a", "b"), cut(Cut::Silent))]);
    let lab = Lab::new(NetPlan { base, capture: Some(path.clone()), ..NetPlan::default() });
    lab.send(0, &datagram(0, 1, 1));
    lab.send(0, &datagram(0, 2, 2));
    assert_eq!(lab.receive(2), Some(datagram(0, 2, 2)));
    let report = lab.switch.stop();
    assert_eq!(report.error, None);
    let captured = Captured { packets: 3, missed: 0, error: None };
    assert_eq!(report.captured, Some(captured));
    let bytes = std::fs::read(path).unwrap();
    let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(has(b"dropped: the link is cut") && has(&datagram(0, 2, 2)));
}

#[test]
fn a_capture_that_cannot_be_made_is_said_at_the_start() {
    let capture = Some("/proc/no/such/folder.pcapng".into());
    let plan = NetPlan { capture, ..NetPlan::default() };
    assert!(matches!(Switch::start(Vec::new(), &plan), Err(SwitchError::Capture(_))));
}
