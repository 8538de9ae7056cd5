//! What a score is worth where neighbours are alike.
//!
//! Where each value is like the one before, as in whatever drifts, many values say no more than few. The score is divided by how many
//! values tell as much as one would (the variance inflation of a first-order autoregression), measured on what the split leaves
//! unexplained: a true step leaves noise, a slope leaves two slopes.
//!
//! D. W. K. Andrews, Heteroskedasticity and autocorrelation consistent covariance matrix estimation, Econometrica 1991.

use handfast_statistics::number::{mean, real};

/// More than this counts as this: a score is divided by 99 at most.
const MEMORY_MAX: f64 = 0.98;

/// The autocorrelation, from one value to the next, of what two means leave, one a side: 0 to [`MEMORY_MAX`].
pub(super) fn of_sides(values: &[f64], at: usize) -> f64 {
    let (before, after) = values.split_at(at);
    let (low, high) = (mean(before), mean(after));
    let residuals: Vec<f64> = before
        .iter()
        .map(|value| value - low)
        .chain(after.iter().map(|value| value - high))
        .collect();
    let raw = raw(&residuals);
    // Of few values it comes out too small (M. H. Quenouille 1949, F. H. C. Marriott and J. A. Pope 1954).
    (raw + (1.0 + 4.0 * raw) / real(values.len())).clamp(0.0, MEMORY_MAX)
}

/// The autocorrelation of residuals, from one to the next: 0 to [`MEMORY_MAX`].
pub(super) fn of(residuals: &[f64]) -> f64 {
    raw(residuals).clamp(0.0, MEMORY_MAX)
}

/// By what a score is divided: 1 and more.
pub(super) fn cost(memory: f64) -> f64 {
    (1.0 + memory) / (1.0 - memory)
}

fn raw(residuals: &[f64]) -> f64 {
    let square: f64 = residuals.iter().map(|residual| residual * residual).sum();
    let next: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
    if square > 0.0 { next / square } else { 0.0 }
}
