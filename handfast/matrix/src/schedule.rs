//! Which cell is played next, and beside which others.
//!
//! Most of a cell's time is waiting: for a cut to end, for an attempt to be repeated, for a process to start. So cells are
//! not counted but weighed, by the processor time they took the last time, and as many are played at once as the
//! cores carry. A cell that judges how long something took is played while nothing else works, and one that says that it needs the
//! machine for itself while nothing else runs. Long cells begin first, as long as they usually fit into what is left of the budget, and a pair of peers in which one hung waits until all others have had their turn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cell::{Cell, Column};
use crate::queue::{free, has_all};
use handfast_scenario::name::ResourceName;
use handfast_scenario::scenario::Needs;
use handfast_scenario::step::{OracleCall, Step, StepKind};

/// Thousandths of a core of a cell that nobody has weighed: measured as what handshakes take, rounded up.
pub const UNKNOWN_WEIGHT: u32 = 500;

/// Thousandths of a core that a cell takes at least: what the platform does for it, and room for the moments in which it works.
pub const LEAST_WEIGHT: u32 = 100;

/// Thousandths of a core of a cell that nobody has weighed, once it has gone on for [`WAITS_AFTER`].
pub const WAITING_WEIGHT: u32 = 200;

/// Cells that may be played at once for each core, however little they do: each has processes and memory.
pub const AT_ONCE_PER_CORE: usize = 6;

/// Cells that may be played at once for each core while the machine has nothing left.
pub const AT_ONCE_BUSY_PER_CORE: usize = 2;

/// Thousandths of all cores that are idle on a machine that has something left (guessed).
pub const IDLE_LEAST: u32 = 150;

/// Running cells may weigh this much, in thousandths of a core, beside one that judges times.
const QUIET: u32 = 200;

/// A running cell that nobody has weighed is taken for one that waits after this time (guessed: handshakes are over by then).
pub const WAITS_AFTER: Duration = Duration::from_secs(2);

/// What a cell cost when it was played last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// From its first process to its last.
    pub duration: Duration,
    /// Processor time.
    pub cpu: Duration,
}

/// The cells that are still to be played, and those that are being played.
#[derive(Debug)]
pub struct Schedule {
    waiting: Vec<Job>,
    running: BTreeMap<usize, Load>,
    hung: BTreeSet<Column>,
    /// What the cells of a scenario file took in this run.
    learnt: BTreeMap<String, Cost>,
    cores: u32,
    resources: BTreeMap<ResourceName, u32>,
    is_busy: bool,
}

#[derive(Debug, Clone)]
struct Job {
    at: usize,
    column: Column,
    /// The scenario file, whose cells mostly take alike.
    file: String,
    weight: Option<u32>,
    exact: bool,
    needs: Needs,
    /// How long it usually takes; nothing for one that was never played.
    usual: Option<Duration>,
}

#[derive(Debug, Clone)]
struct Load {
    weight: Option<u32>,
    exact: bool,
    needs: Needs,
    since: Duration,
}

impl Schedule {
    /// A schedule of cells, which are later named by their place in `cells`; `cost` says what each took last time.
    pub fn new(cells: &[Cell], cores: usize, mut cost: impl FnMut(&Cell) -> Option<Cost>) -> Self {
        let mut ranked: Vec<(Duration, Job)> = Vec::new();
        for (at, cell) in cells.iter().enumerate() {
            let cost = cost(cell);
            let job = Job {
                at,
                column: cell.column.clone(),
                file: cell.unit.scenario.id.path().to_owned(),
                weight: cost.map(weight),
                exact: is_exact(&cell.unit.scenario.steps),
                needs: cell.unit.scenario.needs.clone(),
                usual: cost.map(|cost| cost.duration),
            };
            // One that was never played may be long.
            ranked.push((cost.map_or(cell.unit.budget, |cost| cost.duration), job));
        }
        // The last is taken first: the longest, and among equals the first of the grid.
        ranked.sort_by(|(one, job), (other, next)| one.cmp(other).then(next.at.cmp(&job.at)));
        let waiting = ranked.into_iter().map(|(_, job)| job).collect();
        let cores = u32::try_from(cores.clamp(1, 4_096)).unwrap_or(1);
        let (running, hung, learnt) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { waiting, running, hung, learnt, cores, resources: BTreeMap::new(), is_busy: false }
    }

    /// The same on a machine that has so much of these resources.
    #[must_use]
    pub fn with_resources(self, resources: BTreeMap<ResourceName, u32>) -> Self {
        Self { resources, ..self }
    }

    /// Notes how much of all cores was idle of late, in thousandths. Weights are what cells took on average, and nobody knows those of
    /// others: on a machine that has nothing left, only [`AT_ONCE_BUSY_PER_CORE`] cells are played at once, so that no peer
    /// misses a deadline for want of a core.
    pub fn note_idle(&mut self, thousandths: u32) {
        self.is_busy = thousandths < IDLE_LEAST;
    }

    /// The next cell to be played, by its place, with so much left of the budget; `None`: none may begin at this moment, or none is left.
    pub fn begin(&mut self, now: Duration, left: Duration) -> Option<usize> {
        let load: u32 = self.running.values().map(|load| load.weight_at(now)).sum();
        let full = self.running.len() >= self.at_once_max();
        if left.is_zero()
            || full
            || self.running.values().any(|load| load.exact || load.needs.alone)
        {
            return None;
        }
        let unused = free(&self.resources, self.running.values().map(|load| &load.needs));
        let fits = |job: &Job| {
            let weight = self.weight_of(job).unwrap_or(UNKNOWN_WEIGHT);
            let has_core =
                if job.exact { load <= QUIET } else { load + weight <= self.cores * 1_000 };
            has_core
                && has_all(&unused, &job.needs)
                && (!job.needs.alone || self.running.is_empty())
        };
        let kinder = |job: &Job| fits(job) && !self.hung.contains(&job.column);
        let in_time = |job: &Job| job.usual.is_none_or(|usual| usual <= left);
        let place = self.waiting.iter().rposition(|job| kinder(job) && in_time(job));
        let place = place.or_else(|| {
            // Behind everything that is in time, the shortest first: the time would be nobody's otherwise.
            let none_in_time = !self.waiting.iter().any(in_time);
            self.waiting.iter().position(kinder).filter(|_| none_in_time)
        });
        let place = place.or_else(|| {
            // Only when all others have had their turn.
            let all_hung = self.waiting.iter().all(|job| self.hung.contains(&job.column));
            self.waiting.iter().rposition(fits).filter(|_| all_hung)
        });
        let place = place.or_else(|| {
            // Heavier than the whole machine: alone.
            let last = self.waiting.iter().rposition(in_time).or(self.waiting.len().checked_sub(1));
            last.filter(|_| self.running.is_empty())
        })?;
        let job = self.waiting.remove(place);
        let weight = self.weight_of(&job);
        let load = Load { weight, exact: job.exact, needs: job.needs, since: now };
        self.running.insert(job.at, load);
        Some(job.at)
    }

    /// What a cell of this scenario file has taken in this run: cells of the same file that nobody has weighed are taken for its like,
    /// whoever plays them and in whichever variant.
    pub fn learn(&mut self, file: &str, cost: Cost) {
        let none = Cost { duration: Duration::ZERO, cpu: Duration::ZERO };
        let sum = self.learnt.entry(file.to_owned()).or_insert(none);
        sum.duration += cost.duration;
        sum.cpu += cost.cpu;
    }

    fn weight_of(&self, job: &Job) -> Option<u32> {
        job.weight.or_else(|| self.learnt.get(&job.file).copied().map(weight))
    }

    /// A cell is over; `hung`: it had to be ended by force.
    pub fn end(&mut self, at: usize, column: &Column, hung: bool) {
        self.running.remove(&at);
        if hung {
            self.hung.insert(column.clone());
        }
    }

    /// When a cell that is being played may turn out to be one that waits, so that another may begin.
    pub fn next_deadline(&self) -> Option<Duration> {
        let unknown = self.running.values().filter(|load| load.weight.is_none());
        unknown.map(|load| load.since + WAITS_AFTER).min()
    }

    /// The cells that were never begun, by their places, lowest first.
    pub fn left(&self) -> BTreeSet<usize> {
        self.waiting.iter().map(|job| job.at).collect()
    }

    fn at_once_max(&self) -> usize {
        let per_core = if self.is_busy { AT_ONCE_BUSY_PER_CORE } else { AT_ONCE_PER_CORE };
        per_core.saturating_mul(usize::try_from(self.cores).unwrap_or(1))
    }
}

impl Load {
    fn weight_at(&self, now: Duration) -> u32 {
        match self.weight {
            Some(weight) => weight,
            None if now >= self.since + WAITS_AFTER => WAITING_WEIGHT,
            None => UNKNOWN_WEIGHT,
        }
    }
}

/// Thousandths of a core that it kept busy.
pub(crate) fn weight(cost: Cost) -> u32 {
    let took = cost.duration.as_micros().max(1);
    let share = cost.cpu.as_micros().saturating_mul(1_000) / took;
    u32::try_from(share).unwrap_or(u32::MAX).clamp(LEAST_WEIGHT, 64_000)
}

/// Whether a scenario judges how long something took, by a limit that other work could make it miss.
pub(crate) fn is_exact(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::Check(calls) => calls.iter().any(OracleCall::limits_a_time),
        StepKind::Parallel(steps) => is_exact(steps),
        StepKind::Repeat(repeat) => is_exact(&repeat.steps),
        StepKind::Call(_)
        | StepKind::Expect(_)
        | StepKind::AwaitEvent(_)
        | StepKind::Never(_)
        | StepKind::Wire(_)
        | StepKind::Fault(_)
        | StepKind::Measure(_)
        | StepKind::Stop(_)
        | StepKind::Kill(_)
        | StepKind::Start(_)
        | StepKind::Calm(_) => false,
    })
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
