//! A node on its wires: what `entity run` and `entity shim` have in common.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use entity_bridge::relay::DamagedRecord;
use entity_crypto::derivation::sha256;
use entity_crypto::signing::SigningKey;
use entity_journal::{JournalError, Stored};
use entity_peer::Config;
use entity_transport::http::Server;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::descriptors;
use crate::endpoints::Endpoints;
use crate::node::{Node, Numbered, StartError};
use crate::relay::{Bridge, BridgeConfig};
use crate::seed::NoEntropy;
use crate::storage::Storage;

/// How long transmissions under way may take to end when the node stops; the requests of others have the server's drain time
/// before. Guessed: an answer that is still to come after this long is to be repeated anyway.
const DELIVERIES_PATIENCE: Duration = Duration::from_secs(2);

/// What a serving node is started with.
#[derive(Debug)]
pub struct Start {
    /// The peer.
    pub config: Config,
    /// Its identity.
    pub key: SigningKey,
    /// All its randomness; a new one at every start.
    pub seed: [u8; 32],
    /// Where to listen; `None` is a peer without a port, which others reach over the WebSockets that it dials.
    pub listen: Option<SocketAddr>,
    /// Where it keeps its records, and what is there.
    pub kept: (Storage, Stored),
    /// What it does as a relay, and at which relays it is a member.
    pub bridge: BridgeConfig,
    /// Where received files go; `None` takes none.
    pub data_dir: Option<PathBuf>,
}

/// Why a node cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("listen")]
    Listen(#[source] io::Error),
    /// The peer cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What was kept as a relay cannot be used.
    #[error("go on as a relay with what was kept")]
    Relay(#[from] DamagedRecord),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The directory of received files cannot be used.
    #[error("use the directory of received files")]
    Files(#[source] io::Error),
}

/// A node that has its port and its records and hears nobody yet: who connects waits until it [begins](Self::begin).
///
/// What it has to know before the first message comes, it is told here: a message of a peer that it is about to learn of would be
/// refused as that of a stranger.
#[derive(Debug)]
pub struct Prepared {
    node: Node,
    address: SocketAddr,
    http_address: String,
    server: Option<Server>,
    bridge: Option<Arc<Bridge>>,
    deadlines: JoinHandle<()>,
}

/// A node that listens and keeps its deadlines, until stopped or dropped.
#[derive(Debug)]
pub struct Serving {
    node: Node,
    address: SocketAddr,
    http_address: String,
    stop: oneshot::Sender<()>,
    server: Option<JoinHandle<()>>,
    deadlines: JoinHandle<()>,
}

impl Prepared {
    /// Takes a port and what was kept. What comes with it hears of every event from the first; dropping it is hearing of none.
    ///
    /// Where the configuration has no address to announce, it is the one listened on; an unspecified host is announced as
    /// this machine.
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub fn restore(start: Start) -> Result<(Self, mpsc::Receiver<Numbered>), ServeError> {
        let Start { mut config, key, seed, listen, mut kept, bridge, data_dir } = start;
        let limits = Endpoints::limits(config.profile).within(descriptors::take_all());
        let server = listen.map(|listen| Server::bind(listen, limits)).transpose();
        let server = server.map_err(ServeError::Listen)?;
        let address = server.as_ref().map_or(NOWHERE, Server::local_address);
        // Who takes nothing by HTTP is found at its relay.
        if server.is_some() && (config.http || bridge.relays.is_empty()) {
            config.address.get_or_insert_with(|| announced(address));
        }
        if let (None, Some(relay)) = (&config.address, bridge.relays.first()) {
            config.address = Some(relay.mailbox(&key.public_key()));
        }
        let http_address = config.address.clone().unwrap_or_default();
        let own_key = SigningKey::from_seed_at(key.seed());
        let relay_seed = sha256(&[b"relay".as_slice(), &seed].concat());
        let relay = Bridge::restore(&bridge, &own_key, relay_seed, &mut kept.1)?;
        let id = config.id.clone();
        let node = Node::restore(config, key, seed, Clock::start(), kept)?;
        node.keep_files(data_dir.as_deref()).map_err(ServeError::Files)?;
        let events = node.listen();
        let bridge = Bridge::start(&node, (bridge, relay), (id, &own_key))?;
        let kept = node.clone();
        let deadlines = tokio::spawn(async move { kept.keep_deadlines().await });
        Ok((Self { node, address, http_address, server, bridge, deadlines }, events))
    }

    /// The peer.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Hears others from here on.
    pub fn begin(self) -> Serving {
        let Self { node, address, http_address, server, bridge, deadlines } = self;
        let (stop, stopped) = oneshot::channel();
        let server = server.map(|server| {
            let server = server.in_turns(node.layers().turns());
            tokio::spawn(server.serve(Endpoints::new(node.clone(), address), async move {
                // A dropped sender stops the server as well.
                drop(stopped.await);
            }))
        });
        if let Some(bridge) = bridge {
            Bridge::keep_memberships(&bridge);
        }
        Serving { node, address, http_address, stop, server, deadlines }
    }
}

impl Serving {
    /// Listens on `listen` and starts a peer that keeps its records in memory. `seed` is all its randomness.
    ///
    /// # Errors
    ///
    /// What the system says about the address.
    pub fn start(
        config: Config,
        key: SigningKey,
        seed: [u8; 32],
        listen: SocketAddr,
    ) -> Result<Self, ServeError> {
        let kept = Storage::volatile();
        let bridge = BridgeConfig::default();
        let listen = Some(listen);
        let start = Start { config, key, seed, listen, kept, bridge, data_dir: None };
        Self::restore(start).map(|(serving, _)| serving)
    }

    /// Listens and starts a peer that goes on with what was kept: [`Prepared`], which begins at once.
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub fn restore(start: Start) -> Result<(Self, mpsc::Receiver<Numbered>), ServeError> {
        let (prepared, events) = Prepared::restore(start)?;
        Ok((prepared.begin(), events))
    }

    /// The peer.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Where it really listens; port 0 of no host where it does not.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base address others are told; empty where there is none.
    pub fn http_address(&self) -> &str {
        &self.http_address
    }

    /// The base address it really listens on, whatever others are told.
    pub fn listening_at(&self) -> String {
        announced(self.address)
    }

    /// Takes no new work, lets open requests and transmissions finish for a few seconds, makes everything durable, closes the
    /// store, and ends.
    ///
    /// # Errors
    ///
    /// Why the store failed, now or before: then not everything is durable.
    pub async fn stop(self) -> Result<(), Arc<JournalError>> {
        self.node.refuse_commands();
        self.deadlines.abort();
        drop(self.stop);
        if let Some(server) = self.server {
            // A server task that panicked has nothing left to finish.
            drop(server.await);
        }
        self.node.close(DELIVERIES_PATIENCE).await
    }
}

/// The address of a peer without a port.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

fn announced(address: SocketAddr) -> String {
    let host =
        if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
    format!("http://{}", SocketAddr::new(host, address.port()))
}
