//! What this host can do, what each lack costs, and what to do about it.
//!
//! Nothing is concluded from versions and settings: each thing is tried, in a child or on a group that is removed again, since containers
//! and security modules refuse what the version of the kernel promises.
//!
//! - `basics`: without these no scenario runs
//! - `isolation`: namespaces, TUN, the mounts of a unit
//! - `limiting`: control groups and other limits
//! - `timing`: how exactly delays can be kept

mod basics;
mod isolation;
mod limiting;
mod timing;

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use serde::Serialize;

/// A host as it was found.
#[derive(Clone, Debug, Serialize)]
pub struct Host {
    /// The kernel's release.
    pub kernel: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Memory of the machine, in bytes; 0 if the system does not say.
    pub memory_bytes: u64,
    /// Whether this process is root.
    pub root: bool,
    /// What it can do, the indispensable first.
    pub abilities: Vec<Ability>,
}

/// Something that a scenario may need of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ability {
    /// Its name: lower-case letters and `-`.
    pub name: &'static str,
    /// Whether it is there.
    pub state: State,
    /// Whether no scenario runs without it.
    pub essential: bool,
    /// What was found when it was tried.
    pub found: String,
    /// What its lack costs; empty where it does not lack.
    pub costs: &'static str,
    /// What to do about that; empty where it does not lack.
    pub remedy: &'static str,
}

/// Whether something can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It can.
    Can,
    /// It can, within the limits that are named.
    Partly,
    /// It cannot.
    Cannot,
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Can => "yes",
            Self::Partly => "partly",
            Self::Cannot => "no",
        })
    }
}

/// What is tried for, by name: what it costs where it lacks, and what to do about it.
pub(super) struct Question {
    name: &'static str,
    essential: bool,
    costs: &'static str,
    remedy: &'static str,
}

impl Question {
    fn answer(&self, state: State, found: impl Into<String>) -> Ability {
        let lacks = state != State::Can;
        let only_if_it_lacks = |text| if lacks { text } else { "" };
        Ability {
            name: self.name,
            state,
            essential: self.essential,
            found: found.into(),
            costs: only_if_it_lacks(self.costs),
            remedy: only_if_it_lacks(self.remedy),
        }
    }

    /// What can be done, or the reason why not.
    fn tried<T: Into<String>>(&self, tried: Result<T, String>) -> Ability {
        match tried {
            Ok(found) => self.answer(State::Can, found),
            Err(why) => self.answer(State::Cannot, why),
        }
    }
}

impl Host {
    /// The names of all abilities, in the order of [`Host::abilities`].
    pub const NAMES: [&str; 15] = [
        "scratch",
        "reaper",
        "loopback",
        "descriptors",
        "namespaces",
        "tun",
        "full-disk",
        "limit-cpu",
        "limit-memory",
        "limit-processes",
        "slow-disk",
        "limit-descriptors",
        "time-namespaces",
        "real-time",
        "timer",
    ];

    /// Tries everything. Takes about half a second, most of it to see how late timers are; leaves nothing behind.
    ///
    /// `scratch` is the folder in which runs have theirs, or one on the same disk; it has to be there. `reaper` is the command that becomes
    /// a reaper, see [`crate::LabConfig::reaper`].
    pub fn examine(scratch: &Path, reaper: &[OsString]) -> Self {
        let mut abilities = basics::examine(scratch);
        abilities.extend(isolation::examine(scratch, reaper));
        abilities.extend(limiting::examine(scratch));
        abilities.extend(timing::examine());
        Self {
            kernel: basics::kernel(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: basics::memory_bytes(),
            root: rustix::process::geteuid().is_root(),
            abilities,
        }
    }

    /// What lacks of what is indispensable or `needed` by name: all of it, not only in part.
    pub fn lacks<'a>(&'a self, needed: &'a [String]) -> impl Iterator<Item = &'a Ability> {
        let counts = |ability: &&Ability| {
            ability.essential || needed.iter().any(|name| name == ability.name)
        };
        self.abilities.iter().filter(counts).filter(|ability| ability.state == State::Cannot)
    }
}

/// What the system said, with what was tried.
pub(super) fn said(tried: &str, error: &std::io::Error) -> String {
    format!("{tried}: {error}")
}

#[cfg(test)]
mod tests;
