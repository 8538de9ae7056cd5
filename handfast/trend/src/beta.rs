//! The beta distribution: what is known of a rate after so many failures and passes.

use handfast_statistics::beta::beta_below;

/// What is known of a rate: the beta distribution of two positive weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Beta {
    failures: f64,
    passes: f64,
}

impl Beta {
    /// After so many failures and passes, which may be parts, when nothing was known before (H. Jeffreys 1946).
    pub(crate) fn after(failures: f64, passes: f64) -> Self {
        Self { failures: failures + 0.5, passes: passes + 0.5 }
    }

    /// The rate to expect.
    pub(crate) fn mean(self) -> f64 {
        self.failures / (self.failures + self.passes)
    }

    /// How probable it is that the next `count` runs all fail.
    pub(crate) fn all_fail(self, count: usize) -> f64 {
        let mut probability = 1.0;
        let (mut failures, mut all) = (self.failures, self.failures + self.passes);
        for _ in 0..count {
            probability *= failures / all;
            failures += 1.0;
            all += 1.0;
        }
        probability
    }

    /// How probable it is that the rate is at most this.
    pub(crate) fn below(self, rate: f64) -> f64 {
        beta_below(self.failures, self.passes, rate)
    }

    /// The rate that is exceeded with probability `1 - share`, by halving.
    pub(crate) fn quantile(self, share: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..50 {
            let middle = f64::midpoint(low, high);
            if self.below(middle) < share {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, expected: f64) {
        assert!(
            (value - expected).abs() < 1e-9 * expected.abs().max(1.0),
            "{value} is not {expected}"
        );
    }

    #[test]
    fn a_quantile_is_where_its_share_lies() {
        for (failures, passes) in
            [(0.0, 100.0), (3.0, 97.0), (100.0, 0.0), (40.5, 2.25), (700.0, 9_000.0)]
        {
            let beta = Beta::after(failures, passes);
            for share in [0.025, 0.5, 0.975] {
                check(beta.below(beta.quantile(share)), share);
            }
        }
    }

    #[test]
    fn runs_that_all_fail_are_as_probable_as_their_product() {
        check(Beta::after(0.0, 0.0).all_fail(2), 0.375);
        check(Beta::after(9.5, 89.5).all_fail(1), 0.1);
        check(Beta::after(1.0, 1.0).all_fail(0), 1.0);
    }
}
