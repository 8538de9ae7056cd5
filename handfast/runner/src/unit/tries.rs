//! All tries of a unit: what fails is judged, what is broken on the machine is repaired, and only what that hit is tried again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use handfast_heal::class::Class;
use handfast_heal::fact::Fact;
use handfast_heal::failure::{Failure, Subject};
use handfast_heal::ledger::{Act, Outcome};
use handfast_heal::retry::Decision;
use handfast_scenario::event::{Healing, Standing};
use handfast_scenario::verdict::{Verdict, VerdictKind};
use handfast_scenario::{RunEvent, plan};

use crate::care::{Asked, Came, Healer, Judged, is_failure};
use crate::sink::Progress;
use crate::unit::{Again, Budget, Surroundings, tried_again, try_once};

/// How all tries of a unit ended.
pub(super) struct Tried {
    /// The verdict of the last one.
    pub(super) verdict: Verdict,
    /// Processor time of all of them.
    pub(super) cpu: Duration,
    /// Whether the first one failed and the last one passed.
    pub(super) is_flaky: bool,
    /// What was done about its failures.
    pub(super) healings: Vec<Healing>,
}

/// Plays a unit until it passes, or nothing more is to be done about its failure, or the budget that it runs in is spent.
pub(super) async fn all(
    around: &Arc<Surroundings>,
    unit: &Arc<plan::Unit>,
    again: Again,
    budget: Option<Arc<Budget>>,
) -> Tried {
    let Some(healer) = around.healer.get().filter(|_| again == Again::IfFailed) else {
        let (verdict, cpu) = try_once(around.clone(), unit.clone(), budget.clone()).await;
        return Tried { verdict, cpu, is_flaky: false, healings: Vec::new() };
    };
    healer.noted.unit_begins(&unit.id);
    let tried = cared_for(around, healer, unit, budget).await;
    healer.noted.unit_ends(&unit.id);
    tried
}

async fn cared_for(
    around: &Arc<Surroundings>,
    healer: &Healer,
    unit: &Arc<plan::Unit>,
    budget: Option<Arc<Budget>>,
) -> Tried {
    let mut begun = healer.noted.begin(around.mouth.clock().now_us());
    let (verdict, cpu) = try_once(around.clone(), unit.clone(), budget.clone()).await;
    let mut tried = Tried { verdict, cpu, is_flaky: false, healings: Vec::new() };
    if tried.verdict.is_passed() {
        healer.passed(unit);
    }
    let first = tried.verdict.clone();
    while is_failure(&tried.verdict) && !around.interrupt.is_pulled() {
        let now_us = around.mouth.clock().now_us();
        let Some(failure) = around.mouth.failure(&unit.id, &tried.verdict, now_us) else { break };
        let facts = healer.noted.measure(around, unit, &failure, begun);
        let judged = healer.judge(failure, &facts);
        let left = budget.as_ref().map(|budget| budget.left(around));
        match next(around, healer, &judged, (begun.at_us, left)).await {
            Next::Stop { act, standing } => {
                let came = came(around, Outcome::Stands, now_us);
                say(around, unit, &mut tried, healer.tell(judged, act, came, standing));
                break;
            }
            Next::NotRepaired { act } => {
                let came = came(around, Outcome::NotRepaired, now_us);
                say(around, unit, &mut tried, healer.tell(judged, act, came, Standing::Decides));
                break;
            }
            Next::Again { act } => {
                let text = tried_again(unit.id.as_str(), &tried.verdict.reason());
                around.mouth.progress(Progress::Note { text });
                begun = healer.noted.begin(around.mouth.clock().now_us());
                let again = try_once(around.clone(), unit.clone(), budget.clone()).await;
                tried.cpu += again.1;
                // A further try that the budget ended says nothing, and takes nothing from what the one before said.
                let is_cut = again.0.kind() == VerdictKind::DidNotFit;
                tried.verdict = if is_cut { tried.verdict } else { again.0 };
                let is_repaired = matches!(act, Act::Repaired { .. });
                let outcome = match (tried.verdict.is_passed(), is_repaired) {
                    (true, true) => Outcome::Healed,
                    (true, false) => Outcome::Flaky,
                    (false, _) if is_cut => Outcome::Stands,
                    (false, _) => Outcome::FailedAgain,
                };
                let came = came(around, outcome, now_us);
                if is_repaired {
                    healer.spend(Duration::from_micros(came.cost_us));
                }
                say(around, unit, &mut tried, healer.tell(judged, act, came, Standing::Decides));
            }
        }
    }
    if is_failure(&first) && tried.verdict.is_passed() {
        tried.is_flaky = true;
        around.mouth.say(RunEvent::UnitFlaky { unit: unit.id.clone(), verdict: first });
    }
    tried
}

/// Heals what keeps a unit from being begun: a peer that cannot be had. What is told of it, if something was repaired or tried.
pub(crate) async fn heal_before(
    around: &Surroundings,
    healer: &Healer,
    unit: &plan::Unit,
    (verdict, fact): (Verdict, Option<Fact>),
) -> Option<Healing> {
    let now_us = around.mouth.clock().now_us();
    let failure = Failure {
        subject: Subject::Unit(unit.id.clone()),
        peers: unit.peers.clone(),
        versions: BTreeMap::new(),
        verdict,
        passed_again: false,
        has_begun: false,
        step: None,
        checks: Vec::new(),
        warnings: Vec::new(),
        exits: Vec::new(),
        log: BTreeMap::new(),
        span_us: (0, now_us),
    };
    let begun = healer.noted.begin(now_us);
    let mut facts: Vec<Fact> = fact.into_iter().collect();
    facts.extend(healer.noted.measure(around, unit, &failure, begun));
    let judged = healer.judge(failure, &facts);
    let (fault, remedy) = healer.to_repair(&judged).filter(|_| judged.set_aside.is_none())?;
    let asked = Asked { fault, remedy: &remedy, fact: judged.fact(), since_us: now_us };
    let (act, outcome) = match repair(around, healer, asked).await {
        Next::Again { act } => (act, Outcome::Healed),
        Next::NotRepaired { act } | Next::Stop { act, .. } => (act, Outcome::NotRepaired),
    };
    let came = came(around, outcome, now_us);
    healer.spend(Duration::from_micros(came.cost_us));
    let mut healing = healer.tell(judged, act, came, Standing::Decides);
    // No try was made: whatever the peer's objection was, nobody could play.
    healing.verdict = VerdictKind::Absent;
    around.mouth.say(RunEvent::UnitHealing { unit: unit.id.clone(), healing: healing.clone() });
    Some(healing)
}

/// What is done next about a failure.
enum Next {
    /// It is tried again, after what was done.
    Again { act: Act },
    /// The repair failed.
    NotRepaired { act: Act },
    /// It stands.
    Stop { act: Act, standing: Standing },
}

async fn next(
    around: &Surroundings,
    healer: &Healer,
    judged: &Judged,
    (since_us, left): (u64, Option<Duration>),
) -> Next {
    if let Some((standing, issue)) = judged.set_aside.clone() {
        let act = match standing {
            Standing::Quarantined => Act::Quarantined { issue },
            Standing::Known | Standing::Skipped | Standing::Decides => Act::Marked { issue },
        };
        return Next::Stop { act, standing };
    }
    let stands = |why: &str| Next::Stop {
        act: Act::Left { why: why.to_owned() },
        standing: Standing::Decides,
    };
    if left.is_some_and(|left| left.is_zero()) {
        return stands("the budget that it runs in is spent");
    }
    if let Some((fault, remedy)) = healer.to_repair(judged) {
        let asked = Asked { fault, remedy: &remedy, fact: judged.fact(), since_us };
        return repair(around, healer, asked).await;
    }
    if let Class::Infra { fault: Some(_) } = judged.class() {
        return stands("only a person can repair that, or repairs were not asked for");
    }
    match around.retries.take(judged.subject(), judged.class()) {
        Decision::After(delay) if left.is_some_and(|left| left <= delay) => {
            stands("the budget that it runs in leaves no time for another try")
        }
        Decision::After(delay) => {
            let mut interrupt = around.interrupt.clone();
            tokio::select! {
                () = tokio::time::sleep(delay) => Next::Again { act: Act::Retried },
                () = interrupt.pulled() => stands("the run was interrupted"),
            }
        }
        Decision::No(refusal) => stands(around.retries.why_not(refusal)),
    }
}

async fn repair(around: &Surroundings, healer: &Healer, asked: Asked<'_>) -> Next {
    let act = Act::Repaired { remedy: asked.remedy.clone() };
    match healer.hands.repair(around, healer, asked).await {
        Ok(()) => {
            let text = format!("repaired: {}: {}", asked.fault, asked.remedy);
            around.mouth.progress(Progress::Note { text });
            Next::Again { act }
        }
        Err(why) => {
            let text = format!("not repaired: {}: {}: {why}", asked.fault, asked.remedy);
            around.mouth.progress(Progress::Note { text });
            Next::NotRepaired { act }
        }
    }
}

fn came(around: &Surroundings, outcome: Outcome, since_us: u64) -> Came {
    let clock = around.mouth.clock();
    let now_us = clock.now_us();
    let at_unix_us =
        clock.started_unix_us().saturating_add(i64::try_from(now_us).unwrap_or(i64::MAX));
    Came { outcome, at_unix_us, cost_us: now_us.saturating_sub(since_us) }
}

fn say(around: &Surroundings, unit: &plan::Unit, tried: &mut Tried, healing: Healing) {
    around.mouth.say(RunEvent::UnitHealing { unit: unit.id.clone(), healing: healing.clone() });
    tried.healings.push(healing);
}
