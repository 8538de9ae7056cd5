//! The clearest split of a window into two distributions.
//!
//! At each of nine thresholds a value is below or not; the likelihood of two rates, one a side, over that of one rate says how clearly
//! both sides differ there, and the mean over the thresholds how clearly they differ at all. This sees shifts of noise with several
//! modes, which runners of several makes have, where a mean does not, and an outlier counts no more than any value beyond the last threshold.
//!
//! K. Haynes, P. Fearnhead, I. A. Eckley, A computationally efficient nonparametric approach for changepoint detection, Statistics and Computing 2017, after
//! C. Zou, G. Yin, L. Feng, Z. Wang, Annals of Statistics 2014.

use handfast_statistics::number::{real, sorted, whole};

use super::memory;

/// The clearest split.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    /// Where the second side starts.
    pub(super) at: usize,
    /// Twice the mean log-likelihood ratio, divided by what memory makes it worth.
    pub(super) score: f64,
    /// How alike neighbours are on both sides: [`memory::of`].
    pub(super) memory: f64,
}

/// How many values a side has at least.
pub(super) const SIDE_MIN: usize = 4;

/// How many thresholds, at most: more were no better.
const THRESHOLDS: usize = 9;

/// `x ln x` of counts, which all likelihoods are made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Entropy(Vec<f64>);

impl Entropy {
    /// Knows counts up to this one from here on.
    pub(super) fn reach(&mut self, count: usize) {
        for count in self.0.len()..=count {
            self.0.push(real(count) * real(count.max(1)).ln());
        }
    }

    /// The sum for two counts: less that of both together, it is the log-likelihood of their shares where these are the rates.
    fn pair(&self, one: usize, other: usize) -> f64 {
        self.0[one] + self.0[other]
    }
}

/// The clearest split; `None` where the window is too short or all values are equal.
pub(super) fn split(values: &[f64], entropy: &Entropy) -> Option<Split> {
    let length = values.len();
    if length < 2 * SIDE_MIN {
        return None;
    }
    let thresholds = thresholds(values);
    let classes: Vec<usize> = values
        .iter()
        .map(|value| thresholds.iter().filter(|threshold| *threshold <= value).count())
        .collect();
    let mut totals = vec![0; thresholds.len()];
    count(&mut totals, &classes);
    let of_all = totals.iter().map(|&below| entropy.pair(below, length - below));
    let single = of_all.sum::<f64>() - real(totals.len()) * entropy.0[length];
    let mut counts = vec![0; thresholds.len()];
    let mut best: Option<(usize, f64)> = None;
    for at in 1..=length - SIDE_MIN {
        count(&mut counts, &classes[at - 1..at]);
        if at < SIDE_MIN {
            continue;
        }
        let each = counts.iter().zip(&totals).map(|(&below, &total)| {
            entropy.pair(below, at - below)
                + entropy.pair(total - below, length - at - (total - below))
        });
        // What does not hang on the threshold is taken away once.
        let both = each.sum::<f64>() - real(totals.len()) * entropy.pair(at, length - at);
        if best.is_none_or(|(_, most)| both > most) {
            best = Some((at, both));
        }
    }
    let (at, both) = best.filter(|_| !thresholds.is_empty())?;
    let scores: Vec<f64> = classes.iter().map(|&class| real(class)).collect();
    let memory = memory::of_sides(&scores, at);
    let score = 2.0 * (both - single) / real(thresholds.len()) / memory::cost(memory);
    Some(Split { at, score, memory })
}

/// Adds to each threshold how many of the classes are below it.
fn count(counts: &mut [usize], classes: &[usize]) {
    for &class in classes {
        for below in &mut counts[class..] {
            *below += 1;
        }
    }
}

/// The different quantiles of the window at even shares, without its least value, below which nothing is.
fn thresholds(values: &[f64]) -> Vec<f64> {
    let sorted = sorted(values);
    let mut thresholds: Vec<f64> = Vec::with_capacity(THRESHOLDS);
    for place in 0..THRESHOLDS {
        let share = (real(place) + 0.5) / real(THRESHOLDS);
        let value = sorted[whole(share * real(values.len())).min(values.len() - 1)];
        if value > sorted[0] && thresholds.last() != Some(&value) {
            thresholds.push(value);
        }
    }
    if thresholds.is_empty() {
        // Fewer than one in eighteen differ: what is above the least value is all there is to see.
        thresholds.extend(sorted.iter().find(|value| **value > sorted[0]));
    }
    thresholds
}
