//! A test that goes on until it knows.

/// Which of two rates of failure is true, decided with as few runs as possible.
///
/// A. Wald, Sequential tests of statistical hypotheses, Annals of Mathematical Statistics 1945.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequential {
    low: f64,
    high: f64,
    /// The logarithm of how much more the high rate explains than the low one.
    evidence: f64,
}

/// What a sequential test says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The low rate is the true one.
    Low,
    /// The high rate is.
    High,
    /// More runs are needed.
    Open,
}

impl Sequential {
    /// How often it may be wrong, either way: 1 in 100.
    pub const ERROR: f64 = 0.01;

    /// Tests a rate against a tenth of it; what is not between 0.01 and 0.5 is taken for the nearer of these.
    pub fn against_a_tenth(rate: f64) -> Self {
        let high = rate.clamp(0.01, 0.5);
        Self { low: high / 10.0, high, evidence: 0.0 }
    }

    /// Takes a run in; after a decision, goes on from where it was made.
    pub fn observe(&mut self, failed: bool) -> Decision {
        self.evidence += if failed {
            (self.high / self.low).ln()
        } else {
            ((1.0 - self.high) / (1.0 - self.low)).ln()
        };
        let border = ((1.0 - Self::ERROR) / Self::ERROR).ln();
        if self.evidence <= -border {
            Decision::Low
        } else if self.evidence >= border {
            self.evidence = border;
            Decision::High
        } else {
            Decision::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Dice;

    #[track_caller]
    fn passes_to_decide(rate: f64, expected: usize) {
        let mut test = Sequential::against_a_tenth(rate);
        let passes = (1..10_000).find(|_| test.observe(false) == Decision::Low).unwrap();
        assert_eq!(passes, expected);
    }

    #[test]
    fn the_rarer_the_failures_the_more_passes_it_takes() {
        passes_to_decide(0.01, 508);
        passes_to_decide(0.1, 49);
        passes_to_decide(0.5, 8);
        passes_to_decide(1.0, 8);
    }

    #[test]
    fn it_is_wrong_as_seldom_as_it_says() {
        let mut dice = Dice::new(1);
        let (mut wrong, tries) = (0, 2_000);
        for _ in 0..tries {
            let mut test = Sequential::against_a_tenth(0.2);
            let decision = (0..10_000)
                .map(|_| test.observe(dice.happens(0.2)))
                .find(|decision| *decision != Decision::Open);
            wrong += usize::from(decision == Some(Decision::Low));
        }
        assert!(wrong * 100 <= tries * 2, "{wrong} of {tries}");
    }
}
