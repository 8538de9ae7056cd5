//! Which unit of a category is begun next, and beside which others.
//!
//! A category says how many of its units run at a time. Beside that, what is known of them counts: what a unit says that it needs
//! ([`Needs`]), the processor time that it took in earlier runs, and how long it usually takes. Units that need the machine for
//! themselves come first, so that nothing drains for them later; then the longest begins first, as long as it usually fits into what is left of the
//! budget. What usually takes longer than that comes last, the shortest first: the time would be nobody's otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use handfast_scenario::name::ResourceName;
use handfast_scenario::scenario::Needs;

use crate::schedule::{Cost, LEAST_WEIGHT, weight};

/// What units share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Room {
    /// How many may run at the same time; 0 counts as 1.
    pub parallel: usize,
    /// Cores that they may keep busy; 0 counts as 1.
    pub cores: usize,
    /// How much there is of which resource.
    pub resources: BTreeMap<ResourceName, u32>,
}

/// The units of a category that are still to be begun, and those that run.
#[derive(Debug)]
pub struct Queue {
    /// In the order in which they are begun, by their places.
    waiting: Vec<Job>,
    running: BTreeMap<usize, Job>,
    room: Room,
}

#[derive(Debug, Clone)]
struct Job {
    at: usize,
    needs: Needs,
    /// How long it usually takes; nothing for one that was never played.
    usual: Option<Duration>,
    /// Thousandths of a core.
    weight: u32,
}

impl Queue {
    /// A queue of units, which are later named by their place in `units`; of each what it needs, and what it took, where that is known.
    pub fn new(units: impl IntoIterator<Item = (Needs, Option<Cost>)>, room: Room) -> Self {
        let job = |(at, (needs, cost)): (usize, (Needs, Option<Cost>))| Job {
            at,
            needs,
            usual: cost.map(|cost| cost.duration),
            weight: cost.map_or(LEAST_WEIGHT, weight),
        };
        let mut waiting: Vec<Job> = units.into_iter().enumerate().map(job).collect();
        waiting.sort_by(|one, other| {
            let alone = other.needs.alone.cmp(&one.needs.alone);
            // One that was never played may be long.
            let rank = |job: &Job| job.usual.unwrap_or(Duration::MAX);
            alone.then(rank(other).cmp(&rank(one))).then(one.at.cmp(&other.at))
        });
        Self { waiting, running: BTreeMap::new(), room }
    }

    /// The next unit to be begun, by its place, with so much left of the budget; `None`: none may begin at this moment, or none is left.
    pub fn begin(&mut self, left: Duration) -> Option<usize> {
        let full = self.running.len() >= self.room.parallel.max(1);
        if left.is_zero() || full || self.running.values().any(|job| job.needs.alone) {
            return None;
        }
        let free = self.free();
        let beside = |job: &Job| self.running.is_empty() || self.fits_beside(job, &free);
        let in_time = |job: &Job| job.usual.is_none_or(|usual| usual <= left);
        let place = self.waiting.iter().position(|job| in_time(job) && beside(job));
        // Behind everything that is in time, wherever that has to wait for a place.
        let late = || {
            let none_in_time = !self.waiting.iter().any(in_time);
            let mut late = (0..self.waiting.len()).filter(|at| beside(&self.waiting[*at]));
            none_in_time.then(|| late.next_back()).flatten()
        };
        let job = self.waiting.remove(place.or_else(late)?);
        let at = job.at;
        self.running.insert(at, job);
        Some(at)
    }

    /// A unit is over.
    pub fn end(&mut self, at: usize) {
        self.running.remove(&at);
    }

    /// The units that were never begun, by their places, lowest first.
    pub fn left(&self) -> BTreeSet<usize> {
        self.waiting.iter().map(|job| job.at).collect()
    }

    fn fits_beside(&self, job: &Job, free: &BTreeMap<&ResourceName, u32>) -> bool {
        let cores = u32::try_from(self.room.cores.clamp(1, 4_096)).unwrap_or(1);
        let load: u32 = self.running.values().map(|job| job.weight).sum();
        !job.needs.alone
            && load.saturating_add(job.weight) <= cores * 1_000
            && has_all(free, &job.needs)
    }

    fn free(&self) -> BTreeMap<&ResourceName, u32> {
        free(&self.room.resources, self.running.values().map(|job| &job.needs))
    }
}

/// What is left of resources beside those who run.
pub(crate) fn free<'a>(
    there: &'a BTreeMap<ResourceName, u32>,
    running: impl Iterator<Item = &'a Needs>,
) -> BTreeMap<&'a ResourceName, u32> {
    let mut free: BTreeMap<&ResourceName, u32> =
        there.iter().map(|(name, much)| (name, *much)).collect();
    for (name, much) in running.flat_map(|needs| &needs.uses) {
        if let Some(left) = free.get_mut(name) {
            *left = left.saturating_sub(*much);
        }
    }
    free
}

/// Whether all that a unit uses is free.
pub(crate) fn has_all(free: &BTreeMap<&ResourceName, u32>, needs: &Needs) -> bool {
    needs.uses.iter().all(|(name, much)| free.get(name).is_some_and(|left| left >= much))
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
