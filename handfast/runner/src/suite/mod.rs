//! Foreign test tools: their tests become events of the run.

mod cargo;
mod junit;
mod nextest;
mod plain;

use std::collections::BTreeMap;
use std::time::Duration;

use handfast_scenario::event::Outcome;
use handfast_scenario::project::{Suite, SuiteKind};
use handfast_scenario::{RunEvent, duration};

use crate::command::{Program, Workshop};
use crate::interrupt::Interrupt;
use crate::place::Places;
use crate::retry::Retries;
use crate::sink::{Mouth, Progress};
use crate::tally::RAN_NOTHING;
use crate::unit::{SLACK, chain, micros, tried_again};

/// What a suite needs from the run.
#[derive(Debug, Clone, Copy)]
pub struct Bench<'a> {
    /// Where its programs run.
    pub workshop: &'a Workshop,
    /// What the variables of its command stand for.
    pub places: &'a Places,
    /// Where its events go.
    pub mouth: &'a Mouth,
    /// Tells that the run is to end.
    pub interrupt: &'a Interrupt,
    /// How much of what fails may be tried once more.
    pub retries: &'a Retries,
}

/// How a suite ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Whether it passed.
    pub outcome: Outcome,
    /// How many of its tests passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many of those that passed had failed before.
    pub flaky: u64,
    /// Whether the budget left it too little time.
    pub did_not_fit: bool,
    /// How long it took, without what was built before.
    pub took: Duration,
}

/// One test of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// The test binary or class; may be empty.
    pub(crate) binary: String,
    /// The test's own name.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) outcome: CaseOutcome,
    /// How long it took, where the tool says.
    pub(crate) duration: Option<Duration>,
    /// What it printed; kept for failed tests only.
    pub(crate) output: String,
}

impl Case {
    /// Binary and name.
    fn full_name(&self) -> String {
        let parts = [self.binary.as_str(), self.name.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    }
}

/// How a test of a suite ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CaseOutcome {
    Passed,
    Failed,
    Skipped,
}

/// Counts and says the tests of one suite.
struct Teller<'a> {
    bench: Bench<'a>,
    suite: &'a Suite,
    passed: u64,
    failed: u64,
    flaky: u64,
    /// Failed tests that are tried once more before anything is said of them.
    held: Vec<Case>,
}

/// How the tool itself ended: `Err` holds why the suite failed beside its tests.
type ToolEnd = Result<(), String>;

/// What a suite may take: all of a budget, or what is left of one.
#[derive(Debug, Clone)]
pub struct Share {
    /// Whose budget it is, such as `the category unit`.
    pub of: String,
    /// How long the budget is.
    pub whole: Duration,
    /// What is left of it.
    pub left: Duration,
}

impl Share {
    /// Why a suite was ended that had only a part of the budget; nothing for one that had all of it, which has itself to blame.
    fn did_not_fit(&self) -> Option<String> {
        let has_all = self.left.saturating_add(SLACK) >= self.whole;
        let whole = duration::display(self.whole);
        let what = if self.left.is_zero() {
            "before it could begin"
        } else {
            "before it was, and it was ended"
        };
        (!has_all).then(|| format!("the {whole} of {} were over {what}", self.of))
    }
}

impl Teller<'_> {
    /// As [`Teller::tell`], but keeps back a failed test that may be tried once more.
    fn hear(&mut self, case: Case) {
        let retries = self.bench.retries;
        let is_again = || retries.take_for_test(&self.suite.name, &case.full_name());
        if case.outcome == CaseOutcome::Failed && is_again() {
            let what = format!("{}: {}", self.suite.name, case.full_name());
            let reason = "what it printed follows if it fails again, or is told with its name";
            self.bench.mouth.progress(Progress::Note { text: tried_again(&what, reason) });
            self.held.push(case);
        } else {
            self.tell(case);
        }
    }

    /// How many failed tests nothing has been said of yet.
    fn kept_back(&self) -> u64 {
        u64::try_from(self.held.len()).unwrap_or(u64::MAX)
    }

    /// Tells a test that failed the first time: flaky, if it passed the second time.
    fn tell_again(&mut self, first: Case, second: Option<Case>) {
        let Some(second) = second.filter(|case| case.outcome == CaseOutcome::Passed) else {
            return self.tell(first);
        };
        self.flaky += 1;
        self.bench.mouth.say(RunEvent::SuiteTestFlaky {
            suite: self.suite.name.clone(),
            test: first.full_name(),
            reason: first.output,
        });
        self.tell(second);
    }

    fn tell(&mut self, case: Case) {
        let test = case.full_name();
        let outcome = match case.outcome {
            CaseOutcome::Passed => {
                self.passed += 1;
                Outcome::Passed
            }
            CaseOutcome::Failed => {
                self.failed += 1;
                Outcome::Failed { reason: case.output }
            }
            CaseOutcome::Skipped if case.output.is_empty() => {
                Outcome::Skipped { reason: "the suite leaves it out".to_owned() }
            }
            CaseOutcome::Skipped => Outcome::Skipped { reason: case.output },
        };
        self.bench.mouth.say(RunEvent::SuiteTest {
            suite: self.suite.name.clone(),
            test,
            outcome,
            duration_us: case.duration.map(micros).unwrap_or_default(),
        });
    }
}

/// Runs a suite and says everything about it, from `suite_started` to `suite_ended`.
///
/// What has to be built is built first and is not part of the suite's time. A suite that is not done within its share is ended with all that it
/// started: it has failed if it had the whole budget, or if one of its tests had failed by then, and otherwise did not fit, which is told as skipped.
pub async fn run(bench: Bench<'_>, suite: &Suite, share: &Share) -> Ended {
    let program = program(bench, suite);
    let mut interrupt = bench.interrupt.clone();
    let interrupted = || Err("the run was interrupted".to_owned());
    let built = async {
        // What has no time left need not be built.
        if share.left.is_zero() { Ok(()) } else { build(bench, suite, &program).await }
    };
    let built = tokio::select! {
        built = built => built,
        () = interrupt.pulled() => interrupted(),
    };
    let clock = bench.mouth.clock();
    let began_us = clock.now_us();
    bench.mouth.say(RunEvent::SuiteStarted {
        suite: suite.name.clone(),
        category: suite.category.clone(),
        command: program.words.clone(),
    });
    let mut teller = Teller { bench, suite, passed: 0, failed: 0, flaky: 0, held: Vec::new() };
    let end = if built.is_ok() {
        tokio::select! {
            end = within(share.left, tests(&mut teller, &program)) => end,
            () = interrupt.pulled() => Some(interrupted()),
        }
    } else {
        Some(built)
    };
    // What there was no time to try again has failed.
    for case in std::mem::take(&mut teller.held) {
        teller.tell(case);
    }
    let late = end.is_none().then(|| share.did_not_fit()).flatten();
    let did_not_fit = late.is_some();
    let end = end.unwrap_or_else(|| {
        let left = duration::display(share.left);
        Err(format!("it was not done within {left}, and was ended"))
    });
    let outcome = match (end, teller.passed + teller.failed, teller.failed) {
        (Err(_), _, 0) if did_not_fit => Outcome::Skipped { reason: late.unwrap_or_default() },
        (Err(reason), _, _) => Outcome::Failed { reason },
        (Ok(()), 0, _) => Outcome::Failed { reason: RAN_NOTHING.to_owned() },
        (Ok(()), _, 0) => Outcome::Passed,
        (Ok(()), _, failed) => Outcome::Failed { reason: format!("{failed} tests failed") },
    };
    let (passed, failed, flaky) = (teller.passed, teller.failed, teller.flaky);
    let took_us = clock.now_us().saturating_sub(began_us);
    bench.mouth.say(RunEvent::SuiteEnded {
        suite: suite.name.clone(),
        outcome: outcome.clone(),
        passed,
        failed,
        duration_us: took_us,
    });
    let took = Duration::from_micros(took_us);
    Ended { outcome, passed, failed, flaky, did_not_fit, took }
}

async fn build(bench: Bench<'_>, suite: &Suite, program: &Program) -> Result<(), String> {
    match suite.kind {
        SuiteKind::Cargo => cargo::build(bench, suite, program).await,
        SuiteKind::JUnit { .. } => Ok(()),
    }
}

/// Nothing for what is not done within the time; all that it started is ended.
async fn within(time: Duration, tests: impl Future<Output = ToolEnd>) -> Option<ToolEnd> {
    if time.is_zero() {
        return None;
    }
    tokio::time::timeout(time, tests).await.ok()
}

async fn tests(teller: &mut Teller<'_>, program: &Program) -> ToolEnd {
    match &teller.suite.kind {
        SuiteKind::Cargo => cargo::tests(teller, program).await,
        SuiteKind::JUnit { report, .. } => junit::tests(teller, program, report).await,
    }
}

/// The program of a suite without its tool's own arguments.
fn program(bench: Bench<'_>, suite: &Suite) -> Program {
    let words = match &suite.kind {
        SuiteKind::Cargo => vec!["cargo".to_owned()],
        SuiteKind::JUnit { command, .. } => bench.places.fill(command),
    };
    let args = if suite.kind == SuiteKind::Cargo { &[] } else { suite.args.as_slice() };
    Program {
        words: words.into_iter().chain(args.iter().cloned()).collect(),
        folder: bench.places.root().join(&suite.folder),
        env: suite.env.clone(),
    }
}

/// Runs a program that says nothing of use, for its exit code.
async fn quiet(bench: Bench<'_>, words: &[&str], folder: &Program) -> Result<bool, String> {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    let program = Program { words, folder: folder.folder.clone(), env: BTreeMap::new() };
    let exit = bench.workshop.run(&program, crate::command::Outputs::Merged, |_, _| {}).await;
    exit.map(|exit| exit == handfast_lab::Exit::Code(0)).map_err(|error| chain(&error))
}
