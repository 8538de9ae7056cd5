//! The same schedule again and again: does its failure come every time, now and then, or never again?

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::chances;
use crate::schedule::{Outcome, likeness};
use crate::shrink::Trust;

/// Tries that are made where nobody says how many: enough that a failure that comes half of the time does not pass as one that comes
/// every time but in one of thirty cases.
pub const TRIES_DEFAULT: u32 = 5;

/// Counts how often a failure comes again.
#[derive(Debug, Clone)]
pub struct Repeat {
    likeness: String,
    wanted: u32,
    begun: u32,
    rate: Rate,
    others: BTreeMap<String, u32>,
}

/// How often a failure came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// In so many tries.
    pub failures: u32,
    /// Of so many that told something.
    pub tries: u32,
    /// Tries that could not be carried out, besides these.
    pub unclear: u32,
}

/// What a rate means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It came every time.
    Deterministic,
    /// It came now and then.
    Flaky,
    /// It did not come again.
    Gone,
}

impl Repeat {
    /// `wanted` tries of a schedule that has failed for this reason, at most [`chances::TRIES_MAX`].
    pub fn new(reason: &str, wanted: u32) -> Self {
        Self {
            likeness: likeness(reason),
            wanted: wanted.min(chances::TRIES_MAX),
            begun: 0,
            rate: Rate::default(),
            others: BTreeMap::new(),
        }
    }

    /// Whether one more try is to be begun; counts it as begun.
    pub fn poll_try(&mut self) -> bool {
        let is_wanted = self.begun < self.wanted;
        self.begun += u32::from(is_wanted);
        is_wanted
    }

    /// Takes in how a try ended. Any failure counts, one of another kind too: what fails otherwise under the same schedule is remembered.
    pub fn handle_outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.rate.tries += 1,
            Outcome::Failed { reason } => {
                self.rate.tries += 1;
                self.rate.failures += 1;
                let kind = likeness(reason);
                if kind != self.likeness {
                    *self.others.entry(kind).or_default() += 1;
                }
            }
            Outcome::Unclear { .. } => self.rate.unclear += 1,
        }
    }

    /// The same with so many tries more.
    #[must_use]
    pub fn further(mut self, tries: u32) -> Self {
        self.wanted = self.wanted.saturating_add(tries).min(chances::TRIES_MAX);
        self
    }

    /// How many tries were asked for.
    pub fn wanted(&self) -> u32 {
        self.wanted
    }

    /// Whether all of them have been told of.
    pub fn is_done(&self) -> bool {
        self.rate.tries + self.rate.unclear >= self.wanted
    }

    /// What has come of the tries so far.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Failures of another likeness than the first, with their numbers: at most one for each try.
    pub fn others(&self) -> &BTreeMap<String, u32> {
        &self.others
    }
}

impl Rate {
    /// What it means.
    pub fn kind(self) -> Kind {
        if self.failures == 0 {
            Kind::Gone
        } else if self.failures == self.tries {
            Kind::Deterministic
        } else {
            Kind::Flaky
        }
    }

    /// The share, from 0 to 1; 0 where nothing was tried.
    pub fn share(self) -> f64 {
        if self.tries == 0 { 0.0 } else { f64::from(self.failures) / f64::from(self.tries) }
    }

    /// How much a single try of this schedule says.
    pub fn trust(self) -> Trust {
        match self.kind() {
            Kind::Deterministic => Trust::Always,
            Kind::Flaky | Kind::Gone => Trust::Rate(self.share()),
        }
    }

    /// The two taken together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            failures: self.failures.saturating_add(other.failures),
            tries: self.tries.saturating_add(other.tries),
            unclear: self.unclear.saturating_add(other.unclear),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { failures, tries, unclear } = self;
        let interval = chances::interval(*failures, *tries);
        let percent = |share: f64| format!("{:.0}", share * 100.0);
        write!(formatter, "failed {failures} of {tries} times, ")?;
        match self.kind() {
            Kind::Deterministic => write!(
                formatter,
                "deterministic as far as these tell (at least {} % with 95 % confidence)",
                percent(*interval.start())
            )?,
            Kind::Flaky => write!(
                formatter,
                "flaky ({} to {} % with 95 % confidence)",
                percent(*interval.start()),
                percent(*interval.end())
            )?,
            Kind::Gone => write!(
                formatter,
                "not seen again (at most {} % with 95 % confidence)",
                percent(*interval.end())
            )?,
        }
        if *unclear > 0 {
            write!(formatter, "; {unclear} more could not be carried out")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(outcomes: &str) -> Repeat {
        let mut repeat = Repeat::new("b is gone", 100);
        for letter in outcomes.chars() {
            assert!(repeat.poll_try());
            let reason = "b is gone".to_owned();
            repeat.handle_outcome(&match letter {
                'f' => Outcome::Failed { reason },
                'o' => Outcome::Failed { reason: "a is gone".to_owned() },
                'u' => Outcome::Unclear { reason },
                _ => Outcome::Passed,
            });
        }
        repeat
    }

    #[track_caller]
    fn check(outcomes: &str, kind: Kind, text: &str) {
        let rate = after(outcomes).rate();
        assert_eq!((rate.kind(), rate.to_string().as_str()), (kind, text));
    }

    #[test]
    fn a_rate_says_what_its_tries_are_worth() {
        check(
            "ffffffffff",
            Kind::Deterministic,
            "failed 10 of 10 times, deterministic as far as these tell (at least 69 % with 95 % confidence)",
        );
        check(
            "fpfpfpfpfp",
            Kind::Flaky,
            "failed 5 of 10 times, flaky (19 to 81 % with 95 % confidence)",
        );
        check(
            "pppppppppp",
            Kind::Gone,
            "failed 0 of 10 times, not seen again (at most 31 % with 95 % confidence)",
        );
        check(
            "",
            Kind::Gone,
            "failed 0 of 0 times, not seen again (at most 100 % with 95 % confidence)",
        );
    }

    #[test]
    fn a_try_that_was_not_carried_out_counts_for_nothing() {
        let rate = after("fuf").rate();
        assert_eq!(rate, Rate { failures: 2, tries: 2, unclear: 1 });
        assert_eq!(rate.trust(), Trust::Always);
        assert!(rate.to_string().ends_with("; 1 more could not be carried out"));
    }

    #[test]
    fn failures_of_another_kind_are_counted_by_kind() {
        let repeat = after("foo");
        assert_eq!(repeat.others(), &BTreeMap::from([("a is gone".to_owned(), 2)]));
        assert_eq!(repeat.rate().failures, 3);
    }

    #[test]
    fn no_more_tries_are_begun_than_were_asked_for() {
        let mut repeat = Repeat::new("", 2);
        assert_eq!([repeat.poll_try(), repeat.poll_try(), repeat.poll_try()], [true, true, false]);
        let mut repeat = Repeat::new("", u32::MAX);
        repeat.begun = chances::TRIES_MAX;
        assert!(!repeat.poll_try());
    }

    #[test]
    fn rates_add_up() {
        let (one, two) = (after("fpu").rate(), after("ff").rate());
        assert_eq!(one.plus(two), Rate { failures: 3, tries: 4, unclear: 1 });
    }
}
