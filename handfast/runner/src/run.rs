//! The dispatcher: carries out a plan, category by category.
//!
//! Categories run one after the other in the order of the project, each with its suites first and then
//! its scenarios, so many at a time as it allows. A category whose time is over begins nothing more;
//! what runs then is bounded by its own budget. Everything said goes through one [`Mouth`], which puts
//! it in one order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use handfast_lab::Lab;
use handfast_scenario::event::{FORMAT, ShardMark, Summary};
use handfast_scenario::name::PeerName;
use handfast_scenario::plan::{self, UnitId};
use handfast_scenario::project::Category;
use handfast_scenario::verdict::Verdict;
use handfast_scenario::{ExitCode, Plan, RunEvent, duration};
use tokio::task::JoinSet;

use handfast_history::History;

use crate::absence::{self, Objection};
use crate::build;
use crate::command::Workshop;
use crate::interrupt::Interrupt;
use crate::matrix::{self, Laid, MatrixOrder};
use crate::place::Places;
use crate::probe;
use crate::project::Loaded;
use crate::reach::Asked;
use crate::retry::Retries;
use crate::sink::{Mouth, Progress};
use crate::suite::{self, Bench};
use crate::tally::Tally;
use crate::unit::{self, Again, NetworkAsk, Surroundings};

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
    /// Peers that may be absent without taking anything from the result.
    pub allow_absent: BTreeSet<PeerName>,
    /// The cells of all pairs of peers, beside the units of the plan.
    pub matrix: Option<MatrixOrder>,
    /// Which part of a whole the plan is.
    pub shard: Option<ShardMark>,
    /// How the networks of units are made.
    pub network: NetworkAsk,
    /// Whether it is to be the whole of what the project can play: then what it never reached of `[exercise]` is named.
    pub is_whole: bool,
    /// Of how much that fails one try more shows whether it is flaky; what fails beyond is not tried again.
    pub retries: usize,
    /// Whether nothing more begins once something has failed.
    pub fail_fast: bool,
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
    /// What earlier runs have found; without it every cell is played.
    pub history: Option<History>,
    /// Tells that the run is to end.
    pub interrupt: Interrupt,
}

/// A unit and the file it came from.
type Work = (plan::Unit, String);

/// Carries out a plan and says everything about it, from `run_started` to `run_ended`.
pub async fn run(means: Means, plan: Plan, order: Order) -> (Summary, ExitCode) {
    let clock = means.mouth.clock();
    let units = plan.units.len() + order.matrix.as_ref().map_or(0, |matrix| matrix.cells.len());
    let others = order.shard.as_ref().is_some_and(|mark| mark.pieces > 0);
    let is_empty_shard = others && units + plan.suites.len() == 0;
    means.mouth.say(RunEvent::RunStarted {
        format: FORMAT,
        run: order.run.clone(),
        handfast: order.handfast.clone(),
        command: order.command.clone(),
        seed: order.seed,
        started_unix_us: clock.started_unix_us(),
        units,
        suites: plan.suites.len(),
        shard: order.shard.clone(),
    });
    let mouth = means.mouth.clone();
    if order.is_whole {
        let cells =
            order.matrix.iter().flat_map(|matrix| matrix.cells.iter().map(|cell| &cell.unit));
        let asked = Asked::of(plan.units.iter().chain(cells));
        mouth.reach().want(means.loaded.project.exercise.clone(), asked);
    }
    let interrupt = means.interrupt.clone();
    let tally = Dispatcher::new(means, order).carry_out(plan).await;
    let summary = tally.summary();
    let exit =
        if is_empty_shard { ExitCode::of_empty_shard(&summary) } else { ExitCode::of(&summary) };
    let has_played_all = !interrupt.is_pulled() && summary.not_run == 0;
    if let Some(never) = mouth.reach().never().filter(|_| has_played_all) {
        mouth.say(never);
    }
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
    history: Option<History>,
    order: Order,
    tally: Tally,
}

/// Why peers cannot play.
type Objections = BTreeMap<PeerName, Objection>;

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
            network: order.network.clone(),
            interrupt: means.interrupt,
            retries: Retries::new(order.retries),
            spoken: OnceLock::new(),
        };
        let (loaded, workshop, history) = (means.loaded, means.workshop, means.history);
        let tally = Tally::new(order.fail_fast);
        Self { around: Arc::new(around), loaded, workshop, history, order, tally }
    }

    async fn carry_out(mut self, plan: Plan) -> Tally {
        let mut interrupt = self.around.interrupt.clone();
        let prepared = tokio::select! {
            prepared = self.prepare(&plan) => prepared,
            () = interrupt.pulled() => (Objections::new(), None),
        };
        let (objections, laid) = prepared;
        for category in self.loaded.project.categories.clone() {
            self.category(&category, &plan, &objections).await;
        }
        if let Some(laid) = laid {
            self.matrix(&laid, &objections).await;
        }
        let not_begun = self.tally.summary().not_run;
        if self.tally.is_enough() && not_begun > 0 {
            let text = format!("ended at the first failure: {not_begun} were not begun");
            self.around.mouth.progress(Progress::Note { text });
        }
        self.tally
    }

    /// Whether more may begin.
    fn goes_on(&self) -> bool {
        !self.around.interrupt.is_pulled() && !self.tally.is_enough()
    }

    async fn matrix(&mut self, laid: &Laid, objections: &Objections) {
        let Some(order) = self.order.matrix.take() else { return };
        let allowed = self.order.allow_absent.clone();
        let refused = |cell: &handfast_matrix::Cell| refused(&cell.unit, objections, &allowed);
        let played = matrix::play(&order, laid, &self.around, refused, &mut self.tally).await;
        self.tally.not_run(played.not_run);
        if self.goes_on() && played.not_run > 0 {
            self.tally.budget_spent();
            let text = format!(
                "the matrix has {} and took {}, {} cells were not begun: give it more time in handfast.toml ([matrix] \
                 budget), or call it again, which goes on from here",
                duration::display(order.budget),
                duration::display(played.took),
                played.not_run,
            );
            self.around.mouth.progress(Progress::Note { text });
        }
    }

    async fn category(&mut self, category: &Category, plan: &Plan, objections: &Objections) {
        let mut spent = Duration::ZERO;
        let suites = plan.suites.iter().filter(|suite| suite.category == category.name);
        for suite in suites {
            if !self.goes_on() {
                self.tally.not_run(1);
                continue;
            }
            let places = self.around.places.clone();
            let bench = Bench {
                workshop: &self.workshop,
                places: &places,
                mouth: &self.around.mouth,
                interrupt: &self.around.interrupt,
                retries: &self.around.retries,
            };
            let ended = suite::run(bench, suite, category.budget).await;
            spent += ended.took;
            self.tally.suite(&ended.outcome, ended.passed, ended.failed);
            self.tally.flaky(ended.flaky);
        }
        let units = plan.units.iter().filter(|unit| unit.category == category.name);
        let work = units.map(|unit| (unit.clone(), self.loaded.file_of(&unit.scenario))).collect();
        let left = category.budget.saturating_sub(spent);
        let units = self.units(work, category.parallel, left, objections).await;
        spent += units.took;
        self.tally.not_run(units.not_run);
        if self.goes_on() && (spent > category.budget || units.not_run > 0) {
            self.say_budget_spent(category, spent, units.not_run);
        }
    }

    /// Builds the peers, finds out which cells have to be played, and probes the peers that play; why some cannot.
    async fn prepare(&mut self, plan: &Plan) -> (Objections, Option<Laid>) {
        let mut players: BTreeSet<PeerName> = plan.peers().into_iter().cloned().collect();
        let mut peers = players.clone();
        let order = self.order.matrix.as_ref();
        let cells = order.map(|order| order.cells.as_slice()).unwrap_or_default();
        peers.extend(cells.iter().flat_map(|cell| cell.unit.peers.values().cloned()));
        let mut objections = self.build(peers).await;
        let laid = order.map(|order| {
            let history = self.history.as_ref();
            let laid = Laid::new(order, &self.around, &self.loaded, history, &mut objections);
            laid.say(order, &self.around.mouth, &mut self.tally);
            players.extend(laid.players(order));
            laid
        });
        self.probe(players, &mut objections).await;
        (objections, laid)
    }

    /// Builds those peers that are not absent for another reason already.
    async fn build(&self, peers: BTreeSet<PeerName>) -> Objections {
        let project = &self.around.project;
        let missing = |name: &PeerName| {
            let reason = absence::missing_programs(project.peer(name)?)?;
            Some((name.clone(), Objection::Absent(reason)))
        };
        let mut objections: Objections = peers.iter().filter_map(missing).collect();
        if self.order.build == Build::First {
            let (places, mouth) = (&self.around.places, &self.around.mouth);
            let there: Vec<PeerName> =
                peers.into_iter().filter(|name| !objections.contains_key(name)).collect();
            let failures = build::peers(project, places, &self.workshop, mouth, there).await;
            let absent = failures.into_iter().map(|(name, why)| (name, Objection::Absent(why)));
            objections.extend(absent);
        }
        objections
    }

    /// Asks the peers whether they keep the contract, and which versions they speak.
    async fn probe(&self, peers: BTreeSet<PeerName>, objections: &mut Objections) {
        let (places, mouth) = (&self.around.places, &self.around.mouth);
        let mut spoken = BTreeMap::new();
        for name in peers {
            let peer = self.around.project.peer(&name);
            let Some(peer) = peer.filter(|_| !objections.contains_key(&name)) else { continue };
            let found =
                probe::run(&self.workshop, places, peer, mouth.clock(), self.order.seed).await;
            let objection = match found {
                Ok(found) => {
                    let initialized = found.report.initialized.as_ref();
                    spoken.extend(
                        initialized.map(|initialized| {
                            (name.clone(), initialized.protocol_versions.clone())
                        }),
                    );
                    found.objection().map(|broken| {
                        format!(
                            "{name} does not keep the peer contract, so that no verdict on it counts: {broken}\n\
                             `handfast probe {name}` shows every rule"
                        )
                    })
                }
                Err(reason) => Some(format!("{name} could not be probed: {reason}")),
            };
            objections.extend(objection.map(|objection| (name, Objection::Broken(objection))));
        }
        // Nobody else sets it.
        self.around.spoken.set(spoken).unwrap_or_default();
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
        let mut running: JoinSet<unit::Ended> = JoinSet::new();
        loop {
            while running.len() < parallel && elapsed() < left && self.goes_on() {
                let Some((unit, file)) = work.next() else { break };
                if let Some(verdict) = refused(&unit, objections, &self.order.allow_absent) {
                    unit::refuse(&self.around, &unit, file, &verdict);
                    self.tally.unit(&verdict);
                } else {
                    running.spawn(unit::run(self.around.clone(), unit, file, Again::IfFailed));
                }
            }
            match running.join_next().await {
                Some(Ok(ended)) => {
                    self.tally.unit(&ended.verdict);
                    self.tally.flaky(u64::from(ended.is_flaky));
                }
                // `unit::run` catches what panics inside it, so this is counted, never expected.
                Some(Err(error)) => {
                    self.tally.unit(&Verdict::Infra { reason: error.to_string() });
                }
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

/// The verdict on a unit that one of its peers cannot play. One that breaks the contract comes first: it is somebody's fault.
fn refused(
    unit: &plan::Unit,
    objections: &Objections,
    allowed: &BTreeSet<PeerName>,
) -> Option<Verdict> {
    let peers = unit.peers.values();
    let verdicts = peers.filter_map(|peer| Some(objections.get(peer)?.verdict(peer, allowed)));
    verdicts.min_by_key(|verdict| match verdict {
        Verdict::Infra { .. } => 0,
        Verdict::Absent { allowed: false, .. } => 1,
        Verdict::Absent { .. }
        | Verdict::Passed
        | Verdict::Failed { .. }
        | Verdict::TimedOut { .. }
        | Verdict::Unsupported { .. } => 2,
    })
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
