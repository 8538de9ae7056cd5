//! `entity run`: a peer until it is told to stop.

use std::path::{Path, PathBuf};

use clap::Args;
use entity_crypto::identity::PeerId;
use entity_crypto::signing::PublicKey;
use entity_journal::JournalError;
use entity_peer::command::{AddPeer, Command, CommandError};
use entity_transport::http::Address;
use entity_wallet::{KeyInfo, KeyName, Purpose, Unlocked, WalletError};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::console::{Failed, Kind};
use super::guest::Guest;
use super::options::{Behaviour, Log, run_to_end};
use super::passphrase::{PassphraseArgs, Source};
use super::wallet::opened::{Opened, failed as wallet_failed};
use crate::admin::{AdminError, AdminSocket};
use crate::config::choice::{ListenAddress, PeerEntry, Protocol, http_address};
use crate::config::file::{self, ConfigFile};
use crate::config::{Overrides, Settings, default_data_dir};
use crate::moltbook::Slot;
use crate::node::Node;
use crate::rpc::methods::{Audience, Service};
use crate::seed;
use crate::serve::{Prepared, ServeError, Serving, Start};
use crate::signals::Ends;
use crate::storage::{Owner, Storage};
use crate::wallet_files::create_private_dir;

/// Run the peer until Ctrl-C or SIGTERM
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct RunArgs {
    /// Own id: 1 to 128 of A-Z a-z 0-9 . _ - [default: the name of the key]
    #[arg(long, env = "ENTITY_ID")]
    id: Option<PeerId>,
    /// Where to listen; port 0 chooses one, `none` listens nowhere and only dials (with --ws) [default: 127.0.0.1:8000]
    #[arg(long, value_name = "HOST:PORT", env = "ENTITY_LISTEN")]
    listen: Option<ListenAddress>,
    /// The address others are told [default: the one listened on]
    #[arg(long, value_name = "URL", env = "ENTITY_ADVERTISE", value_parser = http_address)]
    advertise: Option<Address>,
    /// Protocol versions to speak [default: both]
    #[arg(long, value_enum, env = "ENTITY_PROTOCOL")]
    protocol: Option<Protocol>,
    #[command(flatten)]
    behaviour: Behaviour,
    /// A peer to know; may be given many times
    #[arg(
        long = "peer",
        value_name = "PEER",
        help = "A peer to know, may be given many times: id=NAME,address=http://HOST:PORT (or ws://..)[,key=64 HEX][,connect=BOOL]"
    )]
    peers: Vec<PeerEntry>,
    /// Directory of the node's files [default: `entity` in `$XDG_DATA_HOME` or in `~/.local/share`]
    #[arg(long, value_name = "DIR", env = "ENTITY_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Key of the wallet to speak with [default: the wallet's default]
    #[arg(long, value_name = "NAME", env = "ENTITY_KEY")]
    key: Option<KeyName>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Configuration file [default: entity.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "ENTITY_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    log: Log,
}

const AFTER_HELP: &str = "\
Precedence: flags, then environment (ENTITY_*), then the configuration file.
The log goes to standard error; `GET /health` tells whether the peer runs.
In the profile hardened, `GET /peers` and `GET /stats` answer callers on this machine alone.

Examples:
  entity run
  entity run --id entity-a --listen 0.0.0.0:8001 --advertise http://192.0.2.1:8001
  entity run --dht --bootstrap id=entity-c,address=http://192.0.2.3:8003,key=KEY
  entity run --ws --listen none --peer id=entity-b,address=ws://192.0.2.2:8002,key=KEY
  entity run --protocol 1.0 --profile compat --peer id=entity-b,address=http://127.0.0.1:8002,key=KEY
  ENTITY_LISTEN=127.0.0.1:0 entity run --log debug --log-format json

Example of entity.toml:
  id = \"entity-a\"
  listen = \"0.0.0.0:8001\"
  advertise = \"http://192.0.2.1:8001\"
  protocol = \"both\"              # \"1.0\", \"1.1\" or \"both\"
  profile = \"hardened\"           # or \"compat\"
  trust = \"pinned\"               # or \"first-use\"
  connect = true
  websocket = true               # false, true or \"only\": besides HTTP, or alone
  frames = \"auto\"                # compact frames: \"auto\" (over WebSockets), \"always\" or \"never\"
  data_dir = \"/var/lib/entity\"
  key = \"entity-a\"               # a key of the wallet in data_dir
  passphrase_file = \"/run/credentials/entity/passphrase\"

  [[peers]]
  id = \"entity-b\"
  address = \"http://192.0.2.2:8002\"
  key = \"64 HEX, as `entity wallet show` prints on the other side\"

  [heartbeat]
  period = \"30s\"                 # how often peers are asked whether they live
  failures = 3                   # in a row make one unhealthy

  [sessions]                     # of 1.1; no more than the protocol allows, which these are
  idle = \"1h\"                    # ends after so long without a message
  lifetime = \"24h\"               # and after so long in any case

  [transfers]                    # what is taken from a peer and offered to it
  size = \"1GiB\"                  # of one transfer, 1KiB to 512GiB
  open_per_peer = 16             # at once, each way, 1 to 1024
  bytes_per_peer = \"4GiB\"        # of all open ones together; at least one of that size
  expiry = \"30m\"                 # without progress, 1m to 24h

  [dht]                          # the distributed hash table: finding each other
  enabled = true                 # meets strangers, unless trust = \"pinned\" is written above
  lifetime = \"2h\"                # of records about this entity, 1s to 24h

  [[dht.bootstrap]]              # whom to ask first; kept contacts are asked, too
  id = \"entity-c\"
  address = \"http://192.0.2.3:8003\"
  key = \"64 HEX\"

  [circuit]
  failures = 5                   # deliveries in a row, then nothing is tried for a while

  [moltbook]                     # a guest of Moltbook: docs/guide/moltbook.md
  key_file = \"/run/credentials/entity/moltbook\"
  status = \"6h\"                  # how often it posts how it is; else never
  mentions = \"5m\"                # how often it looks who names it; else never
  hand_off = \"entity-b\"          # the peer that gets what names it, as data from a stranger
  submolt = \"general\"
  established = true             # the account is more than a day old

  [rate_limits.ping]             # by message type; `other` stands for all types not named
  burst = 60
  per_second = 10";

pub(super) fn run(args: RunArgs) -> Result<(), Failed> {
    args.passphrase.leave_environment();
    args.log.start()?;
    let file = config_file(args.config.as_deref())?;
    let overrides = Overrides {
        id: args.id,
        listen: args.listen,
        advertise: args.advertise.map(|address| address.to_string()),
        protocol: args.protocol,
        data_dir: args.data_dir,
        key: args.key,
        peers: args.peers,
        ..Overrides::default()
    };
    let overrides = args.behaviour.over(overrides);
    let settings = Settings::resolve(overrides, file, default_data_dir());
    let (identity, predecessors) = identity(&settings, args.passphrase)?;
    run_to_end(serve(settings, identity, predecessors))?
}

/// Unlocks the key to speak with, and finds those that it comes after.
fn identity(
    settings: &Settings,
    passphrase: PassphraseArgs,
) -> Result<(Unlocked, Vec<PublicKey>), Failed> {
    let opened = Opened::read(&settings.data_dir)?;
    let name = opened.name(settings.key.clone())?;
    let source = match passphrase.source() {
        Source::Person => match &settings.passphrase_file {
            Some(path) => Source::File(path.clone()),
            None => Source::Person,
        },
        said @ (Source::File(_) | Source::Descriptor(_) | Source::Environment(_)) => said,
    };
    let unlocked = opened.unlock(&name, &source)?;
    match unlocked.info.purpose {
        Purpose::Identity => {
            let predecessors = opened.ok(opened.wallet.predecessors(&unlocked.info))?;
            Ok((unlocked, predecessors))
        }
        Purpose::Retired => opened.ok(Err(WalletError::Retired { name })),
    }
}

/// The named file, or `entity.toml` of the working directory if there is one.
pub(super) fn config_file(named: Option<&Path>) -> Result<ConfigFile, Failed> {
    let usual = Path::new("entity.toml");
    match named {
        Some(path) => Ok(file::load(path)?),
        None if usual.exists() => Ok(file::load(usual)?),
        None => Ok(ConfigFile::default()),
    }
}

async fn serve(
    settings: Settings,
    identity: Unlocked,
    predecessors: Vec<PublicKey>,
) -> Result<(), Failed> {
    let Unlocked { key, info } = identity;
    let id = settings.id.clone().map_or_else(|| id_of(&info), Ok)?;
    let randomness = seed::from_system().map_err(|error| Failed::new(Kind::System, error, None))?;
    let listen_failed = |error| {
        let text = format!("listen on {}: {error}", settings.listen);
        let help = "give another address with --listen; port 0 chooses a free one".to_owned();
        Failed::new(Kind::System, std::io::Error::other(text), Some(help))
    };
    // Before the peer speaks: a second node in the same directory must not.
    create_private_dir(&settings.data_dir)
        .map_err(|error| wallet_failed(&settings.data_dir, error.into()))?;
    let admin = AdminSocket::bind(&settings.data_dir).map_err(admin_failed)?;
    let mut ends = Ends::watch().map_err(|error| Failed::new(Kind::System, error, None))?;
    let owner = Owner { key: key.public_key(), predecessors };
    let kept = Storage::open(&settings.data_dir, owner)?;
    let restored = kept.1.summary();
    let listen = if settings.listen.is_nowhere() {
        None
    } else {
        Some(settings.listen.resolve().await.map_err(listen_failed)?)
    };
    let config = settings.peer_config(id.clone());
    let data_dir = Some(settings.data_dir.clone());
    let bridge = settings.bridge.clone();
    let start = Start { config, key, seed: randomness, listen, kept, bridge, data_dir };
    let (prepared, _) = Prepared::restore(start).map_err(|error| match error {
        ServeError::Listen(error) => listen_failed(error),
        ServeError::Start(error) => Failed::new(Kind::System, error, None),
        error @ (ServeError::Files(_) | ServeError::Relay(_) | ServeError::Entropy(_)) => {
            Failed::new(Kind::System, error, None)
        }
    })?;
    let known = settings.peers.len();
    add_peers(prepared.node(), settings.peers).await;
    let serving = prepared.begin();
    if settings.advertise.is_none() && listen.is_some_and(|listen| listen.ip().is_unspecified()) {
        warn!("others cannot learn the address of this peer: give it with --advertise");
    }
    let service = Service {
        node: serving.node().clone(),
        audience: Audience::Public,
        http_address: serving.http_address().to_owned(),
        protocol_versions: settings.protocol.versions(),
        data_dir: Some(settings.data_dir.clone()),
        moltbook: Slot::default(),
    };
    let mut guest = Guest::take(settings.moltbook, &settings.data_dir, &service)?;
    let administration = tokio::spawn(admin.serve(service));
    let key = serving.node().look(|peer, _| peer.public_key());
    info!(%id, address = %serving.address(), %key, peers = known, restored, "ready");
    guest.begin(serving.node());
    run_until_told(serving, &mut ends, administration, &guest).await
}

/// Waits until somebody or the journal ends the peer, and ends it in order; a second signal ends it at once.
async fn run_until_told(
    serving: Serving,
    ends: &mut Ends,
    administration: JoinHandle<()>,
    guest: &Guest,
) -> Result<(), Failed> {
    let ended = tokio::select! {
        signal = ends.next() => {
            info!(signal, "stopping");
            Ok(())
        }
        failure = serving.node().failed() => {
            Err(journal_failed("go on", &failure))
        }
    };
    let stop = async {
        guest.end();
        administration.abort();
        // The socket's file goes when the task has ended.
        drop(administration.await);
        serving.stop().await
    };
    tokio::select! {
        closed = stop => {
            ended?;
            closed.map_err(|failure| journal_failed("close the store", &failure))?;
            info!("stopped");
            Ok(())
        }
        signal = ends.next() => {
            warn!(signal, "ending at once");
            ended
        }
    }
}

fn journal_failed(doing: &str, failure: &JournalError) -> Failed {
    let error = std::io::Error::other(format!("{doing}: {failure}"));
    Failed::new(Kind::System, error, None)
}

/// The name of the key, where a peer can be called so; else one that is this key's alone.
fn id_of(info: &KeyInfo) -> Result<PeerId, Failed> {
    info.name.as_str().parse().or_else(|_| {
        let digits: String = info.public_key.to_hex().chars().take(16).collect();
        let id = format!("entity-{digits}").parse();
        id.map_err(|error| Failed::new(Kind::Usage, error, None))
    })
}

async fn add_peers(node: &Node, peers: Vec<PeerEntry>) {
    for PeerEntry { id, address, key, connect } in peers {
        let added = AddPeer { name: id.clone(), address: address.to_string(), key, connect };
        if let Err(error) = node.command(Command::AddPeer(added)).await {
            warn!(peer = %id, %error, help = help_for(&error), "peer cannot be added");
        }
    }
}

fn help_for(error: &CommandError) -> &'static str {
    if matches!(error, CommandError::KeyMismatch { .. }) {
        "the key that is kept counts; if the peer has another one by right, run `entity peers remove` and start again"
    } else {
        "see the limits in `entity run --help`"
    }
}

fn admin_failed(error: AdminError) -> Failed {
    let help = match &error {
        AdminError::Taken { .. } => "stop it, or give this one another --data-dir".to_owned(),
        AdminError::OpenToOthers { path, .. } => format!("chmod go-rwx {}", path.display()),
        AdminError::Io { .. } => {
            "give a directory with a short path that can be written, with --data-dir".to_owned()
        }
    };
    Failed::new(Kind::System, error, Some(help))
}
