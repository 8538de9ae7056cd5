//! How often what fails is tried again: `handfast-heal`'s retries, shared by everything that runs.

use std::sync::{Mutex, PoisonError};

use handfast_heal::class::Class;
use handfast_heal::failure::Subject;
use handfast_heal::retry::{self, Decision, Policy, Refusal};
use handfast_scenario::name::SuiteName;

/// What is left of `--retry`: a run in which more fails than that is broken, not flaky, and ends the sooner for it.
#[derive(Debug)]
pub struct Retries {
    count: usize,
    left: Mutex<retry::Retries>,
}

impl Retries {
    /// So many in the run, and of each unit as many as the policy gives; the waiting times follow from `seed`.
    pub fn new(count: usize, seed: u64) -> Self {
        let per_run = u32::try_from(count).unwrap_or(u32::MAX);
        let policy = Policy { per_run, ..Policy::default() };
        Self { count, left: Mutex::new(retry::Retries::new(policy, seed)) }
    }

    /// Takes one for something that failed, if there is one.
    pub(crate) fn take(&self, subject: &Subject, class: &Class) -> Decision {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).take(subject, class)
    }

    /// Takes one for a test of a suite; whether there was one. Tests of a suite are tried again together, after it, so there is no wait.
    pub(crate) fn take_for_test(&self, suite: &SuiteName, test: &str) -> bool {
        let subject = Subject::Test { suite: suite.clone(), test: test.to_owned() };
        matches!(self.take(&subject, &Class::Product), Decision::After(_))
    }

    /// Why something was not tried again.
    pub(crate) fn why_not(&self, refusal: Refusal) -> &'static str {
        match refusal {
            Refusal::RunSpent if self.count == 0 => "no retries were asked for",
            Refusal::RunSpent => "the run has no retries left",
            Refusal::SubjectSpent => "it was tried as often as a unit may be",
            Refusal::Known => "a reviewed rule says what it is",
            Refusal::Settled => "it has passed again already",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_than_were_given_and_few_for_one_test() {
        let suite = SuiteName::new("s").unwrap();
        let retries = Retries::new(3, 7);
        let taken = ["a", "a", "a", "b", "c"].map(|test| retries.take_for_test(&suite, test));
        assert_eq!(taken, [true, true, false, true, false]);
        assert!(!Retries::new(0, 7).take_for_test(&suite, "a"));
    }
}
