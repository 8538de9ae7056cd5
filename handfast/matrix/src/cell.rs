//! Cells: a scenario and who plays its roles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use handfast_scenario::name::{PeerName, RoleName};
use handfast_scenario::plan::{PlanError, Selection, Unit, UnitId};
use handfast_scenario::{Plan, Project, Scenario};

/// Most cells of a matrix.
pub const CELLS_MAX: usize = 100_000;

/// A cell: what is played, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// What is played.
    pub unit: Unit,
    /// Its column.
    pub column: Column,
}

/// A column: who plays the first two roles that a scenario leaves open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Column {
    /// The first role, usually `a`.
    pub a: PeerName,
    /// The second role, usually `b`.
    pub b: PeerName,
}

/// What somebody asks for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Which scenarios; its peers are not looked at.
    pub selection: Selection,
    /// The peers that meet each other, in the order of the columns; each once.
    pub peers: Vec<PeerName>,
    /// Only cells all of whose roles speak only these versions; empty: all.
    pub versions: BTreeSet<String>,
    /// Leave out the scenarios that name their peers themselves, unless they name only these.
    pub only_these_peers: bool,
}

/// Why there are no cells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatrixError {
    /// There is no plan to make them of.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A peer is asked for that the project does not have.
    #[error("handfast.toml has no peer {peer}; it has {known}")]
    UnknownPeer {
        /// The peer.
        peer: PeerName,
        /// The peers of the project.
        known: String,
    },
    /// No peer is asked for.
    #[error("no peers are named that could meet each other")]
    NoPeers,
    /// There are more than [`CELLS_MAX`].
    #[error("{scenarios} scenarios with {columns} pairs of peers are more than {CELLS_MAX} cells")]
    TooMany {
        /// How many scenarios, variants apart.
        scenarios: usize,
        /// How many pairs of peers.
        columns: usize,
    },
    /// There are more than [`CELLS_MAX`] with all their seeds.
    #[error("{cells} cells with {seeds} seeds each are more than {CELLS_MAX} cells")]
    TooManySeeds {
        /// How many cells.
        cells: usize,
        /// How many seeds.
        seeds: u32,
    },
}

/// All cells of what is asked for: by scenario in the order of the plan, then by column.
///
/// The first two roles that a scenario leaves open take every pair of peers. Every further open role takes the
/// peers of the pair in turn, so that the number of cells does not grow with the number of roles: the third plays
/// what the first plays, the fourth what the second plays. A role for which the scenario names a peer keeps it;
/// a scenario that names all of them is one cell.
///
/// # Errors
///
/// [`MatrixError`].
pub fn cells(
    project: &Project,
    scenarios: &[Scenario],
    ask: &Ask,
) -> Result<Vec<Cell>, MatrixError> {
    if ask.peers.is_empty() {
        return Err(MatrixError::NoPeers);
    }
    if let Some(peer) = ask.peers.iter().find(|peer| project.peer(peer).is_none()) {
        let known: Vec<&str> = project.peers.iter().map(|peer| peer.name.as_str()).collect();
        return Err(MatrixError::UnknownPeer { peer: peer.clone(), known: known.join(", ") });
    }
    let selection = Selection { peers: BTreeMap::new(), ..ask.selection.clone() };
    let units = Plan::new(project, scenarios, &selection)?.units;
    let columns = ask.peers.len().saturating_mul(ask.peers.len());
    if units.len().saturating_mul(columns) > CELLS_MAX {
        return Err(MatrixError::TooMany { scenarios: units.len(), columns });
    }
    let units = units.into_iter().filter(|unit| speaks_only(&unit.scenario, &ask.versions));
    let cells = units.flat_map(|unit| cells_of(project, unit, &ask.peers));
    let wanted = |cell: &Cell| {
        !ask.only_these_peers || cell.unit.peers.values().all(|peer| ask.peers.contains(peer))
    };
    Ok(cells.filter(wanted).collect())
}

/// Every cell once for each of `count` seeds from `first` on, seed by seed; each is a cell of its own, with its seed in its id.
///
/// # Errors
///
/// [`MatrixError::TooManySeeds`].
pub fn with_seeds(cells: &[Cell], first: u64, count: u32) -> Result<Vec<Cell>, MatrixError> {
    let seeds = usize::try_from(count).unwrap_or(usize::MAX);
    if cells.len().saturating_mul(seeds) > CELLS_MAX {
        return Err(MatrixError::TooManySeeds { cells: cells.len(), seeds: count });
    }
    let seeds = (0..u64::from(count)).map(|further| first.wrapping_add(further));
    let cell = |(seed, cell): (u64, &Cell)| {
        let id = cell.unit.id.with_seed(seed);
        Cell { unit: Unit { id, ..cell.unit.clone() }, ..cell.clone() }
    };
    Ok(seeds.flat_map(|seed| cells.iter().map(move |cell| (seed, cell))).map(cell).collect())
}

impl Cell {
    /// The protocol that each role is told to speak; a role that is told nothing is not in it.
    pub fn protocols(&self) -> BTreeMap<RoleName, String> {
        let roles = self.unit.scenario.roles.iter();
        roles.filter_map(|(name, role)| Some((name.clone(), role.protocol.clone()?))).collect()
    }

    /// The preset of the network; `own` for conditions that the scenario spells out.
    pub fn network(&self) -> &'static str {
        self.unit.scenario.network.name()
    }
}

impl fmt::Display for Column {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}>{}", self.a, self.b))
    }
}

/// The columns of peers that all meet each other, each also itself.
pub fn columns(peers: &[PeerName]) -> Vec<Column> {
    let column = |a: &PeerName, b: &PeerName| Column { a: a.clone(), b: b.clone() };
    peers.iter().flat_map(|a| peers.iter().map(move |b| column(a, b))).collect()
}

fn cells_of(project: &Project, unit: Unit, peers: &[PeerName]) -> Vec<Cell> {
    let roles = &unit.scenario.roles;
    let open: Vec<&RoleName> =
        roles.iter().filter(|(_, role)| role.peer.is_none()).map(|(name, _)| name).collect();
    let columns = match open.len() {
        // The peers of the file, in the order of its roles.
        0 => return as_written(unit).into_iter().collect(),
        1 => peers.iter().map(|peer| Column { a: peer.clone(), b: peer.clone() }).collect(),
        _ => columns(peers),
    };
    let cell = |column: Column| {
        let mut cast = unit.peers.clone();
        for (turn, role) in open.iter().enumerate() {
            let peer = if turn % 2 == 0 { &column.a } else { &column.b };
            cast.insert((*role).clone(), peer.clone());
        }
        let id = UnitId::of(project, &unit.scenario, &cast);
        let column = if open.len() == 1 { meeting(&cast).unwrap_or(column) } else { column };
        Cell { unit: Unit { id, peers: cast, ..unit.clone() }, column }
    };
    columns.into_iter().map(cell).collect()
}

fn as_written(unit: Unit) -> Option<Cell> {
    let column = meeting(&unit.peers)?;
    Some(Cell { unit, column })
}

/// The column of peers that are given: those of the first two roles.
fn meeting(cast: &BTreeMap<RoleName, PeerName>) -> Option<Column> {
    let mut peers = cast.values();
    let a = peers.next()?.clone();
    let b = peers.next().cloned().unwrap_or_else(|| a.clone());
    Some(Column { a, b })
}

fn speaks_only(scenario: &Scenario, versions: &BTreeSet<String>) -> bool {
    let spoken = scenario.roles.values().filter_map(|role| role.protocol.as_deref());
    let mut spoken = spoken.flat_map(|protocol| match protocol {
        "both" => vec!["1.0", "1.1"],
        one => vec![one],
    });
    versions.is_empty() || spoken.all(|version| versions.contains(version))
}

#[cfg(test)]
#[path = "cell_tests.rs"]
mod tests;
