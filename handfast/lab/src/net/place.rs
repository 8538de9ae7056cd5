//! Where a role's peer is.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// The most roles that have a network together; each costs this process two descriptors.
pub const PLACES_MAX: usize = 64;

/// Largest packet of a place's interface, in bytes, as on an Ethernet.
pub const MTU: u16 = 1500;

/// Bits of an IPv4 address that all places share.
pub(crate) const PREFIX_V4: u8 = 24;
/// The same of IPv6.
pub(crate) const PREFIX_V6: u8 = 64;

/// Where a role's peer is: in a network of its own, with these addresses.
#[derive(Debug)]
pub struct Place {
    /// Its address, `10.77.0.N`, in the network `10.77.0.0/24` of all places.
    pub v4: Ipv4Addr,
    /// Its address `fd77::N` in `fd77::/64`; `None` on a host without IPv6.
    pub v6: Option<Ipv6Addr>,
    pub(crate) network: OwnedFd,
    /// The user namespace that the networks belong to, where one was needed to make them.
    pub(crate) users: Option<Arc<OwnedFd>>,
}

impl Place {
    /// The namespaces that a process enters, in this order, to be at this place.
    pub fn namespaces(&self) -> Vec<BorrowedFd<'_>> {
        let users = self.users.as_deref().map(AsFd::as_fd);
        users.into_iter().chain([self.network.as_fd()]).collect()
    }
}

/// The addresses of the place with this number, below [`PLACES_MAX`].
pub(crate) fn addresses(number: u8) -> (Ipv4Addr, Ipv6Addr) {
    let host = number.saturating_add(1);
    (Ipv4Addr::new(10, 77, 0, host), Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, host.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_addresses_of_their_own_from_one_on() {
        let (v4, v6) = addresses(0);
        assert_eq!(
            (v4.to_string(), v6.to_string()),
            ("10.77.0.1".to_owned(), "fd77::1".to_owned())
        );
        let last = u8::try_from(PLACES_MAX - 1).unwrap();
        let (v4, v6) = addresses(last);
        assert_eq!(
            (v4.to_string(), v6.to_string()),
            ("10.77.0.64".to_owned(), "fd77::40".to_owned())
        );
    }
}
