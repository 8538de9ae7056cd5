//! The holder's own loop: one thread, one descriptor, no time.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::net::{SocketFlags, socket_with};
use rustix::process::{getegid, geteuid};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::interface;
use super::message::{Make, Reply, Request, Rights, SocketKind};
use crate::net::place::addresses;
use crate::reaper::frame;
use crate::sys::{namespace, tun};

/// Name of the TUN interface inside each place. Seen in a host's own network it would be a leftover.
const INTERFACE: &str = "handfast0";

/// Serves the lifeline on standard input until it breaks.
///
/// # Errors
///
/// If a reply cannot be sent, or a request not be read: handfast is gone, or confused.
pub(crate) fn serve() -> io::Result<()> {
    let lifeline = io::stdin().as_fd().try_clone_to_owned()?;
    let mut holder = Server { lifeline, networks: Vec::new(), tuns: Vec::new(), here: None };
    let mut buffer = Vec::new();
    loop {
        match frame::receive::<Request>(&holder.lifeline, &mut buffer) {
            Ok(Some((request, _))) => holder.answer(&request)?,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

struct Server {
    lifeline: OwnedFd,
    /// The networks of the places, by their numbers.
    networks: Vec<OwnedFd>,
    /// Their TUN interfaces. The system takes some ten milliseconds to take one down when its last descriptor is closed, and this
    /// process is the one that has the time: it ends by itself, and nobody waits for it.
    tuns: Vec<OwnedFd>,
    /// The place this thread is at.
    here: Option<usize>,
}

impl Server {
    fn answer(&mut self, request: &Request) -> io::Result<()> {
        let refused = match request {
            Request::Make(order) => match self.make(order) {
                Ok(()) => return Ok(()),
                Err(refusal) => Reply::Refused { why: refusal.to_string(), os: refusal.os() },
            },
            Request::Socket { place, kind } => match self.socket((*place).into(), *kind) {
                Ok(socket) => return self.send(&Reply::Socket, &[socket.as_fd()]),
                Err(error) => Reply::Refused { why: error.to_string(), os: error.raw_os_error() },
            },
        };
        self.send(&refused, &[])
    }

    fn make(&mut self, order: &Make) -> Result<(), Refusal> {
        let (users, mut has_left) = match order.rights {
            Rights::Own => (None, false),
            Rights::Users => (Some(leave_users()?), false),
            Rights::Either => match namespace::leave_network() {
                Ok(()) => (None, true),
                Err(own) => (Some(leave_users().map_err(|users| users.after(own))?), false),
            },
        };
        let mut networks = Vec::new();
        for number in 0..order.places {
            if !std::mem::take(&mut has_left) {
                namespace::leave_network().map_err(Refusal::of("make a network namespace"))?;
            }
            let (network, tun, has_v6) = furnish(number, order)?;
            let mut descriptors = vec![network.as_fd(), tun.as_fd()];
            descriptors.extend(users.as_ref().filter(|_| number == 0).map(AsFd::as_fd));
            let reply = Reply::Place { rootless: users.is_some(), has_v6 };
            self.send(&reply, &descriptors).map_err(Refusal::of("hand over a namespace"))?;
            networks.push(network);
            self.tuns.push(tun);
        }
        self.here = networks.len().checked_sub(1);
        self.networks = networks;
        Ok(())
    }

    fn socket(&mut self, place: usize, kind: SocketKind) -> io::Result<OwnedFd> {
        let network = self.networks.get(place).ok_or(Errno::NOENT)?;
        if self.here != Some(place) {
            self.here = None;
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
            self.here = Some(place);
        }
        let (family, kind) = kind.parts();
        Ok(socket_with(family, kind, SocketFlags::CLOEXEC, None)?)
    }

    fn send(&self, reply: &Reply, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        frame::send(&self.lifeline, reply, descriptors)
    }
}

/// Opens the network that this thread is in, and sets it up: its descriptor, that of its TUN interface, whether it has IPv6.
fn furnish(number: u8, order: &Make) -> Result<(OwnedFd, OwnedFd, bool), Refusal> {
    let network = own_namespace("net").map_err(Refusal::of("open a network namespace"))?;
    let tun =
        tun::open_tun(INTERFACE, order.offload).map_err(Refusal::of("make a TUN interface"))?;
    let has_v6 = interface::configure(INTERFACE, addresses(number), order.badge)
        .map_err(Refusal::of("set up the interfaces of a network namespace"))?;
    Ok((network, tun, has_v6))
}

/// Goes into a user namespace of our own, in which the user and the group keep their numbers: a peer is who it would be outside,
/// and has no right that it would not have there, as it loses those of the namespace when its program begins.
fn leave_users() -> Result<OwnedFd, Refusal> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    namespace::leave_users().map_err(Refusal::of("make a user namespace"))?;
    // A user without rights may name its groups only where it can no longer leave any.
    fs::write("/proc/self/setgroups", "deny").map_err(Refusal::of("give up groups"))?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))
        .map_err(Refusal::of("keep the user in a user namespace"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
        .map_err(Refusal::of("keep the group in a user namespace"))?;
    own_namespace("user").map_err(Refusal::of("open a user namespace"))
}

fn own_namespace(kind: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(open(format!("/proc/thread-self/ns/{kind}"), flags, Mode::empty())?)
}

/// What the system refused.
struct Refusal {
    /// What was tried, after "cannot".
    what: &'static str,
    error: io::Error,
    /// Why it had to be tried: what was refused before.
    before: Option<io::Error>,
}

impl Refusal {
    fn of(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { what, error, before: None }
    }

    fn after(self, before: io::Error) -> Self {
        Self { before: Some(before), ..self }
    }

    fn os(&self) -> Option<i32> {
        self.error.raw_os_error()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = &self.before {
            write!(f, "cannot make a network namespace as this user ({before}); ")?;
        }
        write!(f, "cannot {} ({})", self.what, self.error)?;
        hint(&self.error).map_or(Ok(()), |setting| write!(f, "; the host has set {setting}"))
    }
}

/// Settings by which distributions withhold user namespaces, or the rights inside.
const WITHHOLDING: [(&str, &str); 2] = [
    ("kernel/apparmor_restrict_unprivileged_userns", "1"),
    ("kernel/unprivileged_userns_clone", "0"),
];

/// The setting that may be why something is not permitted.
fn hint(error: &io::Error) -> Option<String> {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return None;
    }
    WITHHOLDING.iter().find_map(|(name, value)| {
        let set = fs::read_to_string(format!("/proc/sys/{name}")).ok()?;
        (set.trim() == *value).then(|| format!("{} = {value}", name.replace('/', ".")))
    })
}
