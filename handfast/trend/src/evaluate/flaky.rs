//! Suites of flaky tests, with planted regressions and bursts.

use std::collections::BTreeMap;
use std::fmt;

use handfast_statistics::number::{median, real};
use serde::Serialize;

use super::Part;
use crate::flaky::Watch;
use crate::flaky::test::{Outcome, State, Test};
use crate::random::Dice;

/// How well the states and rates of tests are told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flaky {
    /// By part, and over all.
    pub rows: Vec<FlakyRow>,
    /// Of all runs of tests, the share that was extra.
    pub extra: f64,
    /// Of quarantined tests.
    pub release: Release,
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Those of which it holds.
    pub hits: usize,
    /// All that were asked.
    pub of: usize,
}

impl Tally {
    /// The share, 0 to 1; 0 of nothing.
    pub fn share(self) -> f64 {
        if self.of == 0 { 0.0 } else { real(self.hits) / real(self.of) }
    }

    pub(super) fn add(&mut self, holds: bool) {
        self.of += 1;
        self.hits += usize::from(holds);
    }
}

/// What was told after [`RUNS`] runs, of the tests of one part.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FlakyRow {
    /// Over which tests; `None` is all.
    pub part: Option<Part>,
    /// Tests that fail in 1 run of 100 or more, that are flaky, or broken where they fail in 99 of 100.
    pub recognised: Tally,
    /// The same without those that always fail.
    pub recognised_flaky: Tally,
    /// Tests that fail in 3 runs of 10 since a change, that are flaky.
    pub degraded: Tally,
    /// Tests that always fail since a change, that are broken.
    pub broken: Tally,
    /// The same, that were called flaky at the end.
    pub broken_flaky: Tally,
    /// Tests that never fail but in bursts, that were ever called flaky or broken.
    pub false_alarms: Tally,
    /// Tests whose rate, as it is at the end, is in its interval.
    pub covered: Tally,
    /// The same, of tests that fail in 1 run of 100 or more.
    pub covered_failing: Tally,
}

/// How quarantined tests are released.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Release {
    /// Repaired tests that were released within [`RELEASE_RUNS`] runs.
    pub repaired: Tally,
    /// The median of their runs until then.
    pub runs: f64,
    /// Tests as flaky as before that were released within [`RELEASE_RUNS`] runs.
    pub unrepaired: Tally,
}

/// Runs of each suite.
pub const RUNS: usize = 100;

/// Runs after which a quarantined test is no longer looked at.
pub const RELEASE_RUNS: usize = 600;

/// Outcomes so many runs ago count half.
pub const HALF_LIFE: f64 = 500.0;

/// Suites of the same rates.
const SUITES: u64 = 5;

/// Runs suites of tests with these rates: 2 in 100 of the tests break, 1 in 100 fail in 3 of 10 runs from a run on, and in 2 of 100 runs a burst
/// makes 0.2 % to 50 % of all tests fail.
pub fn flaky(rates: &[f64], dice: &Dice) -> Flaky {
    let parts = [Some(Part::Tuned), Some(Part::HeldOut), None];
    let mut rows = parts.map(|part| FlakyRow { part, ..FlakyRow::default() });
    let mut extra = 0.0_f64;
    for suite in 0..SUITES {
        let mut suite = Suite::new(rates, dice.part(suite));
        for run in 0..RUNS {
            suite.run(run);
        }
        for row in &mut rows {
            suite.tell(row);
        }
        extra = extra.max(suite.watch.extra_share());
    }
    Flaky { rows: rows.into(), extra, release: release(rates, &mut dice.part(SUITES)) }
}

/// A test as it really is.
#[derive(Debug, Clone, Copy)]
struct Truth {
    rate: f64,
    fate: Fate,
    /// It was called flaky or broken.
    accused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Stays,
    /// Fails at another rate from a run on.
    Changes {
        run: usize,
        rate: f64,
    },
}

impl Truth {
    fn at(&self, run: usize) -> f64 {
        match self.fate {
            Fate::Changes { run: change, rate } if run >= change => rate,
            Fate::Stays | Fate::Changes { .. } => self.rate,
        }
    }
}

struct Suite {
    tests: Vec<Truth>,
    watch: Watch<usize>,
    dice: Dice,
}

impl Suite {
    fn new(rates: &[f64], mut dice: Dice) -> Self {
        let tests = rates
            .iter()
            .map(|&rate| Truth { rate, fate: fate(rate, &mut dice), accused: false })
            .collect();
        Self { tests, watch: Watch::new(HALF_LIFE), dice }
    }

    fn run(&mut self, run: usize) {
        // From 0.2 % to 50 %: as often a small one as a large one.
        let burst =
            if self.dice.happens(0.02) { 0.5 * 250.0_f64.powf(-self.dice.unit()) } else { 0.0 };
        let mut outcomes = BTreeMap::new();
        for (name, truth) in self.tests.iter().enumerate() {
            let failed =
                self.dice.happens(truth.at(run)) || (burst > 0.0 && self.dice.happens(burst));
            outcomes.insert(name, outcome(failed));
        }
        let seen = self.watch.observe(&outcomes);
        for name in seen.again {
            let rate = self.tests[name].at(run);
            while self.watch.again(&name, outcome(self.dice.happens(rate))) {}
        }
        for (name, truth) in self.tests.iter_mut().enumerate() {
            truth.accused |= matches!(self.watch.state(&name), State::Flaky | State::Broken);
        }
    }

    fn tell(&self, row: &mut FlakyRow) {
        for (name, truth) in self.tests.iter().enumerate() {
            if row.part.is_some_and(|part| part != Part::of(name)) {
                continue;
            }
            let state = self.watch.state(&name);
            let current = truth.at(RUNS);
            match truth.fate {
                Fate::Changes { rate: 1.0, .. } => {
                    row.broken.add(state == State::Broken);
                    row.broken_flaky.add(state == State::Flaky);
                }
                Fate::Changes { .. } => row.degraded.add(state == State::Flaky),
                Fate::Stays if truth.rate >= 0.99 => {
                    row.recognised.add(state >= State::Flaky);
                }

                Fate::Stays if truth.rate >= 0.01 => {
                    row.recognised.add(state == State::Flaky);
                    row.recognised_flaky.add(state == State::Flaky);
                }
                Fate::Stays if truth.rate == 0.0 => row.false_alarms.add(truth.accused),
                Fate::Stays => {}
            }
            if let Some(rate) = self.watch.rate(&name) {
                let is_covered = (rate.low..=rate.high).contains(&current);
                row.covered.add(is_covered);
                if current >= 0.01 {
                    row.covered_failing.add(is_covered);
                }
            }
        }
    }
}

fn fate(rate: f64, dice: &mut Dice) -> Fate {
    let run = RUNS * 3 / 10 + dice.below(RUNS * 6 / 10);
    match dice.below(100) {
        0 | 1 if rate < 1.0 => Fate::Changes { run, rate: 1.0 },
        2 if rate < 0.3 => Fate::Changes { run, rate: 0.3 },
        _ => Fate::Stays,
    }
}

fn outcome(failed: bool) -> Outcome {
    if failed { Outcome::Failed } else { Outcome::Passed }
}

/// Quarantines every test that fails in 1 run of 100 or more, and not always, after [`RUNS`] runs; once repaired, once not.
fn release(rates: &[f64], dice: &mut Dice) -> Release {
    let (mut repaired, mut unrepaired, mut runs) = (Tally::default(), Tally::default(), Vec::new());
    for &rate in rates.iter().filter(|rate| (0.01..1.0).contains(*rate)) {
        let mut test = Test::new(HALF_LIFE);
        for _ in 0..RUNS {
            test.observe(outcome(dice.happens(rate)));
        }
        test.quarantine();
        let mut until = |rate: f64| {
            let mut test = test.clone();
            (1..=RELEASE_RUNS).find(|_| {
                test.observe(outcome(dice.happens(rate)));
                test.state() != State::Quarantined
            })
        };
        let after = until(0.0);
        repaired.add(after.is_some());
        runs.extend(after.map(real));
        unrepaired.add(until(rate).is_some());
    }
    Release { repaired, runs: median(&runs), unrepaired }
}

type Column = fn(&FlakyRow) -> Tally;

impl fmt::Display for Flaky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Tests after {RUNS} runs, with bursts, some broken or degraded by a change")?;
        write!(f, "  {:<42}", "")?;
        for row in &self.rows {
            let part = row.part.map_or("all".to_owned(), |part| part.to_string());
            write!(f, "{part:>20}")?;
        }
        let lines: [(&str, Column); 8] = [
            ("fails 1 in 100 or more: recognised", |row| row.recognised),
            ("  without those that always fail", |row| row.recognised_flaky),
            ("degraded to 3 in 10: flaky", |row| row.degraded),
            ("broken: broken", |row| row.broken),
            ("broken: called flaky", |row| row.broken_flaky),
            ("healthy: ever called flaky or broken", |row| row.false_alarms),
            ("rate within its interval", |row| row.covered),
            ("  of those that fail 1 in 100 or more", |row| row.covered_failing),
        ];
        for (name, of) in lines {
            write!(f, "\n  {name:<42}")?;
            for row in &self.rows {
                let tally = of(row);
                write!(f, "{:>7.4} of {:>9}", tally.share(), tally.of)?;
            }
        }
        let Release { repaired, runs, unrepaired } = self.release;
        writeln!(f, "\n  extra runs, of all: {:.4}", self.extra)?;
        writeln!(
            f,
            "  quarantined, of {}: repaired and released {:.4}, in the median after {runs:.0} runs; released as flaky as before {:.4}",
            repaired.of,
            repaired.share(),
            unrepaired.share()
        )
    }
}
