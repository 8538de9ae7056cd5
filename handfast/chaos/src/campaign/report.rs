//! What came of a campaign.

use std::time::Duration;

use crate::repeat::Rate;
use crate::schedule::Failure;
use crate::search::Known;
use crate::shrink::Shrink;

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Everything left to chance followed from it.
    pub seed: u64,
    /// How it ended.
    pub end: End,
    /// How many times a schedule was played.
    pub tries: u32,
    /// What the search has seen.
    pub known: Known,
    /// Failures that came once and not again.
    pub lost: Vec<Failure>,
}

/// How a campaign ended.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one of it in a campaign")]
pub enum End {
    /// The scenario fails when nothing is disturbed, so that nothing can be said about disturbances.
    Unsteady {
        /// What did not hold.
        reason: String,
    },
    /// Tries could not be carried out.
    Unclear {
        /// Why.
        reason: String,
    },
    /// No schedule made it fail.
    Nothing {
        /// Whether the time was used up; otherwise somebody ended it.
        is_whole: bool,
    },
    /// A schedule did.
    Found {
        /// As it was found.
        found: Found,
        /// As it was reduced.
        shrunk: Shrunk,
        /// How often the reduced one failed again.
        confirmed: Rate,
    },
}

/// A failure as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The schedule and what did not hold.
    pub failure: Failure,
    /// How long the search had taken.
    pub after: Duration,
    /// How many tries had been begun until it was known to come again.
    pub tries: u32,
    /// How often it came again.
    pub rate: Rate,
}

/// A failure as it was reduced.
#[derive(Debug, Clone, PartialEq)]
pub struct Shrunk {
    /// The smallest schedule that is known to fail.
    pub failure: Failure,
    /// The same with its disturbances as they were found, no shorter or weaker; where the smallest fails less often than this, this is it.
    pub fewest: Failure,
    /// How many tries that took.
    pub tries: u32,
    /// How many more it would have been without memory.
    pub saved: u32,
    /// How long it took.
    pub took: Duration,
    /// Whether every one of its disturbances was seen to be needed.
    pub is_minimal: bool,
    /// Failures of another kind that were met on the way.
    pub others: Vec<Failure>,
}

impl Shrunk {
    pub(super) fn of(shrink: &Shrink, took: Duration) -> Self {
        Self {
            failure: shrink.best().clone(),
            fewest: shrink.fewest().clone(),
            tries: shrink.tries(),
            saved: shrink.saved(),
            took,
            is_minimal: shrink.is_minimal(),
            others: shrink.others().to_vec(),
        }
    }

    /// Nothing was reduced.
    pub(super) fn none(found: &Found) -> Self {
        Self {
            failure: found.failure.clone(),
            fewest: found.failure.clone(),
            tries: 0,
            saved: 0,
            took: Duration::ZERO,
            is_minimal: false,
            others: Vec::new(),
        }
    }
}
