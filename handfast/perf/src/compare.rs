//! Two sets of rounds that took turns, and one run against those before it.

use handfast_statistics::number::median;
use handfast_trend::paired::{self, Pair, Verdict};
use serde::Serialize;

use crate::figure::{ERROR, Figure};
use crate::metric::Metric;

/// How one metric differs between two builds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The metric.
    pub metric: Metric,
    /// The median of the rounds of the build that is known.
    pub before: f64,
    /// Of the one that is judged.
    pub after: f64,
    /// What the later build costs, as a multiple of the earlier: above 1 it is worse, whatever the metric.
    pub ratio: f64,
    /// The ratio is at least this, and at most `high`, but for 1 in 100.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// The ratio from which on a difference shows in 9 comparisons of 10.
    pub detectable: f64,
    /// What follows.
    pub verdict: Verdict,
    /// Whether both were counted: then the verdict is not one of chance.
    pub is_exact: bool,
}

/// Compares two builds by rounds that took turns, so that both met the same weather; nothing where there are too few rounds to tell.
pub fn builds(before: &Figure, after: &Figure) -> Option<Difference> {
    let metric = before.metric;
    if before.is_exact() && after.is_exact() {
        return Some(exact(metric, before.median, after.median));
    }
    if metric == Metric::Memory {
        return memory(before, after);
    }
    let pairs = before.rounds.iter().zip(&after.rounds);
    let pairs: Vec<Pair> = pairs
        .map(|(before, after)| Pair { before: metric.cost(*before), after: metric.cost(*after) })
        .collect();
    let told = paired::compare(&pairs, ERROR).ok()?;
    Some(Difference {
        metric,
        before: before.median,
        after: after.median,
        ratio: told.ratio,
        low: told.low,
        high: told.high,
        detectable: told.detectable,
        verdict: told.verdict,
        is_exact: false,
    })
}

/// The rounds of one process are one sample of its memory, however many there are: every round has to say the same, by more than processes
/// of one build differ.
fn memory(before: &Figure, after: &Figure) -> Option<Difference> {
    let rounds = before.rounds.iter().zip(&after.rounds);
    let ratios: Vec<f64> = rounds.map(|(before, after)| after / before).collect();
    let least = ratios.iter().copied().reduce(f64::min).filter(|ratio| *ratio > 0.0)?;
    let most = ratios.iter().copied().reduce(f64::max).filter(|ratio| ratio.is_finite())?;
    let (low, high) = (least / BOUND_MIN, most * BOUND_MIN);
    let verdict = if low > 1.0 {
        Verdict::Worse
    } else if high < 1.0 {
        Verdict::Better
    } else {
        Verdict::Even
    };
    Some(Difference {
        metric: before.metric,
        before: before.median,
        after: after.median,
        ratio: median(&ratios),
        low,
        high,
        detectable: (high / low).sqrt(),
        verdict,
        is_exact: false,
    })
}

fn exact(metric: Metric, before: f64, after: f64) -> Difference {
    let ratio = metric.cost(after) / metric.cost(before);
    let verdict = match ratio.total_cmp(&1.0) {
        std::cmp::Ordering::Less => Verdict::Better,
        std::cmp::Ordering::Equal => Verdict::Even,
        std::cmp::Ordering::Greater => Verdict::Worse,
    };
    let (low, high, detectable) = (ratio, ratio, 1.0);
    Difference { metric, before, after, ratio, low, high, detectable, verdict, is_exact: true }
}

/// What runs before this one have measured, on machines of this class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Baseline {
    /// From how many runs.
    pub runs: usize,
    /// The median of their medians.
    pub median: f64,
    /// As a multiple of `median`, how much a run may cost without being suspect.
    pub bound: f64,
}

/// So many runs make a baseline at least.
pub const BASELINE_MIN: usize = 5;

/// So many are looked at, the newest.
pub const BASELINE_MAX: usize = 30;

/// What is closer to the baseline than this is suspect of nothing: a twentieth.
pub const BOUND_MIN: f64 = 1.05;

/// How far from the median a run is that chance makes once in a thousand, in normal deviations.
const DEVIATIONS: f64 = 3.1;

/// From a median absolute deviation to a normal one.
const NORMAL: f64 = 1.482_6;

impl Baseline {
    /// The baseline of runs with these medians; nothing of fewer than [`BASELINE_MIN`], or of values that are not above 0.
    pub fn new(metric: Metric, medians: &[f64]) -> Option<Self> {
        let newest = &medians[medians.len().saturating_sub(BASELINE_MAX)..];
        if newest.len() < BASELINE_MIN
            || newest.iter().any(|value| !(value.is_finite() && *value > 0.0))
        {
            return None;
        }
        let costs: Vec<f64> = newest.iter().map(|value| metric.cost(*value).ln()).collect();
        let middle = median(&costs);
        let away: Vec<f64> = costs.iter().map(|cost| (cost - middle).abs()).collect();
        let spread = DEVIATIONS * NORMAL * median(&away);
        let bound =
            if metric.is_counter() && spread == 0.0 { 1.0 } else { spread.exp().max(BOUND_MIN) };
        Some(Self { runs: newest.len(), median: metric.cost(middle.exp()), bound })
    }

    /// What this run costs, as a multiple of the baseline, if that makes it suspect of being slower.
    pub fn suspects(&self, figure: &Figure) -> Option<f64> {
        let metric = figure.metric;
        let ratio = metric.cost(figure.median) / metric.cost(self.median);
        // A counter that rounds to its own median is no other one.
        (ratio > self.bound * (1.0 + 1e-9)).then_some(ratio)
    }
}

#[cfg(test)]
mod tests {
    use handfast_trend::random::Dice;
    use proptest::prelude::*;

    use super::*;

    fn figure(metric: Metric, seed: u64, level: f64) -> Figure {
        let mut dice = Dice::new(seed);
        let rounds = (0..40).map(|_| level * (0.05 * dice.normal()).exp()).collect();
        Figure::of_rounds(metric, rounds).unwrap()
    }

    #[test]
    fn a_slower_build_is_worse_whichever_way_is_better() {
        let verdict = |metric, level| {
            builds(&figure(metric, 1, 100.0), &figure(metric, 2, level)).unwrap().verdict
        };
        assert_eq!(verdict(Metric::Latency, 120.0), Verdict::Worse);
        assert_eq!(verdict(Metric::Latency, 80.0), Verdict::Better);
        assert_eq!(verdict(Metric::Throughput, 80.0), Verdict::Worse);
        assert_eq!(verdict(Metric::Throughput, 120.0), Verdict::Better);
        assert_eq!(verdict(Metric::Latency, 100.0), Verdict::Even);
    }

    #[test]
    fn counters_are_judged_exactly() {
        let of = |value: f64| Figure::of_rounds(Metric::MessageBytes, vec![value; 2]).unwrap();
        let told = |before, after| builds(&of(before), &of(after)).unwrap();
        assert_eq!(told(812.0, 813.0).verdict, Verdict::Worse);
        assert_eq!(told(812.0, 811.0).verdict, Verdict::Better);
        assert_eq!(
            (told(812.0, 812.0).verdict, told(812.0, 812.0).is_exact),
            (Verdict::Even, true)
        );
    }

    #[test]
    fn memory_differs_where_every_round_says_so() {
        let of = |rounds: &[f64]| Figure::of_rounds(Metric::Memory, rounds.to_vec()).unwrap();
        let growing: Vec<f64> = (0..20).map(|round| 5e6 + 1e5 * f64::from(round)).collect();
        let verdict = |factor: f64| {
            let other: Vec<f64> = growing.iter().map(|bytes| bytes * factor).collect();
            builds(&of(&growing), &of(&other)).unwrap().verdict
        };
        assert_eq!((verdict(3.8), verdict(0.5)), (Verdict::Worse, Verdict::Better));
        assert_eq!((verdict(1.02), verdict(0.98)), (Verdict::Even, Verdict::Even));
        let crossing = builds(&of(&[1e6, 2e6]), &of(&[2e6, 1e6])).unwrap();
        assert_eq!(crossing.verdict, Verdict::Even);
    }

    #[test]
    fn too_few_rounds_tell_nothing() {
        let of = |rounds: &[f64]| Figure::of_rounds(Metric::Latency, rounds.to_vec()).unwrap();
        assert_eq!(builds(&of(&[1.0; 9]), &of(&[2.0; 9])), None);
    }

    #[test]
    fn a_run_far_from_those_before_it_is_suspect() {
        let mut dice = Dice::new(1);
        let medians: Vec<f64> = (0..12).map(|_| 100.0 * (0.03 * dice.normal()).exp()).collect();
        let baseline = Baseline::new(Metric::Latency, &medians).unwrap();
        let suspects = |level: f64| {
            baseline.suspects(&Figure::of_rounds(Metric::Latency, vec![level]).unwrap())
        };
        assert_eq!((suspects(100.0), suspects(60.0)), (None, None));
        assert!(suspects(140.0).is_some_and(|ratio| (1.3..1.5).contains(&ratio)));
        assert_eq!(Baseline::new(Metric::Latency, &medians[..4]), None);
        let baseline = Baseline::new(Metric::Throughput, &[100.0; 5]).unwrap();
        let slow = Figure::of_rounds(Metric::Throughput, vec![50.0]).unwrap();
        assert!(baseline.suspects(&slow).is_some_and(|ratio| (ratio - 2.0).abs() < 1e-9));
    }

    #[test]
    fn one_byte_more_than_always_is_suspect() {
        let baseline = Baseline::new(Metric::MessageBytes, &[812.0; 5]).unwrap();
        let of = |value: f64| Figure::of_rounds(Metric::MessageBytes, vec![value; 2]).unwrap();
        assert_eq!(baseline.suspects(&of(812.0)), None);
        assert!(baseline.suspects(&of(813.0)).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn who_is_called_earlier_only_turns_the_ratio(seed in any::<u64>(), level in 50.0..200.0_f64) {
            let (one, other) = (figure(Metric::Latency, seed, 100.0), figure(Metric::Latency, seed ^ 1, level));
            let (there, back) = (builds(&one, &other).unwrap(), builds(&other, &one).unwrap());
            prop_assert!((there.ratio * back.ratio - 1.0).abs() < 1e-9);
        }
    }
}
