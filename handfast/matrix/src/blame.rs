//! Whose failure it is: what a single cell cannot say, its neighbours can.

use std::collections::BTreeMap;
use std::fmt;

use handfast_scenario::name::PeerName;
use handfast_scenario::verdict::VerdictKind;

use crate::cell::Column;
use crate::grid::{Grid, Square};

/// Who is to blame for a cell that failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// This peer: it fails with itself, too, while the other one does not.
    Peer(PeerName),
    /// Each alone is well: they do not understand each other.
    Between(PeerName, PeerName),
    /// Both fail with themselves, too: the scenario, or a mistake that both have.
    Both(PeerName, PeerName),
    /// The cells that could tell were not judged.
    Unknown,
}

/// A peer that fails wherever it plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The peer.
    pub peer: PeerName,
    /// How many cells it plays in that were judged, all of which failed.
    pub cells: usize,
    /// The reason that most of them give, in its first line.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => write!(formatter, "{peer}"),
            Self::Between(a, b) => write!(formatter, "between {a} and {b}"),
            Self::Both(a, b) => write!(formatter, "both {a} and {b}"),
            Self::Unknown => formatter.write_str("unknown"),
        }
    }
}

/// Who is to blame for a cell; `None` if it did not fail.
///
/// The same scenario with the same seed is looked at where each of the two peers plays all roles.
pub fn fault(grid: &Grid, cell: &Square) -> Option<Fault> {
    if !cell.failed() {
        return None;
    }
    let Column { a, b } = cell.column();
    if cell.line.peers.values().all(|peer| *peer == a) {
        return Some(Fault::Peer(a));
    }
    let alone = |peer: &PeerName| {
        let same = |other: &&Square| {
            other.line.scenario == cell.line.scenario
                && other.line.unit.seed() == cell.line.unit.seed()
                && other.line.peers.values().all(|plays| plays == peer)
        };
        grid.cells().iter().find(same).and_then(well)
    };
    Some(match (alone(&a), alone(&b)) {
        (Some(true), Some(false)) => Fault::Peer(b),
        (Some(false), Some(true)) => Fault::Peer(a),
        (Some(true), Some(true)) => Fault::Between(a, b),
        (Some(false), Some(false)) => Fault::Both(a, b),
        (None, _) | (_, None) => Fault::Unknown,
    })
}

/// Peers that fail in every cell they play in, unless everything in which others play fails as well.
///
/// A cell that a peer declares not to support was not judged, and one whose partner is broken itself says nothing.
pub fn broken(grid: &Grid) -> Vec<Broken> {
    let mut peers: Vec<&PeerName> = Vec::new();
    for peer in grid.cells().iter().flat_map(|cell| cell.line.peers.values()) {
        if !peers.contains(&peer) {
            peers.push(peer);
        }
    }
    let of =
        |peer: &PeerName| grid.cells().iter().filter(|cell| cell.has(peer)).collect::<Vec<_>>();
    let mut broken: Vec<Broken> = Vec::new();
    for peer in peers {
        let cells = of(peer);
        let judged: Vec<&Square> = cells.into_iter().filter(|cell| well(cell).is_some()).collect();
        if !judged.is_empty() && judged.iter().all(|cell| cell.failed()) {
            broken.push(Broken {
                peer: peer.clone(),
                cells: judged.len(),
                reason: commonest_reason(&judged),
            });
        }
    }
    // A peer that only ever met broken ones is not shown to be broken by that.
    let names: Vec<PeerName> = broken.iter().map(|broken| broken.peer.clone()).collect();
    broken.retain(|candidate| {
        let own = |cell: &&Square| cell.line.peers.values().all(|peer| *peer == candidate.peer);
        let alone = grid.cells().iter().filter(own).any(Square::failed);
        let with_a_good_one =
            grid.cells().iter().filter(|cell| cell.has(&candidate.peer)).any(|cell| {
                cell.failed() && cell.line.peers.values().any(|peer| !names.contains(peer))
            });
        alone || with_a_good_one || names.len() == 1
    });
    broken
}

/// Whether a cell was played and passed, or was played and did not.
fn well(cell: &Square) -> Option<bool> {
    match cell.verdict()?.kind() {
        VerdictKind::Passed => Some(true),
        VerdictKind::Failed | VerdictKind::TimedOut | VerdictKind::Infra => Some(false),
        VerdictKind::Unsupported | VerdictKind::Absent | VerdictKind::DidNotFit => None,
    }
}

fn commonest_reason(cells: &[&Square]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for verdict in cells.iter().filter_map(|cell| cell.verdict()) {
        let reason = verdict.reason();
        *counts.entry(reason.lines().next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    let commonest = counts.into_iter().max_by_key(|(_, count)| *count);
    commonest.map(|(reason, _)| reason).unwrap_or_default()
}

#[cfg(test)]
#[path = "blame_tests.rs"]
mod tests;
