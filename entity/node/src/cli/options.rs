//! Options that several commands share.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use tokio::runtime::Builder;

use super::console::{Failed, Kind, LogFormat, start_log};
use crate::config::choice::{Profile, Trust};
use crate::config::dht::{Bootstrap, DhtTable, Lifetime as DhtLifetime};
use crate::config::frames::Frames;
use crate::config::heartbeat::Period;
use crate::config::mail::{MailLifetime, MailMax, MailTable};
use crate::config::relays::RelayEntry;
use crate::config::routes::RelayPatience;
use crate::config::sessions::{Idle, Lifetime, SessionsTable};
use crate::config::websocket::WebSockets;
use crate::config::{self, Overrides};

/// Where the node keeps its files.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataDir {
    /// Directory of the node's files [default: `entity` in `$XDG_DATA_HOME` or in `~/.local/share`]
    #[arg(long, value_name = "DIR", env = "ENTITY_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

impl DataDir {
    pub(crate) fn resolve(self) -> PathBuf {
        self.data_dir.unwrap_or_else(config::default_data_dir)
    }
}

/// How a peer behaves, whoever starts it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Behaviour {
    /// How strictly protocol 1.0 is received [default: hardened]
    #[arg(long, value_enum, env = "ENTITY_PROFILE")]
    profile: Option<Profile>,
    /// Which keys are believed [default: pinned]
    #[arg(long, value_enum, env = "ENTITY_TRUST")]
    trust: Option<Trust>,
    /// Whether to open sessions without being asked for [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "ENTITY_CONNECT")]
    connect: Option<bool>,
    /// Whether the inbox keeps a `token_transfer` of 1.0 instead of refusing it [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "ENTITY_LEGACY_TOKEN_TRANSFER")]
    legacy_token_transfer: Option<bool>,
    /// How often peers are asked whether they live, `2s` to `60m` [default: 30s]
    #[arg(long, value_name = "PERIOD", env = "ENTITY_HEARTBEAT")]
    heartbeat: Option<Period>,
    /// Whether to serve WebSockets at `/ws` and to dial those who do: true, false or only (nothing by HTTP) [default: false]
    #[arg(long, value_name = "WHETHER", num_args = 0..=1, default_missing_value = "true", env = "ENTITY_WS")]
    ws: Option<WebSockets>,
    /// When messages travel as compact frames: auto (over WebSockets), always or never, which also takes none [default: auto]
    #[arg(long, value_name = "WHEN", env = "ENTITY_FRAMES")]
    frames: Option<Frames>,
    /// Whether to be a relay: hand messages of others on, and keep them for who is absent [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "ENTITY_RELAY_ROLE")]
    relay: Option<bool>,
    /// A relay to be a member of, may be given many times: ws://HOST:PORT#KEY
    #[arg(long, value_name = "RELAY", env = "ENTITY_RELAY", value_delimiter = ',')]
    via: Vec<RelayEntry>,
    /// How long a relay keeps mail, `1s` to `168h` [default: 24h]
    #[arg(long, value_name = "TIME", env = "ENTITY_RELAY_MAIL_LIFETIME")]
    relay_mail_lifetime: Option<MailLifetime>,
    /// How many messages a relay keeps for one recipient, and of one sender, 1 to 65536 [default: 4096]
    #[arg(long, value_name = "COUNT", env = "ENTITY_RELAY_MAIL_MAX")]
    relay_mail_max: Option<MailMax>,
    /// Whether no new session is begun over HTTP while the WebSocket to a peer is cut off [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "ENTITY_PARTITION_WAITS")]
    partition_waits: Option<bool>,
    /// How long a relay may leave durable messages unacknowledged before it is suspected, `1s` to `1h` [default: 30s]
    #[arg(long, value_name = "TIME", env = "ENTITY_RELAY_PATIENCE")]
    relay_patience: Option<RelayPatience>,
    /// How long a session of 1.1 lives without a message, `1s` to `1h` [default: 1h]
    #[arg(long, value_name = "TIME", env = "ENTITY_SESSION_IDLE")]
    session_idle: Option<Idle>,
    /// How long a session of 1.1 lives at all, `1s` to `24h` [default: 24h]
    #[arg(long, value_name = "TIME", env = "ENTITY_SESSION_LIFETIME")]
    session_lifetime: Option<Lifetime>,
    /// Whether to take part in the distributed hash table, which also meets strangers unless `--trust pinned` is given [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", env = "ENTITY_DHT")]
    dht: Option<bool>,
    /// Whom to ask first in the table, may be given many times: id=NAME,address=http://HOST:PORT,key=64 HEX
    #[arg(long, value_name = "PEER")]
    bootstrap: Vec<Bootstrap>,
    /// How long records about this entity live in the table, `1s` to `24h` [default: 2h]
    #[arg(long, value_name = "TIME", env = "ENTITY_DHT_LIFETIME")]
    dht_lifetime: Option<DhtLifetime>,
}

impl Behaviour {
    /// What is said elsewhere, and this.
    pub(crate) fn over(self, others: Overrides) -> Overrides {
        Overrides {
            profile: self.profile,
            trust: self.trust,
            connect: self.connect,
            legacy_token_transfer: self.legacy_token_transfer,
            websocket: self.ws,
            frames: self.frames,
            is_relay: self.relay,
            relays: self.via,
            mail: MailTable { lifetime: self.relay_mail_lifetime, messages: self.relay_mail_max },
            partition_waits: self.partition_waits,
            relay_patience: self.relay_patience,
            heartbeat: self.heartbeat,
            dht: DhtTable {
                enabled: self.dht,
                bootstrap: self.bootstrap,
                lifetime: self.dht_lifetime,
                ..DhtTable::default()
            },
            sessions: SessionsTable { idle: self.session_idle, lifetime: self.session_lifetime },
            ..others
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct Log {
    /// What to log: error, warn, info, debug, trace, or a filter like `entity_transport=debug`
    #[arg(long, value_name = "FILTER", env = "ENTITY_LOG", default_value = "info")]
    log: String,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", env = "ENTITY_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
}

impl Log {
    pub(crate) fn start(&self) -> Result<(), Failed> {
        start_log(&self.log, self.log_format)
    }
}

/// Runs `program` to its end on the workers of a new runtime.
///
/// There are as many workers as cores we may use, but no more than two: they carry a peer, further ones would only cost memory,
/// and a second one on the same core would only take turns with the first. The program is a task of a worker, so that what it
/// waits for need not wake another thread.
pub(crate) fn run_to_end<T: Send + 'static>(
    program: impl Future<Output = T> + Send + 'static,
) -> Result<T, Failed> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let runtime = Builder::new_multi_thread().worker_threads(cores.min(2)).enable_all().build();
    let runtime = runtime.map_err(|error| Failed::new(Kind::System, error, None))?;
    let ended = runtime.block_on(runtime.spawn(program));
    // A panic has been reported where it happened.
    ended.map_err(|error| Failed::new(Kind::System, error, None))
}
