//! The dispatcher: carries out a plan, category by category.
//!
//! Categories run one after the other in the order of the project, each with its suites first and then
//! its scenarios, so many at a time as it allows, the longest first as far as earlier runs tell. When a category's time is over nothing more of it
//! begins, and what runs is ended: it did not fit, which is told of each by name. Everything said goes through one [`Mouth`], which puts
//! it in one order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use handfast_contract::Initialized;
use handfast_heal::fact::Fact;
use handfast_lab::Lab;
use handfast_scenario::event::{FORMAT, ShardMark, Summary};
use handfast_scenario::name::PeerName;
use handfast_scenario::plan::{self, UnitId};
use handfast_scenario::project::Category;
use handfast_scenario::verdict::{Verdict, VerdictKind};
use handfast_scenario::{ExitCode, Plan, RunEvent, duration};
use tokio::task::{Id, JoinSet};

use handfast_history::History;
use handfast_matrix::schedule::Cost;
use handfast_matrix::{Queue, Room};

use crate::absence::{self, Objection};
use crate::build;
use crate::care::{self, Care, Hands, Healer, Noted};
use crate::command::Workshop;
use crate::interrupt::Interrupt;
use crate::matrix::{self, Laid, MatrixOrder};
use crate::place::Places;
use crate::probe;
use crate::project::{self, Loaded};
use crate::reach::Asked;
use crate::retry::Retries;
use crate::sink::{Mouth, Progress};
use crate::suite::{self, Bench, Share};
use crate::tally::Tally;
use crate::unit::{self, Again, Budget, NetworkAsk, Surroundings, chain};

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
    /// What is done about what fails.
    pub care: Care,
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
    workshop: Arc<Workshop>,
    history: Option<History>,
    order: Order,
    tally: Tally,
}

/// Why peers cannot play.
type Objections = BTreeMap<PeerName, Objection>;

/// What was measured of builds that did nothing any more.
type Silent = BTreeMap<PeerName, Fact>;

/// What the probe of a peer found.
#[derive(Default)]
struct Probed {
    initialized: Option<Initialized>,
    /// Why no verdict on the peer counts.
    broken: Option<String>,
}

impl Probed {
    fn note(
        self,
        name: &PeerName,
        spoken: &mut BTreeMap<PeerName, Vec<String>>,
        versions: &mut BTreeMap<PeerName, String>,
        objections: &mut Objections,
    ) {
        if let Some(initialized) = self.initialized {
            versions.insert(name.clone(), initialized.version);
            spoken.insert(name.clone(), initialized.protocol_versions);
        }
        let broken = self.broken.map(|broken| (name.clone(), Objection::Broken(broken)));
        objections.extend(broken);
    }
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
            retries: Retries::new(order.care.retries, order.seed),
            spoken: OnceLock::new(),
            healer: OnceLock::new(),
        };
        let (loaded, workshop, history) = (means.loaded, Arc::new(means.workshop), means.history);
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
        self.say_notes();
        for category in self.loaded.project.categories.clone() {
            self.category(&category, &plan, &objections).await;
        }
        if let Some(laid) = laid {
            self.matrix(&laid, &objections).await;
        }
        self.close_care();
        let not_begun = self.tally.summary().not_run;
        if self.tally.is_enough() && not_begun > 0 {
            let text = format!("ended at the first failure: {not_begun} were not begun");
            self.around.mouth.progress(Progress::Note { text });
        }
        self.tally
    }

    /// What there is to say of the file of known issues as a whole.
    fn say_notes(&self) {
        let scenarios = self.loaded.scenarios.iter();
        let scenarios: Vec<String> = scenarios.map(|scenario| scenario.id.to_string()).collect();
        for text in care::notes(&self.order.care, &scenarios) {
            self.around.mouth.progress(Progress::Note { text });
        }
    }

    /// What the run showed of the rules, and what the next run has to know of it.
    fn close_care(&self) {
        let Some(healer) = self.around.healer.get() else { return };
        let closed = healer.close();
        for note in &closed.notes {
            self.around.mouth.progress(Progress::Note { text: note.to_string() });
        }
        if closed.passes.is_empty() {
            return;
        }
        if let Err(error) = project::keep_passes(&self.loaded.root, &closed.passes) {
            let text = format!("how often known issues passed in a row is not kept: {error}");
            self.around.mouth.progress(Progress::Note { text });
        }
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
        self.tally.not_run(played.not_begun);
        let advice = "give it more time in handfast.toml ([matrix] budget), or call it again, which goes on from here";
        self.say_budget_spent("the matrix", order.budget, &played.did_not_fit, advice);
    }

    async fn category(&mut self, category: &Category, plan: &Plan, objections: &Objections) {
        let of = format!("the category {}", category.name);
        let mut spent = Duration::ZERO;
        let mut did_not_fit = Vec::new();
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
            let left = category.budget.saturating_sub(spent);
            let share = Share { of: of.clone(), whole: category.budget, left };
            let ended = suite::run(bench, suite, &share).await;
            spent += ended.took;
            did_not_fit.extend(ended.did_not_fit.then(|| format!("suite {}", suite.name)));
            self.tally.suite(&ended.outcome, ended.passed, ended.failed);
            self.tally.flaky(ended.flaky);
        }
        let units = plan.units.iter().filter(|unit| unit.category == category.name);
        let units: Vec<plan::Unit> = units.cloned().collect();
        let left = category.budget.saturating_sub(spent);
        let budget = Budget::new(&self.around, of.clone(), category.budget, left);
        did_not_fit.extend(self.units(units, category.parallel, budget, objections).await);
        let advice = "give it more time in handfast.toml, or make its tests quicker";
        self.say_budget_spent(&of, category.budget, &did_not_fit, advice);
    }

    /// Builds the peers, finds out which cells have to be played, and probes the peers that play; why some cannot.
    async fn prepare(&mut self, plan: &Plan) -> (Objections, Option<Laid>) {
        let mut players: BTreeSet<PeerName> = plan.peers().into_iter().cloned().collect();
        let mut peers = players.clone();
        let order = self.order.matrix.as_ref();
        let cells = order.map(|order| order.cells.as_slice()).unwrap_or_default();
        peers.extend(cells.iter().flat_map(|cell| cell.unit.peers.values().cloned()));
        let (mut objections, silent) = self.build(peers).await;
        let laid = order.map(|order| {
            let history = self.history.as_ref();
            let laid = Laid::new(order, &self.around, &self.loaded, history, &mut objections);
            laid.say(order, &self.around.mouth, &mut self.tally);
            players.extend(laid.players(order));
            laid
        });
        self.probe(plan, players, &silent, &mut objections).await;
        (objections, laid)
    }

    /// Builds those peers that are not absent for another reason already.
    async fn build(&self, peers: BTreeSet<PeerName>) -> (Objections, Silent) {
        let project = &self.around.project;
        let missing = |name: &PeerName| {
            let reason = absence::missing_programs(project.peer(name)?)?;
            Some((name.clone(), Objection::Absent(reason)))
        };
        let mut objections: Objections = peers.iter().filter_map(missing).collect();
        let mut silent = Silent::new();
        if self.order.build == Build::First {
            let (places, mouth) = (&self.around.places, &self.around.mouth);
            let there: Vec<PeerName> =
                peers.into_iter().filter(|name| !objections.contains_key(name)).collect();
            let there = (there, self.order.care.patience);
            let (failures, measured) =
                build::peers_within(project, places, &self.workshop, mouth, there).await;
            silent = measured;
            let absent = failures.into_iter().map(|(name, why)| (name, Objection::Absent(why)));
            objections.extend(absent);
        }
        (objections, silent)
    }

    /// Asks the peers whether they keep the contract, and which versions they speak; heals what keeps one from playing, if that is a fault
    /// of this machine.
    async fn probe(
        &mut self,
        plan: &Plan,
        peers: BTreeSet<PeerName>,
        silent: &Silent,
        objections: &mut Objections,
    ) {
        let mouth = self.around.mouth.clone();
        let (mut spoken, mut versions) = (BTreeMap::new(), BTreeMap::new());
        for name in &peers {
            if !objections.contains_key(name) {
                let probed = self.probe_one(name).await;
                probed.note(name, &mut spoken, &mut versions, objections);
            }
        }
        let care = &self.order.care;
        let noted = Noted::new(&self.around, &self.order.run, self.order.build, care.wall.clone());
        let hands = Hands::new(self.workshop.clone());
        let (healer, notes) = Healer::new(&self.order.run, care, versions.clone(), (noted, hands));
        for note in notes {
            mouth.progress(Progress::Note { text: note.to_string() });
        }
        for name in &peers {
            if self.heal_peer(&healer, plan, name, (silent, objections)).await {
                objections.remove(name);
                let probed = self.probe_one(name).await;
                probed.note(name, &mut spoken, &mut versions, objections);
            }
        }
        // Nobody else sets them.
        self.around.spoken.set(spoken).unwrap_or_default();
        mouth.remember();
        drop(self.around.healer.set(healer));
    }

    async fn probe_one(&self, name: &PeerName) -> Probed {
        let (places, mouth) = (&self.around.places, &self.around.mouth);
        let Some(peer) = self.around.project.peer(name) else { return Probed::default() };
        let found = probe::run(&self.workshop, places, peer, mouth.clock(), self.order.seed).await;
        match found {
            Ok(found) => {
                let broken = found.objection().map(|broken| {
                    format!(
                        "{name} does not keep the peer contract, so that no verdict on it counts: {broken}\n\
                         `handfast probe {name}` shows every rule"
                    )
                });
                Probed { initialized: found.report.initialized, broken }
            }
            Err(reason) => {
                let broken = Some(format!("{name} could not be probed: {reason}"));
                Probed { initialized: None, broken }
            }
        }
    }

    /// Repairs what keeps a peer from playing, where that is a fault of this machine; whether it did.
    async fn heal_peer(
        &mut self,
        healer: &Healer,
        plan: &Plan,
        name: &PeerName,
        (silent, objections): (&Silent, &Objections),
    ) -> bool {
        let Some(objection) = objections.get(name) else { return false };
        let cells = self.order.matrix.iter().flat_map(|matrix| &matrix.cells);
        let mut units = plan.units.iter().chain(cells.map(|cell| &cell.unit));
        let unit = units.find(|unit| unit.peers.values().any(|peer| peer == name));
        let Some(unit) = unit.cloned() else { return false };
        let verdict = objection.verdict(name, &self.order.allow_absent);
        let fact = silent.get(name).cloned();
        let healing = unit::heal_before(&self.around, healer, &unit, (verdict, fact)).await;
        if let Some(healing) = &healing {
            self.tally.healing(healing);
        }
        healing.is_some_and(|healing| healing.is_healed)
    }

    /// Runs units, at most `parallel` at the same time, until the budget is spent; which of them did not fit into it.
    async fn units(
        &mut self,
        units: Vec<plan::Unit>,
        parallel: usize,
        budget: Budget,
        objections: &Objections,
    ) -> Vec<String> {
        let mut queue = self.queue(&units, parallel);
        let mut running: JoinSet<unit::Ended> = JoinSet::new();
        let mut places: BTreeMap<Id, usize> = BTreeMap::new();
        let mut did_not_fit = Vec::new();
        loop {
            while self.goes_on() {
                let Some(at) = queue.begin(budget.left(&self.around)) else { break };
                let (unit, file) = (units[at].clone(), self.loaded.file_of(&units[at].scenario));
                if let Some(healing) = unit::skip(&self.around, &unit) {
                    self.tally.healing(&healing);
                    queue.end(at);
                } else if let Some(verdict) = refused(&unit, objections, &self.order.allow_absent) {
                    unit::refuse(&self.around, &unit, file, &verdict);
                    self.tally.unit(&verdict);
                    queue.end(at);
                } else {
                    let (around, budget) = (self.around.clone(), Some(budget.clone()));
                    let task = unit::run_within(around, unit, file, Again::IfFailed, budget);
                    places.insert(running.spawn(task).id(), at);
                }
            }
            let (id, verdict) = match running.join_next_with_id().await {
                Some(Ok((id, ended))) => {
                    ended.healings.iter().for_each(|healing| self.tally.healing(healing));
                    self.tally.flaky(u64::from(ended.is_flaky));
                    (id, ended.verdict)
                }
                // `unit::run` catches what panics inside it, so this is counted, never expected.
                Some(Err(error)) => (error.id(), Verdict::Infra { reason: error.to_string() }),
                None => break,
            };
            self.tally.unit(&verdict);
            let Some(at) = places.remove(&id) else { continue };
            queue.end(at);
            let cut = verdict.kind() == VerdictKind::DidNotFit;
            did_not_fit.extend(cut.then(|| units[at].id.to_string()));
        }
        let left = queue.left();
        if !self.goes_on() {
            self.tally.not_run(left.len());
            return did_not_fit;
        }
        for unit in left.iter().filter_map(|at| units.get(*at)) {
            let (file, verdict) = (self.loaded.file_of(&unit.scenario), budget.never_begun());
            unit::refuse(&self.around, unit, file, &verdict);
            self.tally.unit(&verdict);
            did_not_fit.push(unit.id.to_string());
        }
        did_not_fit
    }

    /// The units in the order in which they begin, by what earlier runs took.
    fn queue(&self, units: &[plan::Unit], parallel: usize) -> Queue {
        let names: BTreeSet<&str> = units.iter().map(|unit| usual_name(&unit.id)).collect();
        let costs = self.history.as_ref().map(|history| history.usual_costs(names));
        let costs = costs.transpose().unwrap_or_else(|error| {
            let text = format!("earlier runs are not looked at: {}", chain(&error));
            self.around.mouth.progress(Progress::Note { text });
            None
        });
        let cost = |unit: &plan::Unit| {
            let found = costs.as_ref()?.get(usual_name(&unit.id))?;
            let duration = Duration::from_micros(found.duration_us);
            Some(Cost { duration, cpu: Duration::from_micros(found.cpu_us) })
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let resources = self.around.project.resources.clone();
        let units = units.iter().map(|unit| (unit.scenario.needs.clone(), cost(unit)));
        Queue::new(units, Room { parallel, cores, resources })
    }

    fn say_budget_spent(
        &mut self,
        of: &str,
        budget: Duration,
        did_not_fit: &[String],
        advice: &str,
    ) {
        if did_not_fit.is_empty() {
            return;
        }
        self.tally.budget_spent();
        let beyond = did_not_fit.len().saturating_sub(NAMED_MAX);
        let named = did_not_fit.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
        let more = if beyond > 0 { format!(" and {beyond} more") } else { String::new() };
        let budget = duration::display(budget);
        let text = format!("{of} has {budget}; did not fit: {named}{more}: {advice}");
        self.around.mouth.progress(Progress::Note { text });
    }
}

/// The name by which other runs know a unit that has a round or a seed of its own.
fn usual_name(id: &UnitId) -> &str {
    id.as_str().rsplit_once(" #").map_or(id.as_str(), |(name, _)| name)
}

/// Names of what did not fit that stand in one sentence; each is told by itself, too.
const NAMED_MAX: usize = 20;

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
        | Verdict::Unsupported { .. }
        | Verdict::DidNotFit { .. } => 2,
    })
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
