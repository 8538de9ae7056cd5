//! Where the sockets of a tap stand.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream as StdStream};
use std::sync::Arc;

use handfast_faults::Link;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::spawn_blocking;

use crate::tap::shaped::Shapes;
use crate::tap::stream::Stream;

/// Makes the sockets of a tap, each where the peer of a role would have it.
///
/// Calls may take a moment (they may ask another process), but never wait for a peer.
pub(crate) trait Ground: fmt::Debug + Send + Sync {
    /// A new TCP socket over IPv4 that stands where the peer of `role` stands.
    ///
    /// # Errors
    ///
    /// What the system says, or that there is no such role.
    fn tcp(&self, role: &str) -> io::Result<Socket>;

    /// Whether each role has a loopback of its own, which no other role reaches.
    fn is_apart(&self) -> bool;

    /// The links that the tap has to stand for, because nothing else carries out their conditions.
    fn shapes(&self) -> Option<&Shapes> {
        None
    }
}

/// All roles share the loopback of this machine.
#[derive(Debug)]
pub(crate) struct Loopback;

impl Ground for Loopback {
    fn tcp(&self, _role: &str) -> io::Result<Socket> {
        Socket::new(Domain::IPV4, Type::STREAM.cloexec(), Some(Protocol::TCP))
    }

    fn is_apart(&self) -> bool {
        false
    }
}

/// All roles share the loopback of this machine, and the tap stands for the links between them.
impl Ground for Shapes {
    fn tcp(&self, role: &str) -> io::Result<Socket> {
        Loopback.tcp(role)
    }

    fn is_apart(&self) -> bool {
        false
    }

    fn shapes(&self) -> Option<&Shapes> {
        Some(self)
    }
}

/// Connections that may wait to be accepted on one listener: as many as tokio's own listeners take.
const BACKLOG: i32 = 1_024;

/// Listens on the loopback that the peer of `role` has, on this port or, if it is 0, any.
pub(super) async fn listen(
    ground: &Arc<dyn Ground>,
    role: &str,
    port: u16,
) -> io::Result<TcpListener> {
    let socket = make(ground, role).await?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Connects from where the peer of `role` stands.
pub(crate) async fn connect(
    ground: &Arc<dyn Ground>,
    role: &str,
    address: SocketAddr,
) -> io::Result<TcpStream> {
    if !ground.is_apart() {
        return TcpStream::connect(address).await;
    }
    let socket = make(ground, role).await?;
    socket.set_nonblocking(true)?;
    TcpSocket::from_std_stream(StdStream::from(socket)).connect(address).await
}

/// Connects over a link, to where the peer of its `to` listens.
pub(super) async fn dial(
    ground: &Arc<dyn Ground>,
    link: &Link,
    address: SocketAddr,
) -> io::Result<Stream> {
    let connecting = connect(ground, &link.from, address);
    if let Some(shapes) = ground.shapes() {
        return shapes.connect(link, connecting).await.map(Stream::Shaped);
    }
    let stream = connecting.await?;
    stream.set_nodelay(true)?;
    Ok(Stream::Plain(stream))
}

async fn make(ground: &Arc<dyn Ground>, role: &str) -> io::Result<Socket> {
    if !ground.is_apart() {
        return ground.tcp(role);
    }
    let (ground, role) = (ground.clone(), role.to_owned());
    spawn_blocking(move || ground.tcp(&role)).await.map_err(io::Error::other)?
}
