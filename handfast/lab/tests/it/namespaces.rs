//! Peers in networks of their own: as root, as a user with user namespaces, and with none at all.

use std::fs;
use std::io::{ErrorKind, Read, pipe};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;

use handfast_lab::net::place::PLACES_MAX;
use handfast_lab::net::{Ask, Means, Namespaces, Net, NetError, NetPlan, Owner, Port, SocketKind};
use handfast_lab::reaper::{Reaper, SpawnOrder};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::support::{STAND_IN, not_here, run_id, wait_for_the_end_of};
use crate::talk::every_way;

fn owner(dir: &Path, ask: Ask) -> Owner {
    let reaper = vec![STAND_IN.into(), handfast_lab::reaper::ARGUMENT.into()];
    Owner { reaper, run: run_id(), dir: dir.to_owned(), ask }
}

/// Two places and the switch between them, or none.
fn net(dir: &Path, ask: Ask) -> Option<Net> {
    let plan = NetPlan { roles: roles().to_vec(), ..NetPlan::default() };
    two(dir, ask.clone()).map(|_| Net::make(&owner(dir, ask), &plan).unwrap())
}

fn roles() -> [String; 2] {
    ["a".to_owned(), "b".to_owned()]
}

/// Two places by any right; `None`, said by name, where the host gives none: then that is what is asserted.
fn two(dir: &Path, ask: Ask) -> Option<(Namespaces, Vec<Port>)> {
    match Namespaces::make(&owner(dir, ask.clone()), &roles(), false) {
        Ok(made) => Some(made),
        Err(NetError::NotHere { why }) => {
            assert!(why.contains("cannot"), "{why}");
            not_here(&format!("{ask:?}: {why}"));
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// The address a packet goes to.
fn destination(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => Some(IpAddr::V4(Ipv4Addr::from(*packet.get(16..)?.first_chunk::<4>()?))),
        6 => Some(IpAddr::V6(Ipv6Addr::from(*packet.get(24..)?.first_chunk::<16>()?))),
        _ => None,
    }
}

#[test]
fn peers_talk_over_tcp_and_udp_and_both_versions_of_ip() {
    let dir = tempfile::tempdir().unwrap();
    let Some(net) = net(dir.path(), Ask::Auto) else { return };
    let is_v6 = |kind: &SocketKind| matches!(kind, SocketKind::Tcp6 | SocketKind::Udp6);
    let mut ways = vec![SocketKind::Tcp4, SocketKind::Tcp6, SocketKind::Udp4, SocketKind::Udp6];
    ways.retain(|kind| net.place("a").unwrap().v6.is_some() || !is_v6(kind));
    assert_eq!(every_way(&net).unwrap(), ways);
}

#[test]
fn the_same_works_inside_a_user_namespace_also_for_root() {
    let dir = tempfile::tempdir().unwrap();
    let Some(net) = net(dir.path(), Ask::Rootless) else { return };
    assert_eq!(*net.means(), Means::Rootless);
    assert!(every_way(&net).unwrap().len() >= 2);
}

/// Runs the stand-in's `talk`, and gives what it said.
fn talk(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{error}");
    out.into_owned()
}

/// A copy of the stand-in that every user may start, in a folder that every user may enter.
fn for_everybody(dir: &Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let program = dir.join("stand-in");
    // By a process of its own: what this one has open for writing may be open in another test's child for a moment, and what is
    // open for writing cannot be started.
    assert!(Command::new("cp").arg(STAND_IN).arg(&program).status().unwrap().success());
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// A command of `nobody`, or of whoever runs this.
fn without_rights(program: &Path) -> Command {
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sh");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/as_nobody.sh");
    command.arg(script).arg(program);
    command
}

#[test]
fn a_user_without_rights_has_them_in_a_user_namespace_or_is_told_why_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = without_rights(&for_everybody(dir.path()));
    command.args(["talk", &run_id()]).arg(dir.path());
    let said = talk(&mut command);
    let inside = said.starts_with("network namespaces inside a user namespace: [Tcp4");
    let refused = said.starts_with("not here: cannot make a network namespace as this user (")
        || said.starts_with("not here: cannot make a TUN interface (");
    if refused {
        not_here(&said);
    }
    assert!(inside || refused, "{said}");
    // This test can only be about the first where the host lets a user have its namespaces.
    assert_eq!(inside, can_have_a_user_namespace(), "{said}");
}

/// Whether the system's own tool gets a network and rights in it as `nobody`, or as whoever runs this. To get one is not enough:
/// some distributions give user namespaces without any rights inside.
fn can_have_a_user_namespace() -> bool {
    let mut command = without_rights(Path::new("unshare"));
    let administer = "echo 1 > /proc/sys/net/ipv4/ip_forward && test -w /dev/net/tun";
    command.args(["--user", "--map-root-user", "--net", "sh", "-c", administer]);
    command.output().is_ok_and(|output| output.status.success())
}

#[test]
fn where_the_system_gives_no_namespaces_it_is_told_what_was_tried() {
    let dir = tempfile::tempdir().unwrap();
    // In a user namespace of its own a process may lower what it and its children get, down to nothing.
    let nothing = "echo 0 > /proc/sys/user/max_net_namespaces && \
                   echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", nothing, "sh", STAND_IN, "talk"]);
    let output = command.arg(run_id()).arg(dir.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        let expected = "not here: cannot make a network namespace as this user (No space left on device (os error 28)); \
                        cannot make a user namespace (No space left on device (os error 28))\n";
        assert_eq!(said, expected);
    } else {
        // No user namespaces to lower anything in: without rights there is nothing here anyway.
        not_here(&format!("user namespaces: {}", String::from_utf8_lossy(&output.stderr)));
        assert!(
            geteuid().is_root() || Means::find(&owner(dir.path(), Ask::Auto)) != Means::Namespaces
        );
    }
}

#[test]
fn whoever_asks_for_proxies_gets_no_namespace_and_the_reason_back() {
    let owner = owner(Path::new("/nowhere"), Ask::Proxies { why: "--network proxies".to_owned() });
    let refused = Namespaces::make(&owner, &roles(), false).unwrap_err();
    assert!(matches!(refused, NetError::NotHere { why } if why == "--network proxies"));
    let means = Means::find(&owner);
    assert_eq!(means.to_string(), "proxies (--network proxies)");
    assert!(!means.has_packets());
}

#[test]
fn a_program_that_is_no_holder_is_told_as_what_it_is() {
    let mut owner = owner(Path::new("/nowhere"), Ask::Auto);
    owner.reaper = vec!["false".into()];
    let failed = Namespaces::make(&owner, &roles(), false).unwrap_err();
    assert!(matches!(failed, NetError::Holder(_)), "{failed:?}");
    let Means::Proxies { why } = Means::find(&owner) else { panic!("namespaces out of nothing") };
    assert!(why.starts_with("the holder of the namespaces failed: "), "{why}");
}

#[test]
fn an_interface_says_nothing_before_a_peer_does() {
    let dir = tempfile::tempdir().unwrap();
    let Some((namespaces, ports)) = two(dir.path(), Ask::Auto) else { return };
    let b = namespaces.place("b").unwrap();
    let mut to: Vec<SocketAddr> = vec![(b.v4, 9).into()];
    to.extend(b.v6.map(|v6| SocketAddr::from((v6, 9))));
    for to in to {
        let kind = if to.is_ipv4() { SocketKind::Udp4 } else { SocketKind::Udp6 };
        namespaces.socket("a", kind).unwrap().send_to(b"x", &to.into()).unwrap();
        poll(&mut [PollFd::new(&ports[0].tun, PollFlags::IN)], None).unwrap();
        let mut packet = [0; 2048];
        let len = rustix::io::read(&ports[0].tun, &mut packet).unwrap();
        assert_eq!(destination(&packet[..len]), Some(to.ip()), "{:?}", &packet[..len]);
    }
    let silent = rustix::io::read(&ports[1].tun, &mut [0; 2048]);
    assert_eq!(silent, Err(rustix::io::Errno::AGAIN));
}

/// The system puts off a part of what a new IPv6 address needs; a peer's first packet, sent before, was lost for a second.
#[test]
fn an_address_takes_packets_from_the_moment_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..20 {
        let Some((namespaces, _ports)) = two(dir.path(), Ask::Auto) else { return };
        if namespaces.place("b").unwrap().v6.is_none() {
            return;
        }
        // The holder is at the last place that it made.
        let routes = format!("/proc/{}/net/ipv6_route", namespaces.holder_pid());
        let routes = fs::read_to_string(routes).unwrap();
        let own = "fd770000000000000000000000000002 80 ";
        assert!(routes.lines().any(|line| line.starts_with(own)), "{routes}");
    }
}

#[test]
fn a_header_stands_before_each_packet_where_offload_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let made = Namespaces::make(&owner(dir.path(), Ask::Auto), &roles(), true);
    let Ok((namespaces, ports)) = made else {
        return assert!(two(dir.path(), Ask::Auto).is_none());
    };
    let to = SocketAddr::from((namespaces.place("b").unwrap().v4, 9));
    namespaces.socket("a", SocketKind::Udp4).unwrap().send_to(b"x", &to.into()).unwrap();
    poll(&mut [PollFd::new(&ports[0].tun, PollFlags::IN)], None).unwrap();
    let mut packet = [0; 2048];
    let len = rustix::io::read(&ports[0].tun, &mut packet).unwrap();
    assert_eq!((len, destination(&packet[10..len])), (10 + 20 + 8 + 1, Some(to.ip())));
}

#[test]
fn a_socket_is_in_its_place_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let Some((namespaces, _ports)) = two(dir.path(), Ask::Auto) else { return };
    let in_a = namespaces.socket("a", SocketKind::Tcp4).unwrap();
    in_a.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    in_a.listen(1).unwrap();
    let address = in_a.local_addr().unwrap();
    // The same address is free in b, and nobody answers there.
    let in_b = namespaces.socket("b", SocketKind::Tcp4).unwrap();
    let refused = in_b.connect(&address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    namespaces.socket("b", SocketKind::Tcp4).unwrap().bind(&address).unwrap();
    namespaces.socket("a", SocketKind::Tcp4).unwrap().connect(&address).unwrap();
    let nobody = namespaces.socket("c", SocketKind::Tcp4).unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::NotFound);
}

/// What a shell says that is started at a place.
async fn said_inside(owner: &Owner, namespaces: &Namespaces, role: &str, script: &str) -> String {
    let reaper = Reaper::start(&owner.reaper, &owner.run, &owner.dir).unwrap();
    let (mut reader, writer) = pipe().unwrap();
    let place = namespaces.place(role).unwrap();
    let null = || fs::File::open("/dev/null").unwrap().into();
    let stdio = [null(), writer.into(), null()];
    let running = reaper.spawn_inside(shell(script), stdio, &place.namespaces()).await.unwrap();
    assert!(running.exited().await.is_some());
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    reaper.finish().await.unwrap();
    said
}

fn shell(script: &str) -> SpawnOrder {
    let args = ["-c", script].map(str::to_owned).to_vec();
    SpawnOrder {
        program: "sh".to_owned(),
        args,
        env: [].into(),
        cwd: "/".to_owned(),
        groups: Vec::new(),
    }
}

#[tokio::test]
async fn a_peer_is_inside_from_its_first_instruction_on_and_is_who_it_would_be_outside() {
    let dir = tempfile::tempdir().unwrap();
    for ask in [Ask::Auto, Ask::Rootless] {
        let owner = Owner { dir: dir.path().join("unit"), ..owner(dir.path(), ask) };
        fs::create_dir(&owner.dir).unwrap();
        let Ok((namespaces, _ports)) = Namespaces::up(&owner, &roles(), false).await else {
            return assert!(two(dir.path(), owner.ask).is_none());
        };
        let script = "readlink /proc/self/ns/net; id -u; cat /proc/net/dev";
        let said = said_inside(&owner, &namespaces, "b", script).await;
        let mut lines = said.lines();
        let networks = namespaces.place("b").unwrap().namespaces();
        let network = format!("/proc/self/fd/{}", networks.last().unwrap().as_raw_fd());
        let network = fs::read_link(network).unwrap();
        assert_eq!(lines.next(), network.to_str());
        assert_eq!(lines.next(), Some(geteuid().as_raw().to_string().as_str()));
        assert!(said.contains("handfast0:") && !said.contains("eth0"), "{said}");
    }
    // Nothing of it was in our own network at any time.
    assert!(!Path::new("/sys/class/net/handfast0").exists());
}

#[tokio::test]
async fn a_peer_inside_a_user_namespace_dies_with_its_reaper() {
    let dir = tempfile::tempdir().unwrap();
    let Some((namespaces, _ports)) = two(dir.path(), Ask::Rootless) else { return };
    let owner = owner(&dir.path().join("unit"), Ask::Rootless);
    fs::create_dir(&owner.dir).unwrap();
    let reaper = Reaper::start(&owner.reaper, &owner.run, &owner.dir).unwrap();
    let null = || fs::File::open("/dev/null").unwrap().into();
    let place = namespaces.place("a").unwrap();
    let inside = reaper
        .spawn_inside(shell("exec sleep 600"), [null(), null(), null()], &place.namespaces())
        .await
        .unwrap();
    let pid = i32::try_from(reaper.pid()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    wait_for_the_end_of(&[i32::try_from(inside.pid()).unwrap()]);
}

#[test]
fn a_killed_holder_is_told_and_what_it_made_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let Some(net) = net(dir.path(), Ask::Auto) else { return };
    let namespaces = net.namespaces();
    let to = namespaces.place("b").unwrap().v4;
    let far = namespaces.socket("b", SocketKind::Udp4).unwrap();
    far.bind(&SocketAddr::from((to, 0)).into()).unwrap();
    let near = namespaces.socket("a", SocketKind::Udp4).unwrap();
    let holder = i32::try_from(namespaces.holder_pid()).unwrap();
    kill_process(Pid::from_raw(holder).unwrap(), Signal::KILL).unwrap();
    let gone = namespaces.socket("a", SocketKind::Udp4).unwrap_err();
    assert!(matches!(gone.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{gone:?}");
    near.send_to(b"x", &far.local_addr().unwrap()).unwrap();
    assert_eq!((&far).read(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn places_have_a_limit_and_names_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let roles = |count: usize| -> Vec<String> { (0..count).map(|n| format!("r{n}")).collect() };
    let owner = owner(dir.path(), Ask::Auto);
    let refused = Namespaces::make(&owner, &roles(PLACES_MAX + 1), false).unwrap_err();
    assert!(matches!(refused, NetError::TooManyRoles { count: 65 }));
    let twice = ["a".to_owned(), "a".to_owned()];
    let refused = Namespaces::make(&owner, &twice, false).unwrap_err();
    assert!(matches!(refused, NetError::Twice { role } if role == "a"));
    if two(dir.path(), Ask::Auto).is_none() {
        return;
    }
    let (namespaces, ports) = Namespaces::make(&owner, &roles(PLACES_MAX), false).unwrap();
    assert_eq!((namespaces.places().count(), ports.len()), (PLACES_MAX, PLACES_MAX));
    let last = namespaces.socket("r63", SocketKind::Udp4).unwrap();
    last.bind(&SocketAddr::from((Ipv4Addr::new(10, 77, 0, 64), 0)).into()).unwrap();
}
