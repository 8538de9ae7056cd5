//! Whom a remote address is counted for.

use std::net::{IpAddr, Ipv4Addr};

/// One remote host, as far as an address tells: an address of IPv4, or the first 64 bits of one of IPv6, because whoever has one
/// of these addresses has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Host {
    /// Of IPv4, written as IPv6 or not.
    V4(Ipv4Addr),
    /// The network of IPv6.
    V6(u64),
    /// Not a host: the work of accepting connections, which has a share like one.
    Door,
}

impl Host {
    /// Of this address.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d].into_iter().fold(0, |all, part| all << 16 | u64::from(part)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(address: &str) -> Host {
        Host::of(address.parse().unwrap())
    }

    #[test]
    fn all_addresses_of_one_network_of_ipv6_are_one_host() {
        assert_eq!(host("2001:db8::1"), host("2001:db8:0:0:ffff::2"));
        assert_ne!(host("2001:db8::1"), host("2001:db8:0:1::1"));
        assert_eq!(host("::ffff:192.0.2.1"), host("192.0.2.1"));
        assert_ne!(host("192.0.2.1"), host("192.0.2.2"));
    }
}
