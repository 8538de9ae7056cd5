//! Which shard each piece is in.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt;

use handfast_scenario::event::{SHARDS_MAX, Shard};
use handfast_scenario::name::SuiteName;
use handfast_scenario::plan::UnitId;
use serde::{Deserialize, Serialize};

use crate::key::{Builder, Digest};

/// First part of what a partition's digest is made of; it changes when the rule of that does.
const TAG: &str = "handfast partition 1";

/// What is never cut: a unit, or a suite of another tool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// A scenario with its peers.
    Unit(UnitId),
    /// A suite of another tool, with all its tests.
    Suite(SuiteName),
}

/// A piece and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// What it is.
    pub piece: Piece,
    /// What it costs, microseconds.
    pub us: u64,
    /// Whether that is a guess, because it was never played.
    pub is_guess: bool,
}

/// All pieces, each in exactly one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    shards: Vec<Vec<Load>>,
}

impl Partition {
    /// Cuts into `count` shards, at least 1 and at most [`SHARDS_MAX`]: the longest piece first, each to the shard that has the least
    /// to do until then, the first of those. Pieces of equal cost go by name, so that the order of `loads` decides nothing.
    ///
    /// No shard has more than 4/3 of what the heaviest has in the best of all partitions (R. L. Graham, *Bounds on
    /// multiprocessing timing anomalies*, 1969).
    pub fn new(mut loads: Vec<Load>, count: u32) -> Self {
        let count = count.clamp(1, SHARDS_MAX);
        loads.sort_by(|one, other| other.us.cmp(&one.us).then_with(|| one.piece.cmp(&other.piece)));
        let mut shards: Vec<Vec<Load>> = (0..count).map(|_| Vec::new()).collect();
        let mut least: BinaryHeap<Reverse<(u64, usize)>> =
            (0..shards.len()).map(|place| Reverse((0, place))).collect();
        for load in loads {
            let Some(Reverse((sum, place))) = least.pop() else { break };
            // What costs nothing goes round, too.
            least.push(Reverse((sum.saturating_add(load.us.max(1)), place)));
            shards[place].push(load);
        }
        for shard in &mut shards {
            shard.sort_by(|one, other| one.piece.cmp(&other.piece));
        }
        Self { shards }
    }

    /// Cuts into as few shards as there have to be so that each takes at most `within_us`, and into no more than `count_max` or
    /// than there are pieces. Where one piece alone takes longer, as few as make no shard longer than that piece.
    pub fn within(loads: Vec<Load>, within_us: u64, count_max: u32) -> Self {
        let longest = loads.iter().map(|load| load.us).max().unwrap_or_default();
        let total = loads.iter().fold(0_u64, |sum, load| sum.saturating_add(load.us));
        let enough = within_us.max(longest).max(1);
        let pieces = u32::try_from(loads.len()).unwrap_or(u32::MAX);
        let count_max = count_max.min(pieces).clamp(1, SHARDS_MAX);
        let least = u32::try_from(total.div_ceil(enough)).unwrap_or(u32::MAX);
        let mut partition = Self::new(loads, least.clamp(1, count_max));
        while partition.heaviest_us() > enough && partition.count() < count_max {
            let count = partition.count() + 1;
            partition = Self::new(partition.shards.concat(), count);
        }
        partition
    }

    /// The partition of these shards.
    ///
    /// # Errors
    ///
    /// The piece that is in two of them.
    pub fn from_shards(shards: Vec<Vec<Load>>) -> Result<Self, Piece> {
        let mut seen = BTreeSet::new();
        for load in shards.iter().flatten() {
            if !seen.insert(&load.piece) {
                return Err(load.piece.clone());
            }
        }
        Ok(Self { shards })
    }

    /// How many shards there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.shards.len()).unwrap_or(u32::MAX)
    }

    /// How many pieces there are.
    pub fn pieces(&self) -> usize {
        self.shards.iter().map(Vec::len).sum()
    }

    /// The shards in their order, each with its pieces by name.
    pub fn shards(&self) -> &[Vec<Load>] {
        &self.shards
    }

    /// The pieces of one shard; nothing where there is no such shard.
    pub fn shard(&self, shard: Shard) -> &[Load] {
        self.shards.get(shard.place()).map(Vec::as_slice).unwrap_or_default()
    }

    /// In which shard every piece is, by its place.
    pub fn places(&self) -> BTreeMap<&Piece, usize> {
        let shards = self.shards.iter().enumerate();
        shards
            .flat_map(|(place, loads)| loads.iter().map(move |load| (&load.piece, place)))
            .collect()
    }

    /// What the heaviest shard costs, microseconds.
    pub fn heaviest_us(&self) -> u64 {
        self.shards.iter().map(|loads| sum_us(loads)).max().unwrap_or_default()
    }

    /// A digest of which piece is in which shard; what they cost is not in it.
    pub fn digest(&self) -> Digest {
        let mut digest = Builder::new(TAG);
        for loads in &self.shards {
            digest.part("shard");
            let pieces: BTreeSet<&Piece> = loads.iter().map(|load| &load.piece).collect();
            for piece in pieces {
                match piece {
                    Piece::Unit(unit) => digest.part("unit").part(unit.as_str()),
                    Piece::Suite(suite) => digest.part("suite").part(suite.as_str()),
                };
            }
        }
        digest.finish()
    }
}

/// What pieces cost together, microseconds.
pub fn sum_us(loads: &[Load]) -> u64 {
    loads.iter().fold(0, |sum, load| sum.saturating_add(load.us))
}

impl fmt::Display for Piece {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(unit) => formatter.pad(unit.as_str()),
            Self::Suite(suite) => write!(formatter, "suite {suite}"),
        }
    }
}

#[cfg(test)]
#[path = "partition_tests.rs"]
mod tests;
