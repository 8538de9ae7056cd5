//! What a project says about planted flaws: how a peer is built and started with one, and what is asked of the scenarios.

use std::collections::BTreeMap;

use crate::filter::Filter;
use crate::name::RoleName;
use crate::project::Command;

/// Most flaws that a peer may have; a guess that no catalogue reaches.
pub const FLAWS_MAX: usize = 1_000;

/// Where the name of the flaw stands among the arguments that plant it.
pub const FLAW_VARIABLE: &str = "${flaw}";

/// How a peer is built and started with a flaw: `[peers.NAME.flaws]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlawedBuild {
    /// How to build it; `None`: nothing to build.
    pub build: Option<Command>,
    /// Prints every flaw: its name, a tab, what is wrong.
    pub list: Command,
    /// How to start it without any flaw.
    pub start: Command,
    /// The further arguments that give it a flaw; `${flaw}` stands for the name. Never empty.
    pub plant: Vec<String>,
}

/// What the scenarios are held to: `[selftest]`.
#[derive(Debug, Clone)]
pub struct Selftest {
    /// How many of a hundred flaws have to be caught, at most 100.
    pub min_caught: u64,
    /// Where to look first, by the flaw's name. Order only, never proof.
    pub hints: BTreeMap<String, Hint>,
}

/// Which scenario probably sees a flaw.
#[derive(Debug, Clone)]
pub struct Hint {
    /// With the flawed peer in this role; `None`: in any.
    pub role: Option<RoleName>,
    /// The scenario.
    pub scenario: Filter,
}

impl Default for Selftest {
    fn default() -> Self {
        Self { min_caught: 95, hints: BTreeMap::new() }
    }
}

impl FlawedBuild {
    /// The command that starts the peer with a flaw.
    pub fn start_with(&self, flaw: &str) -> Command {
        let plant = self.plant.iter().map(|word| word.replace(FLAW_VARIABLE, flaw));
        let words = self.start.words().iter().cloned().chain(plant).collect();
        Command::new(words).unwrap_or_else(|| self.start.clone())
    }
}
