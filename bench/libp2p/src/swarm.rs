//! One peer: what it speaks, and how a message is written.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::request_response::{self, Codec, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};

use crate::Failure;

/// Bytes of a message; its answer has one.
pub const MESSAGE_LEN: usize = 256;
/// Each of these is a message that is answered by one byte.
pub const MESSAGES: StreamProtocol = StreamProtocol::new("/bench/messages");
/// A length of eight bytes, then so many; answered by one byte when all were read.
pub const BULK: StreamProtocol = StreamProtocol::new("/bench/bulk");
const REQUESTS: StreamProtocol = StreamProtocol::new("/bench/requests");

/// Longer than any run.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3_600);

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub requests: request_response::Behaviour<Fixed>,
    pub stream: libp2p_stream::Behaviour,
}

/// A peer with an identity of its own.
pub fn swarm() -> Result<Swarm<Behaviour>, Failure> {
    let requests = request_response::Config::default().with_max_concurrent_streams(1_024);
    let behaviour = |_: &libp2p::identity::Keypair| Behaviour {
        requests: request_response::Behaviour::new([(REQUESTS, ProtocolSupport::Full)], requests),
        stream: libp2p_stream::Behaviour::new(),
    };
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(behaviour)?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_TIMEOUT))
        .build();
    Ok(swarm)
}

/// Messages of one length, without anything around them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fixed;

impl Codec for Fixed {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = u8;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut request = vec![0; MESSAGE_LEN];
        io.read_exact(&mut request).await?;
        Ok(request)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<u8>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut answer = [0];
        io.read_exact(&mut answer).await?;
        Ok(answer[0])
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&request).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        answer: u8,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&[answer]).await
    }
}
