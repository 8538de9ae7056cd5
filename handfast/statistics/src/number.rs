//! Conversions between counts and real numbers, and order statistics.

/// A count as a real number.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]
pub fn real(count: usize) -> f64 {
    count as f64
}

/// The same of a count of 64 bits.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]
pub fn real_u64(count: u64) -> f64 {
    count as f64
}

/// The whole part of a number that is not negative; 0 for what is, or is no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is wanted"
)]
pub fn whole(number: f64) -> usize {
    number as usize
}

/// The values in ascending order.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The median; 0 of no values.
pub fn median(values: &[f64]) -> f64 {
    quantile(&sorted(values), 0.5)
}

/// The `share`-quantile of values in ascending order, linear between neighbours; 0 of no values.
///
/// R. J. Hyndman, Y. Fan, Sample quantiles in statistical packages, 1996: type 7.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share.clamp(0.0, 1.0) * real(last);
    let below = whole(place).min(last);
    let above = (below + 1).min(last);
    let part = place - real(below);
    // Weighted, not as a difference: that of two large values of opposite signs would overflow.
    sorted[below] * (1.0 - part) + sorted[above] * part
}

/// The arithmetic mean; 0 of no values.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / real(values.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], share: f64, expected: f64) {
        assert!((quantile(&sorted(values), share) - expected).abs() < 1e-12);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        check(&[], 0.5, 0.0);
        check(&[3.0], 0.9, 3.0);
        check(&[4.0, 1.0, 3.0, 2.0], 0.5, 2.5);
        check(&[1.0, 2.0, 3.0, 4.0], 1.0, 4.0);
        check(&[1.0, 2.0, 3.0, 4.0], 0.1, 1.3);
    }
}
