//! The port of a peer that is away for a while.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// A port at which nobody listens and which the system gives to nobody who asks for any free one.
#[derive(Debug)]
pub(super) struct ReservedPort {
    /// Bound, and never listening: whoever connects is refused, as with a port that nobody has.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is held"))]
    socket: Socket,
}

impl ReservedPort {
    /// Reserves the port of `address` until it is dropped. Connections that are still closing there do not matter.
    ///
    /// # Errors
    ///
    /// What the system says, such as that somebody listens there.
    pub(super) fn at(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(Self { socket })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    fn any() -> (ReservedPort, SocketAddr) {
        let port = ReservedPort::at((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = port.socket.local_addr().unwrap().as_socket().unwrap();
        (port, address)
    }

    #[test]
    fn a_reserved_port_refuses_connections_until_its_peer_is_back() {
        let (port, address) = any();
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        drop(port);
        let listener = TcpListener::bind(address).unwrap();
        assert_eq!(ReservedPort::at(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        TcpStream::connect(address).unwrap();
        drop(listener);
    }

    #[test]
    fn whoever_asks_for_any_port_does_not_get_a_reserved_one() {
        let reserved: Vec<(ReservedPort, SocketAddr)> = (0..64).map(|_| any()).collect();
        // Were they given away, some forty of these would be among them.
        for _ in 0..20_000 {
            let other = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            assert!(reserved.iter().all(|(_, address)| *address != other), "{other} is reserved");
        }
    }
}
