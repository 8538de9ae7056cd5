//! How long something will take, from how long it took.

use handfast_statistics::number::{mean, median, real, sorted, whole};
use handfast_statistics::student::two_sided;
use serde::Serialize;

use crate::change::Series;

/// How long the next run will take, in the unit of the durations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Forecast {
    /// As often more as less.
    pub expected: f64,
    /// Longer in one run of 20.
    pub high: f64,
    /// From how many runs this is known: those since the last change, the newest [`RUNS_MAX`] of them.
    pub runs: usize,
}

/// Older runs are not asked: machines change without a step.
pub const RUNS_MAX: usize = 60;

/// The forecast after these durations, which are 0 or more; `None` where there are none.
///
/// It starts anew at every change point. From 19 runs on, `high` is one of them (S. S. Wilks, Determination of sample sizes for setting tolerance limits,
/// 1941), before it is that of the log-normal distribution, and of a single run its double: guessed.
pub fn forecast(durations: &Series) -> Option<Forecast> {
    let values = durations.values();
    let changed = durations.change_points().last().map_or(0, |point| point.index);
    let recent = &values[changed.max(values.len().saturating_sub(RUNS_MAX))..];
    if recent.is_empty() {
        return None;
    }
    let runs = recent.len();
    let sorted = sorted(recent);
    let longest = sorted[runs - 1].max(0.0);
    let place = whole((0.95 * real(runs + 1)).ceil());
    let high = if runs == 1 {
        2.0 * longest
    } else if place <= runs {
        sorted[place - 1].max(0.0)
    } else {
        log_normal(&sorted).max(longest)
    };
    Some(Forecast { expected: median(recent).max(0.0), high, runs })
}

/// What the next of log-normal values exceeds once in 20.
fn log_normal(values: &[f64]) -> f64 {
    let logarithms: Vec<f64> =
        values.iter().filter(|value| **value > 0.0).map(|value| value.ln()).collect();
    if logarithms.len() < 2 {
        return 0.0;
    }
    let (count, middle) = (real(logarithms.len()), mean(&logarithms));
    let square: f64 = logarithms.iter().map(|logarithm| (logarithm - middle).powi(2)).sum();
    let deviation = (square / (count - 1.0) * (1.0 + 1.0 / count)).sqrt();
    (middle + two_sided(0.1, count - 1.0) * deviation).exp().min(f64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Dice;

    fn series(values: &[f64]) -> Series {
        let mut series = Series::new();
        for &value in values {
            series.push(value).unwrap();
        }
        series
    }

    #[track_caller]
    fn check(values: &[f64], expected: Option<(f64, f64, usize)>) {
        let told = forecast(&series(values)).map(|told| (told.expected, told.high, told.runs));
        assert_eq!(told, expected);
    }

    #[test]
    fn little_is_told_from_few_runs() {
        check(&[], None);
        check(&[3.0], Some((3.0, 6.0, 1)));
        check(&[0.0, 0.0], Some((0.0, 0.0, 2)));
        check(&[2.0; 5], Some((2.0, 2.0, 5)));
    }

    #[test]
    fn the_nineteenth_of_nineteen_is_exceeded_once_in_twenty() {
        let values: Vec<f64> = (1..=19).map(|value| f64::from(value % 5 * 4 + value % 4)).collect();
        let longest = values.iter().copied().fold(0.0, f64::max);
        let told = forecast(&series(&values)).unwrap();
        assert!((told.high - longest).abs() < 1e-12 && told.runs == 19, "{told:?}");
    }

    #[test]
    fn a_change_is_a_new_beginning() {
        let mut dice = Dice::new(1);
        let mut values: Vec<f64> = (0..60).map(|_| 10.0 + 0.1 * dice.normal()).collect();
        values.extend((0..20).map(|_| 20.0 + 0.1 * dice.normal()));
        let told = forecast(&series(&values)).unwrap();
        assert_eq!(told.runs, 20);
        assert!((told.expected - 20.0).abs() < 0.2 && told.high < 20.6, "{told:?}");
    }

    #[test]
    fn one_run_in_twenty_is_longer() {
        let mut dice = Dice::new(2);
        let (mut longer, mut all) = (0, 0);
        for _ in 0..600 {
            let values: Vec<f64> =
                (0..=5 + dice.below(40)).map(|_| (0.3 * dice.normal()).exp()).collect();
            let (next, past) = values.split_last().unwrap();
            longer += u32::from(*next > forecast(&series(past)).unwrap().high);
            all += 1;
        }
        assert!(longer * 100 <= all * 8, "{longer} of {all}");
    }
}
