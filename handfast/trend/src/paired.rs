//! Two builds compared by runs that alternate.
//!
//! A machine that others use is slower for a while, and both runs of a pair suffer alike: their ratio hardly does. A few pairs in which
//! only one was hit are outliers, which a trimmed mean leaves out; ratios that are alike from pair to pair widen the interval.

use serde::Serialize;

use handfast_statistics::number::{mean, real, sorted, whole};
use handfast_statistics::student::two_sided;

/// What one pair of runs cost, one after the other: time, or whatever is better when it is less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// With the build that is known.
    pub before: f64,
    /// With the one that is judged.
    pub after: f64,
}

/// How two builds differ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Comparison {
    /// From how many pairs.
    pub pairs: usize,
    /// What the later build costs, as a multiple of the earlier.
    pub ratio: f64,
    /// The ratio is at least this, and at most `high`, except with the probability that was allowed.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// What follows.
    pub verdict: Verdict,
    /// The ratio from which on so many pairs of this noise show a difference in 9 comparisons of 10.
    pub detectable: f64,
}

impl Comparison {
    /// How many pairs of the same noise would show a difference of `ratio` in 9 comparisons of 10; [`PAIRS_MIN`] at least.
    ///
    /// Above a million, or where the ratio is 1, a million.
    pub fn pairs_for(&self, ratio: f64) -> usize {
        let times = (self.detectable.ln() / ratio.ln()).powi(2);
        let pairs = (real(self.pairs) * times).ceil().min(1e6);
        if pairs.is_nan() { PAIRS_MIN } else { whole(pairs).max(PAIRS_MIN) }
    }
}

/// Which build is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The later costs more.
    Worse,
    /// The later costs less.
    Better,
    /// No difference was seen; one below what is detectable may be there.
    Even,
}

/// Why pairs tell nothing.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PairsError {
    /// Fewer than [`PAIRS_MIN`].
    #[error("{pairs} pairs are too few: {PAIRS_MIN} are needed at least")]
    TooFew {
        /// How many there are.
        pairs: usize,
    },
    /// A cost is not above 0, or no number.
    #[error("{cost} is no cost: it has to be above 0")]
    NoCost {
        /// The cost.
        cost: f64,
    },
}

/// So many pairs are needed at least.
pub const PAIRS_MIN: usize = 10;

/// Compares two builds by pairs in the order in which they were measured; `error` is how often a difference may be seen where none is.
///
/// What is not between 1e-6 and 0.5 is taken for the nearer of these. Costs that do not vary, as counters, are judged exactly: any difference is one.
/// K. K. Yuen, The two-sample trimmed t for unequal population variances, Biometrika 1974, on logarithms of ratios; of each side a fifth is trimmed.
///
/// # Errors
///
/// Refuses too few pairs, and costs that are not above 0.
pub fn compare(pairs: &[Pair], error: f64) -> Result<Comparison, PairsError> {
    if pairs.len() < PAIRS_MIN {
        return Err(PairsError::TooFew { pairs: pairs.len() });
    }
    let costs = pairs.iter().flat_map(|pair| [pair.before, pair.after]);
    if let Some(cost) = costs.into_iter().find(|cost| !(cost.is_finite() && *cost > 0.0)) {
        return Err(PairsError::NoCost { cost });
    }
    let ratios: Vec<f64> = pairs.iter().map(|pair| pair.after.ln() - pair.before.ln()).collect();
    let Trimmed { middle, deviation, freedom } = trimmed(&ratios);
    let reach = two_sided(error.clamp(1e-6, 0.5), freedom);
    let (low, high) = (middle - reach * deviation, middle + reach * deviation);
    let verdict = if low > 0.0 {
        Verdict::Worse
    } else if high < 0.0 {
        Verdict::Better
    } else {
        Verdict::Even
    };
    Ok(Comparison {
        pairs: pairs.len(),
        ratio: middle.exp(),
        low: low.exp(),
        high: high.exp(),
        verdict,
        detectable: ((reach + NINE_OF_TEN) * deviation).exp(),
    })
}

struct Trimmed {
    middle: f64,
    /// Of `middle`.
    deviation: f64,
    freedom: f64,
}

/// The trimmed mean, and how far it may be off, from the winsorised values in their order.
fn trimmed(values: &[f64]) -> Trimmed {
    let count = real(values.len());
    let cut = whole(count * TRIMMED);
    let sorted = sorted(values);
    let kept = &sorted[cut..sorted.len() - cut];
    let (least, most) = (kept[0], kept[kept.len() - 1]);
    let winsorised: Vec<f64> = values.iter().map(|value| value.clamp(least, most)).collect();
    let centre = mean(&winsorised);
    let residuals: Vec<f64> = winsorised.iter().map(|value| value - centre).collect();
    let square: f64 = residuals.iter().map(|residual| residual * residual).sum();
    let next: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let memory =
        if square > 0.0 { (next / square + 1.0 / count).clamp(0.0, MEMORY_MAX) } else { 0.0 };
    // So many pairs tell as much as one would.
    let cost = (1.0 + memory) / (1.0 - memory);
    let share = real(kept.len()) / count;
    let deviation = (square / (count - 1.0) * cost / count).sqrt() / share;
    Trimmed { middle: mean(kept), deviation, freedom: ((real(kept.len()) - 1.0) / cost).max(1.0) }
}

/// What is trimmed of each side: a fifth, as Yuen does.
const TRIMMED: f64 = 0.2;

/// More than this counts as this.
const MEMORY_MAX: f64 = 0.9;

/// The normal quantile of 0.9.
const NINE_OF_TEN: f64 = 1.281_55;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::Dice;

    fn pairs(seed: u64, count: usize, ratio: f64) -> Vec<Pair> {
        let mut dice = Dice::new(seed);
        let mut weather = 0.0;
        let pair = |_| {
            weather = 0.9 * weather + 0.1 * dice.normal();
            let mut cost = || (weather + 0.05 * dice.normal()).exp();
            let (before, after) = (cost(), ratio * cost());
            Pair { before, after: if dice.happens(0.05) { 5.0 * after } else { after } }
        };
        (0..count).map(pair).collect()
    }

    #[test]
    fn a_slower_build_is_seen_through_weather_and_outliers() {
        let seen = compare(&pairs(1, 100, 1.05), 0.01).unwrap();
        assert_eq!(seen.verdict, Verdict::Worse, "{seen:?}");
        assert!(
            (1.03..1.08).contains(&seen.ratio) && seen.low > 1.0 && seen.high < 1.1,
            "{seen:?}"
        );
        assert_eq!(compare(&pairs(1, 100, 0.9), 0.01).unwrap().verdict, Verdict::Better);
    }

    #[test]
    fn equal_builds_are_told_apart_as_seldom_as_is_allowed() {
        let tell = |seed| compare(&pairs(seed, 60, 1.0), 0.05).unwrap().verdict != Verdict::Even;
        let told = (0..1_000).filter(|&seed| tell(seed)).count();
        assert!((20..=80).contains(&told), "{told} in 1,000 at 0.05");
    }

    #[test]
    fn more_noise_takes_more_pairs() {
        let seen = compare(&pairs(1, 100, 1.0), 0.01).unwrap();
        let needed = seen.pairs_for(1.02);
        let then = compare(&pairs(2, needed, 1.0), 0.01).unwrap();
        assert!(needed > 100 && (1.014..1.028).contains(&then.detectable), "{needed} {then:?}");
        assert_eq!(seen.pairs_for(seen.detectable), 100);
        assert_eq!((seen.pairs_for(10.0), seen.pairs_for(1.0)), (PAIRS_MIN, 1_000_000));
    }

    #[test]
    fn counters_are_judged_exactly() {
        let exact = |after| compare(&[Pair { before: 1_000.0, after }; 10], 0.01).unwrap();
        assert_eq!(exact(1_001.0).verdict, Verdict::Worse);
        assert_eq!(exact(999.0).verdict, Verdict::Better);
        assert_eq!(exact(1_000.0).verdict, Verdict::Even);
    }

    #[test]
    fn what_tells_nothing_is_refused() {
        let pair = Pair { before: 1.0, after: 1.0 };
        assert_eq!(compare(&[pair; 9], 0.01), Err(PairsError::TooFew { pairs: 9 }));
        for cost in [0.0, -1.0, f64::INFINITY] {
            let refused = compare(&[Pair { before: 1.0, after: cost }; 10], 0.01);
            assert_eq!(refused, Err(PairsError::NoCost { cost }));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn who_is_called_earlier_only_turns_the_ratio(seed in any::<u64>(), ratio in 0.8..1.25_f64) {
            let pairs = pairs(seed, 40, ratio);
            let turned: Vec<Pair> = pairs.iter().map(|pair| Pair { before: pair.after, after: pair.before }).collect();
            let (one, other) = (compare(&pairs, 0.01).unwrap(), compare(&turned, 0.01).unwrap());
            prop_assert!((one.ratio * other.ratio - 1.0).abs() < 1e-9);
            prop_assert!((one.low * other.high - 1.0).abs() < 1e-9);
        }

        #[test]
        fn the_unit_does_not_matter(seed in any::<u64>(), unit in 1e-6..1e6_f64) {
            let pairs = pairs(seed, 40, 1.05);
            let other: Vec<Pair> = pairs.iter().map(|pair| Pair { before: unit * pair.before, after: unit * pair.after }).collect();
            let (one, other) = (compare(&pairs, 0.01).unwrap(), compare(&other, 0.01).unwrap());
            prop_assert!((one.ratio - other.ratio).abs() < 1e-9 && (one.low - other.low).abs() < 1e-9);
        }

        #[test]
        fn a_ratio_is_in_its_interval(seed in any::<u64>(), count in 10_usize..80) {
            let seen = compare(&pairs(seed, count, 1.0), 0.01).unwrap();
            prop_assert!(seen.low <= seen.ratio && seen.ratio <= seen.high && seen.detectable >= 1.0);
        }
    }
}
