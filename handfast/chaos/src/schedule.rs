//! What is done to a system in one try, and what comes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use handfast_faults::disturbance::Disturbance;
use serde::{Deserialize, Serialize};

/// Most disturbances of a schedule.
pub const STEPS_MAX: usize = 64;

/// The disturbances of one try, in the order in which they were drawn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schedule {
    /// What is done, at most [`STEPS_MAX`].
    pub steps: Vec<Disturbance>,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Everything held that the scenario asks for.
    Passed,
    /// Something did not.
    Failed {
        /// What, and what was there instead.
        reason: String,
    },
    /// Nothing was found out: the try could not be carried out, or a disturbance of it never came to pass.
    Unclear {
        /// Why.
        reason: String,
    },
}

/// A schedule that makes a system fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What was done.
    pub schedule: Schedule,
    /// What did not hold.
    pub reason: String,
}

/// What two tries are compared by: their schedules without names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(String);

impl Schedule {
    /// A schedule of the first [`STEPS_MAX`] of these.
    pub fn new(mut steps: Vec<Disturbance>) -> Self {
        steps.truncate(STEPS_MAX);
        Self { steps }
    }

    /// How many disturbances there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether nothing is disturbed.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The peers whose process, clock, resources or links are disturbed.
    pub fn roles(&self) -> BTreeSet<&str> {
        self.steps.iter().flat_map(|step| step.what.roles()).collect()
    }

    /// For how long something is disturbed, all spans added up; one without an end counts as `open`.
    pub fn length(&self, open: Duration) -> Duration {
        self.steps.iter().map(|step| step.lasts.unwrap_or(open)).sum()
    }

    pub(crate) fn key(&self) -> Key {
        let steps = self.steps.iter().map(|step| (&step.when, &step.lasts, &step.what));
        // What is Debug has a text for every difference, also where a number has no JSON.
        Key(format!("{:?}", steps.collect::<Vec<_>>()))
    }

    pub(crate) fn without(&self, left_out: &BTreeSet<usize>) -> Self {
        let steps = self.steps.iter().enumerate();
        let kept = steps.filter(|(index, _)| !left_out.contains(index));
        Self { steps: kept.map(|(_, step)| step.clone()).collect() }
    }

    pub(crate) fn with(&self, index: usize, step: Disturbance) -> Self {
        let mut changed = self.clone();
        if let Some(place) = changed.steps.get_mut(index) {
            *place = step;
        }
        changed
    }
}

impl Outcome {
    /// What did not hold; nothing where everything did, or nobody knows.
    pub fn failure(&self) -> Option<&str> {
        match self {
            Self::Failed { reason } => Some(reason),
            Self::Passed | Self::Unclear { .. } => None,
        }
    }
}

/// What remains the same of a reason from one try to the next: its first line without numbers, identifiers and values.
///
/// Two tries with the same likeness are taken for the same failure. Not longer than the first line; words in quotes, and words that
/// hold a digit, become `#`.
pub fn likeness(reason: &str) -> String {
    let line = reason.lines().next().unwrap_or_default();
    let mut likeness = String::new();
    let mut is_quoted = false;
    for word in line.split_whitespace() {
        let quotes = word.matches(['"', '`']).count();
        let is_value =
            is_quoted || quotes > 0 || word.contains(|letter: char| letter.is_ascii_digit());
        is_quoted ^= quotes % 2 == 1;
        let word = if is_value { "#" } else { word };
        if word == "#" && likeness.ends_with('#') {
            continue;
        }
        if !likeness.is_empty() {
            likeness.push(' ');
        }
        likeness.push_str(word);
    }
    likeness
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{kill, pause};

    #[test]
    fn names_make_no_difference_between_schedules() {
        let mut step = kill("b", 100, 50);
        let schedule = Schedule::new(vec![step.clone()]);
        step.name = "another".to_owned();
        assert_eq!(Schedule::new(vec![step.clone()]).key(), schedule.key());
        step.lasts = None;
        assert_ne!(Schedule::new(vec![step]).key(), schedule.key());
    }

    #[test]
    fn a_schedule_has_no_more_steps_than_the_limit() {
        let steps = (0..100).map(|at| kill("b", at, 1)).collect();
        assert_eq!(Schedule::new(steps).len(), STEPS_MAX);
    }

    #[test]
    fn roles_and_lengths_are_those_of_all_steps() {
        let schedule = Schedule::new(vec![kill("b", 0, 10), pause("a", 5, 7), pause("b", 5, 3)]);
        assert_eq!(schedule.roles(), BTreeSet::from(["a", "b"]));
        assert_eq!(schedule.length(Duration::ZERO), Duration::from_millis(20));
    }

    #[track_caller]
    fn check(reason: &str, expected: &str) {
        assert_eq!(likeness(reason), expected);
    }

    #[test]
    fn the_likeness_of_a_failure_has_no_values() {
        check(
            "exactly-once: 3 messages are missing\nb has 17",
            "exactly-once: # messages are missing",
        );
        check("expected `message.inbox` of b within 10s", "expected # of b within #");
        check("got \"two words here\" from a", "got # from a");
        check("a 1 2 3 b", "a # b");
        check("", "");
    }
}
