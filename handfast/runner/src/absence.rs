//! Peers that cannot be had on this machine.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;

use handfast_scenario::name::PeerName;
use handfast_scenario::project::PeerProgram;
use handfast_scenario::verdict::Verdict;

/// Why a peer cannot play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// It cannot be had: a program it needs is missing, or it cannot be built.
    Absent(String),
    /// It breaks the peer contract, so that no verdict on it counts.
    Broken(String),
}

impl Objection {
    /// The verdict on everything that this peer would have to play in.
    pub fn verdict(&self, peer: &PeerName, allowed: &BTreeSet<PeerName>) -> Verdict {
        match self {
            Self::Absent(reason) => Verdict::Absent {
                peer: peer.clone(),
                reason: reason.clone(),
                allowed: allowed.contains(peer),
            },
            Self::Broken(reason) => Verdict::Infra { reason: reason.clone() },
        }
    }
}

/// Why a peer is absent even before it is built: the programs it needs that are not in `PATH`.
pub fn missing_programs(peer: &PeerProgram) -> Option<String> {
    let missing: Vec<&str> = peer
        .needs
        .iter()
        .filter(|program| in_path(program).is_none())
        .map(String::as_str)
        .collect();
    (!missing.is_empty())
        .then(|| format!("it needs {}, which is not in PATH: install it", missing.join(" and ")))
}

/// The file that a program's name stands for.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let runs = |path: &PathBuf| {
        path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(program)).find(runs)
}
