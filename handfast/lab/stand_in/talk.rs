//! What two places are tried with: a word there and back over TCP and UDP, IPv4 and IPv6.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use handfast_lab::net::{Net, SocketKind};

const LONG: Duration = Duration::from_secs(30);

/// Sends a word from `a` to `b` and back, each way there is; gives the ways.
pub(crate) fn every_way(net: &Net) -> io::Result<Vec<SocketKind>> {
    let b = net.place("b").expect("b has a place");
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
            SocketKind::Tcp4 | SocketKind::Tcp6 => stream(net, kind, to)?,
            SocketKind::Udp4 | SocketKind::Udp6 => datagram(net, kind, to)?,
        }
        gone.push(kind);
    }
    Ok(gone)
}

fn stream(net: &Net, kind: SocketKind, to: IpAddr) -> io::Result<()> {
    let listener = net.socket("b", kind)?;
    listener.bind(&SocketAddr::new(to, 0).into())?;
    listener.listen(1)?;
    let mut near = net.socket("a", kind)?;
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

fn datagram(net: &Net, kind: SocketKind, to: IpAddr) -> io::Result<()> {
    let far = net.socket("b", kind)?;
    far.bind(&SocketAddr::new(to, 0).into())?;
    far.set_read_timeout(Some(LONG))?;
    let near = net.socket("a", kind)?;
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
