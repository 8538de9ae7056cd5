//! What a unit consists of.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use handfast_faults::disturbance::Limit;
use handfast_faults::{Conditions, Link};

use crate::net::Ask;
use crate::tap::TapConfig;

/// What a unit consists of.
#[derive(Clone, Debug, Default)]
pub struct UnitConfig {
    /// A name for the folder; characters other than letters, digits, `-`, `_` and `.` become `_`.
    pub name: String,
    /// The roles, at least one; names are unique and consist of the same characters.
    pub roles: Vec<RoleConfig>,
    /// What the tap must know of the protocol.
    pub tap: TapConfig,
    /// A network of its own, a namespace for each role; otherwise all share the loopback of this machine.
    pub network: Option<NetworkConfig>,
}

/// The network of a unit.
#[derive(Clone, Debug, Default)]
pub struct NetworkConfig {
    /// By what right its namespaces are made.
    pub ask: Ask,
    /// The conditions of each direction from the start; nothing happens on a direction that is not named.
    pub base: BTreeMap<Link, Conditions>,
    /// All chance follows from it.
    pub seed: u64,
    /// Where every packet is recorded, as pcapng; nowhere if none.
    pub capture: Option<PathBuf>,
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
    /// What `handfast.toml` and the scenario add to the environment; wins over what the lab sets.
    pub env: BTreeMap<String, String>,
    /// Where it runs; its own data folder if `None`.
    pub cwd: Option<PathBuf>,
    /// `HANDFAST_PROTOCOL`, such as `1.0`, `1.1` or `both`.
    pub protocol: Option<String>,
    /// `HANDFAST_SEED`.
    pub seed: Option<String>,
    /// The limits that may be put on it while it runs; most take preparation before it starts.
    pub limits: Vec<Limit>,
    /// How long `initialize` may take; [`RoleConfig::READY_WITHIN`] if `None`.
    pub ready_within: Option<Duration>,
}

impl RoleConfig {
    /// How long a peer may take to answer `initialize` (guessed: an interpreter on a busy machine).
    pub const READY_WITHIN: Duration = Duration::from_secs(20);
}
