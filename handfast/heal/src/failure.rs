//! What a record says of a failure: all that can be known of it without looking at the machine.

use std::collections::BTreeMap;
use std::fmt;

use handfast_scenario::RunEvent;
use handfast_scenario::event::{CallOutcome, Recorded};
use handfast_scenario::event::{DisturbanceState, Exit, Outcome, StepId};
use handfast_scenario::name::{PeerName, RoleName, SuiteName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::{Verdict, VerdictKind};

#[cfg(test)]
mod tests;

/// Lines that are kept of what a peer wrote on stderr: the last ones.
pub const LOG_LINES_MAX: usize = 20;

/// Checks, warnings and exits that are kept, of each kind.
pub const SIGHTINGS_MAX: usize = 100;

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A unit of scenarios.
    Unit(UnitId),
    /// A test of a foreign suite.
    Test {
        /// The suite.
        suite: SuiteName,
        /// The test's own name.
        test: String,
    },
}

/// A failure, as the events of its unit tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What failed.
    pub subject: Subject,
    /// Who plays which role; empty for a test of a suite.
    pub peers: BTreeMap<RoleName, PeerName>,
    /// The version that each peer named when it started; one that never started is not in it.
    pub versions: BTreeMap<PeerName, String>,
    /// How it ended; of one that passed when it was tried once more: how its first try ended.
    pub verdict: Verdict,
    /// Whether it passed when it was tried once more, unchanged.
    pub passed_again: bool,
    /// Whether a step had begun.
    pub has_begun: bool,
    /// The first step that failed.
    pub step: Option<FailedStep>,
    /// Checks of the history that failed: the name, and what was found.
    pub checks: Vec<(String, String)>,
    /// What was noticed beside the verdict, such as `left-processes`: the name, and what it was.
    pub warnings: Vec<(String, String)>,
    /// Peers that ended although nobody asked for it.
    pub exits: Vec<UnexpectedExit>,
    /// The last lines that each peer wrote on stderr.
    pub log: BTreeMap<RoleName, Vec<String>>,
    /// From when to when of its run it lasted, microseconds.
    pub span_us: (u64, u64),
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedStep {
    /// Which.
    pub step: StepId,
    /// Why.
    pub reason: String,
    /// What the calls to peers came to that ended while it was under way.
    pub calls: Calls,
}

impl FailedStep {
    /// Whether it failed while a peer was silent, without that one had answered.
    fn is_unanswered(&self) -> bool {
        self.calls.silent && !self.calls.answered
    }

    /// The role whose peer did not start, where that is why it failed.
    fn not_started(&self) -> Option<&str> {
        let rest = self.reason.strip_prefix("the peer of ")?;
        let (role, _) = rest.split_once(" did not start: ")?;
        (!self.calls.answered).then_some(role)
    }

    /// Whether no peer that answered was found wrong in it.
    fn judges_nobody(&self) -> bool {
        self.is_unanswered() || self.not_started().is_some()
    }

    /// Whether it is one of the steps that another consists of, or that one itself.
    fn is_inside(&self, other: &StepId) -> bool {
        let rest = self.step.0.strip_prefix(&other.0);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '#']))
    }
}

/// What calls came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Some were answered, with a result or a refusal.
    pub answered: bool,
    /// Some got no answer in time from a peer that lives.
    pub silent: bool,
    /// Some were lost with the peer.
    pub lost: bool,
}

/// A peer that ended although nobody asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnexpectedExit {
    /// Its role.
    pub role: RoleName,
    /// How.
    pub how: Exit,
    /// Whether a disturbance was in force.
    pub disturbed: bool,
}

/// Whether anybody has been judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judgement {
    /// Nobody played: it failed before its first step, or the runner says that it could not be carried out.
    Unbegun,
    /// It was under way, and a peer did not come up when it was started again; nobody has heard an answer of it since.
    NotUp,
    /// It was under way, and failed while a peer was silent or after one was gone; no answer of a peer was found wrong.
    Unanswered,
    /// What a peer that lives and answers did, or did not do, was found wrong. Nothing but the product explains that.
    Answered,
}

impl Failure {
    /// Reads the failure of a unit from the events of a run; events of other units are passed over.
    ///
    /// Returns nothing for a unit that passed at once, that nobody could be asked to play, or that has not ended.
    pub fn of_unit(unit: &UnitId, events: &[Recorded]) -> Option<Self> {
        let mut reader = Reader::default();
        for Recorded { at_us, event } in events.iter().filter(|one| one.event.unit() == Some(unit))
        {
            reader.hear(*at_us, event);
            if let RunEvent::UnitEnded { verdict, .. } = event {
                return reader.close(unit, verdict, *at_us);
            }
        }
        None
    }

    /// Reads all failures of a run from its events, in the order in which they came to an end.
    pub fn all(events: &[Recorded]) -> Vec<Self> {
        let mut readers: BTreeMap<&UnitId, Reader> = BTreeMap::new();
        let mut failures = Vec::new();
        for Recorded { at_us, event } in events {
            if let Some(unit) = event.unit() {
                readers.entry(unit).or_default().hear(*at_us, event);
            }
            if let RunEvent::UnitEnded { unit, verdict, .. } = event {
                let reader = readers.remove(unit);
                failures.extend(reader.and_then(|reader| reader.close(unit, verdict, *at_us)));
            }
            let mut tell = |suite: &SuiteName, test: &String, reason: &String, passed_again| {
                let (suite, test, reason) = (suite.clone(), test.clone(), reason.clone());
                failures.push(Self::of_test(suite, test, reason, passed_again));
            };
            if let RunEvent::SuiteTest {
                suite, test, outcome: Outcome::Failed { reason }, ..
            } = event
            {
                tell(suite, test, reason, false);
            }
            if let RunEvent::SuiteTestFlaky { suite, test, reason } = event {
                tell(suite, test, reason, true);
            }
        }
        failures
    }

    /// A test of a foreign suite that failed: nothing is known of it but its text.
    pub fn of_test(suite: SuiteName, test: String, reason: String, passed_again: bool) -> Self {
        Self {
            subject: Subject::Test { suite, test },
            peers: BTreeMap::new(),
            versions: BTreeMap::new(),
            verdict: Verdict::Failed { reason },
            passed_again,
            has_begun: true,
            step: None,
            checks: Vec::new(),
            warnings: Vec::new(),
            exits: Vec::new(),
            log: BTreeMap::new(),
            span_us: (0, 0),
        }
    }

    /// Whether anybody was judged in it. In doubt [`Judgement::Answered`].
    pub fn judgement(&self) -> Judgement {
        if !self.checks.is_empty() {
            return Judgement::Answered;
        }
        let begun = if self.has_begun { Judgement::Unanswered } else { Judgement::Unbegun };
        match self.verdict.kind() {
            // The runner says so only where no expectation was found broken.
            VerdictKind::Infra | VerdictKind::Absent | VerdictKind::DidNotFit => Judgement::Unbegun,
            VerdictKind::TimedOut => begun,
            VerdictKind::Failed => self.judgement_of_failed(begun),
            VerdictKind::Passed | VerdictKind::Unsupported => Judgement::Answered,
        }
    }

    fn judgement_of_failed(&self, begun: Judgement) -> Judgement {
        let is_gone = self.exits.iter().any(|exit| exit.how == Exit::OutOfMemory);
        if self.step.as_ref().is_some_and(|step| self.did_not_come_up(step)) {
            return if self.has_begun { Judgement::NotUp } else { Judgement::Unbegun };
        }
        let nobody_answered = match &self.step {
            Some(step) => step.is_unanswered() || (is_gone && !step.calls.answered),
            None => !self.has_begun || is_gone,
        };
        if nobody_answered { begun } else { Judgement::Answered }
    }

    /// Whether a step failed because a peer ended by itself before it was up. One that was killed by a signal has crashed.
    fn did_not_come_up(&self, step: &FailedStep) -> bool {
        let ended = |role: &str| {
            let mut exits = self.exits.iter().filter(|exit| exit.role.as_str() == role);
            exits.next_back().is_some_and(|exit| matches!(exit.how, Exit::Code { .. }))
        };
        step.not_started().is_some_and(ended)
    }

    /// Every text that the failure comes with, and who says it: the verdict, the step, warnings, logs of peers.
    pub fn texts(&self) -> impl Iterator<Item = (Speaker<'_>, String)> {
        let step = self.step.iter().map(|step| (Speaker::Step(&step.step), step.reason.clone()));
        let warnings =
            self.warnings.iter().map(|(check, what)| (Speaker::Check(check), what.clone()));
        let log = self.log.iter().flat_map(|(role, lines)| {
            lines.iter().map(move |line| (Speaker::Peer(role), line.clone()))
        });
        let verdict = std::iter::once((Speaker::Verdict, self.verdict.reason()));
        verdict.chain(step).chain(warnings).chain(log)
    }
}

/// Who says a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker<'a> {
    /// The verdict.
    Verdict,
    /// The step that failed.
    Step(&'a StepId),
    /// A check of handfast, by its name.
    Check(&'a str),
    /// A peer, on stderr: it may say anything.
    Peer(&'a RoleName),
}

impl fmt::Display for Speaker<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict => formatter.write_str("verdict"),
            Self::Step(step) => write!(formatter, "step {}", step.0),
            Self::Check(check) => formatter.write_str(check),
            Self::Peer(role) => write!(formatter, "stderr of {role}"),
        }
    }
}

impl Subject {
    /// The scenario with its variant, without peers and seed; of a test `suite/test`.
    pub fn scenario(&self) -> String {
        match self {
            Self::Unit(unit) => {
                let id = unit.without_seed();
                id.split_once(" (").map_or(id, |(scenario, _)| scenario).to_owned()
            }
            Self::Test { suite, test } => format!("{suite}/{test}"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(unit) => formatter.pad(unit.as_str()),
            Self::Test { suite, test } => formatter.pad(&format!("{suite}/{test}")),
        }
    }
}

/// Whether a verdict is a failure of something; an absence that the command line allows is none.
pub fn is_failure(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Failed { .. } | Verdict::Infra { .. } | Verdict::TimedOut { .. } => true,
        Verdict::Absent { allowed, .. } => !allowed,
        Verdict::Passed | Verdict::Unsupported { .. } | Verdict::DidNotFit { .. } => false,
    }
}

/// The units of a run that are under way, each as far as it is known: what fails can be looked at before its unit has ended.
#[derive(Debug, Default)]
pub struct Cases {
    readers: BTreeMap<UnitId, Reader>,
}

impl Cases {
    /// Whether an event says anything of a failure. What is not of interest need not be told.
    pub fn is_of_interest(event: &RunEvent) -> bool {
        matches!(
            event,
            RunEvent::UnitStarted { .. }
                | RunEvent::PeerStarted { .. }
                | RunEvent::StepStarted { .. }
                | RunEvent::StepEnded { .. }
                | RunEvent::CallEnded { .. }
                | RunEvent::CheckEnded { .. }
                | RunEvent::PeerExited { .. }
                | RunEvent::PeerLog { .. }
                | RunEvent::Disturbance { .. }
                | RunEvent::UnitEnded { .. }
        )
    }

    /// Hears an event of the run; `at_us` on the run's clock. What is known of a unit is forgotten at its end.
    pub fn hear(&mut self, at_us: u64, event: &RunEvent) {
        if let RunEvent::UnitEnded { unit, .. } = event {
            self.readers.remove(unit);
            return;
        }
        let Some(unit) = event.unit() else { return };
        if !self.readers.contains_key(unit) {
            self.readers.insert(unit.clone(), Reader::default());
        }
        if let Some(reader) = self.readers.get_mut(unit) {
            reader.hear(at_us, event);
        }
    }

    /// The failure of a unit whose last try ended so at `at_us`; nothing where that is none, or nothing was heard of the unit. Of several
    /// tries all that was heard counts.
    pub fn failure(&self, unit: &UnitId, verdict: &Verdict, at_us: u64) -> Option<Failure> {
        self.readers.get(unit)?.clone().close(unit, verdict, at_us)
    }
}

/// Collects the events of one unit.
#[derive(Debug, Clone, Default)]
struct Reader {
    began_us: Option<u64>,
    peers: BTreeMap<RoleName, PeerName>,
    versions: BTreeMap<PeerName, String>,
    has_begun: bool,
    under_way: BTreeMap<StepId, Calls>,
    step: Option<FailedStep>,
    checks: Vec<(String, String)>,
    warnings: Vec<(String, String)>,
    exits: Vec<UnexpectedExit>,
    /// Numbers of the disturbances in force.
    disturbances: Vec<usize>,
    log: BTreeMap<RoleName, Vec<String>>,
    /// How the first try ended, if another one passed.
    first_try: Option<Verdict>,
}

impl Reader {
    fn hear(&mut self, at_us: u64, event: &RunEvent) {
        if let RunEvent::UnitFlaky { verdict, .. } = event {
            self.first_try = Some(verdict.clone());
        }
        if let RunEvent::UnitStarted { peers, .. } = event {
            self.began_us = Some(at_us);
            self.peers.clone_from(peers);
        }
        if let RunEvent::PeerStarted { peer, version, .. } = event {
            self.versions.insert(peer.clone(), version.clone());
        }
        if let RunEvent::CheckEnded { check, outcome, .. } = event {
            match outcome {
                Outcome::Failed { reason } => keep(&mut self.checks, check, reason),
                Outcome::Skipped { reason } => keep(&mut self.warnings, check, reason),
                Outcome::Passed => {}
            }
        }
        if let RunEvent::PeerExited { role, how, expected: false, .. } = event
            && self.exits.len() < SIGHTINGS_MAX
        {
            let disturbed = !self.disturbances.is_empty();
            self.exits.push(UnexpectedExit { role: role.clone(), how: *how, disturbed });
        }
        if let RunEvent::PeerLog { role, line, .. } = event {
            let lines = self.log.entry(role.clone()).or_default();
            if lines.len() == LOG_LINES_MAX {
                lines.remove(0);
            }
            lines.push(line.clone());
        }
        self.hear_step(event);
        self.hear_disturbance(event);
    }

    fn hear_step(&mut self, event: &RunEvent) {
        if let RunEvent::StepStarted { step, .. } = event {
            self.has_begun = true;
            self.under_way.insert(step.clone(), Calls::default());
        }
        if let RunEvent::CallEnded { outcome, .. } = event {
            for calls in self.under_way.values_mut() {
                match outcome {
                    CallOutcome::Ok { .. }
                    | CallOutcome::Refused { .. }
                    | CallOutcome::Unsupported => calls.answered = true,
                    CallOutcome::TimedOut => calls.silent = true,
                    CallOutcome::Lost => calls.lost = true,
                }
            }
        }
        if let RunEvent::StepEnded { step, outcome, .. } = event {
            let calls = self.under_way.remove(step).unwrap_or_default();
            if let Outcome::Failed { reason } = outcome {
                self.fail(FailedStep { step: step.clone(), reason: reason.clone(), calls });
            }
        }
    }

    /// The first step that failed stays. Of several tries the one counts that speaks most against the product.
    fn fail(&mut self, failed: FailedStep) {
        let replaces = self.step.as_ref().is_none_or(|kept| {
            !kept.is_inside(&failed.step) && kept.judges_nobody() && !failed.judges_nobody()
        });
        if replaces {
            self.step = Some(failed);
        }
    }

    fn hear_disturbance(&mut self, event: &RunEvent) {
        let RunEvent::Disturbance { number, state, .. } = event else { return };
        match state {
            DisturbanceState::Applied => self.disturbances.push(*number),
            DisturbanceState::Undone => self.disturbances.retain(|other| other != number),
            // Nobody knows what of it is in force: as long as it is not undone, it counts.
            DisturbanceState::Failed { .. } => {}
        }
    }

    /// The failure, if it is one.
    fn close(self, unit: &UnitId, last: &Verdict, at_us: u64) -> Option<Failure> {
        let passed_again = self.first_try.is_some();
        let verdict = self.first_try.unwrap_or_else(|| last.clone());
        is_failure(&verdict).then(|| Failure {
            subject: Subject::Unit(unit.clone()),
            peers: self.peers,
            versions: self.versions,
            verdict,
            passed_again,
            has_begun: self.has_begun,
            step: self.step,
            checks: self.checks,
            warnings: self.warnings,
            exits: self.exits,
            log: self.log,
            span_us: (self.began_us.unwrap_or_default(), at_us),
        })
    }
}

fn keep(kept: &mut Vec<(String, String)>, check: &str, reason: &str) {
    if kept.len() < SIGHTINGS_MAX {
        kept.push((check.to_owned(), reason.to_owned()));
    }
}
