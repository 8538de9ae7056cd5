//! The states of one test.
//!
//! ```text
//! healthy --fails--> suspect --passes with the same code, or fails, passes and fails--> flaky
//!    ^                  |  \--fails 4 times on end, which its rate does not explain--> broken --passes--> suspect
//!    |                  |                                                              ^
//!    +--a sequential test says: a tenth of the rate-- suspect, flaky, quarantined      flaky --fails on end--+
//! ```

use serde::Serialize;

use super::rate::{Outcomes, Rate};
use crate::sequential::{Decision, Sequential};

/// What a test did in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
}

/// What is thought of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing is held against it.
    Healthy,
    /// It failed, and nobody knows yet why.
    Suspect,
    /// It fails now and then with the same code.
    Flaky,
    /// It fails every time.
    Broken,
    /// It runs, and decides nothing.
    Quarantined,
}

/// One test in one environment.
#[derive(Debug, Clone)]
pub struct Test {
    standing: Standing,
    outcomes: Outcomes,
    /// Failures on end, those of further tries among them.
    streak: usize,
    /// Failures on end in first tries.
    streak_first: u64,
    /// Further tries in this run.
    tries: usize,
}

#[derive(Debug, Clone, Copy)]
enum Standing {
    Healthy,
    /// `returned`: it has passed since it failed.
    Suspect {
        release: Sequential,
        returned: bool,
    },
    Flaky {
        release: Sequential,
    },
    Broken,
    Quarantined {
        release: Sequential,
    },
}

/// So many failures on end are more than bad luck, where nothing else is known.
const STREAK_MIN: usize = 4;

/// So many further tries a run: with the first, as many as make a streak.
const TRIES_MAX: usize = STREAK_MIN - 1;

/// A streak less probable than this does not come from the rate.
const STREAK_CHANCE: f64 = 0.003;

/// Of fewer runs nothing is known.
const RUNS_MIN: f64 = 4.0;

/// What a suspect is held to be: it fails in one run of ten.
const SUSPECT_RATE: f64 = 0.1;

impl Test {
    /// A test that nobody has run; outcomes `half_life` runs ago count half.
    pub fn new(half_life: f64) -> Self {
        Self {
            standing: Standing::Healthy,
            outcomes: Outcomes::new(half_life),
            streak: 0,
            streak_first: 0,
            tries: 0,
        }
    }

    /// Takes in the first try of a run, or one made although the first passed.
    pub fn observe(&mut self, outcome: Outcome) {
        let failed = outcome == Outcome::Failed;
        self.outcomes.push(failed);
        self.tries = 0;
        if failed {
            self.streak += 1;
            self.streak_first += 1;
            self.standing = self.failed();
        } else {
            self.streak = 0;
            self.streak_first = 0;
            self.standing = self.passed();
        }
    }

    /// Takes in a further try with the same code; it says what the failure was, not how often there is one.
    pub fn again(&mut self, outcome: Outcome) {
        if self.streak == 0 {
            // The first try passed: this one was made to learn more, and is as good as a run.
            self.observe(outcome);
            return;
        }
        self.tries += 1;
        match outcome {
            Outcome::Failed => {
                self.streak += 1;
                self.standing = self.fallen(self.standing);
            }
            Outcome::Passed => {
                self.streak = 0;
                self.streak_first = 0;
                self.standing = match self.standing {
                    Standing::Healthy | Standing::Suspect { .. } | Standing::Broken => self.flaky(),
                    standing @ (Standing::Flaky { .. } | Standing::Quarantined { .. }) => standing,
                };
            }
        }
    }

    /// Takes the test out of what decides, until a sequential test says that it fails a tenth as often.
    pub fn quarantine(&mut self) {
        self.standing = Standing::Quarantined { release: self.release() };
    }

    /// What is thought of it.
    pub fn state(&self) -> State {
        match self.standing {
            Standing::Healthy => State::Healthy,
            Standing::Suspect { .. } => State::Suspect,
            Standing::Flaky { .. } => State::Flaky,
            Standing::Broken => State::Broken,
            Standing::Quarantined { .. } => State::Quarantined,
        }
    }

    /// How often it fails, in first tries.
    pub fn rate(&self) -> Rate {
        self.outcomes.rate()
    }

    /// Whether a further try in this run would tell what its failure was.
    pub fn wants_again(&self) -> bool {
        matches!(self.standing, Standing::Suspect { .. })
            && self.streak > 0
            && self.tries < TRIES_MAX
    }

    fn failed(&self) -> Standing {
        match self.standing {
            Standing::Healthy => {
                let release = Sequential::against_a_tenth(SUSPECT_RATE);
                self.fallen(Standing::Suspect { release, returned: false })
            }
            Standing::Suspect { returned: true, .. } => self.flaky(),
            standing @ Standing::Suspect { .. } => self.fallen(standing),
            Standing::Flaky { .. } => self.fallen(self.flaky()),
            Standing::Broken => Standing::Broken,
            Standing::Quarantined { mut release } => {
                release.observe(true);
                Standing::Quarantined { release }
            }
        }
    }

    fn passed(&mut self) -> Standing {
        let (standing, decision) = match self.standing {
            Standing::Healthy => return Standing::Healthy,
            Standing::Broken => {
                let release = Sequential::against_a_tenth(SUSPECT_RATE);
                return Standing::Suspect { release, returned: true };
            }
            Standing::Suspect { mut release, .. } => {
                let decision = release.observe(false);
                (Standing::Suspect { release, returned: true }, decision)
            }
            Standing::Flaky { mut release } => {
                let decision = release.observe(false);
                (Standing::Flaky { release }, decision)
            }
            Standing::Quarantined { mut release } => {
                let decision = release.observe(false);
                (Standing::Quarantined { release }, decision)
            }
        };
        match decision {
            Decision::Low => Standing::Healthy,
            Decision::High | Decision::Open => standing,
        }
    }

    fn flaky(&self) -> Standing {
        Standing::Flaky { release: self.release() }
    }

    /// What decides that the test is repaired: whether it fails a tenth as often as it is known to fail at least.
    ///
    /// From the rate to expect, which after a failure in the third run is one in three, a few passes would release it.
    fn release(&self) -> Sequential {
        Sequential::against_a_tenth(self.outcomes.rate().low)
    }

    /// Broken, if its rate does not explain so many failures on end; else as it stands.
    fn fallen(&self, standing: Standing) -> Standing {
        if self.streak < STREAK_MIN {
            return standing;
        }
        let (before, runs) = self.outcomes.before(self.streak_first);
        let is_new = runs < RUNS_MIN;
        match standing {
            Standing::Suspect { .. } if is_new => Standing::Broken,
            // The rate has changed where the streak began: what was known is of another test.
            Standing::Flaky { .. } if is_new && self.outcomes.has_changed() => Standing::Broken,
            Standing::Suspect { .. } | Standing::Flaky { .. }
                if before.all_fail(self.streak) < STREAK_CHANCE =>
            {
                Standing::Broken
            }
            other @ (Standing::Healthy
            | Standing::Suspect { .. }
            | Standing::Flaky { .. }
            | Standing::Broken
            | Standing::Quarantined { .. }) => other,
        }
    }
}
