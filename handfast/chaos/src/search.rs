//! Which schedule is tried next.
//!
//! Half of them are drawn afresh; the others are changed versions of schedules that showed something new, as a greybox fuzzer does
//! it. Fresh ones prefer what was disturbed least so far, so that each kind of disturbance meets each role and each moment of the
//! protocol before anything is tried a second time.

use std::collections::BTreeMap;

use handfast_faults::{Chance, Dice};

use crate::change;
use crate::corpus::Corpus;
use crate::menu::Menu;
use crate::novelty::{Atlas, Features, Sign};
use crate::schedule::{STEPS_MAX, Schedule};

/// How many disturbances a fresh schedule has at most where nobody says how many.
pub const STEPS_DEFAULT: usize = 4;

/// Of a thousand schedules so many are drawn afresh, once there are others to change. Fewer find flaws of one moment later, more those of
/// several: half was the best of what was tried on the model of the tests.
const FRESH: u32 = 500;

/// Of a thousand changed schedules so many are spliced from two.
const SPLICED: u32 = 150;

/// Most changes at a time.
const CHANGES_MAX: u64 = 3;

/// How many disturbances a fresh schedule has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// From one to so many; few are likelier than many.
    UpTo(usize),
    /// So many.
    Exactly(usize),
}

/// See the module. The same seed and the same outcomes in the same order give the same schedules.
#[derive(Debug)]
pub struct Search {
    dice: Dice,
    steps: Steps,
    menu: Menu,
    corpus: Corpus,
    atlas: Atlas,
}

/// What a search knows by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Different things that were seen of the protocol.
    pub features: usize,
    /// Schedules that showed something new.
    pub corpus: usize,
}

impl Search {
    /// Begins with what may be done.
    pub fn new(seed: u64, steps: Steps, menu: Menu) -> Self {
        let steps = match steps {
            Steps::UpTo(most) => Steps::UpTo(most.clamp(1, STEPS_MAX)),
            Steps::Exactly(count) => Steps::Exactly(count.clamp(1, STEPS_MAX)),
        };
        let (corpus, atlas) = (Corpus::default(), Atlas::default());
        Self { dice: Dice::new(seed), steps, menu, corpus, atlas }
    }

    /// Learns from a try without disturbances: how long it takes, and the moments that a disturbance can wait for.
    pub fn handle_calm(&mut self, signs: &[Sign]) {
        self.atlas.note(&Features::of(signs));
        self.menu.learn(signs);
    }

    /// Takes in what was seen under a schedule; how much of it was new.
    pub fn handle_signs(&mut self, schedule: &Schedule, signs: &[Sign]) -> usize {
        let new = self.atlas.note(&Features::of(signs));
        self.corpus.note(schedule, new);
        new
    }

    /// The next schedule; an empty one where nothing may be disturbed.
    pub fn next_schedule(&mut self) -> Schedule {
        let is_fresh = matches!(self.steps, Steps::Exactly(_))
            || self.corpus.is_empty()
            || self.dice.happens(Chance::per_mille(FRESH));
        let schedule = if is_fresh { self.fresh() } else { self.changed() };
        named(schedule)
    }

    /// What is known by now.
    pub fn known(&self) -> Known {
        Known { features: self.atlas.len(), corpus: self.corpus.len() }
    }

    fn fresh(&mut self) -> Schedule {
        let count = match self.steps {
            Steps::Exactly(count) => count,
            Steps::UpTo(most) => {
                // The smaller of two throws: schedules of few disturbances are quicker, and tell more when they fail.
                let most = u64::try_from(most).unwrap_or(1);
                let throws = [self.dice.between(1, most), self.dice.between(1, most)];
                usize::try_from(throws[0].min(throws[1])).unwrap_or(1)
            }
        };
        let steps = (0..count).filter_map(|_| self.menu.draw(&mut self.dice));
        Schedule::new(steps.collect())
    }

    fn changed(&mut self) -> Schedule {
        let Some(mut schedule) = self.corpus.pick(&mut self.dice) else { return self.fresh() };
        if self.dice.happens(Chance::per_mille(SPLICED))
            && let Some(other) = self.corpus.pick(&mut self.dice)
        {
            schedule = change::splice(&schedule, &other, &mut self.dice);
        }
        for _ in 0..self.dice.between(1, CHANGES_MAX) {
            schedule = change::change(schedule, &mut self.menu, &mut self.dice);
        }
        let most = match self.steps {
            Steps::UpTo(most) | Steps::Exactly(most) => most,
        };
        schedule.steps.truncate(most);
        if schedule.is_empty() { self.fresh() } else { schedule }
    }
}

/// Gives each step a name of its own, by which accounts and diagrams call it: what it does, and a number where something else of the
/// schedule does the same.
fn named(mut schedule: Schedule) -> Schedule {
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    for step in &mut schedule.steps {
        let text = step.what.to_string();
        let count = taken.entry(text.clone()).or_default();
        *count += 1;
        step.name = if *count == 1 { text } else { format!("{text} ({count})") };
    }
    schedule
}

#[cfg(test)]
mod tests;
