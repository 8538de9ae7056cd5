//! What a new network needs before a peer can be in it: loopback, an interface with addresses, and silence.
//!
//! Source: rtnetlink(7); `Documentation/networking/ip-sysctl.rst` of Linux for what an interface sends of its own accord.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute, LinkFlags, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    RecvFlags, SendFlags, SocketFlags, SocketType, netdevice, recv, sendto, socket_with,
};

use crate::net::place::{MTU, PREFIX_V4, PREFIX_V6};

/// Index of the loopback interface in every network.
const LOOPBACK: u32 = 1;

/// Packets that a peer has sent and the switch has not read: what the switch may be late by, 120 ms of 1 Gbit/s in packets of
/// 1,500 bytes. The system drops what is beyond, without telling anybody.
const QUEUE: u32 = 10_000;

/// `RT_TABLE_LOCAL`: the routing table of a network's own addresses.
const TABLE_LOCAL: u8 = 255;

/// Longest answer of the system, in bytes: an acknowledgement repeats the request.
const ANSWER_MAX: usize = 4096;

/// Brings up loopback and the TUN interface `name` of the network of this thread, with these addresses, and puts the badge on
/// loopback; `false` if the host has no IPv6, and so neither the second address nor the badge.
///
/// The interface then says nothing of its own accord: it makes up no link-local address, so that it asks for no routers, and
/// has no neighbours to ask for.
///
/// # Errors
///
/// What the system says, most often `EPERM`.
pub(crate) fn configure(
    name: &str,
    (v4, v6): (Ipv4Addr, Ipv6Addr),
    badge: Ipv6Addr,
) -> io::Result<bool> {
    let mut netlink = Netlink::open()?;
    let tun = netdevice::name_to_index(&netlink.socket, name)?;
    netlink.change_link(LOOPBACK, Vec::new(), LinkFlags::Up)?;
    let size = vec![LinkAttribute::Mtu(MTU.into()), LinkAttribute::TxQueueLen(QUEUE)];
    netlink.change_link(tun, size, LinkFlags::empty())?;
    let silent = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
    let silent = vec![LinkAttribute::AfSpecUnspec(vec![silent])];
    let has_v6 = unless_without_v6(netlink.change_link(tun, silent, LinkFlags::empty()))?;
    netlink.change_link(tun, Vec::new(), LinkFlags::Up)?;
    netlink.add_address(tun, v4.into(), PREFIX_V4)?;
    if !has_v6 || !unless_without_v6(netlink.add_address(tun, v6.into(), PREFIX_V6))? {
        return Ok(false);
    }
    netlink.take_at_once(tun, v6)?;
    netlink.add_address(LOOPBACK, badge.into(), 128)?;
    Ok(true)
}

/// `false` for the answers of a host whose IPv6 is not compiled in, not loaded, or switched off.
fn unless_without_v6(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Ok(()) => Ok(true),
        Err(error) => {
            let without = [Errno::AFNOSUPPORT, Errno::OPNOTSUPP, Errno::ACCESS];
            let is_without = Errno::from_io_error(&error).is_some_and(|no| without.contains(&no));
            if is_without { Ok(false) } else { Err(error) }
        }
    }
}

struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    fn open() -> io::Result<Self> {
        let family = rustix::net::AddressFamily::NETLINK;
        // No protocol is `NETLINK_ROUTE`, which is number 0.
        let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Changes an interface; flags are only set.
    fn change_link(
        &mut self,
        index: u32,
        attributes: Vec<LinkAttribute>,
        flags: LinkFlags,
    ) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = flags;
        message.header.change_mask = flags;
        message.attributes = attributes;
        self.ask(RouteNetlinkMessage::SetLink(message), 0)
    }

    fn add_address(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.index = index;
        message.header.prefix_len = prefix;
        message.header.family = match address {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        // Nobody else can have it, so nobody is asked whether he has.
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes =
            vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
        self.ask(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Lets packets for an address arrive from now on. The system would do the same a moment later, when it gets to what is left
    /// to do of a new address; until then it would drop them.
    fn take_at_once(&mut self, index: u32, address: Ipv6Addr) -> io::Result<()> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet6;
        message.header.destination_prefix_length = 128;
        message.header.table = TABLE_LOCAL;
        message.header.protocol = RouteProtocol::Kernel;
        message.header.kind = RouteType::Local;
        message.attributes = vec![
            RouteAttribute::Destination(RouteAddress::Inet6(address)),
            RouteAttribute::Oif(index),
        ];
        match self.ask(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        }
    }

    /// Sends one message and waits for its acknowledgement.
    fn ask(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence += 1;
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let system = SocketAddrNetlink::new(0, 0);
        sendto(&self.socket, &bytes, SendFlags::empty(), &system)?;
        self.acknowledged()
    }

    fn acknowledged(&self) -> io::Result<()> {
        let mut bytes = vec![0; ANSWER_MAX];
        let (len, _) = rustix::io::retry_on_intr(|| {
            recv(&self.socket, bytes.as_mut_slice(), RecvFlags::empty())
        })?;
        let answer = bytes.get(..len).unwrap_or_default();
        let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(answer)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        let NetlinkPayload::Error(answer) = answer.payload else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no acknowledgement came"));
        };
        // An acknowledgement is an error without a code.
        if answer.code.is_none() { Ok(()) } else { Err(answer.to_io()) }
    }
}
