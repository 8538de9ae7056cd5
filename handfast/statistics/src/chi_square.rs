//! The chi-square distribution: how far counts may lie from what was expected of them.

use crate::gamma::gamma_below;

/// Probability that a chi-square variable of so many degrees of freedom is at least `value`.
pub fn chi_square_at_least(value: f64, degrees: f64) -> f64 {
    if value <= 0.0 || degrees <= 0.0 {
        return 1.0;
    }
    1.0 - gamma_below(degrees / 2.0, value / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(value: f64, expected: f64) {
        let error = (value - expected).abs() / expected.abs().max(1e-12);
        assert!(error < 1e-7, "{value} is not {expected}");
    }

    #[test]
    fn tails_of_chi_square_are_those_of_the_tables() {
        // The NIST e-Handbook of Statistical Methods, section 1.3.6.7.4, upper critical values: three digits.
        for (value, degrees, tail) in [
            (6.635, 1.0, 0.01),
            (3.841, 1.0, 0.05),
            (9.210, 2.0, 0.01),
            (18.307, 10.0, 0.05),
            (23.209, 10.0, 0.01),
            (76.154, 50.0, 0.01),
            (135.807, 100.0, 0.01),
        ] {
            let found = chi_square_at_least(value, degrees);
            assert!((found / tail - 1.0).abs() < 2e-3, "{value}, {degrees}: {found}");
        }
        // Two degrees of freedom are an exponential distribution.
        for value in [0.1, 1.0, 10.0, 40.0] {
            near(chi_square_at_least(value, 2.0), (-value / 2.0_f64).exp());
        }
        assert!(chi_square_at_least(0.0, 3.0) >= 1.0);
    }
}
