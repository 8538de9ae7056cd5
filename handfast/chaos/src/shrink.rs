//! From a schedule that makes a system fail to the smallest that does.
//!
//! First whole disturbances are left out, in large pieces and then in small ones (`ddmin`). What remains is made simpler, one
//! disturbance after the other: shorter, weaker, earlier, in one direction in place of two. Then peers are put in place of each other, so
//! that fewer are disturbed. When something has changed, it begins again, so that in the end no disturbance can be left out of the result
//! as it is. All candidates of a round are independent, so that several can be tried at the same time; what has
//! passed is not tried again.
//!
//! Where many tries can be under way at the same time ([`Shrink::abreast`]), waiting costs more than playing. Then each disturbance is
//! also tried alone, what is still under way after the rest is played a second time beside it, and *probes* say without which
//! disturbances it no longer fails. Those together are a guess, which most failures of several causes confirm at once.
//!
//! A failure that does not come every time is looked for with a [`Sequential`] test: a candidate counts as failing only when it fails
//! about as often as the schedule that it came from.
//!
//! Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28 (2002).

use std::collections::{BTreeMap, BTreeSet};

use handfast_faults::disturbance::Disturbance;

use crate::chances::{Decision, Sequential};
use crate::schedule::{Failure, Key, Outcome, Schedule, likeness};
use crate::simpler;

mod pieces;

use pieces::Pieces;

/// Most tries of one reduction: about four times what a schedule of twenty disturbances with three culprits takes.
pub const TRIES_MAX: u32 = 400;

/// Most tries of one candidate whose failure does not come every time.
pub const REPEATS_MAX: u32 = 12;

/// Failures in a row that are believed where the first failure came every time. A single one would let a schedule through that fails now
/// and then, and what was deterministic would be shrunk to what is not.
const BELIEVED: u32 = 2;

/// As many where further tries cost no time: what fails in three of five cases is then believed in one of eight.
const BELIEVED_ABREAST: u32 = 4;

/// Most further failures that are kept.
pub const OTHERS_MAX: usize = 8;

/// From so many tries at the same time on, what goes beyond `ddmin` is worth its tries.
const ABREAST_MIN: usize = 6;

/// Fewer disturbances than these are not probed: leaving out one is what is tried anyway.
const PROBED_MIN: usize = 4;

/// Number of a try; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TryId(pub u64);

/// A schedule that is to be played.
#[derive(Debug, Clone, PartialEq)]
pub struct Try {
    /// By which its outcome is told.
    pub id: TryId,
    /// What is to be done.
    pub schedule: Schedule,
}

/// How much a single try says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trust {
    /// The failure came every time: one pass clears a schedule, and it takes two failures in a row to believe the first.
    Always,
    /// The failure comes at about this rate, from 0 to 1.
    Rate(f64),
}

/// The reduction of one failure. See the module.
#[derive(Debug)]
pub struct Shrink {
    best: Failure,
    likeness: String,
    trust: Trust,
    stage: Stage,
    /// Whether anything was made simpler since the last time that leaving out was tried.
    is_changed: bool,
    /// Whether anything ever was.
    is_simpler: bool,
    candidates: Vec<Candidate>,
    /// The best without one disturbance each; one that passes is believed at once, and none is taken as the best.
    probes: Vec<Candidate>,
    /// What each probe so far left out.
    left_out: BTreeMap<Key, Key>,
    /// The disturbances without which it passed.
    needed: BTreeSet<Key>,
    abreast: usize,
    under_way: BTreeMap<TryId, Key>,
    known: BTreeMap<Key, Judged>,
    others: Vec<Failure>,
    /// The best before anything but leaving out was tried.
    fewest: Failure,
    next_id: u64,
    tries: u32,
    tries_max: u32,
    saved: u32,
    begun_with: usize,
}

#[derive(Debug, Clone)]
enum Stage {
    /// Leaving out.
    Fewer(Pieces),
    /// Making one disturbance simpler.
    Simpler { index: usize },
    /// Putting one peer in place of another.
    Peers,
    /// Nothing is left to try.
    Done,
}

#[derive(Debug)]
struct Candidate {
    schedule: Schedule,
    key: Key,
}

/// What is known of a schedule.
#[derive(Debug)]
struct Judged {
    test: Sequential,
    trust: Trust,
    /// So many failures in a row are believed.
    believed: u32,
    under_way: u32,
    failures: u32,
    has_passed: bool,
}

impl Shrink {
    /// Begins with a failure that has been seen to come again as `trust` says.
    ///
    /// `occurred` is the part of its schedule that came to pass before it failed, where that is known: what came later cannot have
    /// been the cause and is left out with one try.
    pub fn new(failure: Failure, trust: Trust, occurred: Option<Schedule>) -> Self {
        let steps = failure.schedule.len();
        let mut shrink = Self {
            likeness: likeness(&failure.reason),
            fewest: failure.clone(),
            best: failure,
            trust,
            stage: Stage::Fewer(Pieces::new(steps)),
            is_changed: false,
            is_simpler: false,
            candidates: Vec::new(),
            probes: Vec::new(),
            left_out: BTreeMap::new(),
            needed: BTreeSet::new(),
            abreast: 1,
            under_way: BTreeMap::new(),
            known: BTreeMap::new(),
            others: Vec::new(),
            next_id: 0,
            tries: 0,
            tries_max: TRIES_MAX,
            saved: 0,
            begun_with: steps,
        };
        shrink.lay_out();
        if let Some(part) = occurred.filter(|part| part.len() < steps && !part.is_empty()) {
            shrink.candidates.insert(0, Candidate { key: part.key(), schedule: part });
        }
        shrink.go_on();
        shrink
    }

    /// The same with another limit of tries.
    #[must_use]
    pub fn within(mut self, tries_max: u32) -> Self {
        self.tries_max = tries_max;
        self
    }

    /// The same where so many tries can be under way at the same time.
    #[must_use]
    pub fn abreast(mut self, count: usize) -> Self {
        self.abreast = count;
        if self.is_wide() {
            self.lay_out_wide();
        }
        self
    }

    /// The next try, if there is one that need not wait for those under way.
    pub fn poll_try(&mut self) -> Option<Try> {
        if self.is_done() || self.tries >= self.tries_max {
            return None;
        }
        let wants = |key: &Key| self.known.get(key).is_none_or(Judged::wants_more);
        let is_new = |probe: &&Candidate| !self.known.contains_key(&probe.key);
        let next = self.candidates.iter().find(|candidate| wants(&candidate.key));
        let next = next.or_else(|| self.probes.iter().find(is_new)).or_else(|| self.slowest())?;
        let (key, schedule) = (next.key.clone(), next.schedule.clone());
        let believed = if self.is_wide() { BELIEVED_ABREAST } else { BELIEVED };
        let new = || Judged::new(self.trust, believed);
        self.known.entry(key.clone()).or_insert_with(new).under_way += 1;
        let id = TryId(self.next_id);
        self.next_id += 1;
        self.tries += 1;
        self.under_way.insert(id, key);
        Some(Try { id, schedule })
    }

    /// Takes in how a try ended. An id that is not under way is of no effect.
    pub fn handle_outcome(&mut self, id: TryId, outcome: Outcome) {
        let Some(key) = self.under_way.remove(&id) else { return };
        let has_passed = outcome == Outcome::Passed;
        let is_same = outcome.failure().is_some_and(|reason| likeness(reason) == self.likeness);
        if let Some(judged) = self.known.get_mut(&key) {
            judged.handle_try(is_same);
        }
        let place = self.candidates.iter().position(|candidate| candidate.key == key);
        if let (Outcome::Failed { reason }, Some(place)) = (&outcome, place) {
            let schedule = self.candidates[place].schedule.clone();
            let failure = Failure { schedule, reason: reason.clone() };
            if !is_same {
                self.note_other(failure);
            } else if self.decision(&key) == Decision::Fails {
                self.accept(failure);
                return;
            }
        }
        if has_passed {
            self.guess(&key);
        }
        self.go_on();
    }

    /// Whether nothing simpler is left to try, or the tries are used up.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
            || (self.tries >= self.tries_max && self.under_way.is_empty())
    }

    /// Whether the result is known to need each of its disturbances: false while it goes on, and after an early end.
    pub fn is_minimal(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// The simplest schedule that is known to fail.
    pub fn best(&self) -> &Failure {
        &self.best
    }

    /// The schedule of the fewest disturbances before any of them was made simpler: what was made simpler may fail less often.
    pub fn fewest(&self) -> &Failure {
        &self.fewest
    }

    /// Failures of another kind that were met on the way, at most [`OTHERS_MAX`].
    pub fn others(&self) -> &[Failure] {
        &self.others
    }

    /// How many disturbances it began with.
    pub fn begun_with(&self) -> usize {
        self.begun_with
    }

    /// How many times a schedule was played.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// How many times a schedule need not be played because it had been.
    pub fn saved(&self) -> u32 {
        self.saved
    }

    fn is_wide(&self) -> bool {
        self.abreast >= ABREAST_MIN
    }

    /// What has been under way for the longest and would take a second failure to be believed. What passes is mostly over sooner
    /// than what fails.
    fn slowest(&self) -> Option<&Candidate> {
        if !self.is_wide() || self.trust != Trust::Always {
            return None;
        }
        let mut wanting = self.under_way.values().filter(|key| {
            self.known.get(*key).is_some_and(|judged| {
                judged.decision() == Decision::Open
                    && judged.failures + judged.under_way < judged.believed
            })
        });
        let candidate = |key: &Key| self.candidates.iter().find(|candidate| candidate.key == *key);
        wanting.find_map(candidate)
    }

    /// A probe has passed, so what it left out is needed: everything that is known to be needed becomes a candidate.
    fn guess(&mut self, key: &Key) {
        let Some(without) = self.left_out.get(key) else { return };
        self.needed.insert(without.clone());
        self.lay_out_guess();
    }

    fn lay_out_guess(&mut self) {
        let steps = self.best.schedule.steps.iter();
        let needed = steps.filter(|step| self.needed.contains(&key_of(step))).cloned();
        let schedule = Schedule::new(needed.collect());
        let key = schedule.key();
        let is_new = !self.candidates.iter().any(|other| other.key == key);
        if is_new && !schedule.is_empty() && schedule.len() < self.best.schedule.len() {
            self.candidates.insert(0, Candidate { schedule, key });
        }
    }

    /// Beside what is laid out: what is needed as far as that is known, each disturbance alone, and probes.
    fn lay_out_wide(&mut self) {
        self.probes.clear();
        let best = self.best.schedule.clone();
        if !matches!(self.stage, Stage::Fewer(_)) || best.len() < 2 {
            return;
        }
        for step in best.steps.iter().rev() {
            let schedule = Schedule::new(vec![step.clone()]);
            let key = schedule.key();
            if !self.candidates.iter().any(|other| other.key == key) {
                self.candidates.push(Candidate { schedule, key });
            }
        }
        self.lay_out_guess();
        if best.len() < PROBED_MIN || self.trust != Trust::Always {
            return;
        }
        for (index, step) in best.steps.iter().enumerate() {
            let schedule = best.without(&BTreeSet::from([index]));
            let key = schedule.key();
            self.left_out.insert(key.clone(), key_of(step));
            self.probes.push(Candidate { schedule, key });
        }
    }

    fn accept(&mut self, failure: Failure) {
        let before = self.best.schedule.len();
        self.best = failure;
        let (best, after) = (&self.best.schedule, self.best.schedule.len());
        self.stage = match &self.stage {
            Stage::Fewer(pieces) => {
                if !self.is_simpler {
                    self.fewest = self.best.clone();
                }
                Stage::Fewer(pieces.after_removal(before, after))
            }
            Stage::Simpler { index } => {
                (self.is_changed, self.is_simpler) = (true, true);
                Stage::Simpler { index: (*index).min(best.len()) }
            }
            Stage::Peers => {
                (self.is_changed, self.is_simpler) = (true, true);
                Stage::Peers
            }
            Stage::Done => Stage::Done,
        };
        self.lay_out();
        self.go_on();
    }

    /// Goes to the next stage as long as everything of this one is decided.
    fn go_on(&mut self) {
        loop {
            if let Some(accepted) = self.known_to_fail() {
                self.accept(accepted);
                return;
            }
            let is_open = |candidate: &Candidate| self.decision(&candidate.key) == Decision::Open;
            if matches!(self.stage, Stage::Done) || self.candidates.iter().any(is_open) {
                return;
            }
            self.stage = self.next_stage();
            self.lay_out();
        }
    }

    /// A candidate of this round that an earlier round has judged already.
    fn known_to_fail(&self) -> Option<Failure> {
        let fails = |candidate: &&Candidate| self.decision(&candidate.key) == Decision::Fails;
        let candidate = self.candidates.iter().find(fails)?;
        let (schedule, reason) = (candidate.schedule.clone(), self.best.reason.clone());
        Some(Failure { schedule, reason })
    }

    fn next_stage(&mut self) -> Stage {
        match &self.stage {
            Stage::Fewer(pieces) => match pieces.finer() {
                Some(finer) => Stage::Fewer(finer),
                None => Stage::Simpler { index: 0 },
            },
            Stage::Simpler { index } if index + 1 < self.best.schedule.len() => {
                Stage::Simpler { index: index + 1 }
            }
            Stage::Simpler { .. } => Stage::Peers,
            Stage::Peers if std::mem::take(&mut self.is_changed) => {
                Stage::Fewer(Pieces::finest(self.best.schedule.len()))
            }
            Stage::Peers | Stage::Done => Stage::Done,
        }
    }

    /// The candidates of this stage, those first that take away most.
    fn lay_out(&mut self) {
        let best = &self.best.schedule;
        let schedules = match &self.stage {
            Stage::Fewer(pieces) => pieces.candidates(best),
            Stage::Simpler { index } => {
                let versions = best.steps.get(*index).map(simpler::versions).unwrap_or_default();
                versions.into_iter().map(|version| best.with(*index, version)).collect()
            }
            Stage::Peers => simpler::with_fewer_peers(best),
            Stage::Done => Vec::new(),
        };
        self.candidates.clear();
        for schedule in schedules {
            let key = schedule.key();
            // Without any disturbance it passes: that is what a failure of a schedule means.
            let is_new = !self.candidates.iter().any(|other| other.key == key);
            if !schedule.is_empty() && is_new {
                self.saved += u32::from(self.known.contains_key(&key));
                self.candidates.push(Candidate { schedule, key });
            }
        }
        if self.is_wide() {
            self.lay_out_wide();
        }
    }

    fn decision(&self, key: &Key) -> Decision {
        self.known.get(key).map_or(Decision::Open, Judged::decision)
    }

    fn note_other(&mut self, failure: Failure) {
        let kind = likeness(&failure.reason);
        let is_known = self.others.iter().any(|other| likeness(&other.reason) == kind);
        if !is_known && self.others.len() < OTHERS_MAX {
            self.others.push(failure);
        }
    }
}

fn key_of(step: &Disturbance) -> Key {
    Schedule::new(vec![step.clone()]).key()
}

impl Judged {
    fn new(trust: Trust, believed: u32) -> Self {
        let rate = match trust {
            Trust::Always => 1.0,
            Trust::Rate(rate) => rate,
        };
        let test = Sequential::new(rate, REPEATS_MAX);
        Self { test, trust, believed, under_way: 0, failures: 0, has_passed: false }
    }

    fn handle_try(&mut self, failed: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        self.failures += u32::from(failed);
        self.has_passed |= !failed;
        self.test.handle_try(failed);
    }

    fn decision(&self) -> Decision {
        match self.trust {
            Trust::Always if self.has_passed => Decision::Holds,
            Trust::Always if self.failures >= self.believed => Decision::Fails,
            Trust::Always => Decision::Open,
            Trust::Rate(_) => self.test.decision(),
        }
    }

    fn wants_more(&self) -> bool {
        let most = match self.trust {
            // Most candidates pass, and then the second try was for nothing.
            Trust::Always if self.failures == 0 => 1,
            Trust::Always => self.believed.saturating_sub(self.failures),
            Trust::Rate(_) => self.test.tries_left(),
        };
        self.decision() == Decision::Open && self.under_way < most
    }
}

#[cfg(test)]
mod tests;
