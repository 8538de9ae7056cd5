//! What a project says about planted flaws: how a peer is built and started with one, and what is asked of the scenarios.

use std::collections::BTreeMap;

use crate::filter::Filter;
use crate::name::RoleName;
use crate::project::Command;
use crate::scenario::Scenario;

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
    /// What `handfast chaos --flaws` looks for, and how much of it is to be found.
    pub chaos: Hunts,
}

/// The flaws that disturbances are to show: `[selftest.chaos]`.
#[derive(Debug, Clone)]
pub struct Hunts {
    /// How many of a hundred flaws have to be found within the budget, at most 100.
    pub min_found: u64,
    /// Where each is searched, by the flaw's name.
    pub flaws: BTreeMap<String, Hunt>,
}

/// Where a flaw is searched.
#[derive(Debug, Clone, Default)]
pub struct Hunt {
    /// With the flawed peer in this role; `None`: in one after the other, that of the flaw's hint first.
    pub role: Option<RoleName>,
    /// In which scenarios; empty: in each of which the id ends with [`HUNTED`].
    pub scenarios: Vec<Filter>,
}

/// How the ids of scenarios end that were made to be disturbed.
pub const HUNTED: &str = "_whatever_happens";

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
        Self { min_caught: 95, hints: BTreeMap::new(), chaos: Hunts::default() }
    }
}

impl Default for Hunts {
    fn default() -> Self {
        Self { min_found: 90, flaws: BTreeMap::new() }
    }
}

impl Hunt {
    /// Whether the flaw is searched in this scenario.
    pub fn includes(&self, scenario: &Scenario) -> bool {
        if self.scenarios.is_empty() {
            return scenario.id.stem().ends_with(HUNTED);
        }
        self.scenarios.iter().any(|filter| filter.matches(scenario))
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
