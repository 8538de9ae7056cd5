//! Comparisons of pairs, drawn anew from measured ones.

use std::fmt;

use handfast_statistics::number::{median, real};
use serde::Serialize;

use super::flaky::Tally;
use crate::paired::{Pair, Verdict, compare};
use crate::random::Dice;

/// How often a difference is seen where none is, and where one of [`SLOWER`] is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paired {
    /// Pairs an experiment.
    pub pairs: usize,
    /// Experiments with equal builds in which a difference was seen.
    pub false_alarms: Tally,
    /// Experiments with a slower build in which it was seen.
    pub power: Tally,
    /// The median of what was detectable.
    pub detectable: f64,
    /// The mean cost of an experiment, in the unit of the pairs.
    pub cost: f64,
}

/// Experiments of each kind.
pub const EXPERIMENTS: usize = 2_000;

/// Pairs from which is told how many an experiment needs.
pub const PILOT: usize = 100;

/// Pairs an experiment has at most.
pub const PAIRS_MAX: usize = 1_000;

/// What the slower build costs, as a multiple.
pub const SLOWER: f64 = 1.05;

/// How often a difference may be seen where none is: a fifth of the aim, 1 in 100. Experiments drawn from 2,000 pairs vary as these happen to do,
/// by a seventh, and so far out that makes errors twice as frequent, or half.
pub const ERROR: f64 = 0.002;

/// How many pairs show a build that is [`SLOWER`] through the noise of the first [`PILOT`]; half as many more, since a pilot may
/// have been quiet by chance, [`PAIRS_MAX`] at most.
pub fn pairs_needed(pairs: &[Pair]) -> usize {
    let pilot = compare(&pairs[..pairs.len().min(PILOT)], ERROR);
    pilot.map_or(PILOT, |seen| (seen.pairs_for(SLOWER) * 3).div_ceil(2)).min(PAIRS_MAX)
}

/// Draws experiments from pairs in the order in which they were measured, of equal builds and of one that is [`SLOWER`], in blocks of 20 pairs.
///
/// H. R. Künsch, The jackknife and the bootstrap for general stationary observations, Annals of Statistics 1989.
pub fn paired(equal: &[Pair], slower: &[Pair], dice: &Dice) -> Paired {
    let pairs = pairs_needed(equal);
    let mut told = Paired {
        pairs,
        false_alarms: Tally::default(),
        power: Tally::default(),
        detectable: 0.0,
        cost: 0.0,
    };
    let mut detectable = Vec::with_capacity(EXPERIMENTS);
    let mut dice = dice.clone();
    for _ in 0..EXPERIMENTS {
        let experiment = draw(equal, pairs, &mut dice, Blocks::Swapped);
        if let Ok(seen) = compare(&experiment, ERROR) {
            told.false_alarms.add(seen.verdict != Verdict::Even);
            detectable.push(seen.detectable);
        }
        told.cost +=
            experiment.iter().map(|pair| pair.before + pair.after).sum::<f64>() / real(EXPERIMENTS);
        if let Ok(seen) = compare(&draw(slower, pairs, &mut dice, Blocks::AsMeasured), ERROR) {
            told.power.add(seen.verdict == Verdict::Worse);
        }
    }
    told.detectable = median(&detectable);
    told
}

/// Which of a pair is the earlier build.
#[derive(Clone, Copy, PartialEq)]
enum Blocks {
    AsMeasured,
    /// By the throw of a coin for each block: builds that are equal have no order, and what is left of their difference in finitely many
    /// pairs is no difference of builds.
    Swapped,
}

fn draw(pairs: &[Pair], count: usize, dice: &mut Dice, blocks: Blocks) -> Vec<Pair> {
    let mut drawn = Vec::with_capacity(count + BLOCK);
    while drawn.len() < count && pairs.len() >= BLOCK {
        let start = dice.below(pairs.len() - BLOCK + 1);
        let is_swapped = blocks == Blocks::Swapped && dice.happens(0.5);
        let turned = |pair: &Pair| Pair { before: pair.after, after: pair.before };
        let block = pairs[start..start + BLOCK].iter();
        drawn.extend(block.map(|pair| if is_swapped { turned(pair) } else { *pair }));
    }
    drawn.truncate(count);
    drawn
}

const BLOCK: usize = 20;

impl fmt::Display for Paired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = (SLOWER - 1.0) * 100.0;
        writeln!(
            f,
            "Two builds compared by {} pairs, {} experiments each",
            self.pairs, self.power.of
        )?;
        writeln!(f, "  equal, a difference seen {:.4}", self.false_alarms.share())?;
        writeln!(f, "  {more:+.0} %, seen {:.4}", self.power.share())?;
        writeln!(f, "  detectable in 9 of 10: {:+.2} %", (self.detectable - 1.0) * 100.0)
    }
}
