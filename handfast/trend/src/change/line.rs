//! The clearest split of a window into two lines, by least squares.
//!
//! J. Bai, P. Perron, Estimating and testing linear models with multiple structural changes, Econometrica 1998.

use handfast_statistics::number::{mean, real};

use super::memory;

/// The clearest split.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    /// Where the second side starts.
    pub(super) at: usize,
    /// Twice the log-likelihood ratio under normal noise, divided by what memory makes it worth.
    pub(super) score: f64,
}

/// How many values a side has at least: a line takes two of them to be drawn.
const SIDE_MIN: usize = 8;

/// Of the variance, what counts as no residual at all.
const ROUNDING: f64 = 1e-9;

/// The clearest split; `None` where the window is too short, or all values are equal.
pub(super) fn split(values: &[f64]) -> Option<Split> {
    let length = values.len();
    if length < 2 * SIDE_MIN {
        return None;
    }
    let sums = Sums::of(values)?;
    let single = sums.line(0, length).residual;
    let mut best: Option<(usize, f64)> = None;
    for at in SIDE_MIN..=length - SIDE_MIN {
        let both = sums.line(0, at).residual + sums.line(at, length).residual;
        if best.is_none_or(|(_, least)| both < least) {
            best = Some((at, both));
        }
    }
    let (at, both) = best?;
    let mut residuals = Vec::with_capacity(length);
    for (start, end) in [(0, at), (at, length)] {
        let line = sums.line(start, end);
        residuals.extend((start..end).map(|index| sums.values[index] - line.at(index)));
    }
    let cost = memory::cost(memory::of(&residuals));
    Some(Split { at, score: real(length) * (single / both).ln() / cost })
}

/// Running sums of a window of mean 0 and variance 1.
struct Sums {
    values: Vec<f64>,
    /// Of the values, of value times index, and of squares, before each index.
    sums: Vec<[f64; 3]>,
}

impl Sums {
    fn of(values: &[f64]) -> Option<Self> {
        // Divided first, so that neither squares nor differences of huge values overflow.
        let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        if largest == 0.0 {
            return None;
        }
        let scaled: Vec<f64> = values.iter().map(|value| value / largest).collect();
        let middle = mean(&scaled);
        let square: f64 = scaled.iter().map(|value| (value - middle).powi(2)).sum();
        let deviation = (square / real(values.len())).sqrt();
        if deviation <= 0.0 {
            return None;
        }
        let values: Vec<f64> = scaled.iter().map(|value| (value - middle) / deviation).collect();
        let mut sums = Vec::with_capacity(values.len() + 1);
        let mut sum = [0.0; 3];
        sums.push(sum);
        for (index, value) in values.iter().enumerate() {
            sum = [sum[0] + value, sum[1] + real(index) * value, sum[2] + value * value];
            sums.push(sum);
        }
        Some(Self { values, sums })
    }

    /// The line of least squares through the values from `start` to before `end`.
    fn line(&self, start: usize, end: usize) -> Line {
        let (from, to) = (self.sums[start], self.sums[end]);
        let count = real(end - start);
        let centre = real(start + end - 1) / 2.0;
        let sum = to[0] - from[0];
        let product = to[1] - from[1] - centre * sum;
        let spread = count * (count * count - 1.0) / 12.0;
        let (height, slope) = (sum / count, product / spread);
        let residual = to[2] - from[2] - height * sum - slope * product;
        Line { centre, height, slope, residual: residual.max(ROUNDING) }
    }
}

struct Line {
    centre: f64,
    height: f64,
    slope: f64,
    residual: f64,
}

impl Line {
    fn at(&self, index: usize) -> f64 {
        self.height + self.slope * (real(index) - self.centre)
    }
}
