//! One run, as far as it has to be told: pure, from its events.
//!
//! A [`Watch`] is kept in the outbox while its run lasts, so that whoever finds the runner dead can still say what it was doing.

mod count;

use std::collections::BTreeMap;

use handfast_matrix::expected::{Comparison, compare};
use handfast_scenario::event::{Expected, Outcome, Standing};
use handfast_scenario::notify::NotifySettings;
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::{Verdict, VerdictKind};
use handfast_scenario::{ExitCode, Recorded, RunEvent};
use serde::{Deserialize, Serialize};

use self::count::{class_of, count, set_aside, short, sum, whole};
use crate::letter::{Class, Counts, Failure, Incident, Owner};

/// Longest text that is taken from a run into an incident, characters: a reason, the name of a unit, a word of the command.
pub const TEXT_LEN_MAX: usize = 300;

/// Words of a command line that are kept.
pub const WORDS_MAX: usize = 64;

/// Units under way that are remembered at a time: more than any category may have in parallel.
pub const RUNNING_MAX: usize = 512;

/// What is known of a run before its first event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brief {
    /// Name of the project.
    pub project: String,
    /// What is watched.
    pub subject: String,
    /// Id of the run.
    pub run: String,
    /// The command line, program first.
    pub command: Vec<String>,
    /// Address of the run in CI.
    pub link: Option<String>,
    /// Folder of the record, relative to the project.
    pub record: String,
    /// When the run started, microseconds since the Unix epoch.
    pub started_unix_us: i64,
}

/// One run, heard so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// What was known before.
    pub brief: Brief,
    /// The counts.
    pub counts: Counts,
    /// What failed, the first [`Incident::FAILURES_MAX`] of each class.
    pub failures: BTreeMap<Class, Failures>,
    /// The exit code, once it is over.
    pub exit: Option<ExitCode>,
    /// Units under way, with category and peers.
    running: BTreeMap<UnitId, Player>,
    #[serde(skip)]
    expected: BTreeMap<UnitId, Expected>,
    /// Units under way that decide nothing: known by a rule, or in quarantine.
    #[serde(skip)]
    answered: BTreeMap<UnitId, Standing>,
}

/// What failed in one class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failures {
    /// Listed.
    pub listed: Vec<Failure>,
    /// Counted only.
    pub more: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Player {
    category: String,
    peers: Vec<String>,
}

/// Something about a run that has to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Something failed.
    Failed(Class),
    /// The run is over.
    Ended,
    /// The runner died.
    Died,
}

impl Watch {
    /// A run of which nothing was heard.
    pub fn new(mut brief: Brief) -> Self {
        brief.command.truncate(WORDS_MAX);
        for word in &mut brief.command {
            *word = short(word);
        }
        Self {
            brief,
            counts: Counts::default(),
            failures: BTreeMap::new(),
            exit: None,
            running: BTreeMap::new(),
            expected: BTreeMap::new(),
            answered: BTreeMap::new(),
        }
    }

    /// Hears the next event.
    pub fn hear(&mut self, recorded: &Recorded, settings: &NotifySettings) -> Option<News> {
        match &recorded.event {
            RunEvent::RunStarted { units, suites, .. } => {
                self.counts.total = whole(*units) + whole(*suites);
                None
            }
            RunEvent::MatrixStarted { cells, faults, .. } => {
                let expected = cells
                    .iter()
                    .filter_map(|cell| Some((cell.unit.clone(), cell.expected.clone()?)));
                self.expected.extend(expected);
                for fault in faults {
                    let nobody = Player::default();
                    self.failed(Class::Product, "expected results", nobody, fault, settings);
                }
                (!faults.is_empty()).then_some(News::Failed(Class::Product))
            }
            RunEvent::ShardsMerged { faults, .. } => {
                for fault in faults {
                    self.failed(Class::Infra, "shards", Player::default(), fault, settings);
                }
                (!faults.is_empty()).then_some(News::Failed(Class::Infra))
            }
            RunEvent::UnitStarted { unit, category, peers, .. } => {
                let peers = peers.values().map(|peer| short(peer.as_str())).collect();
                self.begun(unit, Player { category: category.to_string(), peers });
                None
            }
            RunEvent::CellRecalled { unit, verdict, .. } => {
                let recalled = verdict.is_passed();
                self.judged(unit, verdict, recalled, settings).map(News::Failed)
            }
            RunEvent::UnitEnded { unit, verdict, .. } => {
                self.judged(unit, verdict, false, settings).map(News::Failed)
            }
            RunEvent::SuiteTest { suite, test, outcome: Outcome::Failed { reason }, .. } => {
                let player = Player { category: suite.to_string(), peers: Vec::new() };
                self.failed(Class::Product, &format!("{suite}: {test}"), player, reason, settings);
                Some(News::Failed(Class::Product))
            }
            RunEvent::SuiteEnded { suite, outcome, passed, failed, .. } => {
                self.suite_ended(suite.as_str(), outcome, *passed, *failed, settings)
            }
            RunEvent::RunEnded { summary, exit, .. } => {
                self.counts.summary = *summary;
                self.exit = Some(*exit);
                self.running.clear();
                Some(News::Ended)
            }
            RunEvent::UnitHealing { unit, healing } => self.answered(unit, healing.standing),
            RunEvent::SuiteTest { .. }
            | RunEvent::NeverExercised { .. }
            | RunEvent::UnitFlaky { .. }
            | RunEvent::SuiteTestFlaky { .. }
            | RunEvent::SuiteStarted { .. }
            | RunEvent::PeerStarted { .. }
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
            | RunEvent::CheckEnded { .. } => None,
        }
    }

    /// The run ends before its first event: the project or the machine did not let it begin.
    pub fn refuse(&mut self, exit: ExitCode, reason: &str, settings: &NotifySettings) -> News {
        self.failed(Class::Infra, "handfast", Player::default(), reason, settings);
        self.exit = Some(exit);
        News::Ended
    }

    /// Adds all of another run's events to this one, as a part of it; the exit code it ended with, `None` if it did not end.
    pub fn add(&mut self, events: &[Recorded], settings: &NotifySettings) -> Option<ExitCode> {
        let mut exit = None;
        self.expected.clear();
        let (before, total) = (self.counts.summary, self.counts.total);
        for recorded in events {
            if let RunEvent::RunEnded { summary, exit: ended, .. } = &recorded.event {
                self.counts.summary = sum(&before, summary);
                exit = Some(*ended);
            } else {
                self.hear(recorded, settings);
            }
        }
        self.counts.total = self.counts.total.saturating_add(total);
        self.running.clear();
        if exit.is_none() {
            self.add_infra("handfast", "a run has no end: its runner was killed", settings);
        }
        exit
    }

    /// Adds something that could not be carried out.
    pub fn add_infra(&mut self, what: &str, reason: &str, settings: &NotifySettings) {
        self.counts.summary.infra += 1;
        self.failed(Class::Infra, what, Player::default(), reason, settings);
    }

    /// Ends a run that was put together from others: its exit code follows from its counts. One that was cancelled shows nothing well.
    pub fn conclude(&mut self, cancelled: bool) {
        self.counts.summary.not_run += u64::from(cancelled);
        let exit = ExitCode::of(&self.counts.summary);
        // Jobs without records of ours passed as well: that nothing ran cannot be said of them.
        self.exit = Some(if exit == ExitCode::NothingRan { ExitCode::Passed } else { exit });
    }

    /// A unit that is under way, the first by name.
    pub fn running(&self) -> Option<&UnitId> {
        self.running.keys().next()
    }

    /// Whether, by its exit code and counts, the run is red in a class.
    pub fn is_red(&self, class: Class) -> bool {
        let (Some(exit), summary) = (self.exit, &self.counts.summary) else { return false };
        match class {
            Class::Product => match exit {
                ExitCode::ProductFailure | ExitCode::BudgetSpent => true,
                ExitCode::Passed
                | ExitCode::Usage
                | ExitCode::Infrastructure
                | ExitCode::NothingRan
                | ExitCode::OnlyFlaky => false,
            },
            Class::Infra => match exit {
                ExitCode::Usage | ExitCode::Infrastructure | ExitCode::NothingRan => true,
                // A product failure hides nothing: what could not be carried out beside it is told, too.
                ExitCode::ProductFailure | ExitCode::BudgetSpent => {
                    summary.infra + summary.shard_faults > 0
                        || summary.absent > summary.absent_allowed
                }
                ExitCode::Passed | ExitCode::OnlyFlaky => false,
            },
        }
    }

    /// Whether the run shows that a class is well again.
    ///
    /// The product is after a green run, all of which ran. The machine is after any run that came to its end and was not red in
    /// this class: a product failure was found by a platform that works.
    pub fn is_well(&self, class: Class) -> bool {
        let Some(exit) = self.exit else { return false };
        let summary = &self.counts.summary;
        let interrupted = summary.not_run > 0 && summary.budgets_spent == 0;
        match class {
            Class::Product => exit == ExitCode::Passed && !interrupted,
            Class::Infra => !self.is_red(Class::Infra) && !interrupted,
        }
    }

    fn begun(&mut self, unit: &UnitId, player: Player) {
        if self.running.len() < RUNNING_MAX {
            self.running.insert(unit.clone(), player);
        }
    }

    /// What is known by a rule or in quarantine is no news.
    fn answered(&mut self, unit: &UnitId, standing: Standing) -> Option<News> {
        match standing {
            Standing::Known | Standing::Quarantined if self.answered.len() < RUNNING_MAX => {
                self.answered.insert(unit.clone(), standing);
            }
            Standing::Skipped => self.counts.summary.skipped += 1,
            Standing::Known | Standing::Quarantined | Standing::Decides => {}
        }
        None
    }

    fn judged(
        &mut self,
        unit: &UnitId,
        verdict: &Verdict,
        recalled: bool,
        settings: &NotifySettings,
    ) -> Option<Class> {
        let player = self.running.remove(unit).unwrap_or_default();
        count(&mut self.counts.summary, verdict, recalled);
        self.counts.done += 1;
        if let Some(standing) = self.answered.remove(unit)
            && set_aside(&mut self.counts.summary, standing, verdict.kind())
        {
            return None;
        }
        let expected = self.expected.get(unit);
        let (class, reason) = match compare(expected, verdict.kind()) {
            Comparison::AsExpected => {
                let failed = matches!(verdict.kind(), VerdictKind::Failed | VerdictKind::TimedOut);
                self.counts.summary.as_expected += u64::from(failed);
                return None;
            }
            Comparison::UnexpectedPass => {
                self.counts.summary.unexpected_passes += 1;
                let reason = "it passed, although something else is expected".to_owned();
                (Class::Product, reason)
            }
            Comparison::Plain | Comparison::Otherwise => (class_of(verdict)?, verdict.reason()),
        };
        self.failed(class, unit.as_str(), player, &reason, settings);
        Some(class)
    }

    fn suite_ended(
        &mut self,
        suite: &str,
        outcome: &Outcome,
        passed: u64,
        failed: u64,
        settings: &NotifySettings,
    ) -> Option<News> {
        self.counts.done += 1;
        self.counts.summary.suite_tests_passed += passed;
        self.counts.summary.suite_tests_failed += failed;
        let Outcome::Failed { reason } = outcome else { return None };
        self.counts.summary.suites_failed += 1;
        // Its failed tests are listed one by one already.
        if failed == 0 {
            let player = Player { category: suite.to_owned(), peers: Vec::new() };
            self.failed(Class::Product, suite, player, reason, settings);
        }
        Some(News::Failed(Class::Product))
    }

    fn failed(
        &mut self,
        class: Class,
        unit: &str,
        player: Player,
        reason: &str,
        settings: &NotifySettings,
    ) {
        let failures = self.failures.entry(class).or_default();
        if failures.listed.len() >= Incident::FAILURES_MAX {
            failures.more += 1;
            return;
        }
        let owner = settings.owner(unit);
        let owner = owner.map(|rule| Owner { who: rule.who.clone(), slack: rule.slack.clone() });
        failures.listed.push(Failure {
            unit: short(unit),
            category: short(&player.category),
            peers: player.peers,
            reason: short(reason.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()),
            owner,
        });
    }
}
