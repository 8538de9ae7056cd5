//! Student's distribution.

use crate::beta::beta_below;

/// The value that a draw from Student's distribution exceeds, either way, with probability `error`; by halving.
///
/// `freedom` is positive; `error` above 0 and below 1.
pub fn two_sided(error: f64, freedom: f64) -> f64 {
    let beyond = |value: f64| beta_below(freedom / 2.0, 0.5, freedom / (freedom + value * value));
    let (mut low, mut high) = (0.0, 1.0);
    while beyond(high) > error && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if beyond(middle) > error {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: f64, freedom: f64, expected: f64) {
        let value = two_sided(error, freedom);
        assert!((value - expected).abs() < 1e-3 * expected, "{value} is not {expected}");
    }

    #[test]
    fn values_are_those_of_the_tables() {
        check(0.05, 1.0, 12.706);
        check(0.01, 10.0, 3.169);
        check(0.01, 60.0, 2.660);
        check(0.05, 1e6, 1.960);
        check(0.5, 2.0, 0.816_5);
    }
}
