//! The dispatcher: carries out a plan, category by category.
//!
//! Categories run one after the other in the order of the project, each with its suites first and then
//! its scenarios, so many at a time as it allows. A category whose time is over begins nothing more;
//! what runs then is bounded by its own budget. Everything said goes through one [`Mouth`], which puts
//! it in one order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use handfast_lab::Lab;
use handfast_scenario::event::{FORMAT, Summary};
use handfast_scenario::name::PeerName;
use handfast_scenario::plan::{self, UnitId};
use handfast_scenario::project::Category;
use handfast_scenario::verdict::{Verdict, VerdictKind};
use handfast_scenario::{ExitCode, Plan, RunEvent, duration};
use tokio::task::JoinSet;

use crate::build;
use crate::command::Workshop;
use crate::interrupt::Interrupt;
use crate::place::Places;
use crate::probe;
use crate::project::Loaded;
use crate::sink::{Mouth, Progress};
use crate::suite::{self, Bench};
use crate::tally::Tally;
use crate::unit::{self, Surroundings};

/// Most rounds of `--repeat`.
pub const REPEAT_MAX: usize = 10_000;

/// What a run is called and how it was asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// Id of the run.
    pub run: String,
    /// Version of handfast.
    pub handfast: String,
    /// The command line, program first.
    pub command: Vec<String>,
    /// Seed of the run.
    pub seed: u64,
    /// Whether peers are built first.
    pub build: Build,
}

/// Whether peers are built first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// Each once, before the first scenario.
    First,
    /// They are taken as they are.
    Skip,
}

/// What a run works with.
#[derive(Debug)]
pub struct Means {
    /// The project.
    pub loaded: Loaded,
    /// What the variables of its commands stand for.
    pub places: Places,
    /// Where scenarios run.
    pub lab: Lab,
    /// Where other programs run.
    pub workshop: Workshop,
    /// Where events go.
    pub mouth: Mouth,
    /// Tells that the run is to end.
    pub interrupt: Interrupt,
}

/// A unit and the file it came from.
type Work = (plan::Unit, String);

/// Carries out a plan and says everything about it, from `run_started` to `run_ended`.
pub async fn run(means: Means, plan: Plan, order: Order) -> (Summary, ExitCode) {
    let clock = means.mouth.clock();
    means.mouth.say(RunEvent::RunStarted {
        format: FORMAT,
        run: order.run.clone(),
        handfast: order.handfast.clone(),
        command: order.command.clone(),
        seed: order.seed,
        started_unix_us: clock.started_unix_us(),
        units: plan.units.len(),
        suites: plan.suites.len(),
    });
    let mouth = means.mouth.clone();
    let tally = Dispatcher::new(means, order).carry_out(plan).await;
    let summary = tally.summary();
    let exit = ExitCode::of(&summary);
    mouth.say(RunEvent::RunEnded { summary, exit, duration_us: clock.now_us() });
    (summary, exit)
}

/// The units of a plan, each `times` times over; the rounds have ids of their own.
pub fn repeated(units: Vec<plan::Unit>, times: usize) -> Vec<plan::Unit> {
    if times <= 1 {
        return units;
    }
    let rounds = (1..=times).flat_map(|round| units.iter().map(move |unit| (round, unit)));
    let unit = |(round, unit): (usize, &plan::Unit)| {
        let mut unit = unit.clone();
        unit.id = UnitId::new(format!("{} #{round}", unit.id));
        unit
    };
    rounds.map(unit).collect()
}

struct Dispatcher {
    around: Arc<Surroundings>,
    loaded: Loaded,
    workshop: Workshop,
    order: Order,
    tally: Tally,
}

/// Why peers cannot play.
type Objections = BTreeMap<PeerName, String>;

/// How the units of a category went.
struct Units {
    took: Duration,
    not_run: usize,
}

impl Dispatcher {
    fn new(means: Means, order: Order) -> Self {
        let around = Surroundings {
            project: means.loaded.project.clone(),
            places: means.places,
            lab: means.lab,
            mouth: means.mouth,
            seed: order.seed,
            interrupt: means.interrupt,
        };
        let (loaded, workshop) = (means.loaded, means.workshop);
        Self { around: Arc::new(around), loaded, workshop, order, tally: Tally::default() }
    }

    async fn carry_out(mut self, plan: Plan) -> Tally {
        let mut interrupt = self.around.interrupt.clone();
        let objections = tokio::select! {
            objections = self.prepare(&plan) => objections,
            () = interrupt.pulled() => Objections::new(),
        };
        for category in self.loaded.project.categories.clone() {
            self.category(&category, &plan, &objections).await;
        }
        self.tally
    }

    async fn category(&mut self, category: &Category, plan: &Plan, objections: &Objections) {
        let mut spent = Duration::ZERO;
        for suite in plan.suites.iter().filter(|suite| suite.category == category.name) {
            let places = self.around.places.clone();
            let bench = Bench {
                workshop: &self.workshop,
                places: &places,
                mouth: &self.around.mouth,
                interrupt: &self.around.interrupt,
            };
            let ended = suite::run(bench, suite, category.budget).await;
            spent += ended.took;
            self.tally.suite(&ended.outcome, ended.passed, ended.failed);
        }
        let units = plan.units.iter().filter(|unit| unit.category == category.name);
        let work = units.map(|unit| (unit.clone(), self.loaded.file_of(&unit.scenario))).collect();
        let left = category.budget.saturating_sub(spent);
        let units = self.units(work, category.parallel, left, objections).await;
        spent += units.took;
        self.tally.not_run(units.not_run);
        let interrupted = self.around.interrupt.is_pulled();
        if !interrupted && (spent > category.budget || units.not_run > 0) {
            self.say_budget_spent(category, spent, units.not_run);
        }
    }

    /// Builds the peers and probes them; why those that failed cannot play.
    async fn prepare(&self, plan: &Plan) -> Objections {
        let peers: Vec<PeerName> = plan.peers().into_iter().cloned().collect();
        let (project, places, mouth) =
            (&self.around.project, &self.around.places, &self.around.mouth);
        let mut objections = match self.order.build {
            Build::First => {
                build::peers(project, places, &self.workshop, mouth, peers.clone()).await
            }
            Build::Skip => Objections::new(),
        };
        for name in peers {
            let Some(peer) = project.peer(&name).filter(|_| !objections.contains_key(&name)) else {
                continue;
            };
            let found =
                probe::run(&self.workshop, places, peer, mouth.clock(), self.order.seed).await;
            let objection = match found {
                Ok(found) => found.objection().map(|broken| {
                    format!(
                        "{name} does not keep the peer contract, so that no verdict on it counts: {broken}\n\
                         `handfast probe {name}` shows every rule"
                    )
                }),
                Err(reason) => Some(format!("{name} could not be probed: {reason}")),
            };
            objections.extend(objection.map(|objection| (name, objection)));
        }
        objections
    }

    /// Runs units, at most `parallel` at the same time, and begins none after `left`.
    async fn units(
        &mut self,
        work: Vec<Work>,
        parallel: usize,
        left: Duration,
        objections: &Objections,
    ) -> Units {
        let clock = self.around.mouth.clock();
        let began_us = clock.now_us();
        let elapsed = || Duration::from_micros(clock.now_us().saturating_sub(began_us));
        let mut work = work.into_iter();
        let mut running: JoinSet<Verdict> = JoinSet::new();
        loop {
            while running.len() < parallel && elapsed() < left && !self.around.interrupt.is_pulled()
            {
                let Some((unit, file)) = work.next() else { break };
                let objection = unit.peers.values().find_map(|peer| objections.get(peer)).cloned();
                if let Some(reason) = objection {
                    self.tally.unit(unit::refuse(&self.around, &unit, file, reason).kind());
                } else {
                    running.spawn(unit::run(self.around.clone(), unit, file));
                }
            }
            match running.join_next().await {
                Some(Ok(verdict)) => self.tally.unit(verdict.kind()),
                // `unit::run` catches what panics inside it, so this is counted, never expected.
                Some(Err(_)) => self.tally.unit(VerdictKind::Infra),
                None => break,
            }
        }
        Units { took: elapsed(), not_run: work.len() }
    }

    fn say_budget_spent(&mut self, category: &Category, spent: Duration, not_run: usize) {
        self.tally.budget_spent();
        let text = format!(
            "the category {} has {} and took {}, {not_run} scenarios were not begun: give it more time in \
             handfast.toml, or make its tests quicker",
            category.name,
            duration::display(category.budget),
            duration::display(Duration::from_millis(
                u64::try_from(spent.as_millis()).unwrap_or(u64::MAX)
            )),
        );
        self.around.mouth.progress(Progress::Note { text });
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
