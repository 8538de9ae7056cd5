//! What a run consists of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::name::{CategoryName, PeerName, ResourceName, RoleName};
use crate::project::{CategoryError, Project, Suite};
use crate::scenario::Scenario;
use crate::suggestion::nearest;

/// What a run does: its units in order, and the foreign suites.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Scenario units, by category in the order of the project, then by id.
    pub units: Vec<Unit>,
    /// Foreign suites, in the order of the project.
    pub suites: Vec<Suite>,
}

/// A scenario and who plays its roles.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// What it is called in every event.
    pub id: UnitId,
    /// What happens; shared by all units that play it, of which a repeated run has very many.
    pub scenario: Arc<Scenario>,
    /// Its category.
    pub category: CategoryName,
    /// Its time, from the start of its first peer to the end of its last.
    pub budget: Duration,
    /// Who plays which role: every role of the scenario is in it.
    pub peers: BTreeMap<RoleName, PeerName>,
}

/// What a unit is called: the scenario's id and, where a peer is not the project's first, the peers; behind it the round of a
/// repeated run (`#3`) or the unit's own seed (`#seed=14`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitId(String);

/// What a person asks for.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only what one of these matches; empty: everything.
    pub filters: Vec<Filter>,
    /// Only these categories; empty: all.
    pub categories: BTreeSet<CategoryName>,
    /// Who plays a role, in place of the project's first peer. A role that a scenario does not have
    /// is of no effect there.
    pub peers: BTreeMap<RoleName, PeerName>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A test has no category, or two.
    #[error(transparent)]
    Category(#[from] CategoryError),
    /// A peer is named that the project does not have.
    #[error("{asked_by} names the peer {peer}, which handfast.toml does not have; {hint}")]
    UnknownPeer {
        /// A scenario, or the command line.
        asked_by: String,
        /// The peer.
        peer: PeerName,
        /// What it may have meant.
        hint: String,
    },
    /// A category is asked for that the project does not have.
    #[error("handfast.toml has no category {category}; {hint}")]
    UnknownCategory {
        /// The category.
        category: CategoryName,
        /// What it may have meant.
        hint: String,
    },
    /// `--peer` names a role that no scenario of the project has.
    #[error("no scenario has a role {role}")]
    UnknownRole {
        /// The role.
        role: RoleName,
    },
    /// A scenario uses more of a resource than the project has, or one that it does not have at all.
    #[error(
        "{scenario} uses {wanted} of the resource {resource}, of which handfast.toml has {there}; \
         write `[resources]` with `{resource} = {wanted}`, or let the scenario use less"
    )]
    Resource {
        /// The scenario.
        scenario: String,
        /// The resource.
        resource: ResourceName,
        /// How much it uses.
        wanted: u32,
        /// How much there is.
        there: u32,
    },
    /// Scenarios are asked for, but the project has no peer to play in them.
    #[error(
        "handfast.toml has no peer to play the role {role} of {scenario}; add a [peers.NAME] with start = [..]"
    )]
    NoPeer {
        /// The scenario.
        scenario: String,
        /// The role.
        role: RoleName,
    },
}

impl Plan {
    /// Chooses among the scenarios and suites of a project.
    ///
    /// An empty plan is a plan: that nothing ran becomes exit code 4, see [`crate::exit`].
    ///
    /// # Errors
    ///
    /// Every scenario is looked at, chosen or not: a test without a category is an error of the
    /// project, not of one run.
    pub fn new(
        project: &Project,
        scenarios: &[Scenario],
        selection: &Selection,
    ) -> Result<Self, PlanError> {
        check_selection(project, scenarios, selection)?;
        let mut units = Vec::new();
        for scenario in scenarios {
            let id = scenario.id.to_string();
            let named = scenario.category.as_ref();
            let category = project.category_of(&id, scenario.id.stem(), named)?;
            let peers = assign(project, scenario, selection)?;
            check_resources(project, scenario)?;
            let filters = &selection.filters;
            let matches = |filter: &Filter| {
                filter.matches(scenario) || filter.matches_text(category.name.as_str())
            };
            if (filters.is_empty() || filters.iter().any(matches))
                && chosen(&selection.categories, &category.name)
            {
                units.push(Unit {
                    id: UnitId::of(project, scenario, &peers),
                    scenario: Arc::new(scenario.clone()),
                    category: category.name.clone(),
                    budget: scenario
                        .timeout
                        .map_or(category.timeout, |own| own.min(category.timeout)),
                    peers,
                });
            }
        }
        let rank = |name: &CategoryName| {
            project.categories.iter().position(|category| &category.name == name)
        };
        units.sort_by_cached_key(|unit| (rank(&unit.category), unit.id.clone()));
        let wanted = |suite: &&Suite| {
            let filters = &selection.filters;
            let matches = |filter: &Filter| {
                filter.matches_text(suite.name.as_str())
                    || filter.matches_text(suite.category.as_str())
            };
            (filters.is_empty() || filters.iter().any(matches))
                && chosen(&selection.categories, &suite.category)
        };
        let suites = project.suites.iter().filter(wanted).cloned().collect();
        Ok(Self { units, suites })
    }

    /// The peers that have to be built before the first unit starts.
    pub fn peers(&self) -> BTreeSet<&PeerName> {
        self.units.iter().flat_map(|unit| unit.peers.values()).collect()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty() && self.suites.is_empty()
    }
}

impl UnitId {
    /// Takes a text as an id.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id of a scenario that these peers play.
    pub fn of(
        project: &Project,
        scenario: &Scenario,
        peers: &BTreeMap<RoleName, PeerName>,
    ) -> Self {
        let id = scenario.id.to_string();
        let first = project.peers.first().map(|peer| &peer.name);
        if peers.values().all(|peer| Some(peer) == first) {
            return Self(id);
        }
        let peers: Vec<String> =
            peers.iter().map(|(role, peer)| format!("{role}={peer}")).collect();
        Self(format!("{id} ({})", peers.join(", ")))
    }

    /// The id of the same unit with a seed of its own, in place of the one of its run: `x (b=python) #seed=14`.
    #[must_use]
    pub fn with_seed(&self, seed: u64) -> Self {
        Self(format!("{}{SEED_MARK}{seed}", self.without_seed()))
    }

    /// Its own seed, where it has one.
    pub fn seed(&self) -> Option<u64> {
        self.seeded().map(|(_, seed)| seed)
    }

    /// The id without its own seed: what the unit is called in a run that has this seed.
    pub fn without_seed(&self) -> &str {
        self.seeded().map_or(self.as_str(), |(id, _)| id)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn seeded(&self) -> Option<(&str, u64)> {
        let (id, seed) = self.0.rsplit_once(SEED_MARK)?;
        Some((id, seed.parse().ok()?))
    }
}

/// What stands in an id before the unit's own seed.
const SEED_MARK: &str = " #seed=";

impl fmt::Display for UnitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

fn chosen(categories: &BTreeSet<CategoryName>, category: &CategoryName) -> bool {
    categories.is_empty() || categories.contains(category)
}

fn check_selection(
    project: &Project,
    scenarios: &[Scenario],
    selection: &Selection,
) -> Result<(), PlanError> {
    for category in &selection.categories {
        if project.category(category).is_none() {
            let known = project.categories.iter().map(|known| known.name.as_str());
            let hint = hint(category.as_str(), known.collect());
            return Err(PlanError::UnknownCategory { category: category.clone(), hint });
        }
    }
    for (role, peer) in &selection.peers {
        if project.peer(peer).is_none() {
            return Err(unknown_peer(project, peer, "the command line".to_owned()));
        }
        if !scenarios.iter().any(|scenario| scenario.roles.contains_key(role)) {
            return Err(PlanError::UnknownRole { role: role.clone() });
        }
    }
    Ok(())
}

fn check_resources(project: &Project, scenario: &Scenario) -> Result<(), PlanError> {
    let there =
        |resource: &ResourceName| project.resources.get(resource).copied().unwrap_or_default();
    let mut uses = scenario.needs.uses.iter();
    match uses.find(|(resource, wanted)| there(resource) < **wanted) {
        None => Ok(()),
        Some((resource, wanted)) => Err(PlanError::Resource {
            scenario: scenario.id.to_string(),
            resource: resource.clone(),
            wanted: *wanted,
            there: there(resource),
        }),
    }
}

/// The scenario's own wish comes first: it needs that peer to mean anything.
fn assign(
    project: &Project,
    scenario: &Scenario,
    selection: &Selection,
) -> Result<BTreeMap<RoleName, PeerName>, PlanError> {
    let mut peers = BTreeMap::new();
    for (name, role) in &scenario.roles {
        let fallback = project.peers.first().map(|peer| &peer.name);
        let asked = role.peer.as_ref().or_else(|| selection.peers.get(name));
        let Some(peer) = asked.or(fallback) else {
            let scenario = scenario.id.to_string();
            return Err(PlanError::NoPeer { scenario, role: name.clone() });
        };
        if project.peer(peer).is_none() {
            return Err(unknown_peer(project, peer, scenario.id.to_string()));
        }
        peers.insert(name.clone(), peer.clone());
    }
    Ok(peers)
}

fn unknown_peer(project: &Project, peer: &PeerName, asked_by: String) -> PlanError {
    let known = project.peers.iter().map(|known| known.name.as_str()).collect();
    PlanError::UnknownPeer { asked_by, peer: peer.clone(), hint: hint(peer.as_str(), known) }
}

fn hint(word: &str, known: Vec<&str>) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("it has {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests;
