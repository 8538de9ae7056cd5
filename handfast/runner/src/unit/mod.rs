//! The executor: one scenario on certain peers, from the first process to the last.
//!
//! A unit opens its own piece of the lab, starts its peers at the same time, introduces them, carries
//! out the steps, and always closes the lab, however it went. What it says on the way is in
//! `journal`; what it decides is one [`Verdict`].

mod armed;
mod cast;
mod disturb;
mod journal;
mod observe;
mod post;
mod search;
mod seed;
mod stage;
mod step;
mod tries;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use handfast_lab::net::Ask;
use handfast_lab::{CloseReport, Lab, Unit};
use handfast_scenario::event::{Healing, Outcome};
use handfast_scenario::name::PeerName;
use handfast_scenario::verdict::{Verdict, VerdictKind};
use handfast_scenario::{Project, RunEvent, duration, plan};

use crate::care::Healer;
use crate::interrupt::Interrupt;
use crate::place::Places;
use crate::retry::Retries;
use crate::sink::Mouth;
use crate::unit::stage::Stage;
use crate::unit::step::StepError;
use crate::unit::tries::Tried;

pub(crate) use tries::heal_before;

/// How long each peer of a unit may take to stop whose time is over: it has had its time, and whoever waits for the budget waits for it.
const STOP_LATE_WITHIN: Duration = Duration::from_millis(500);

/// A unit that has all of its own time but this much left when its budget ends is judged by its own time: what began with the budget does not lose a
/// verdict by the moment that its beginning took.
pub const SLACK: Duration = Duration::from_millis(250);

/// How long the last of a closed unit's log may take.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(10);

/// How the networks of units are made, where scenarios ask for one.
#[derive(Debug, Clone, Default)]
pub struct NetworkAsk {
    /// By what right.
    pub ask: Ask,
    /// Whether a unit cannot be played where there are no namespaces; otherwise proxies do what a proxy can.
    pub insists: bool,
}

/// What every unit of a run shares.
#[derive(Debug)]
pub struct Surroundings {
    /// The project.
    pub project: Project,
    /// What the variables of its commands stand for.
    pub places: Places,
    /// Where units are opened.
    pub lab: Lab,
    /// Where events go.
    pub mouth: Mouth,
    /// Seed of the run.
    pub seed: u64,
    /// How networks of units are made.
    pub network: NetworkAsk,
    /// Tells that the run is to end.
    pub interrupt: Interrupt,
    /// How much of what fails may be tried once more.
    pub retries: Retries,
    /// The protocol versions that each peer names in its answer to the probe's `initialize`; set before the first unit.
    pub spoken: OnceLock<BTreeMap<PeerName, Vec<String>>>,
    /// What is done about failures; set before the first unit of a run. Where it is not, nothing is.
    pub healer: OnceLock<Healer>,
}

/// Carries out a unit and says everything about it, from `unit_started` to `unit_ended`.
///
/// `file` is the scenario file as a person would open it. The verdict is also returned.
/// A unit that fails is judged, and tried again where `again` says so and its healer finds that worth it; whether it then passed is
/// told by [`Ended::is_flaky`].
pub async fn run(around: Arc<Surroundings>, unit: plan::Unit, file: String, again: Again) -> Ended {
    run_within(around, unit, file, again, None).await
}

/// As [`run`], but ends the unit by force when the budget that it runs in is spent: it [did not fit](Verdict::DidNotFit).
pub async fn run_within(
    around: Arc<Surroundings>,
    unit: plan::Unit,
    file: String,
    again: Again,
    budget: Option<Budget>,
) -> Ended {
    let mouth = around.mouth.clone();
    let began_us = mouth.clock().now_us();
    let id = unit.id.clone();
    mouth.say(RunEvent::UnitStarted {
        unit: id.clone(),
        name: unit.scenario.name.clone(),
        file,
        category: unit.category.clone(),
        proves: unit.scenario.proves.clone(),
        peers: unit.peers.clone(),
        budget_us: micros(unit.budget),
    });
    let unit = Arc::new(unit);
    let budget = budget.map(Arc::new);
    let Tried { verdict, cpu, is_flaky, healings } =
        tries::all(&around, &unit, again, budget).await;
    let duration_us = mouth.clock().now_us().saturating_sub(began_us);
    let cpu_us = micros(cpu);
    mouth.say(RunEvent::UnitEnded { unit: id, verdict: verdict.clone(), duration_us, cpu_us });
    Ended { verdict, is_flaky, healings, took: (Duration::from_micros(duration_us), cpu) }
}

/// A time that units share, all of it or what others have left of it.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Whose it is, such as `the category unit`.
    pub of: String,
    /// How long it is.
    pub whole: Duration,
    /// When it is over, by the clock of the run, microseconds.
    pub until_us: u64,
}

impl Budget {
    /// A budget of which so much is left now.
    pub fn new(around: &Surroundings, of: String, whole: Duration, left: Duration) -> Self {
        let now_us = around.mouth.clock().now_us();
        Self { of, whole, until_us: now_us.saturating_add(micros(left)) }
    }

    /// What is left of it now.
    pub fn left(&self, around: &Surroundings) -> Duration {
        Duration::from_micros(self.until_us.saturating_sub(around.mouth.clock().now_us()))
    }

    /// The verdict on what could not begin.
    pub fn never_begun(&self) -> Verdict {
        let whole = duration::display(self.whole);
        let reason = format!("the {whole} of {} were over before it could begin", self.of);
        Verdict::DidNotFit { reason }
    }

    /// Whether something that begins now and may take so long may have all of it.
    pub(crate) fn has_room(&self, left: Duration, may_take: Duration) -> bool {
        left.min(self.whole).saturating_add(SLACK) >= may_take
    }

    fn ended(&self, during: &str) -> Verdict {
        let whole = duration::display(self.whole);
        let reason = format!(
            "it was ended when the {whole} of {} were over, before its own time was, while {during}",
            self.of
        );
        Verdict::DidNotFit { reason }
    }
}

/// How a unit ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// How its last try ended.
    pub verdict: Verdict,
    /// Whether an earlier one failed and the last one passed.
    pub is_flaky: bool,
    /// What was done about its failures.
    pub healings: Vec<Healing>,
    /// How long all its tries took, and their processor time.
    pub took: (Duration, Duration),
}

/// Whether a unit that fails is tried once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It is, where its healer says so.
    IfFailed,
    /// It is not: that it fails is what is expected or looked for.
    Never,
}

/// What a person is told of something that is tried again.
pub(crate) fn tried_again(what: &str, reason: &str) -> String {
    let reason = reason.lines().next().unwrap_or_default();
    format!("tried again: {what} failed: {reason}")
}

/// One try. A panic in here is a mistake of ours; it ends this unit, not the run.
async fn try_once(
    around: Arc<Surroundings>,
    unit: Arc<plan::Unit>,
    budget: Option<Arc<Budget>>,
) -> (Verdict, Duration) {
    let ends_it = |budget: &Arc<Budget>| !budget.has_room(budget.left(&around), unit.budget);
    let budget = budget.filter(ends_it);
    let played = async move { carry_out(&around, &unit, budget.as_deref()).await };
    let played = tokio::spawn(played).await;
    played.unwrap_or_else(|error| {
        let reason = format!("handfast itself failed in this unit: {error}");
        (Verdict::Infra { reason }, Duration::ZERO)
    })
}

/// Says that a unit is not run, where a reviewed rule says so; nothing where none does.
pub(crate) fn skip(around: &Surroundings, unit: &plan::Unit) -> Option<Healing> {
    let clock = around.mouth.clock();
    let now_us = i64::try_from(clock.now_us()).unwrap_or(i64::MAX);
    let healer = around.healer.get()?;
    let healing = healer.skip(unit, clock.started_unix_us().saturating_add(now_us))?;
    around.mouth.say(RunEvent::UnitHealing { unit: unit.id.clone(), healing: healing.clone() });
    Some(healing)
}

/// Says that a unit could not even begin, and why.
pub fn refuse(around: &Surroundings, unit: &plan::Unit, file: String, verdict: &Verdict) {
    around.mouth.say(RunEvent::UnitStarted {
        unit: unit.id.clone(),
        name: unit.scenario.name.clone(),
        file,
        category: unit.category.clone(),
        proves: unit.scenario.proves.clone(),
        peers: unit.peers.clone(),
        budget_us: micros(unit.budget),
    });
    around.mouth.say(RunEvent::UnitEnded {
        unit: unit.id.clone(),
        verdict: verdict.clone(),
        duration_us: 0,
        cpu_us: 0,
    });
}

/// The verdict, and the processor time of all its processes; `budget` is one that ends before the unit's own time does.
async fn carry_out(
    around: &Surroundings,
    unit: &plan::Unit,
    budget: Option<&Budget>,
) -> (Verdict, Duration) {
    if let Some(verdict) = cast::unplayable(around, unit) {
        return (verdict, Duration::ZERO);
    }
    let network = match cast::network(around, unit).await {
        Ok(network) => network,
        Err(verdict) => return (verdict, Duration::ZERO),
    };
    let config = cast::config(around, unit, network);
    let opened = match around.lab.unit(config).await {
        Ok(opened) => opened,
        Err(error) => return (Verdict::Infra { reason: chain(&error) }, Duration::ZERO),
    };
    let stage = Stage::new(around, unit, opened);
    let follower = tokio::spawn(stage.journal().clone().follow());
    let mut interrupt = around.interrupt.clone();
    let spent = async {
        match budget {
            Some(budget) => {
                tokio::time::sleep(budget.left(around)).await;
                budget.ended(&stage.journal().doing())
            }
            None => std::future::pending().await,
        }
    };
    let verdict = tokio::select! {
        verdict = within_budget(&stage, unit.budget) => verdict,
        verdict = spent => verdict,
        () = interrupt.pulled() => Verdict::Infra { reason: "the run was interrupted".to_owned() },
    };
    close(stage, follower, verdict).await
}

async fn within_budget(stage: &Stage, budget: Duration) -> Verdict {
    match tokio::time::timeout(budget, play(stage)).await {
        Ok(Ok(())) => Verdict::Passed,
        Ok(Err(error)) => error.into_verdict(),
        Err(_) => Verdict::TimedOut { after_us: micros(budget), during: stage.journal().doing() },
    }
}

/// Start, introduce, act; a peer that breaks down ends it at once, whatever step is under way.
async fn play(stage: &Stage) -> Result<(), StepError> {
    let acts = async {
        stage.start_all().await?;
        stage.introduce_all().await?;
        stage.act().await
    };
    tokio::select! {
        // The step's own error is the better explanation where both are there.
        biased;
        result = acts => match (result, stage.journal().breakdown()) {
            (Ok(()), Some(reason)) => Err(StepError::Failed(reason)),
            (result, _) => result,
        },
        reason = stage.journal().broken_down() => Err(StepError::Failed(reason)),
        error = stage.disturb() => Err(error),
    }
}

async fn close(
    stage: Stage,
    follower: tokio::task::JoinHandle<()>,
    verdict: Verdict,
) -> (Verdict, Duration) {
    let stage = stage.end_background();
    stage.end_disturbances().await;
    let missed = stage.settle_accounts();
    let (journal, peers) = (stage.journal().clone(), stage.peers());
    let never_used = stage.without_effect();
    let report = stage.close(stop_within(verdict.kind())).await;
    // The log of a unit ends with its close, and the follower with the log.
    // A unit that nobody could close has no such end: nothing waits for it for good.
    drop(tokio::time::timeout(FOLLOWED_WITHIN, follower).await);
    journal.sync();
    journal.say_log_ends(&peers);
    let idle = never_used.first().map(|(check, reason)| format!("{check}: {reason}"));
    for warning in never_used.into_iter().chain(left_behind(&report)) {
        let (check, reason) = warning;
        journal.say_check(check, Outcome::Skipped { reason });
    }
    if !verdict.is_passed() {
        return (verdict, report.cpu);
    }
    // A disturbance that did not happen proves nothing, whatever else held.
    let idle = idle.or_else(|| missed.map(|missed| format!("account: {missed}")));
    let verdict = idle.map_or(verdict, |reason| Verdict::Infra { reason });
    (judge_close(&report).unwrap_or(verdict), report.cpu)
}

fn stop_within(kind: VerdictKind) -> Duration {
    match kind {
        VerdictKind::TimedOut | VerdictKind::DidNotFit => STOP_LATE_WITHIN,
        VerdictKind::Passed
        | VerdictKind::Failed
        | VerdictKind::Infra
        | VerdictKind::Unsupported
        | VerdictKind::Absent => Unit::STOP_WITHIN,
    }
}

/// What the end of a unit takes away from a pass.
fn judge_close(report: &CloseReport) -> Option<Verdict> {
    if report.lost_facts > 0 {
        let reason = format!("{} observations did not fit into the unit's log", report.lost_facts);
        return Some(Verdict::Infra { reason });
    }
    if !report.clean {
        let reason = "the unit could not be cleaned up: its reaper failed".to_owned();
        return Some(Verdict::Infra { reason });
    }
    let unclean = report.stopped.iter().find_map(|(role, stopped)| {
        let error = match stopped {
            Ok(handfast_lab::Exit::Code(0)) => return None,
            Ok(exit) => format!("{role} ended with {exit} after shutdown, expected exit code 0"),
            Err(error) => format!("{role} did not shut down: {}", chain(error)),
        };
        Some(error)
    });
    unclean.map(|reason| Verdict::Failed { reason })
}

fn left_behind(report: &CloseReport) -> Option<(&'static str, String)> {
    let names: Vec<String> =
        report.left.iter().map(|left| format!("{} ({})", left.name, left.pid)).collect();
    let reason = format!("peers left processes behind, which were ended: {}", names.join(", "));
    (!names.is_empty()).then_some(("left-processes", reason))
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

pub(crate) fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}
