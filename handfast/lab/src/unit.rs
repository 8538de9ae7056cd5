//! One scenario on certain peers: its processes, its wire, its evidence, its end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::evidence::Evidence;
use crate::exit::Exit;
use crate::peer::{CallError, Peer, StartError};
use crate::tap::{Tap, TapConfig};

/// What a unit consists of.
#[derive(Clone, Debug, Default)]
pub struct UnitConfig {
    /// A name for folders and logs; characters other than letters, digits, `-`, `_` and `.` become
    /// `_`.
    pub name: String,
    /// The roles, at least one; names are unique.
    pub roles: Vec<RoleConfig>,
    /// What the tap must know of the protocol.
    pub tap: TapConfig,
}

/// The peer that plays a role.
#[derive(Clone, Debug, Default)]
pub struct RoleConfig {
    /// The role, also `HANDFAST_NAME`.
    pub name: String,
    /// The program: an absolute path, or a name looked up in `PATH`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What `handfast.toml` and the scenario add to the environment.
    pub env: BTreeMap<String, String>,
    /// Where it runs; the role's own data folder if `None`.
    pub cwd: Option<PathBuf>,
    /// `HANDFAST_PROTOCOL`, such as `1.0`, `1.1` or `both`.
    pub protocol: Option<String>,
    /// `HANDFAST_SEED`.
    pub seed: Option<String>,
    /// How long `initialize` may take; [`RoleConfig::READY_WITHIN`] if `None`.
    pub ready_within: Option<Duration>,
}

impl RoleConfig {
    /// How long a peer may take to answer `initialize` (guessed: an interpreter on a busy machine).
    pub const READY_WITHIN: Duration = Duration::from_secs(20);
}

/// A scenario's peers and everything around them. Dropping it ends everything at once; [`Unit::close`]
/// ends it in order and proves it.
#[derive(Debug)]
pub struct Unit {}

impl Unit {
    /// Starts the peer of a role, or starts it again on its earlier address, and waits until it
    /// answered `initialize`. Several may be started at once.
    ///
    /// # Errors
    ///
    /// [`StartError`]; after an error the role's process is killed.
    pub async fn start(&self, role: &str) -> Result<Arc<Peer>, StartError> {
        todo!("{role}")
    }

    /// Asks a peer to shut down and waits for its end; kills it after `within`.
    ///
    /// # Errors
    ///
    /// [`StopError`] if it does not run, or had to be killed.
    pub async fn stop(&self, role: &str, within: Duration) -> Result<Exit, StopError> {
        todo!("{role} {within:?}")
    }

    /// Kills a peer with SIGKILL and waits for its end.
    ///
    /// # Errors
    ///
    /// [`StopError::NotRunning`].
    pub async fn kill(&self, role: &str) -> Result<Exit, StopError> {
        todo!("{role}")
    }

    /// The peer that plays a role at this moment, or played it last.
    pub fn peer(&self, role: &str) -> Option<Arc<Peer>> {
        todo!("{role}")
    }

    /// The recording proxy.
    pub fn tap(&self) -> &Tap {
        todo!()
    }

    /// The log of all that was seen.
    pub fn evidence(&self) -> &Evidence {
        todo!()
    }

    /// The unit's temporary folder; gone after [`Unit::close`].
    pub fn dir(&self) -> &Path {
        todo!()
    }

    /// Stops the peers together (each may take [`Unit::STOP_WITHIN`]), ends whatever they left,
    /// removes the folder, and reports.
    pub async fn close(self) -> CloseReport {
        todo!()
    }

    /// How long a peer may take to shut down at the end of a unit (guessed).
    pub const STOP_WITHIN: Duration = Duration::from_secs(5);
}

/// Why a peer did not end as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StopError {
    /// No peer plays the role at this moment.
    #[error("role {role:?} does not run")]
    NotRunning {
        /// The role.
        role: String,
    },
    /// It refused `shutdown`, or broke the contract; it was killed.
    #[error("it did not answer shutdown and was killed")]
    Shutdown(#[source] CallError),
    /// It answered `shutdown` but did not end in time; it was killed.
    #[error("it did not end within {within:?} and was killed")]
    Lingered {
        /// The deadline.
        within: Duration,
    },
}

/// How a unit ended.
#[derive(Clone, Debug, Default)]
pub struct CloseReport {
    /// How each running peer stopped.
    pub stopped: BTreeMap<String, Result<Exit, StopError>>,
    /// Processes the peers left behind, which the reaper ended.
    pub left: Vec<LeftProcess>,
    /// Whether the reaper said that no process is left and the folder is gone. If `false`, the
    /// machine failed or the reaper was killed.
    pub clean: bool,
    /// Facts that did not fit into the evidence.
    pub lost_facts: u64,
}

/// A process that outlived its peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftProcess {
    /// Its id.
    pub pid: u32,
    /// Its name, as the system keeps it (at most 15 bytes).
    pub name: String,
}
