//! Runs in which the machine failed, not the tests.

use handfast_statistics::poisson::poisson_tail;

/// How often tests fail against which nothing is held, outside of bursts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usual {
    failures: f64,
    runs: f64,
}

impl Default for Usual {
    /// One in fifty, as of 500 runs: of a suite that is new several tests may be flaky.
    fn default() -> Self {
        Self { failures: 10.0, runs: 500.0 }
    }
}

impl Usual {
    /// Whether so many of the healthy tests have failed that it was not by chance, each by itself.
    ///
    /// A change that breaks many tests looks the same for one run; in the next its tests have failed before and count.
    pub(super) fn observe(&mut self, healthy: u32, failed: u32) -> bool {
        let expected = f64::from(healthy) * self.failures / self.runs;
        if failed >= FAILED_MIN && poisson_tail(failed, expected) < CHANCE {
            return true;
        }
        self.failures += f64::from(failed);
        self.runs += f64::from(healthy);
        false
    }
}

/// Fewer are no burst, however rare failures are.
const FAILED_MIN: u32 = 3;

/// One run in ten thousand is taken for a burst by mistake.
const CHANCE: f64 = 1e-4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_no_burst() {
        let mut usual = Usual::default();
        for _ in 0..100 {
            assert!(!usual.observe(1_000, 5));
        }
        assert!(!usual.observe(1_000, 12));
        assert!(usual.observe(1_000, 40));
        assert!(!usual.observe(1_000, 5), "a burst is no part of what is usual");
    }

    #[test]
    fn two_failures_are_no_burst() {
        let mut usual = Usual::default();
        for _ in 0..1_000 {
            usual.observe(20, 0);
        }
        assert!(!usual.observe(20, 2));
        assert!(usual.observe(20, 3));
    }
}
