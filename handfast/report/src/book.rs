//! What the events of a run add up to.

use std::collections::{BTreeMap, VecDeque};

use handfast_matrix::Grid;
use handfast_matrix::grid::{Square, State};
use handfast_scenario::event::{Healing, Outcome, ShardLine, ShardMark, Standing, StepId, Summary};
use handfast_scenario::name::{CategoryName, PeerName, RoleName, SuiteName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::{Verdict, VerdictKind};
use handfast_scenario::{ExitCode, Recorded, RunEvent};
use serde::Serialize;

use crate::accounts::Accounts;
use crate::quantity;
use crate::timeline::{self, Calls, Moment};

/// A whole run, page by page. Memory is bounded per unit by the limits below.
#[derive(Debug, Default)]
pub struct Book {
    run: Option<RunPage>,
    units: Vec<UnitPage>,
    index: BTreeMap<UnitId, usize>,
    suites: Vec<SuitePage>,
    end: Option<EndPage>,
    grid: Grid,
    merged: Option<MergedPage>,
    never_exercised: Option<NeverExercised>,
    skipped: Vec<SkippedUnit>,
    now_us: u64,
}

/// What is known when a run starts.
#[derive(Debug, Clone)]
pub struct RunPage {
    /// Id of the run.
    pub run: String,
    /// Version of handfast.
    pub handfast: String,
    /// The command line, program first.
    pub command: Vec<String>,
    /// When it started, microseconds since the Unix epoch.
    pub started_unix_us: i64,
    /// How many units the plan holds.
    pub units: usize,
    /// How many suites the plan holds.
    pub suites: usize,
    /// Which part of a whole the run is.
    pub shard: Option<ShardMark>,
}

/// Of which parts the record was made.
#[derive(Debug, Clone)]
pub struct MergedPage {
    /// The parts, in their order.
    pub shards: Vec<ShardLine>,
    /// Why they are not the whole.
    pub faults: Vec<String>,
    /// What is odd about them.
    pub notes: Vec<String>,
}

/// What a run was to reach and did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NeverExercised {
    /// Types of messages.
    pub messages: Vec<String>,
    /// Kinds of faults.
    pub faults: Vec<String>,
}

impl NeverExercised {
    fn of(messages: &[String], faults: &[String]) -> Self {
        Self { messages: messages.to_vec(), faults: faults.to_vec() }
    }
}

/// A unit that a reviewed rule kept from being run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedUnit {
    /// Its id.
    pub unit: UnitId,
    /// By which rule, and where it is being worked on.
    pub reason: String,
}

/// What is known when a run is over.
#[derive(Debug, Clone, Copy)]
pub struct EndPage {
    /// The counts.
    pub summary: Summary,
    /// What follows from them.
    pub exit: ExitCode,
    /// How long it took.
    pub duration_us: u64,
}

/// One unit.
#[derive(Debug)]
pub struct UnitPage {
    /// Its id.
    pub unit: UnitId,
    /// The scenario's name.
    pub name: String,
    /// The scenario file.
    pub file: String,
    /// Its category.
    pub category: CategoryName,
    /// Ids of what it proves.
    pub proves: Vec<String>,
    /// Who plays which role.
    pub peers: BTreeMap<RoleName, PeerName>,
    /// When it began, on the run's clock.
    pub started_us: u64,
    /// Steps that have begun and not ended, with line and text.
    pub open_steps: BTreeMap<StepId, StepLine>,
    /// The first steps and checks that failed, at most [`UnitPage::FAILURES_MAX`].
    pub failures: Vec<Failure>,
    /// Checks that could not look at anything, such as a wire rule that never matched.
    pub warnings: Vec<String>,
    /// The last moments, at most [`UnitPage::MOMENTS_MAX`].
    pub moments: VecDeque<Moment>,
    /// The last lines of each peer's log, at most [`UnitPage::LOG_LINES_MAX`] each.
    pub logs: BTreeMap<RoleName, VecDeque<String>>,
    /// What its network and its disturbances were asked, and what was measured.
    pub accounts: Accounts,
    /// What its failure means for the result of the run, where it is not all that a failure means.
    pub set_aside: Option<Standing>,
    /// How it ended, once it has.
    pub end: Option<UnitEnd>,
    calls: Calls,
    steps_us: u64,
}

/// How a unit ended.
#[derive(Debug, Clone)]
pub struct UnitEnd {
    /// The verdict.
    pub verdict: Verdict,
    /// The whole time of the unit.
    pub duration_us: u64,
    /// The part of it that no step accounts for: starting, introducing and ending the peers.
    pub overhead_us: u64,
}

/// A step as the scenario file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLine {
    /// Line in the scenario file.
    pub line: usize,
    /// The step in a few words.
    pub text: String,
}

/// Something that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A step.
    Step {
        /// Which.
        step: StepId,
        /// Where it stands.
        at: StepLine,
        /// Why.
        reason: String,
    },
    /// An oracle.
    Check {
        /// Which.
        check: String,
        /// Why.
        reason: String,
    },
}

/// One foreign suite.
#[derive(Debug)]
pub struct SuitePage {
    /// Its name.
    pub suite: SuiteName,
    /// Its category.
    pub category: CategoryName,
    /// The command, program first.
    pub command: Vec<String>,
    /// When it began, on the run's clock.
    pub started_us: u64,
    /// Its tests, at most [`SuitePage::TESTS_MAX`].
    pub tests: Vec<SuiteTest>,
    /// How it ended, once it has.
    pub end: Option<SuiteEnd>,
}

/// One test of a foreign suite.
#[derive(Debug, Clone)]
pub struct SuiteTest {
    /// Its own name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took; 0 where the suite does not say.
    pub duration_us: u64,
}

/// How a foreign suite ended.
#[derive(Debug, Clone)]
pub struct SuiteEnd {
    /// Whether it counts as passed.
    pub outcome: Outcome,
    /// How many tests passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// How long it took.
    pub duration_us: u64,
}

impl UnitPage {
    /// Moments kept of a unit; a failure shows them all, and more than a screenful hides the reason.
    pub const MOMENTS_MAX: usize = 24;
    /// Log lines kept of each peer.
    pub const LOG_LINES_MAX: usize = 12;
    /// Failures kept of a unit: the first one explains, the rest usually follow from it.
    pub const FAILURES_MAX: usize = 8;
    /// Warnings kept of a unit.
    pub const WARNINGS_MAX: usize = 16;

    /// Its name and who plays, such as `A pays B (a=entity b=entity)`.
    pub fn title(&self) -> String {
        format!("{} ({})", self.label(), self.cast())
    }

    /// Who plays, such as `a=entity b=entity`.
    pub fn cast(&self) -> String {
        let cast: Vec<String> =
            self.peers.iter().map(|(role, peer)| format!("{role}={peer}")).collect();
        cast.join(" ")
    }

    /// The scenario's name, and behind it what tells this unit from others of the same file: the values of its variant
    /// and the round of a repeated run, such as `two peers meet [version=1.0] #3`.
    pub fn label(&self) -> String {
        let id = self.unit.to_string();
        let mut label = self.name.clone();
        // An id is `file[values] (cast) #round`; values may hold brackets of their own, and the cast is said elsewhere.
        if let (Some(first), Some(last)) = (id.find('['), id.rfind(']')) {
            label = format!("{label} {}", &id[first..=last]);
        }
        if let Some((_, round)) = id.rsplit_once(" #") {
            label = format!("{label} #{round}");
        }
        label
    }

    /// Its verdict without reasons, once it has one.
    pub fn kind(&self) -> Option<VerdictKind> {
        self.end.as_ref().map(|end| end.verdict.kind())
    }

    fn step_ended(&mut self, step: &StepId, outcome: &Outcome, duration_us: u64) {
        let at = self.open_steps.remove(step);
        if is_top_level(step) {
            self.steps_us += duration_us;
        }
        let at = at.unwrap_or_else(|| StepLine { line: 0, text: String::new() });
        if let Outcome::Failed { reason } = outcome {
            self.failed(Failure::Step { step: step.clone(), at, reason: reason.clone() });
        }
    }

    fn failed(&mut self, failure: Failure) {
        if self.failures.len() < Self::FAILURES_MAX {
            self.failures.push(failure);
        }
    }

    fn check_ended(&mut self, check: &str, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed { reason } => {
                self.failed(Failure::Check { check: check.to_owned(), reason: reason.clone() });
            }
            Outcome::Skipped { reason } => {
                if self.warnings.len() < Self::WARNINGS_MAX {
                    self.warnings.push(format!("{check}: {reason}"));
                }
            }
        }
    }

    fn healed(&mut self, healing: &Healing) {
        if self.warnings.len() < Self::WARNINGS_MAX {
            self.warnings.push(healing_line(healing));
        }
        self.set_aside = match healing.standing {
            Standing::Decides | Standing::Skipped => None,
            standing @ (Standing::Known | Standing::Quarantined) => Some(standing),
        };
    }

    /// Whether it failed, or could not be carried out, and decides nothing.
    pub fn is_set_aside(&self) -> bool {
        let kind = self.kind();
        let failed =
            matches!(kind, Some(VerdictKind::Failed | VerdictKind::TimedOut | VerdictKind::Infra));
        failed && self.set_aside.is_some()
    }

    fn log(&mut self, role: &RoleName, line: &str) {
        let lines = self.logs.entry(role.clone()).or_default();
        if lines.len() == Self::LOG_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(quantity::tame(line));
    }

    fn moment(&mut self, moment: Moment) {
        let moment = match self.moments.back_mut() {
            Some(last) => last.absorb(moment),
            None => Some(moment),
        };
        let Some(moment) = moment else { return };
        if self.moments.len() == Self::MOMENTS_MAX {
            self.moments.pop_front();
        }
        self.moments.push_back(moment);
    }

    fn ended(&mut self, verdict: &Verdict, duration_us: u64) {
        let overhead_us = duration_us.saturating_sub(self.steps_us);
        for moment in self.calls.unanswered().collect::<Vec<_>>() {
            self.moment(moment);
        }
        self.moments.make_contiguous().sort_by_key(|moment| moment.at_us);
        if verdict.is_passed() {
            self.moments = VecDeque::new();
            self.logs = BTreeMap::new();
        }
        self.end = Some(UnitEnd { verdict: verdict.clone(), duration_us, overhead_us });
    }
}

impl SuitePage {
    /// Tests kept of one suite; the counts of [`SuiteEnd`] know the rest.
    pub const TESTS_MAX: usize = 100_000;

    /// The tests that failed.
    pub fn failures(&self) -> impl Iterator<Item = (&SuiteTest, &str)> {
        self.tests.iter().filter_map(|test| match &test.outcome {
            Outcome::Failed { reason } => Some((test, reason.as_str())),
            Outcome::Passed | Outcome::Skipped { .. } => None,
        })
    }
}

impl Book {
    /// Units kept that rules kept from being run; the counts know the rest.
    pub const SKIPPED_MAX: usize = 10_000;

    /// A book with no page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next event. Events of units or suites that never started are passed over.
    pub fn read(&mut self, recorded: &Recorded) {
        self.now_us = recorded.at_us;
        self.grid.read(recorded);
        if let Some(page) = recorded.event.unit().and_then(|unit| self.index.get(unit)) {
            self.units[*page].read(recorded);
        } else {
            self.read_run_event(recorded);
        }
    }

    /// What is known of the run, from its first event on.
    pub fn run(&self) -> Option<&RunPage> {
        self.run.as_ref()
    }

    /// The units in the order they started.
    pub fn units(&self) -> &[UnitPage] {
        &self.units
    }

    /// One unit.
    pub fn unit(&self, unit: &UnitId) -> Option<&UnitPage> {
        self.index.get(unit).map(|page| &self.units[*page])
    }

    /// The suites in the order they started.
    pub fn suites(&self) -> &[SuitePage] {
        &self.suites
    }

    /// The matrix; empty for a run without one.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Of which parts the record was made; nothing for the record of one run.
    pub fn merged(&self) -> Option<&MergedPage> {
        self.merged.as_ref()
    }

    /// What the run was to reach and did not; `None` where it reached all, or nothing was asked.
    pub fn never_exercised(&self) -> Option<&NeverExercised> {
        self.never_exercised.as_ref()
    }

    /// The units that reviewed rules kept from being run.
    pub fn skipped(&self) -> &[SkippedUnit] {
        &self.skipped
    }

    /// Why the parts of a merged record are not the whole.
    pub fn shard_faults(&self) -> &[String] {
        self.merged.as_ref().map(|merged| merged.faults.as_slice()).unwrap_or_default()
    }

    /// How the run ended, once it has.
    pub fn end(&self) -> Option<&EndPage> {
        self.end.as_ref()
    }

    /// The time of the last event, on the run's clock.
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    /// How much of each passed unit's time no step accounts for.
    pub fn overheads_us(&self) -> Vec<u64> {
        let passed = self.units.iter().filter(|page| page.kind() == Some(VerdictKind::Passed));
        passed.filter_map(|page| page.end.as_ref()).map(|end| end.overhead_us).collect()
    }

    /// How many things passed and failed: units and tests of suites together. Whatever ran and did
    /// not pass has failed, a suite that failed without a failed test too. Of the matrix, passes of earlier runs count;
    /// what failed as expected, as a rule says or in quarantine does not count as failed, what passed and was not to does. A shard that is missing has failed.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let deciding = self.units.iter().filter(|page| !page.is_set_aside());
        for end in deciding.filter_map(|page| page.end.as_ref()) {
            match &end.verdict {
                Verdict::Passed => totals.passed += 1,
                Verdict::Failed { .. }
                | Verdict::Infra { .. }
                | Verdict::TimedOut { .. }
                | Verdict::Absent { allowed: false, .. } => totals.failed += 1,
                Verdict::Unsupported { .. } => totals.unsupported += 1,
                Verdict::Absent { allowed: true, .. } | Verdict::DidNotFit { .. } => {}
            }
        }
        let recalled = |cell: &Square| {
            let State::Judged(judged) = &cell.state else { return false };
            judged.from.is_some() && judged.verdict.is_passed()
        };
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let faults = count(self.grid.faults().len() + self.shard_faults().len());
        let matrix = self.grid.counts();
        totals.passed += count(self.grid.cells().iter().filter(|cell| recalled(cell)).count());
        totals.passed -= count(matrix.unexpected_passes);
        totals.failed -= count(matrix.as_expected);
        totals.failed += count(matrix.unexpected_passes) + faults;
        for suite in self.suites.iter().filter_map(|page| page.end.as_ref()) {
            totals.passed += suite.passed;
            totals.failed += match suite.outcome {
                Outcome::Failed { .. } => suite.failed.max(1),
                Outcome::Passed | Outcome::Skipped { .. } => suite.failed,
            };
        }
        totals
    }

    fn read_run_event(&mut self, recorded: &Recorded) {
        match &recorded.event {
            RunEvent::RunStarted { .. } => self.run = run_page(&recorded.event),
            RunEvent::ShardsMerged { .. } => self.merged = merged_page(&recorded.event),
            RunEvent::UnitStarted { unit, .. } => {
                if let Some(page) = unit_page(recorded) {
                    self.index.insert(unit.clone(), self.units.len());
                    self.units.push(page);
                }
            }
            RunEvent::SuiteStarted { suite, category, command } => self.suites.push(SuitePage {
                suite: suite.clone(),
                category: category.clone(),
                command: command.clone(),
                started_us: recorded.at_us,
                tests: Vec::new(),
                end: None,
            }),
            RunEvent::SuiteTest { suite, test, outcome, duration_us } => {
                let test = SuiteTest {
                    name: test.clone(),
                    outcome: outcome.clone(),
                    duration_us: *duration_us,
                };
                if let Some(page) = self.suite(suite)
                    && page.tests.len() < SuitePage::TESTS_MAX
                {
                    page.tests.push(test);
                }
            }
            RunEvent::SuiteEnded { suite, outcome, passed, failed, duration_us } => {
                let end = SuiteEnd {
                    outcome: outcome.clone(),
                    passed: *passed,
                    failed: *failed,
                    duration_us: *duration_us,
                };
                if let Some(page) = self.suite(suite) {
                    page.end = Some(end);
                }
            }
            RunEvent::RunEnded { summary, exit, duration_us } => {
                let (summary, exit, duration_us) = (*summary, *exit, *duration_us);
                self.end = Some(EndPage { summary, exit, duration_us });
            }
            RunEvent::UnitHealing { unit, healing } => self.skip(unit, healing),
            RunEvent::NeverExercised { messages, faults } => {
                self.never_exercised = Some(NeverExercised::of(messages, faults));
            }
            RunEvent::PeerStarted { .. }
            | RunEvent::MatrixStarted { .. }
            | RunEvent::CellRecalled { .. }
            | RunEvent::StepStarted { .. }
            | RunEvent::StepEnded { .. }
            | RunEvent::CallStarted { .. }
            | RunEvent::CallEnded { .. }
            | RunEvent::PeerEvent { .. }
            | RunEvent::WireMessage { .. }
            | RunEvent::PeerLog { .. }
            | RunEvent::NetworkStarted { .. }
            | RunEvent::Disturbance { .. }
            | RunEvent::Account { .. }
            | RunEvent::Searched { .. }
            | RunEvent::Measured { .. }
            | RunEvent::PeerExited { .. }
            | RunEvent::CheckEnded { .. }
            | RunEvent::UnitFlaky { .. }
            | RunEvent::SuiteTestFlaky { .. }
            | RunEvent::UnitEnded { .. } => {}
        }
    }

    /// A unit that a rule keeps from being run has no page.
    fn skip(&mut self, unit: &UnitId, healing: &Healing) {
        if healing.standing == Standing::Skipped && self.skipped.len() < Self::SKIPPED_MAX {
            let reason = format!("{}; {}", healing.class, healing.act);
            self.skipped.push(SkippedUnit { unit: unit.clone(), reason });
        }
    }

    /// The page of a suite: the last one that began under this name.
    fn suite(&mut self, suite: &SuiteName) -> Option<&mut SuitePage> {
        self.suites.iter_mut().rev().find(|page| page.suite == *suite)
    }
}

/// How many things passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Units and tests that passed.
    pub passed: u64,
    /// Units and tests that did not, for whatever reason.
    pub failed: u64,
    /// Units whose peers lack something.
    pub unsupported: u64,
}

impl UnitPage {
    fn read(&mut self, recorded: &Recorded) {
        let moment = timeline::moment(recorded, self.started_us);
        for moment in moment.into_iter().chain(self.calls.read(recorded, self.started_us)) {
            self.moment(moment);
        }
        self.accounts.read(recorded);
        match &recorded.event {
            RunEvent::StepStarted { step, line, text, .. } => {
                self.open_steps.insert(step.clone(), StepLine { line: *line, text: text.clone() });
            }
            RunEvent::StepEnded { step, outcome, duration_us, .. } => {
                self.step_ended(step, outcome, *duration_us);
            }
            RunEvent::PeerLog { role, line, .. } => self.log(role, line),
            RunEvent::CheckEnded { check, outcome, .. } => self.check_ended(check, outcome),
            RunEvent::UnitFlaky { verdict, .. } => {
                self.failures.clear();
                let reason = verdict.reason();
                let reason = reason.lines().next().unwrap_or_default();
                self.warnings.push(format!("flaky: failed, and passed when tried again: {reason}"));
            }
            RunEvent::UnitHealing { healing, .. } => self.healed(healing),
            RunEvent::UnitEnded { verdict, duration_us, .. } => self.ended(verdict, *duration_us),
            RunEvent::RunStarted { .. }
            | RunEvent::ShardsMerged { .. }
            | RunEvent::MatrixStarted { .. }
            | RunEvent::CellRecalled { .. }
            | RunEvent::UnitStarted { .. }
            | RunEvent::PeerStarted { .. }
            | RunEvent::CallStarted { .. }
            | RunEvent::CallEnded { .. }
            | RunEvent::PeerEvent { .. }
            | RunEvent::WireMessage { .. }
            | RunEvent::NetworkStarted { .. }
            | RunEvent::Disturbance { .. }
            | RunEvent::Account { .. }
            | RunEvent::Searched { .. }
            | RunEvent::Measured { .. }
            | RunEvent::PeerExited { .. }
            | RunEvent::SuiteStarted { .. }
            | RunEvent::SuiteTest { .. }
            | RunEvent::SuiteTestFlaky { .. }
            | RunEvent::SuiteEnded { .. }
            | RunEvent::NeverExercised { .. }
            | RunEvent::RunEnded { .. } => {}
        }
    }
}

/// A healing on one line, with the evidence that decided.
fn healing_line(healing: &Healing) -> String {
    let Healing { class, act, outcome, evidence, .. } = healing;
    let evidence: Vec<&str> = evidence.iter().take(EVIDENCE_SHOWN).map(String::as_str).collect();
    quantity::tame(&format!("healing: {class}; {act}: {outcome} ({})", evidence.join("; ")))
}

/// Pieces of evidence that are shown of a healing, the deciding ones; the record has all.
const EVIDENCE_SHOWN: usize = 3;

fn merged_page(event: &RunEvent) -> Option<MergedPage> {
    let RunEvent::ShardsMerged { shards, faults, notes } = event else { return None };
    let (shards, faults, notes) = (shards.clone(), faults.clone(), notes.clone());
    Some(MergedPage { shards, faults, notes })
}

fn run_page(event: &RunEvent) -> Option<RunPage> {
    let RunEvent::RunStarted {
        run, handfast, command, started_unix_us, units, suites, shard, ..
    } = event
    else {
        return None;
    };
    Some(RunPage {
        run: run.clone(),
        handfast: handfast.clone(),
        command: command.clone(),
        started_unix_us: *started_unix_us,
        units: *units,
        suites: *suites,
        shard: shard.clone(),
    })
}

fn unit_page(recorded: &Recorded) -> Option<UnitPage> {
    let RunEvent::UnitStarted { unit, name, file, category, proves, peers, .. } = &recorded.event
    else {
        return None;
    };
    Some(UnitPage {
        unit: unit.clone(),
        name: name.clone(),
        file: file.clone(),
        category: category.clone(),
        proves: proves.clone(),
        peers: peers.clone(),
        started_us: recorded.at_us,
        open_steps: BTreeMap::new(),
        failures: Vec::new(),
        warnings: Vec::new(),
        moments: VecDeque::new(),
        logs: BTreeMap::new(),
        accounts: Accounts::default(),
        set_aside: None,
        end: None,
        calls: Calls::default(),
        steps_us: 0,
    })
}

/// Whether the step's time is not already part of the time of a step around it.
fn is_top_level(step: &StepId) -> bool {
    !step.0.contains(['.', '#'])
}
