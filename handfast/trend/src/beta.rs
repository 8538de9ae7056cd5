//! The beta distribution: what is known of a rate after so many failures and passes.

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
        incomplete(self.failures, self.passes, rate)
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

/// How probable `count` or more events are where `mean` are expected, each by itself (S. D. Poisson).
pub(crate) fn poisson_tail(count: u32, mean: f64) -> f64 {
    if count == 0 {
        return 1.0;
    }
    if mean <= 0.0 {
        return 0.0;
    }
    let mut term = (f64::from(count) * mean.ln() - mean - ln_gamma(f64::from(count) + 1.0)).exp();
    let (mut sum, mut next) = (0.0, f64::from(count));
    // Terms rise up to the mean and fall beyond it.
    while term > sum * 1e-15 || next < mean {
        sum += term;
        next += 1.0;
        term *= mean / next;
        if term == 0.0 && next > mean {
            break;
        }
    }
    sum.min(1.0)
}

/// The regularised incomplete beta function, by its continued fraction.
///
/// W. H. Press and others, Numerical Recipes, 2007, section 6.4, after W. J. Lentz.
pub(crate) fn incomplete(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast on one side of the mean only; the other is its mirror.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete(b, a, 1.0 - x);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    (front.exp() * fraction(a, b, x) / a).clamp(0.0, 1.0)
}

#[expect(clippy::many_single_char_names, reason = "the names of the formula")]
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let guarded = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / guarded(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for term in 1..=400_u16 {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guarded(1.0 + even * d);
        c = guarded(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guarded(1.0 + odd * d);
        c = guarded(1.0 + odd / c);
        let step = d * c;
        value *= step;
        if (step - 1.0).abs() < 1e-14 {
            break;
        }
    }
    value
}

/// The logarithm of the gamma function of a positive number, to 13 digits (C. Lanczos 1964, with 9 terms).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    let mut place = x;
    for term in TERMS {
        place += 1.0;
        sum += term / place;
    }
    let base = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * base.ln() - base + sum.ln()
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
    fn the_functions_have_their_known_values() {
        check(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln());
        check(ln_gamma(11.0), 3_628_800_f64.ln());
        check(incomplete(1.0, 1.0, 0.3), 0.3);
        // I_x(2, 3) = x^2 (6 - 8 x + 3 x^2).
        check(incomplete(2.0, 3.0, 0.4), 0.16 * (6.0 - 3.2 + 0.48));
        // The arcsine distribution.
        check(incomplete(0.5, 0.5, 0.1), 2.0 / std::f64::consts::PI * 0.1_f64.sqrt().asin());
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
    fn tails_of_poisson_are_those_of_the_table() {
        check(poisson_tail(0, 2.0), 1.0);
        check(poisson_tail(1, 2.0), 1.0 - (-2.0_f64).exp());
        check(poisson_tail(3, 0.5), 1.0 - (-0.5_f64).exp() * 1.625);
        check(poisson_tail(5, 0.0), 0.0);
        assert!((0.5..0.56).contains(&poisson_tail(2_000, 2_000.0)));
    }

    #[test]
    fn runs_that_all_fail_are_as_probable_as_their_product() {
        check(Beta::after(0.0, 0.0).all_fail(2), 0.375);
        check(Beta::after(9.5, 89.5).all_fail(1), 0.1);
        check(Beta::after(1.0, 1.0).all_fail(0), 1.0);
    }
}
