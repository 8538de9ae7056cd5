//! What a run does about its failures: known issues and quarantine, whose each failure is, retries, repairs, and what is told of all that.
//!
//! What is decided is decided in `handfast-heal`, which is pure; here its facts come from and its acts are done.
//! `facts` measures what is on the machine, `remedy` repairs one thing, [`Healer`] holds what a run knows and has left.

mod facts;
mod remedy;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use handfast_heal::class::{Around, Class, Classified, Evidence, classify};
use handfast_heal::fact::Fact;
use handfast_heal::failure::{Failure, Subject};
use handfast_heal::fault::{InfraFault, Remedy};
use handfast_heal::known::{Closed, InForce, Known, Note, Played, Today};
use handfast_heal::ledger::{Act, Budget, Entry, Limits, Outcome, Spent};
use handfast_heal::quarantine;
use handfast_scenario::event::{Healing, Standing};
use handfast_scenario::name::PeerName;
use handfast_scenario::plan;
use handfast_scenario::verdict::{Verdict, VerdictKind};
use jiff::civil::Date;

pub(crate) use facts::Noted;
pub use facts::Wall;
pub(crate) use remedy::{Asked, Hands};

/// What a run is told to do about its failures.
#[derive(Debug, Clone)]
pub struct Care {
    /// Known issues and quarantined tests.
    pub known: Known,
    /// How often in a row what each rule is for has passed in earlier runs.
    pub passes: BTreeMap<String, u32>,
    /// The day on which that is.
    pub day: Date,
    /// How many retries the run has: of what fails without a fault of the machine.
    pub retries: usize,
    /// Whether faults of the machine are repaired.
    pub repairs: Repairs,
    /// The clock that is watched for jumps.
    pub wall: Wall,
    /// How long a build may say nothing and use no processor.
    pub patience: Duration,
}

/// How long a build may say nothing and use no processor (guessed: one that waits for the lock of another build, or for a download, does
/// neither).
pub const PATIENCE: Duration = Duration::from_mins(10);

impl Default for Care {
    /// Nothing is known, nothing is tried again, and nothing is repaired.
    fn default() -> Self {
        Self {
            known: Known::default(),
            passes: BTreeMap::new(),
            day: Date::MIN,
            retries: 0,
            repairs: Repairs::Never,
            wall: Wall::default(),
            patience: PATIENCE,
        }
    }
}

/// Whether faults of the machine are repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repairs {
    /// They are, within the budget of a run.
    Proved,
    /// They are told, and left as they are.
    Never,
}

/// What a run knows of its failures, and what it has left for them.
#[derive(Debug)]
pub struct Healer {
    run: String,
    known: Known,
    day: Date,
    versions: BTreeMap<PeerName, String>,
    repairs: Repairs,
    rules: Mutex<InForce>,
    budget: Mutex<Budget>,
    pub(crate) patience: Duration,
    pub(crate) noted: Noted,
    pub(crate) hands: Hands,
}

/// A failure that was looked at.
#[derive(Debug)]
pub(crate) struct Judged {
    failure: Failure,
    pub(crate) classified: Classified,
    /// Where the rule or the quarantine for it is being worked on, and which of the two it is.
    pub(crate) set_aside: Option<(Standing, String)>,
}

/// What came of an act, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Came {
    pub(crate) outcome: Outcome,
    pub(crate) at_unix_us: i64,
    pub(crate) cost_us: u64,
}

impl Healer {
    /// The healer of the run `run`; `versions` are those that peers named in their probe. What has ended is told in the notes.
    pub(crate) fn new(
        run: &str,
        care: &Care,
        versions: BTreeMap<PeerName, String>,
        (noted, hands): (Noted, Hands),
    ) -> (Self, Vec<Note>) {
        let today = Today { day: care.day, versions: &versions, passes: &care.passes };
        let (rules, notes) = care.known.in_force(today);
        let healer = Self {
            run: run.to_owned(),
            known: care.known.clone(),
            day: care.day,
            versions,
            repairs: care.repairs,
            rules: Mutex::new(rules),
            budget: Mutex::new(Budget::new(Limits::default())),
            patience: care.patience,
            noted,
            hands,
        };
        (healer, notes)
    }

    /// What is told of a unit that a rule keeps from being run; nothing of one that is run.
    pub(crate) fn skip(&self, unit: &plan::Unit, at_unix_us: i64) -> Option<Healing> {
        let scenario = Subject::Unit(unit.id.clone()).scenario();
        let mut rules = lock(&self.rules);
        let rule = rules.skips(Played {
            scenario: &scenario,
            peers: &unit.peers,
            versions: &self.versions,
        })?;
        let class = Class::Known { rule: rule.name.clone() };
        let evidence = Evidence::Rule { rule: rule.name.clone(), issue: rule.issue.clone() };
        let entry = Entry {
            at_unix_us,
            run: self.run.clone(),
            failed: unit.id.to_string(),
            reason: rule.reason.clone(),
            class,
            evidence: vec![evidence],
            act: Act::Skipped { issue: rule.issue.clone() },
            outcome: Outcome::Stands,
            cost_us: 0,
        };
        Some(told(&entry, VerdictKind::Passed, Standing::Skipped))
    }

    /// A unit passed at once.
    pub(crate) fn passed(&self, unit: &plan::Unit) {
        let scenario = Subject::Unit(unit.id.clone()).scenario();
        let (peers, versions) = (&unit.peers, &self.versions);
        lock(&self.rules).passed(Played { scenario: &scenario, peers, versions });
    }

    /// Whose a failure is, with what was measured around it.
    pub(crate) fn judge(&self, failure: Failure, facts: &[Fact]) -> Judged {
        let rule = lock(&self.rules).rule_for(&failure).cloned();
        let named = rule.as_ref().map(|rule| (rule.name.as_str(), rule.issue.as_str()));
        let classified = classify(&failure, Around { facts, rule: named, state: None });
        let scenario = failure.subject.scenario();
        let set_aside = match self.known.standing(&scenario, None, self.day) {
            _ if rule.is_some() => rule.map(|rule| (Standing::Known, rule.issue)),
            quarantine::Standing::Quarantined(entry) => {
                Some((Standing::Quarantined, entry.issue.clone()))
            }
            quarantine::Standing::Decides | quarantine::Standing::Out { .. } => None,
        };
        Judged { failure, classified, set_aside }
    }

    /// The fault that is to be repaired, and how; nothing where none was proved, or only a person can.
    pub(crate) fn to_repair(&self, judged: &Judged) -> Option<(InfraFault, Remedy)> {
        let Class::Infra { fault: Some(fault) } = judged.classified.class else { return None };
        let remedy = judged.classified.remedy.clone()?;
        (self.repairs == Repairs::Proved).then_some((fault, remedy))
    }

    /// Takes a repair out of the budget.
    pub(crate) fn take(&self, fault: InfraFault) -> Result<(), Spent> {
        lock(&self.budget).take(fault)
    }

    /// A repair has cost this, the further try among it.
    pub(crate) fn spend(&self, cost: Duration) {
        lock(&self.budget).spend(cost);
    }

    /// What is told of an act.
    pub(crate) fn tell(&self, judged: Judged, act: Act, came: Came, standing: Standing) -> Healing {
        let Judged { mut failure, mut classified, .. } = judged;
        let verdict = failure.verdict.kind();
        if came.outcome == Outcome::Flaky {
            failure.passed_again = true;
            classified = classify(&failure, Around::default());
        }
        let entry = Entry {
            at_unix_us: came.at_unix_us,
            run: self.run.clone(),
            failed: failure.subject.to_string(),
            reason: failure.verdict.reason(),
            class: classified.class,
            evidence: classified.evidence,
            act,
            outcome: came.outcome,
            cost_us: came.cost_us,
        };
        told(&entry, verdict, standing)
    }

    /// The run is over: the passes for the next one, and what there is to say of the rules.
    pub(crate) fn close(&self) -> Closed {
        std::mem::take(&mut *lock(&self.rules)).close()
    }
}

impl Judged {
    /// Whose failure it is, and of what.
    pub(crate) fn class(&self) -> &Class {
        &self.classified.class
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.failure.subject
    }

    /// The fact that proves it, if one does.
    pub(crate) fn fact(&self) -> Option<&Fact> {
        self.classified.evidence.iter().find_map(|evidence| match evidence {
            Evidence::Measured { fact, proves: true } => Some(fact),
            Evidence::Measured { .. }
            | Evidence::Verdict { .. }
            | Evidence::Judged { .. }
            | Evidence::Check { .. }
            | Evidence::Warning { .. }
            | Evidence::Exited { .. }
            | Evidence::Said { .. }
            | Evidence::PassedAgain
            | Evidence::Watched { .. }
            | Evidence::Rule { .. } => None,
        })
    }
}

/// An entry of the ledger as the event that tells it.
fn told(entry: &Entry, verdict: VerdictKind, standing: Standing) -> Healing {
    Healing {
        verdict,
        class: entry.class.to_string(),
        evidence: entry.evidence.iter().map(Evidence::to_string).collect(),
        act: entry.act.to_string(),
        outcome: entry.outcome.to_string(),
        is_healed: entry.outcome == Outcome::Healed,
        standing,
        entry: entry.to_value(),
    }
}

/// What there is to say of the file of known issues, where these are all scenarios of the project, with their variants.
pub(crate) fn notes(care: &Care, scenarios: &[String]) -> Vec<String> {
    let known = &care.known;
    let for_nothing = known.for_nothing(scenarios.iter().map(String::as_str));
    let tests: Vec<_> = scenarios.iter().map(|id| (id.as_str(), None)).collect();
    let mut notes: Vec<String> = for_nothing.iter().map(Note::to_string).collect();
    notes.extend(known.quarantine_notes(&tests, care.day));
    notes
}

/// Whether a verdict is one that something is done about.
pub(crate) fn is_failure(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Failed { .. } | Verdict::Infra { .. } | Verdict::TimedOut { .. } => true,
        Verdict::Passed
        | Verdict::Unsupported { .. }
        | Verdict::Absent { .. }
        | Verdict::DidNotFit { .. } => false,
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
