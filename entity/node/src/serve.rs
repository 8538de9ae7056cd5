//! A node on its wires: what `entity run` and `entity shim` have in common.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use entity_crypto::signing::SigningKey;
use entity_peer::Config;
use entity_transport::http::Server;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::endpoints::Endpoints;
use crate::node::Node;

/// A node that listens and keeps its deadlines, until stopped or dropped.
#[derive(Debug)]
pub struct Serving {
    node: Node,
    address: SocketAddr,
    http_address: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
    deadlines: JoinHandle<()>,
}

impl Serving {
    /// Listens on `listen` and starts the peer. `seed` is all its randomness.
    ///
    /// Where `config` has no address to announce, it is the one listened on; an unspecified host is announced as this machine.
    ///
    /// # Errors
    ///
    /// What the system says about the address.
    pub fn start(
        mut config: Config,
        key: SigningKey,
        seed: [u8; 32],
        listen: SocketAddr,
    ) -> io::Result<Self> {
        let server = Server::bind(listen, Endpoints::limits(config.profile))?;
        let address = server.local_address();
        let http_address = config.address.get_or_insert_with(|| announced(address)).clone();
        let node = Node::new(config, key, seed, Clock::start());
        let (stop, stopped) = oneshot::channel();
        let server =
            tokio::spawn(server.serve(Endpoints::new(node.clone(), address), async move {
                // A dropped sender stops the server as well.
                drop(stopped.await);
            }));
        let kept = node.clone();
        let deadlines = tokio::spawn(async move { kept.keep_deadlines().await });
        Ok(Self { node, address, http_address, stop, server, deadlines })
    }

    /// The peer.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Where it really listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base address others are told.
    pub fn http_address(&self) -> &str {
        &self.http_address
    }

    /// The base address it really listens on, whatever others are told.
    pub fn listening_at(&self) -> String {
        announced(self.address)
    }

    /// Lets open requests finish, then ends.
    pub async fn stop(self) {
        drop(self.stop);
        // A server task that panicked has nothing left to finish.
        drop(self.server.await);
        self.deadlines.abort();
    }
}

fn announced(address: SocketAddr) -> String {
    let host =
        if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
    format!("http://{}", SocketAddr::new(host, address.port()))
}
