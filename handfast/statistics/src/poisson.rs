//! The Poisson distribution: how many events there are that know nothing of each other.

use crate::gamma::ln_gamma;

/// How probable `count` or more events are where `mean` are expected, each by itself (S. D. Poisson).
pub fn poisson_tail(count: u32, mean: f64) -> f64 {
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
    fn tails_of_poisson_are_those_of_the_table() {
        check(poisson_tail(0, 2.0), 1.0);
        check(poisson_tail(1, 2.0), 1.0 - (-2.0_f64).exp());
        check(poisson_tail(3, 0.5), 1.0 - (-0.5_f64).exp() * 1.625);
        check(poisson_tail(5, 0.0), 0.0);
        assert!((0.5..0.56).contains(&poisson_tail(2_000, 2_000.0)));
    }
}
