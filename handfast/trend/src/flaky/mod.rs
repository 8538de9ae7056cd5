//! Flaky tests: which they are, and how often each fails.
//!
//! Reading order: [`Watch`] (all tests of one environment, run by run), `burst` (runs in which the machine failed, not the tests),
//! [`mod@test`] (the states of one test), [`rate`] (how often it fails).

mod burst;
pub mod rate;
pub mod test;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::burst::Usual;
use self::rate::Rate;
use self::test::{Outcome, State, Test};

/// All tests of one environment, over runs.
///
/// A run is told in two parts: [`Watch::observe`] takes what every test did, then [`Watch::again`] what those did that were tried once more.
#[derive(Debug, Clone)]
pub struct Watch<K> {
    tests: BTreeMap<K, Watched>,
    half_life: f64,
    usual: Usual,
    /// Runs of tests so far, and those of them that were extra.
    executions: u64,
    extra: u64,
    /// After which test the next one is tried once more although nothing is held against it.
    probed: Option<K>,
}

#[derive(Debug, Clone)]
struct Watched {
    test: Test,
    /// The last run of it failed, whether or not that was held against it.
    failed_last: bool,
}

/// What a run was like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen<K> {
    /// More tests failed than by chance: failures of this run are held against no test.
    pub is_burst: bool,
    /// These are to be run once more, with the same code.
    pub again: Vec<K>,
}

impl<K: Ord + Clone> Watch<K> {
    /// How many tests it knows at most; of more it takes no notice.
    pub const TESTS_MAX: usize = 1_000_000;

    /// Of all runs of tests, the share that may be extra: 3 in 100.
    pub const EXTRA_MAX: f64 = 0.03;

    /// Watches tests, forgetting: an outcome `half_life` runs ago counts half. What is below 1 is taken for 1.
    pub fn new(half_life: f64) -> Self {
        Self {
            tests: BTreeMap::new(),
            half_life: half_life.max(1.0),
            usual: Usual::default(),
            executions: 0,
            extra: 0,
            probed: None,
        }
    }

    /// Takes in what each test did in a run, and tells which to run once more.
    pub fn observe(&mut self, run: &BTreeMap<K, Outcome>) -> Seen<K> {
        let (mut healthy, mut unexpected) = (0, 0);
        for (name, outcome) in run {
            let watched = self.tests.get(name);
            if watched.is_none_or(|watched| {
                watched.test.state() == State::Healthy && !watched.failed_last
            }) {
                healthy += 1;
                unexpected += u32::from(*outcome == Outcome::Failed);
            }
        }
        let is_burst = self.usual.observe(healthy, unexpected);
        let mut again = Vec::new();
        for (name, &outcome) in run {
            self.executions += 1;
            let Some(watched) = self.enter(name) else { continue };
            watched.failed_last = outcome == Outcome::Failed;
            if is_burst && outcome == Outcome::Failed {
                continue;
            }
            watched.test.observe(outcome);
            if watched.test.wants_again() {
                again.push(name.clone());
            }
        }
        let probes = self.probes(run, &again, is_burst);
        again.extend(probes);
        Seen { is_burst, again }
    }

    /// Takes in what a test did when it was run once more; whether to run it yet again.
    pub fn again(&mut self, name: &K, outcome: Outcome) -> bool {
        self.executions += 1;
        self.extra += 1;
        let Some(watched) = self.tests.get_mut(name) else { return false };
        watched.test.again(outcome);
        watched.test.wants_again()
    }

    /// Takes a test out of what decides over runs, until a sequential test releases it; a test that nobody knows stays so.
    pub fn quarantine(&mut self, name: &K) {
        if let Some(watched) = self.tests.get_mut(name) {
            watched.test.quarantine();
        }
    }

    /// The state of a test; of one that nobody knows healthy.
    pub fn state(&self, name: &K) -> State {
        self.tests.get(name).map_or(State::Healthy, |watched| watched.test.state())
    }

    /// How often a test fails; `None` of one that nobody knows.
    pub fn rate(&self, name: &K) -> Option<Rate> {
        self.tests.get(name).map(|watched| watched.test.rate())
    }

    /// Of all runs of tests, the share that was extra: 0 to 1.
    pub fn extra_share(&self) -> f64 {
        let (extra, all) = (parts(self.extra), parts(self.executions));
        if all > 0.0 { extra / all } else { 0.0 }
    }

    fn enter(&mut self, name: &K) -> Option<&mut Watched> {
        if !self.tests.contains_key(name) {
            if self.tests.len() == Self::TESTS_MAX {
                return None;
            }
            let watched = Watched { test: Test::new(self.half_life), failed_last: false };
            self.tests.insert(name.clone(), watched);
        }
        self.tests.get_mut(name)
    }

    /// Tests against which nothing is held, each in its turn, as far as the share of extra runs allows.
    ///
    /// A tenth of the share is left for tests that have failed.
    fn probes(&mut self, run: &BTreeMap<K, Outcome>, again: &[K], is_burst: bool) -> Vec<K> {
        let allowed = Self::EXTRA_MAX * 0.9 * parts(self.executions) - parts(self.extra);
        let open = handfast_statistics::number::whole(allowed).saturating_sub(again.len());
        if is_burst || open == 0 || run.is_empty() {
            return Vec::new();
        }
        let after: Vec<&K> = match &self.probed {
            Some(last) => run.keys().skip_while(|name| *name <= last).chain(run.keys()).collect(),
            None => run.keys().collect(),
        };
        let healthy =
            after.into_iter().take(run.len()).filter(|name| self.state(name) == State::Healthy);
        let probes: Vec<K> = healthy.take(open).cloned().collect();
        self.probed = probes.last().cloned().or(self.probed.take());
        probes
    }
}

#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]
fn parts(count: u64) -> f64 {
    count as f64
}
