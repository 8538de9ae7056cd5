//! The cells of the matrix: which of them have to be played, and playing them, many at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use handfast_history::{History, Recalled};
use handfast_lab::net::Ask;
use handfast_matrix::schedule::Cost;
use handfast_matrix::{Cell, Expectations, Ingredients, Schedule};
use handfast_scenario::RunEvent;
use handfast_scenario::event::{CellLine, Expected};
use handfast_scenario::name::PeerName;
use handfast_scenario::verdict::{Verdict, VerdictKind};
use tokio::task::{Id, JoinSet};

use crate::absence::Objection;
use crate::idleness::Idleness;
use crate::ingredients;
use crate::project::Loaded;
use crate::sink::{Mouth, Progress};
use crate::tally::Tally;
use crate::unit::{self, Again, Budget, Surroundings, chain};

/// What is asked of a matrix.
#[derive(Debug, Clone, Default)]
pub struct MatrixOrder {
    /// The peers that meet each other, in the order of the columns.
    pub peers: Vec<PeerName>,
    /// All cells, in the order of the grid.
    pub cells: Vec<Cell>,
    /// What is expected of them in place of a pass.
    pub expectations: Expectations,
    /// What is wrong with the file that says so.
    pub faults: Vec<String>,
    /// Whether verdicts of earlier runs on the same content are taken over.
    pub take_over: bool,
    /// Time for all cells; when it is over no further one begins, and those that are played are ended.
    pub budget: Duration,
    /// Cores that cells may keep busy.
    pub cores: usize,
}

/// A matrix whose keys are known.
#[derive(Debug)]
pub(crate) struct Laid {
    lines: Vec<CellLine>,
    recalled: Vec<(usize, Recalled)>,
    to_play: Vec<usize>,
    costs: BTreeMap<usize, Cost>,
    builds: BTreeMap<PeerName, String>,
}

impl Laid {
    /// Finds out what every cell is made of, and which of them an earlier run has judged on the same content.
    pub(crate) fn new(
        order: &MatrixOrder,
        around: &Surroundings,
        loaded: &Loaded,
        history: Option<&History>,
        objections: &mut BTreeMap<PeerName, Objection>,
    ) -> Self {
        let files: Vec<String> =
            order.cells.iter().map(|cell| loaded.file_of(&cell.unit.scenario)).collect();
        let ingredients = gather(order, around, loaded, &files, objections);
        let line = |(cell, file): (&Cell, &String)| line(cell, file, &ingredients, order);
        let lines: Vec<CellLine> = order.cells.iter().zip(&files).map(line).collect();
        let mut laid = Self {
            lines,
            recalled: Vec::new(),
            to_play: Vec::new(),
            costs: BTreeMap::new(),
            builds: hex(&ingredients),
        };
        laid.ask(order, history, &around.mouth);
        laid
    }

    /// The peers that have something to play.
    pub(crate) fn players(&self, order: &MatrixOrder) -> BTreeSet<PeerName> {
        let cells = self.to_play.iter().filter_map(|at| order.cells.get(*at));
        cells.flat_map(|cell| cell.unit.peers.values().cloned()).collect()
    }

    /// Says what the cells are, and which verdicts are taken over.
    pub(crate) fn say(&self, order: &MatrixOrder, mouth: &Mouth, tally: &mut Tally) {
        mouth.say(RunEvent::MatrixStarted {
            peers: order.peers.clone(),
            builds: self.builds.clone(),
            cells: self.lines.clone(),
            faults: order.faults.clone(),
        });
        tally.expectation_faults(order.faults.len());
        for (at, recalled) in &self.recalled {
            let Some(line) = self.lines.get(*at) else { continue };
            tally.recalled(&recalled.verdict, line.expected.as_ref());
            mouth.say(RunEvent::CellRecalled {
                unit: line.unit.clone(),
                run: recalled.run.clone(),
                verdict: recalled.verdict.clone(),
                duration_us: recalled.duration_us,
            });
        }
    }

    fn schedule(&self, order: &MatrixOrder, cells: &[Cell], around: &Surroundings) -> Schedule {
        let mut places = self.to_play.iter();
        let cost = |_: &Cell| places.next().and_then(|at| self.costs.get(at)).copied();
        let schedule = Schedule::new(cells, order.cores, cost);
        schedule.with_resources(around.project.resources.clone())
    }

    fn ask(&mut self, order: &MatrixOrder, history: Option<&History>, mouth: &Mouth) {
        let unknown = |error| {
            let text = format!("earlier runs are not looked at: {}", chain(&error));
            mouth.progress(Progress::Note { text });
        };
        for (at, line) in self.lines.iter().enumerate() {
            let recalled = match (&line.key, history) {
                (Some(key), Some(history)) if order.take_over => {
                    history.recall(key).unwrap_or_else(|error| {
                        unknown(error);
                        None
                    })
                }
                (Some(_) | None, _) => None,
            };
            match recalled {
                Some(recalled) => self.recalled.push((at, recalled)),
                None => self.to_play.push(at),
            }
        }
        let Some(history) = history else { return };
        let units = self.lines.iter().map(|line| line.unit.without_seed());
        match history.costs(units) {
            Err(error) => unknown(error),
            Ok(costs) => {
                let cost = |(at, line): (usize, &CellLine)| {
                    let cost = costs.get(line.unit.without_seed())?;
                    let duration = Duration::from_micros(cost.duration_us);
                    Some((at, Cost { duration, cpu: Duration::from_micros(cost.cpu_us) }))
                };
                self.costs = self.lines.iter().enumerate().filter_map(cost).collect();
            }
        }
    }
}

/// How the cells went.
pub(crate) struct Played {
    /// Cells that the budget left no time, or too little.
    pub(crate) did_not_fit: Vec<String>,
    /// How many were not begun because the run ended before.
    pub(crate) not_begun: usize,
}

/// Plays what has to be played.
pub(crate) async fn play(
    order: &MatrixOrder,
    laid: &Laid,
    around: &Arc<Surroundings>,
    refused: impl Fn(&Cell) -> Option<Verdict>,
    tally: &mut Tally,
) -> Played {
    let clock = around.mouth.clock();
    let began_us = clock.now_us();
    let elapsed = || Duration::from_micros(clock.now_us().saturating_sub(began_us));
    let cells: Vec<Cell> =
        laid.to_play.iter().filter_map(|at| order.cells.get(*at)).cloned().collect();
    let mut schedule = laid.schedule(order, &cells, around);
    let budget = Budget::new(around, "the matrix".to_owned(), order.budget, order.budget);
    let mut did_not_fit = Vec::new();
    let line = |at: usize| laid.to_play.get(at).and_then(|at| laid.lines.get(*at));
    let expected = |at: usize| line(at).and_then(|line| line.expected.as_ref());
    let file = |at: usize| line(at).map(|line| line.file.clone()).unwrap_or_default();
    let mut idleness = Idleness::default();
    let mut running: JoinSet<unit::Ended> = JoinSet::new();
    let mut tasks: BTreeMap<Id, (usize, Duration)> = BTreeMap::new();
    loop {
        if let Some(thousandths) = idleness.of_late(elapsed()) {
            schedule.note_idle(thousandths);
        }
        while !around.interrupt.is_pulled() && !tally.is_enough() {
            let Some(at) = schedule.begin(elapsed(), budget.left(around)) else { break };
            let (cell, file) = (&cells[at], file(at));
            if is_settled(around, cell, (&file, expected(at)), refused(cell), tally) {
                schedule.end(at, &cell.column, false);
                continue;
            }
            let again = if expected(at).is_some() { Again::Never } else { Again::IfFailed };
            let (around, unit, budget) = (around.clone(), cell.unit.clone(), budget.clone());
            let task = running.spawn(unit::run_within(around, unit, file, again, Some(budget)));
            tasks.insert(task.id(), (at, elapsed()));
        }
        let due = schedule.next_deadline().map(|due| due.saturating_sub(elapsed()));
        let due = due.filter(|due| !due.is_zero()).unwrap_or(IDLE);
        let Ok(ended) = tokio::time::timeout(due, running.join_next_with_id()).await else {
            continue;
        };
        let (id, verdict, took) = match ended {
            None => break,
            Some(Ok((id, ended))) => {
                tally.flaky(u64::from(ended.is_flaky));
                ended.healings.iter().for_each(|healing| tally.healing(healing));
                (id, ended.verdict, Some(ended.took))
            }
            // `unit::run` catches what panics inside it, so this is counted, never expected.
            Some(Err(error)) => (error.id(), Verdict::Infra { reason: error.to_string() }, None),
        };
        let Some((at, since)) = tasks.remove(&id) else { continue };
        if let Some((duration, cpu)) = took.filter(|_| verdict.is_passed()) {
            schedule.learn(cells[at].unit.scenario.id.path(), Cost { duration, cpu });
        }
        tally.cell(&verdict, expected(at));
        let cut = verdict.kind() == VerdictKind::DidNotFit;
        did_not_fit.extend(cut.then(|| cells[at].unit.id.to_string()));
        let hung = !verdict.is_passed() && elapsed().saturating_sub(since) >= HUNG_AFTER;
        schedule.end(at, &cells[at].column, hung);
    }
    let mut left = schedule.left();
    if !around.interrupt.is_pulled() && !tally.is_enough() {
        for at in std::mem::take(&mut left) {
            let verdict = budget.never_begun();
            unit::refuse(around, &cells[at].unit, file(at), &verdict);
            tally.cell(&verdict, expected(at));
            did_not_fit.push(cells[at].unit.id.to_string());
        }
    }
    Played { did_not_fit, not_begun: left.len() }
}

/// Whether a cell needs no playing: a rule keeps it from being run, or one of its peers cannot play. It has been told then.
fn is_settled(
    around: &Surroundings,
    cell: &Cell,
    (file, expected): (&str, Option<&Expected>),
    refused: Option<Verdict>,
    tally: &mut Tally,
) -> bool {
    if expected.is_none()
        && let Some(healing) = unit::skip(around, &cell.unit)
    {
        tally.healing(&healing);
        return true;
    }
    if let Some(verdict) = &refused {
        unit::refuse(around, &cell.unit, file.to_owned(), verdict);
        tally.cell(verdict, expected);
    }
    refused.is_some()
}

/// A cell that fails after so long has waited for something that never came (guessed: the deadline of a call is longer).
const HUNG_AFTER: Duration = Duration::from_secs(4);

/// How often the schedule is asked again where nothing else happens.
const IDLE: Duration = Duration::from_secs(1);

fn gather(
    order: &MatrixOrder,
    around: &Surroundings,
    loaded: &Loaded,
    files: &[String],
    objections: &mut BTreeMap<PeerName, Objection>,
) -> Ingredients {
    let means = match &around.network.ask {
        Ask::Auto => String::new(),
        Ask::Root => "root".to_owned(),
        Ask::Rootless => "rootless".to_owned(),
        Ask::Proxies { .. } => "proxies".to_owned(),
    };
    let mut ingredients = Ingredients { means, ..Ingredients::default() };
    match ingredients::platform() {
        Ok(platform) => ingredients.platform = Some(platform),
        Err(error) => {
            let text =
                format!("handfast cannot read its own program, so no cell has a key: {error}");
            around.mouth.progress(Progress::Note { text });
        }
    }
    let peers: BTreeSet<&PeerName> =
        order.cells.iter().flat_map(|cell| cell.unit.peers.values()).collect();
    for name in peers {
        let Some(peer) = around.project.peer(name) else { continue };
        if objections.contains_key(name) {
            continue;
        }
        match ingredients::build(&around.places, peer) {
            Ok(digest) => {
                ingredients.builds.insert(name.clone(), digest);
            }
            Err(reason) => {
                objections.insert(name.clone(), Objection::Absent(reason));
            }
        }
    }
    let cells = order.cells.iter().zip(files.iter().map(String::as_str));
    ingredients::scenario_files(&mut ingredients, &loaded.root, cells);
    ingredients
}

fn line(cell: &Cell, file: &str, ingredients: &Ingredients, order: &MatrixOrder) -> CellLine {
    // What one seed of several shows is no verdict that a later run could take over.
    let has_key = cell.unit.id.seed().is_none();
    let key = has_key.then(|| ingredients.key(cell, file)).flatten();
    CellLine {
        unit: cell.unit.id.clone(),
        scenario: cell.unit.scenario.id.to_string(),
        name: cell.unit.scenario.name.clone(),
        file: file.to_owned(),
        category: cell.unit.category.clone(),
        column: [cell.column.a.clone(), cell.column.b.clone()],
        peers: cell.unit.peers.clone(),
        protocols: cell.protocols(),
        network: cell.network().to_owned(),
        key: key.map(|key| key.to_string()),
        expected: order.expectations.of(cell),
    }
}

fn hex(ingredients: &Ingredients) -> BTreeMap<PeerName, String> {
    let builds = ingredients.builds.iter();
    builds.map(|(peer, digest)| (peer.clone(), digest.to_string())).collect()
}
