//! The values of one metric, round by round.

use handfast_statistics::number::{median, real};
use handfast_trend::paired::{Pair, compare};
use serde::Serialize;

use crate::metric::Metric;

/// What was measured of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// The metric.
    pub metric: Metric,
    /// What is held against target and alert: of times the 99th percentile, of memory the most, otherwise the median of the rounds.
    pub judged: f64,
    /// The median of the rounds: what two runs are compared by.
    pub median: f64,
    /// A value a round, in their order; at least one.
    pub rounds: Vec<f64>,
    /// What chance does to the median; nothing where there were too few rounds to tell.
    pub noise: Option<Noise>,
}

/// What chance does to a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Noise {
    /// By which share another run of the same build, of as many rounds that take turns with these, may differ, but for 1 in 100.
    pub floor: f64,
    /// By which share another build has to differ to be seen in 9 comparisons of 10 with as many rounds.
    pub detectable: f64,
}

/// How often a difference may be seen where none is.
pub const ERROR: f64 = 0.01;

impl Figure {
    /// A figure of these rounds, of which `judged` is held against target and alert; nothing of no round.
    pub fn new(metric: Metric, rounds: Vec<f64>, judged: f64) -> Option<Self> {
        let noise = noise(metric, &rounds);
        let middle = if rounds.is_empty() { None } else { Some(median(&rounds)) };
        Some(Self { metric, judged, median: middle?, rounds, noise })
    }

    /// A figure that is judged by the median of its rounds.
    pub fn of_rounds(metric: Metric, rounds: Vec<f64>) -> Option<Self> {
        let figure = Self::new(metric, rounds, 0.0)?;
        Some(Self { judged: figure.median, ..figure })
    }

    /// Whether it was counted, and each round gave the same: then any difference from another run is one.
    pub fn is_exact(&self) -> bool {
        self.metric.is_counter()
            && self.rounds.iter().all(|value| value.to_bits() == self.rounds[0].to_bits())
    }
}

/// Neighbouring rounds are pairs of one build with itself, which meet the same weather.
fn noise(metric: Metric, rounds: &[f64]) -> Option<Noise> {
    let pairs = rounds.chunks_exact(2);
    let pairs: Vec<Pair> = pairs
        .map(|pair| Pair { before: metric.cost(pair[0]), after: metric.cost(pair[1]) })
        .collect();
    let told = compare(&pairs, ERROR).ok()?;
    // So many rounds a side make as many pairs, twice those that are here.
    let fewer = real(pairs.len()) / real(rounds.len());
    let floor = (told.high / told.low).sqrt().ln() * fewer.sqrt();
    let detectable = told.detectable.ln() * fewer.sqrt();
    Some(Noise { floor: floor.exp_m1(), detectable: detectable.exp_m1() })
}

#[cfg(test)]
mod tests {
    use handfast_trend::random::Dice;
    use proptest::prelude::*;

    use super::*;

    fn rounds(seed: u64, count: usize, spread: f64) -> Vec<f64> {
        let mut dice = Dice::new(seed);
        (0..count).map(|_| 1_000.0 * (spread * dice.normal()).exp()).collect()
    }

    #[test]
    fn a_figure_of_nothing_is_none() {
        assert_eq!(Figure::of_rounds(Metric::Latency, Vec::new()), None);
    }

    #[test]
    fn few_rounds_say_nothing_of_chance() {
        let figure = Figure::of_rounds(Metric::Latency, rounds(1, 19, 0.1)).unwrap();
        assert_eq!(figure.noise, None);
        assert!(Figure::of_rounds(Metric::Latency, rounds(1, 20, 0.1)).unwrap().noise.is_some());
    }

    #[test]
    fn more_noise_hides_more() {
        let of = |spread| {
            Figure::of_rounds(Metric::Throughput, rounds(1, 40, spread)).unwrap().noise.unwrap()
        };
        let (calm, rough) = (of(0.02), of(0.2));
        assert!(calm.floor < rough.floor && calm.detectable < rough.detectable);
        assert!((0.01..0.06).contains(&calm.detectable), "{calm:?}");
        assert!(calm.floor > 0.0 && calm.floor < calm.detectable, "{calm:?}");
    }

    #[test]
    fn counters_that_agree_are_exact() {
        let of = |metric, rounds: &[f64]| Figure::of_rounds(metric, rounds.to_vec()).unwrap();
        assert!(of(Metric::MessageBytes, &[812.0, 812.0]).is_exact());
        assert!(!of(Metric::MessageBytes, &[812.0, 813.0]).is_exact());
        assert!(!of(Metric::Latency, &[812.0, 812.0]).is_exact());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_unit_does_not_matter(seed in any::<u64>(), unit in 1e-3..1e6_f64) {
            let plain = rounds(seed, 24, 0.1);
            let other = plain.iter().map(|value| value * unit).collect();
            let (plain, other) = (
                Figure::of_rounds(Metric::Latency, plain).unwrap(),
                Figure::of_rounds(Metric::Latency, other).unwrap(),
            );
            let (one, two) = (plain.noise.unwrap(), other.noise.unwrap());
            prop_assert!((one.floor - two.floor).abs() < 1e-6 && (one.detectable - two.detectable).abs() < 1e-6);
            prop_assert!(one.floor <= one.detectable, "chance is not to be seen");
            prop_assert!((plain.median * unit / other.median - 1.0).abs() < 1e-9);
        }
    }
}
