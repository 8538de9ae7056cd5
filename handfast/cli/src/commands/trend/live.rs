//! Pairs of runs on this machine.

use std::fmt;
use std::hint::black_box;

use handfast_lab::clock::monotonic_ns;
use handfast_trend::evaluate::paired::{ERROR, Paired, SLOWER, paired};
use handfast_trend::paired::{Comparison, Pair, compare};
use handfast_trend::random::Dice;

/// What was measured.
#[derive(Debug)]
pub(super) struct Live {
    /// Experiments drawn anew from the pairs that were measured.
    resampled: Paired,
    /// Comparisons that were really measured, of equal builds.
    equal: Vec<Comparison>,
    /// Of one that is 5 % slower.
    slower: Vec<Comparison>,
    /// What one comparison took, in seconds.
    seconds: f64,
}

impl Live {
    /// The same for a program.
    pub(super) fn json(&self) -> serde_json::Value {
        let Self { resampled, equal, slower, seconds } = self;
        serde_json::json!({ "resampled": resampled, "equal": equal, "slower": slower, "seconds": seconds })
    }
}

/// Measures.
pub(super) fn measure(seed: u64) -> Live {
    let mut dice = Dice::new(seed);
    let equal = pairs(SAMPLES, UNITS, &mut dice);
    let slower = pairs(SAMPLES, UNITS_SLOWER, &mut dice);
    let resampled = paired(&equal, &slower, &dice.part(1));
    let mut comparisons = |units| -> Vec<Comparison> {
        (0..ROUNDS)
            .filter_map(|_| compare(&pairs(resampled.pairs, units, &mut dice), ERROR).ok())
            .collect()
    };
    let (equal, slower) = (comparisons(UNITS), comparisons(UNITS_SLOWER));
    Live { seconds: resampled.cost / 1e9, resampled, equal, slower }
}

/// Pairs in nanoseconds; which of a pair is first is thrown for each, so that neither build gains by its place.
fn pairs(count: usize, units: u64, dice: &mut Dice) -> Vec<Pair> {
    let pair = |is_first: bool| {
        if is_first {
            let before = work(UNITS);
            Pair { before, after: work(units) }
        } else {
            let after = work(units);
            Pair { before: work(UNITS), after }
        }
    };
    (0..count).map(|_| pair(dice.happens(0.5))).collect()
}

/// How long so much work takes, in nanoseconds: 1 at least.
fn work(units: u64) -> f64 {
    let start = monotonic_ns();
    let mut dice = Dice::new(units);
    for _ in 0..units {
        black_box(dice.bits());
    }
    let took = monotonic_ns() - start;
    u32::try_from(took.max(1)).map_or(f64::from(u32::MAX), f64::from)
}

const SAMPLES: usize = 2_000;
const ROUNDS: usize = 10;

/// Some milliseconds of work, and 5 % more.
const UNITS: u64 = 1_000_000;
const UNITS_SLOWER: u64 = 1_050_000;

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "On this machine, from {SAMPLES} measured pairs of each kind, {:.2} s a comparison",
            self.seconds
        )?;
        write!(f, "{}", self.resampled)?;
        let more = format!("{:+.0} %", (SLOWER - 1.0) * 100.0);
        for (name, comparisons) in [("equal", &self.equal), (more.as_str(), &self.slower)] {
            for comparison in comparisons {
                let Comparison { ratio, low, high, verdict, detectable, .. } = comparison;
                let shown = format!("{verdict:?}").to_lowercase();
                writeln!(
                    f,
                    "  {name:<8}{ratio:>8.4} ({low:.4} to {high:.4}), detectable {detectable:.4}: {shown}"
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_work_takes_longer() {
        let mut dice = Dice::new(1);
        let pairs = pairs(20, 3 * UNITS, &mut dice);
        assert!(compare(&pairs, 0.5).unwrap().ratio > 1.5);
    }
}
