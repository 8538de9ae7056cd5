//! The binomial distribution: how many of so many trials hit.

use crate::beta::beta_below;

/// Probability of at most `hits` hits in `trials` trials, each with this chance. Trials and hits may be broken numbers:
/// those of trials that depend on each other, divided by their dispersion.
pub fn binomial_at_most(hits: f64, trials: f64, chance: f64) -> f64 {
    if hits < 0.0 {
        return 0.0;
    }
    if hits >= trials {
        return 1.0;
    }
    beta_below(trials - hits, hits + 1.0, 1.0 - chance)
}

/// Whether so many hits are among the `confidence` of outcomes in the middle, for instance 0.99.
pub fn binomial_agrees(hits: f64, trials: f64, chance: f64, confidence: f64) -> bool {
    let tail = (1.0 - confidence) / 2.0;
    let most = binomial_at_most(hits, trials, chance);
    let least = 1.0 - binomial_at_most(hits - 1.0, trials, chance);
    most >= tail && least >= tail
}

/// The chances with which so many hits agree: the interval of Clopper and Pearson (Biometrika 26, 1934).
pub fn binomial_interval(hits: f64, trials: f64, confidence: f64) -> (f64, f64) {
    if trials <= 0.0 {
        return (0.0, 1.0);
    }
    let tail = (1.0 - confidence) / 2.0;
    let low = if hits <= 0.0 {
        0.0
    } else {
        // The largest chance with which so many or more are still too rare.
        bisect(|chance| 1.0 - binomial_at_most(hits - 1.0, trials, chance) < tail)
    };
    let high = if hits >= trials {
        1.0
    } else {
        bisect(|chance| binomial_at_most(hits, trials, chance) >= tail)
    };
    (low, high)
}

/// Where a condition that holds at 0 and not at 1 stops to hold.
fn bisect(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal::normal_at_most;

    #[track_caller]
    fn near(value: f64, expected: f64) {
        let error = (value - expected).abs() / expected.abs().max(1e-12);
        assert!(error < 1e-7, "{value} is not {expected}");
    }

    #[test]
    fn binomial_sums_are_those_of_their_terms() {
        // Ten trials with chance 0.3, summed by hand.
        let mut sum = 0.0;
        let mut term = 0.7_f64.powi(10);
        for hits in 0..10_u32 {
            sum += term;
            near(binomial_at_most(f64::from(hits), 10.0, 0.3), sum);
            term *= f64::from(10 - hits) / f64::from(hits + 1) * 0.3 / 0.7;
        }
        assert!(
            binomial_at_most(10.0, 10.0, 0.3) >= 1.0 && binomial_at_most(-1.0, 10.0, 0.3) <= 0.0
        );
        // A hundred thousand trials: the normal approximation with its correction is near.
        let sigma = (100_000.0_f64 * 0.02 * 0.98).sqrt();
        let approximate = normal_at_most((2_050.5 - 2_000.0) / sigma);
        assert!((binomial_at_most(2_050.0, 100_000.0, 0.02) - approximate).abs() < 1e-3);
    }

    #[test]
    fn the_interval_is_that_of_clopper_and_pearson() {
        // 0 of n: the upper end is 1 - (a/2)^(1/n), the lower 0; n of n is its mirror.
        let (low, high) = binomial_interval(0.0, 20.0, 0.95);
        assert!(low <= 0.0);
        near(high, 1.0 - 0.025_f64.powf(1.0 / 20.0));
        let (low, high) = binomial_interval(20.0, 20.0, 0.95);
        assert!(high >= 1.0);
        near(low, 0.025_f64.powf(1.0 / 20.0));
        // Its ends are where the tails are what they should be.
        let (low, high) = binomial_interval(37.0, 1_000.0, 0.99);
        near(1.0 - binomial_at_most(36.0, 1_000.0, low), 0.005);
        near(binomial_at_most(37.0, 1_000.0, high), 0.005);
        assert_eq!(binomial_interval(0.0, 0.0, 0.99), (0.0, 1.0));
    }

    #[test]
    fn what_agrees_is_what_lies_in_the_middle() {
        assert!(binomial_agrees(20.0, 1_000.0, 0.02, 0.99));
        assert!(!binomial_agrees(35.0, 1_000.0, 0.02, 0.99));
        assert!(!binomial_agrees(8.0, 1_000.0, 0.02, 0.99));
        assert!(
            binomial_agrees(0.0, 1_000.0, 0.0, 0.99) && !binomial_agrees(1.0, 1_000.0, 0.0, 0.99)
        );
    }

    #[test]
    fn a_billion_trials_are_judged_as_well() {
        assert!(binomial_agrees(1e7, 1e9, 0.01, 0.99));
        assert!(!binomial_agrees(1.002e7, 1e9, 0.01, 0.99));
    }
}
