//! What a few tries say about a rate: an exact interval, and a test that stops as soon as it can.

use std::ops::RangeInclusive;

/// Most tries that an interval is made of: more say nothing that a person would use.
pub const TRIES_MAX: u32 = 10_000;

/// How sure an interval is: it misses the true rate in at most one of twenty cases.
const CONFIDENCE: f64 = 0.95;

/// Halvings of the search for a bound: beyond the last digit that is ever shown.
const HALVINGS: u32 = 50;

/// The interval in which the rate of failures lies with a confidence of 95 %, given so many of so many tries, each from 0 to 1.
///
/// Exact, also for none and for all of them, at the price of being a little wide. No tries: 0 to 1. Of more than [`TRIES_MAX`]
/// tries the share is taken.
///
/// Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26 (1934).
pub fn interval(failures: u32, tries: u32) -> RangeInclusive<f64> {
    let (failures, tries) = bounded(failures, tries);
    if tries == 0 {
        return 0.0..=1.0;
    }
    let tail = (1.0 - CONFIDENCE) / 2.0;
    // The lower bound is the rate at which so many failures or more are as rare as the tail, the upper one likewise.
    let low = if failures == 0 {
        0.0
    } else {
        rate_where(|rate| at_least(failures, tries, rate) >= tail)
    };
    let high = if failures == tries {
        1.0
    } else {
        rate_where(|rate| 1.0 - at_least(failures + 1, tries, rate) <= tail)
    };
    low..=high
}

fn bounded(failures: u32, tries: u32) -> (u32, u32) {
    let failures = failures.min(tries);
    if tries <= TRIES_MAX {
        return (failures, tries);
    }
    let share = u64::from(failures) * u64::from(TRIES_MAX) / u64::from(tries);
    (u32::try_from(share).unwrap_or(TRIES_MAX), TRIES_MAX)
}

/// The lowest rate that satisfies a condition which, once it holds, holds for all higher ones.
fn rate_where(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The chance of at least so many failures in so many tries, at this rate.
fn at_least(failures: u32, tries: u32, rate: f64) -> f64 {
    if rate <= 0.0 || rate >= 1.0 {
        return if failures == 0 || rate >= 1.0 { 1.0 } else { 0.0 };
    }
    // In logarithms, because the terms of many tries are too small for the numbers of the machine.
    let odds = (rate / (1.0 - rate)).ln();
    let mut term = f64::from(tries) * (1.0 - rate).ln();
    let mut sum = 0.0;
    for count in 0..=tries {
        if count >= failures {
            sum += term.exp();
        }
        let ways = f64::from(tries - count) / f64::from(count + 1);
        term += ways.ln() + odds;
    }
    sum.min(1.0)
}

/// Whether something fails often enough, decided with as few tries as that takes.
///
/// Between two rates, "often" and "hardly ever", each further try shifts the odds; it ends when one of the two is nineteen times as
/// likely as the other, and at a fixed number of tries at the latest.
///
/// Source: Wald, "Sequential Tests of Statistical Hypotheses", Annals of Mathematical Statistics 16 (1945).
#[derive(Debug, Clone, PartialEq)]
pub struct Sequential {
    on_failure: f64,
    on_pass: f64,
    evidence: f64,
    tries: u32,
    tries_max: u32,
    failures: u32,
}

/// What a [`Sequential`] test says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It fails often enough.
    Fails,
    /// It hardly ever fails.
    Holds,
    /// That takes further tries.
    Open,
}

/// By how much a rate has to fall until it counts as "hardly ever".
const FALL: f64 = 5.0;

/// The odds at which a test ends: wrong in one of twenty cases either way.
const ODDS: f64 = 0.95 / 0.05;

/// The rates between which a test can tell in a bearable number of tries.
const RATES: RangeInclusive<f64> = 0.1..=0.95;

impl Sequential {
    /// A test for what has failed at this rate, which ends after so many tries at the latest.
    ///
    /// Rates outside of 0.1 to 0.95 are taken as the nearest of these: a rarer failure could not be told from none within `tries_max`,
    /// and one that is certain would leave no room for a single slip.
    pub fn new(rate: f64, tries_max: u32) -> Self {
        let often =
            if rate.is_nan() { *RATES.start() } else { rate.clamp(*RATES.start(), *RATES.end()) };
        let hardly = often / FALL;
        Self {
            on_failure: (often / hardly).ln(),
            on_pass: ((1.0 - often) / (1.0 - hardly)).ln(),
            evidence: 0.0,
            tries: 0,
            tries_max: tries_max.max(1),
            failures: 0,
        }
    }

    /// Takes in a try.
    pub fn handle_try(&mut self, failed: bool) {
        self.tries = self.tries.saturating_add(1);
        self.failures += u32::from(failed);
        self.evidence += if failed { self.on_failure } else { self.on_pass };
    }

    /// What is known so far.
    pub fn decision(&self) -> Decision {
        if self.evidence >= ODDS.ln() {
            Decision::Fails
        } else if self.evidence <= -ODDS.ln() {
            Decision::Holds
        } else if self.tries < self.tries_max {
            Decision::Open
        } else if self.evidence > 0.0 {
            Decision::Fails
        } else {
            Decision::Holds
        }
    }

    /// How many further tries it may take.
    pub fn tries_left(&self) -> u32 {
        match self.decision() {
            Decision::Open => self.tries_max - self.tries,
            Decision::Fails | Decision::Holds => 0,
        }
    }
}

#[cfg(test)]
mod tests;
