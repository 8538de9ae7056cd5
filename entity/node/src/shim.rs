//! The peer contract on standard input and output (`docs/contract/`): how a test platform drives this peer.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use entity_crypto::signing::{PublicKey, SigningKey};
use entity_journal::JournalError;
use entity_peer::Config;
use tracing::{info, warn};

use crate::config::choice::{ListenAddress, Protocol};
use crate::moltbook::Slot;
use crate::node::StartError;
use crate::relay::BridgeConfig;
use crate::rpc::RpcError;
use crate::rpc::lines::{Writer, read_from};
use crate::rpc::methods::{Audience, Service};
use crate::rpc::session::{End, converse};
use crate::seed::{self, NoEntropy, TestSeed};
use crate::serve::{ServeError, Serving, Start};
use crate::signals::Ends;
use crate::storage::{OpenError, Owner, Storage};

/// What a shim is started with.
#[derive(Debug)]
pub struct Setup {
    /// The peer; its id is the name that the platform gave.
    pub config: Config,
    /// The versions spoken, as `config` has them.
    pub protocol: Protocol,
    /// Where to listen.
    pub listen: ListenAddress,
    /// What it does as a relay, and at which relays it is a member.
    pub bridge: BridgeConfig,
    /// Whether the methods of test peers exist.
    pub audience: Audience,
    /// Where the count of starts is kept, and whatever else outlives one.
    pub data_dir: Option<PathBuf>,
    /// The identity, where the data directory keeps one; else every start has a new one.
    pub identity: Option<SigningKey>,
    /// The keys that handed over to it, the latest first.
    pub predecessors: Vec<PublicKey>,
    /// What everything random is derived from, in a test peer.
    pub seed: Option<TestSeed>,
}

/// Why a shim could not run.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// The address cannot be listened on.
    #[error("listen on {listen}")]
    Listen {
        /// The address.
        listen: ListenAddress,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The count of starts cannot be kept.
    #[error("count the starts in {}", path.display())]
    Starts {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// There is no randomness.
    #[error("start")]
    Entropy(#[from] NoEntropy),
    /// The store cannot be used.
    #[error(transparent)]
    Storage(#[from] OpenError),
    /// The peer cannot start.
    #[error(transparent)]
    Start(StartError),
    /// What was kept as a relay cannot be used.
    #[error("go on as a relay with what was kept")]
    Relay(#[from] entity_bridge::relay::DamagedRecord),
    /// The directory of received files cannot be used.
    #[error("use the directory of received files")]
    Files(#[source] io::Error),
    /// The system gives no signals.
    #[error("watch for signals")]
    Signals(#[source] io::Error),
    /// The store failed while the peer ran.
    #[error("go on: {0}")]
    Journal(Arc<JournalError>),
    /// Standard input and output cannot be served.
    #[error("speak on standard input and output")]
    Streams(#[source] io::Error),
}

/// Runs until `shutdown`, the end of standard input, or a signal. A second signal ends it at once.
///
/// # Errors
///
/// [`ShimError`] before the first line is read, and when the store fails; otherwise every error is an answer.
pub async fn run(mut setup: Setup) -> Result<(), ShimError> {
    let (key, randomness) = secrets(&mut setup)?;
    let listen_failed = |source| ShimError::Listen { listen: setup.listen.clone(), source };
    let listen = setup.listen.resolve().await.map_err(listen_failed)?;
    let kept = match &setup.data_dir {
        Some(data_dir) => {
            let predecessors = std::mem::take(&mut setup.predecessors);
            Storage::open(data_dir, Owner { key: key.public_key(), predecessors })?
        }
        None => Storage::volatile(),
    };
    let restored = kept.1.summary();
    let mut ends = Ends::watch().map_err(ShimError::Signals)?;
    let (data_dir, folder) = (setup.data_dir.clone(), setup.data_dir);
    let bridge = setup.bridge;
    let start = Start {
        config: setup.config,
        key,
        seed: randomness,
        listen: Some(listen),
        kept,
        bridge,
        data_dir,
    };
    let (serving, events) = Serving::restore(start).map_err(|error| match error {
        ServeError::Listen(source) => listen_failed(source),
        ServeError::Start(error) => ShimError::Start(error),
        ServeError::Files(error) => ShimError::Files(error),
        ServeError::Relay(error) => ShimError::Relay(error),
        ServeError::Entropy(error) => ShimError::Entropy(error),
    })?;
    info!(address = %serving.address(), restored, "ready");
    let service = Service {
        node: serving.node().clone(),
        audience: setup.audience,
        // Not the announced one: there the platform's own proxy listens.
        http_address: serving.listening_at(),
        protocol_versions: setup.protocol.versions(),
        data_dir: folder,
        moltbook: Slot::default(),
    };
    let lines = read_from(io::stdin()).map_err(ShimError::Streams)?;
    let writer = Writer::to(io::stdout()).map_err(ShimError::Streams)?;
    let (farewell, ended) = tokio::select! {
        end = converse(service, lines, writer.lines(), Some(events)) => match end {
            End::Shutdown(farewell) => (Some(farewell), Ok(())),
            End::Closed => (None, Ok(())),
        },
        signal = ends.next() => {
            info!(signal, "stopping");
            (None, Ok(()))
        }
        failure = serving.node().failed() => (None, Err(ShimError::Journal(failure))),
    };
    let stop = async {
        let closed = serving.stop().await;
        // Only now is it true: whoever has the answer may take the files away.
        if let Some(farewell) = farewell {
            farewell.say(closed.as_ref().copied().map_err(not_closed)).await;
        }
        writer.close().await;
        closed.map_err(ShimError::Journal)
    };
    tokio::select! {
        closed = stop => ended.and(closed),
        signal = ends.next() => {
            warn!(signal, "ending at once");
            ended
        }
    }
}

fn not_closed(failure: &Arc<JournalError>) -> RpcError {
    RpcError::refused("SERVICE_UNAVAILABLE", format!("close the store: {failure}"))
}

/// The identity and the randomness of this start.
fn secrets(setup: &mut Setup) -> Result<(SigningKey, [u8; 32]), ShimError> {
    if let Some(seed) = &setup.seed {
        let count = |data_dir: &PathBuf| count_start(data_dir);
        let start = setup.data_dir.as_ref().map_or(Ok(0), count)?;
        return Ok((seed.identity(), seed.randomness(start)));
    }
    let key = match setup.identity.take() {
        Some(key) => key,
        None => SigningKey::from_seed(seed::from_system()?),
    };
    Ok((key, seed::from_system()?))
}

/// How many starts there were before this one, so that each has its own randomness.
fn count_start(data_dir: &std::path::Path) -> Result<u64, ShimError> {
    let path = data_dir.join("starts");
    let failed = |source| ShimError::Starts { path: path.clone(), source };
    std::fs::create_dir_all(data_dir).map_err(failed)?;
    let start = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse::<u64>().map_err(|error| failed(io::Error::other(error)))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(failed(error)),
    };
    // In one step: a process that is killed in between leaves the count as it was, and not half of it.
    let beside = data_dir.join("starts.new");
    std::fs::write(&beside, format!("{}\n", start.saturating_add(1))).map_err(failed)?;
    std::fs::rename(&beside, &path).map_err(failed)?;
    Ok(start)
}
