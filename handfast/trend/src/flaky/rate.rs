//! How often a test fails.

use std::collections::VecDeque;

use serde::Serialize;

use super::parts;
use crate::beta::Beta;

/// How often a test fails, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// The rate to expect, 0 to 1.
    pub mean: f64,
    /// The rate is at least this with probability 0.975; 0 as long as nothing failed.
    pub low: f64,
    /// The rate is at most this with probability 0.975; 1 as long as nothing passed.
    pub high: f64,
    /// From how many runs this is known, older ones counting less.
    pub runs: f64,
}

/// The outcomes of one test since its rate changed last.
///
/// Of passes only their number is kept, so that a healthy test costs nothing.
#[derive(Debug, Clone)]
pub(super) struct Outcomes {
    half_life: f64,
    /// Runs so far.
    runs: u64,
    /// From which run on the rate is what it is.
    since: u64,
    /// The runs that failed since then, ascending.
    failed: VecDeque<u64>,
}

impl Outcomes {
    /// How many failures are remembered: beyond, the oldest are forgotten with the passes before them.
    const FAILED_MAX: usize = 512;

    pub(super) fn new(half_life: f64) -> Self {
        Self { half_life, runs: 0, since: 0, failed: VecDeque::new() }
    }

    /// Takes a run in, and forgets what was before the rate changed.
    pub(super) fn push(&mut self, failed: bool) {
        if failed {
            self.failed.push_back(self.runs);
        }
        self.runs += 1;
        if self.failed.len() > Self::FAILED_MAX
            && let Some(oldest) = self.failed.pop_front()
        {
            self.since = oldest + 1;
        }
        if let Some(since) = self.change() {
            self.since = since;
            self.failed.retain(|&run| run >= since);
        }
    }

    /// What is known of the rate.
    pub(super) fn rate(&self) -> Rate {
        let (failures, passes) = self.weights(self.runs);
        let beta = Beta::after(failures, passes);
        // With nothing on one side, no rate there is ruled out: so the interval covers rates near 0 and 1, too
        // (L. D. Brown, T. T. Cai, A. DasGupta, Interval estimation for a binomial proportion, 2001).
        Rate {
            mean: beta.mean(),
            low: if failures > 0.0 { beta.quantile(0.025) } else { 0.0 },
            high: if passes > 0.0 { beta.quantile(0.975) } else { 1.0 },
            runs: failures + passes,
        }
    }

    /// What was known before the last `streak` runs; with how many runs.
    pub(super) fn before(&self, streak: u64) -> (Beta, f64) {
        let end = self.runs.saturating_sub(streak).max(self.since);
        let (failures, passes) = self.weights(end);
        (Beta::after(failures, passes), failures + passes)
    }

    /// Whether the rate was another one before.
    pub(super) fn has_changed(&self) -> bool {
        self.since > 0
    }

    /// Failures and passes up to a run, each counting half for every half-life that it is old.
    fn weights(&self, end: u64) -> (f64, f64) {
        let keep = (-std::f64::consts::LN_2 / self.half_life).exp();
        let all = end - self.since;
        let failed = self.failed.iter().filter(|run| **run < end);
        let failures: f64 = failed.clone().map(|&run| keep.powf(parts(end - 1 - run))).sum();
        // The difference of sums would leave a trace of a pass where none was.
        let has_passed = u64::try_from(failed.count()).is_ok_and(|failed| failed < all);
        let weight = (1.0 - keep.powf(parts(all))) / (1.0 - keep);
        (failures, if has_passed { weight - failures } else { 0.0 })
    }

    /// From which run on two rates explain the outcomes so much better than one that the rate must have changed there.
    ///
    /// The likelihood ratio is greatest next to a failure, so only there is looked.
    fn change(&self) -> Option<u64> {
        let all = self.runs - self.since;
        let total = u64::try_from(self.failed.len()).unwrap_or(u64::MAX);
        if total < 2 {
            return None;
        }
        let single = likelihood(total, all);
        let mut best: Option<(u64, f64)> = None;
        for (before, &run) in (0_u64..).zip(&self.failed) {
            for (split, failed) in [(run, before), (run + 1, before + 1)] {
                let length = split - self.since;
                let both = likelihood(failed, length) + likelihood(total - failed, all - length);
                if best.is_none_or(|(_, most)| both > most) {
                    best = Some((split, both));
                }
            }
        }
        let (split, both) = best?;
        (both - single > CHANGE_MIN + parts(all).ln() && split > self.since && split < self.runs)
            .then_some(split)
    }
}

/// The log-likelihood of so many failures in so many runs at the rate that makes it greatest.
fn likelihood(failed: u64, runs: u64) -> f64 {
    let term = |count: u64| if count == 0 { 0.0 } else { parts(count) * parts(count).ln() };
    term(failed) + term(runs - failed) - term(runs)
}

/// How much better two rates must explain the outcomes than one, beyond the logarithm of the number of places for a change.
const CHANGE_MIN: f64 = 4.0;
