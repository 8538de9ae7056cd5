//! What two places are tried with: a word there and back over TCP and UDP, IPv4 and IPv6.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use handfast_lab::net::{Namespaces, SocketKind};

const LONG: Duration = Duration::from_secs(30);

/// Sends a word from `a` to `b` and back, each way there is; gives the ways.
pub(crate) fn every_way(namespaces: &Namespaces) -> io::Result<Vec<SocketKind>> {
    let b = namespaces.place("b").expect("b has a place");
    let v6 = b.v6.map(IpAddr::V6);
    let ways = [
        (SocketKind::Tcp4, Some(IpAddr::V4(b.v4))),
        (SocketKind::Tcp6, v6),
        (SocketKind::Udp4, Some(IpAddr::V4(b.v4))),
        (SocketKind::Udp6, v6),
    ];
    let mut gone = Vec::new();
    for (kind, to) in ways {
        let Some(to) = to else { continue };
        match kind {
            SocketKind::Tcp4 | SocketKind::Tcp6 => stream(namespaces, kind, to)?,
            SocketKind::Udp4 | SocketKind::Udp6 => datagram(namespaces, kind, to)?,
        }
        gone.push(kind);
    }
    Ok(gone)
}

fn stream(namespaces: &Namespaces, kind: SocketKind, to: IpAddr) -> io::Result<()> {
    let listener = namespaces.socket("b", kind)?;
    listener.bind(&SocketAddr::new(to, 0).into())?;
    listener.listen(1)?;
    let mut near = namespaces.socket("a", kind)?;
    near.set_read_timeout(Some(LONG))?;
    near.connect_timeout(&listener.local_addr()?, LONG)?;
    let (mut far, _) = listener.accept()?;
    far.set_read_timeout(Some(LONG))?;
    let mut word = [0; 5];
    near.write_all(b"there")?;
    far.read_exact(&mut word)?;
    assert_eq!(&word, b"there");
    far.write_all(b"back.")?;
    near.read_exact(&mut word)?;
    assert_eq!(&word, b"back.");
    Ok(())
}

fn datagram(namespaces: &Namespaces, kind: SocketKind, to: IpAddr) -> io::Result<()> {
    let far = namespaces.socket("b", kind)?;
    far.bind(&SocketAddr::new(to, 0).into())?;
    far.set_read_timeout(Some(LONG))?;
    let near = namespaces.socket("a", kind)?;
    near.set_read_timeout(Some(LONG))?;
    near.connect(&far.local_addr()?)?;
    near.send(b"there")?;
    let mut space = [MaybeUninit::uninit(); 16];
    let (len, from) = far.recv_from(&mut space)?;
    assert_eq!(len, 5);
    far.send_to(b"back", &from)?;
    assert_eq!(near.recv(&mut space)?, 4);
    Ok(())
}
