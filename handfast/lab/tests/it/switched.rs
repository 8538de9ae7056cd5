//! The switch between real networks: what peers' sockets see of the conditions of their link.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use handfast_faults::{Chance, Conditions, Cut, Delay, Link, Loss};
use handfast_lab::net::calibrate::{self, Extent, Verdict, cells};
use handfast_lab::net::switch::Switch;
use handfast_lab::net::{Ask, Namespaces, Net, NetError, NetPlan, Owner, SocketKind};
use rustix::event::{Timespec, poll};

use crate::support::{LONG, STAND_IN, not_here, run_id};

struct Pair {
    net: Net,
    _dir: tempfile::TempDir,
}

fn owner(dir: &Path) -> Owner {
    let reaper = vec![STAND_IN.into(), handfast_lab::reaper::ARGUMENT.into()];
    Owner { reaper, run: run_id(), dir: dir.to_owned(), ask: Ask::Auto }
}

/// Two places under these conditions from a to b; none, said by name, where the host gives none.
fn pair(conditions: Conditions, offload: bool) -> Option<Pair> {
    let dir = tempfile::tempdir().unwrap();
    let roles = vec!["a".to_owned(), "b".to_owned()];
    let base = BTreeMap::from([(Link::new("a", "b"), conditions)]);
    let plan = NetPlan { roles, base, seed: 7, offload, ..NetPlan::default() };
    let net = match Net::make(&owner(dir.path()), &plan) {
        Ok(net) => net,
        Err(NetError::NotHere { why }) => {
            assert!(why.contains("cannot"), "{why}");
            not_here(&why);
            return None;
        }
        Err(error) => panic!("{error:?}"),
    };
    Some(Pair { net, _dir: dir })
}

impl Pair {
    fn address(&self, role: &str, kind: SocketKind) -> IpAddr {
        let place = self.net.place(role).unwrap();
        match kind {
            SocketKind::Tcp4 | SocketKind::Udp4 => place.v4.into(),
            SocketKind::Tcp6 | SocketKind::Udp6 => place.v6.unwrap().into(),
        }
    }

    fn udp(&self, role: &str, kind: SocketKind) -> UdpSocket {
        let socket = self.net.socket(role, kind).unwrap();
        socket.bind(&SocketAddr::new(self.address(role, kind), 0).into()).unwrap();
        let socket: UdpSocket = socket.into();
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket
    }

    /// A connection from a to b: both ends.
    fn tcp(&self, kind: SocketKind) -> (TcpStream, TcpStream) {
        let listener = self.net.socket("b", kind).unwrap();
        listener.bind(&SocketAddr::new(self.address("b", kind), 0).into()).unwrap();
        listener.listen(1).unwrap();
        let listener: TcpListener = listener.into();
        let from = self.net.socket("a", kind).unwrap();
        from.connect_timeout(&listener.local_addr().unwrap().into(), LONG).unwrap();
        let (from, (to, _)) = (TcpStream::from(from), listener.accept().unwrap());
        for end in [&from, &to] {
            end.set_read_timeout(Some(LONG)).unwrap();
            end.set_write_timeout(Some(LONG)).unwrap();
        }
        (from, to)
    }

    /// Sends so many bytes and compares what arrives; `midway` happens when half of it has arrived.
    fn carry(&self, kind: SocketKind, bytes: usize, midway: impl FnOnce(&Net)) {
        let (mut from, mut to) = self.tcp(kind);
        let whole: Vec<u8> = (0..bytes).map(|at| (at * at / 128).to_le_bytes()[0]).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                from.write_all(&whole).unwrap();
                drop(from);
            });
            let mut arrived = vec![0; bytes / 2];
            to.read_exact(&mut arrived).unwrap();
            midway(&self.net);
            to.read_to_end(&mut arrived).unwrap();
            assert!(arrived == whole, "{} of {bytes} bytes, or others", arrived.len());
        });
    }

    fn kinds<const N: usize>(&self, kinds: [SocketKind; N]) -> impl Iterator<Item = SocketKind> {
        let has_v6 = self.net.place("a").unwrap().v6.is_some();
        kinds
            .into_iter()
            .filter(move |kind| has_v6 || matches!(kind, SocketKind::Tcp4 | SocketKind::Udp4))
    }
}

fn delay(ms: u64) -> Conditions {
    Conditions { delay: Delay::constant(Duration::from_millis(ms)), ..Conditions::default() }
}

fn rough() -> Conditions {
    Conditions {
        loss: Loss::Independent(Chance::per_mille(20)),
        duplicate: Chance::per_mille(20),
        corrupt: Chance::per_mille(20),
        ..delay(2)
    }
}

#[test]
fn a_datagram_takes_as_long_as_was_asked_in_the_direction_that_was_asked() {
    let Some(pair) = pair(delay(40), false) else { return };
    for kind in pair.kinds([SocketKind::Udp4, SocketKind::Udp6]) {
        let (a, b) = (pair.udp("a", kind), pair.udp("b", kind));
        let mut buffer = [0; 16];
        let before_ns = handfast_lab::clock::monotonic_ns();
        a.send_to(b"there", b.local_addr().unwrap()).unwrap();
        let (_, sender) = b.recv_from(&mut buffer).unwrap();
        let there_ns = handfast_lab::clock::monotonic_ns();
        assert_eq!(sender, a.local_addr().unwrap());
        assert!(there_ns - before_ns >= 40_000_000);
        b.send_to(b"back", sender).unwrap();
        assert_eq!(a.recv(&mut buffer).unwrap(), 4);
    }
}

#[test]
fn a_stream_over_a_rough_link_arrives_as_it_was_sent() {
    let Some(pair) = pair(rough(), false) else { return };
    for kind in pair.kinds([SocketKind::Tcp4, SocketKind::Tcp6]) {
        pair.carry(kind, 300_000, |_| ());
    }
    let account = pair.net.accounts().unwrap().into_iter().find(|one| one.from == "a").unwrap();
    let account = account.account;
    assert!(account.corrupted > 0 && account.duplicated > 0 && account.dropped_total() > 0);
    assert!(account.delays.count() > 0);
}

#[test]
fn large_segments_pass_a_calm_link_and_are_cut_when_it_gets_rough() {
    let Some(pair) = pair(Conditions::default(), true) else { return };
    for kind in pair.kinds([SocketKind::Tcp4, SocketKind::Tcp6]) {
        pair.net.set("a", "b", Conditions::default()).unwrap();
        pair.carry(kind, 4_000_000, |net| {
            net.set("a", "b", rough()).unwrap();
        });
    }
    let accounts = pair.net.accounts().unwrap();
    let of = |conditions: Conditions| {
        let found = accounts.iter().find(|one| one.from == "a" && one.asked == conditions);
        found.unwrap().account.clone()
    };
    let (calm, rough) = (of(Conditions::default()), of(rough()));
    // A calm link saw packets that no Ethernet carries; a rough one never.
    assert!(calm.bytes / calm.packets > 1_500, "{} in {}", calm.bytes, calm.packets);
    assert!(rough.packets > 0 && rough.bytes / rough.packets <= 1_500);
}

#[test]
fn a_cut_that_resets_ends_a_connection_for_its_sender() {
    let Some(pair) = pair(Conditions::default(), false) else { return };
    for kind in pair.kinds([SocketKind::Tcp4, SocketKind::Tcp6]) {
        let (mut from, _to) = pair.tcp(kind);
        let reset = Conditions { cut: Some(Cut::Reset), ..Conditions::default() };
        pair.net.set("a", "b", reset).unwrap();
        from.write_all(b"into the cut").unwrap();
        let error = from.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        pair.net.set("a", "b", Conditions::default()).unwrap();
        pair.carry(kind, 1_000, |_| ());
    }
}

#[test]
fn a_silent_cut_keeps_a_connection_which_goes_on_when_it_is_healed() {
    let Some(pair) = pair(Conditions::default(), false) else { return };
    let (mut from, mut to) = pair.tcp(SocketKind::Tcp4);
    let silent = Conditions { cut: Some(Cut::Silent), ..Conditions::default() };
    pair.net.set("a", "b", silent.clone()).unwrap();
    from.write_all(b"later").unwrap();
    let is_swallowed = |net: &Net| {
        let all = net.accounts().unwrap();
        all.iter().any(|one| one.asked == silent && one.account.packets > 0)
    };
    while !is_swallowed(&pair.net) {}
    pair.net.set("a", "b", Conditions::default()).unwrap();
    let mut arrived = [0; 5];
    to.read_exact(&mut arrived).unwrap();
    assert_eq!(&arrived, b"later");
}

/// Processor time of one of our threads, in hundredths of a second: `proc_pid_stat(5)`, fields 14 and 15.
fn used(thread: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
    let (_, fields) = text.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// A switch may run before every other thread: one that never rests would take a processor for itself.
#[test]
fn a_switch_rests_when_nothing_is_due_and_when_its_networks_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let roles = vec!["a".to_owned(), "b".to_owned()];
    let Some(pair) = pair(delay(1_000), false) else { return };
    let rests = |switch: &Switch| {
        let before = used(switch.footing().thread);
        let third = Timespec { tv_sec: 0, tv_nsec: 300_000_000 };
        assert_eq!(poll(&mut [], Some(&third)), Ok(0));
        let used = used(switch.footing().thread) - before;
        assert!(used <= 6, "{used} of 30 hundredths");
    };
    rests(pair.net.switch());
    let (a, b) = (pair.udp("a", SocketKind::Udp4), pair.udp("b", SocketKind::Udp4));
    a.send_to(b"it waits for a second", b.local_addr().unwrap()).unwrap();
    rests(pair.net.switch());
    let (namespaces, ports) = Namespaces::make(&owner(dir.path()), &roles, false).unwrap();
    let switch = Switch::start(ports, &NetPlan { roles, ..NetPlan::default() }).unwrap();
    drop(namespaces);
    rests(&switch);
    assert_eq!(switch.stop().error, None);
}

#[test]
fn a_calibration_sees_what_was_asked_or_says_that_this_host_is_too_busy() {
    let Some(_pair) = pair(Conditions::default(), false) else { return };
    let dir = tempfile::tempdir().unwrap();
    let owner = owner(dir.path());
    let all = cells::all();
    let cell = |name: &str| all.iter().find(|cell| cell.name == name).unwrap();
    let delay = calibrate::measure(&owner, cell("5 ms"), 7, Extent::Quick).unwrap();
    assert_ne!(delay.verdict, Verdict::Missed, "{delay:?}");
    assert!(delay.figures["packets"] > 0.0, "{delay:?}");
    let loss = calibrate::measure(&owner, cell("10 %"), 7, Extent::Quick).unwrap();
    assert_ne!(loss.verdict, Verdict::Missed, "{loss:?}");
    assert!((loss.figures["packets"] - 2_000.0).abs() < 0.5, "{loss:?}");
}
