//! A contact with what is computed from it once: its place in the network of addresses.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use entity_wire::payload::dht::{Contact, NodeId};

/// A node that can be asked. Shared, because tables, lookups and outputs hold the same ones.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    contact: Contact,
    subnet: Subnet,
    tags: Tags,
}

/// Digests of subnet and address, so that most of those that differ are told apart without a look at the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) subnet: u32,
    pub(crate) address: u32,
}

/// What addresses are likely to be in one hand.
///
/// An IPv4 /24, an IPv6 /48, or a host name. Source: `docs/protocol/1.1.md#dht-upkeep`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subnet {
    /// Loopback and private addresses: everybody there is near everybody, so nothing is counted.
    Local,
    /// The leading bytes of an address.
    Prefix([u8; 6]),
    /// A name.
    Name(Box<str>),
}

impl Node {
    /// Shares a contact.
    pub fn new(contact: Contact) -> Arc<Self> {
        let subnet = subnet_of(contact.address().authority());
        let address = tag_of(contact.address().authority());
        let tags = Tags { subnet: tag_of(&format!("{subnet:?}")), address };
        Arc::new(Self { contact, subnet, tags })
    }

    /// Who and where.
    pub fn contact(&self) -> &Contact {
        &self.contact
    }

    /// Where it lies.
    pub fn id(&self) -> NodeId {
        self.contact.node_id()
    }

    pub(crate) fn tags(&self) -> Tags {
        self.tags
    }

    /// Whose it may be.
    pub fn subnet(&self) -> &Subnet {
        &self.subnet
    }

    /// Whether both are of one subnet that is counted.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.subnet != Subnet::Local && self.subnet == other.subnet
    }

    /// Whether both claim the same host and port.
    pub fn shares_address(&self, other: &Self) -> bool {
        self.contact.address().authority() == other.contact.address().authority()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.contact.fmt(formatter)
    }
}

/// FNV-1a, folded. Whoever finds two texts with one tag only makes the comparison slower.
fn tag_of(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |tag, byte| (tag ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn subnet_of(authority: &str) -> Subnet {
    let address = authority.parse::<SocketAddr>().map(|address| address.ip());
    let bare = authority.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = address.or_else(|_| bare.parse::<IpAddr>()) {
        return subnet_of_address(address.to_canonical());
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host == "localhost" { Subnet::Local } else { Subnet::Name(host.into()) }
}

fn subnet_of_address(address: IpAddr) -> Subnet {
    match address {
        IpAddr::V4(address) if address.is_loopback() || address.is_private() => Subnet::Local,
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Subnet::Prefix([4, 0, 0, a, b, c])
        }
        IpAddr::V6(address) if address.is_loopback() || address.is_unique_local() => Subnet::Local,
        IpAddr::V6(address) => {
            let mut prefix = [0; 6];
            prefix.copy_from_slice(&address.octets()[..6]);
            Subnet::Prefix(prefix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_is_a_24_a_48_or_a_name() {
        let is_one = |a: &str, b: &str| subnet_of(a) == subnet_of(b);
        assert!(is_one("203.0.113.1:80", "203.0.113.254"));
        assert!(!is_one("203.0.113.1:80", "203.0.114.1:80"));
        assert!(is_one("[2001:db8:1::1]:80", "[2001:db8:1:ff::2]"));
        assert!(!is_one("[2001:db8:1::1]:80", "[2001:db8:2::1]:80"));
        assert!(is_one("[::ffff:203.0.113.1]:80", "203.0.113.2:81"), "the same in other words");
        assert!(is_one("Node.example:80", "node.example.:81"));
        assert!(!is_one("a.example", "b.example"));
        for local in
            ["127.0.0.1:1", "10.1.2.3:1", "192.168.0.1", "[::1]:1", "[fd00::1]:1", "localhost:1"]
        {
            assert_eq!(subnet_of(local), Subnet::Local, "{local}");
        }
    }
}
