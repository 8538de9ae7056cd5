//! Carries out steps: one file a kind.

mod call;
mod check;
mod event;
mod expect;
mod life;
mod never;
mod wire;

use std::pin::Pin;

use handfast_lab::CallError;
use handfast_scenario::event::{Outcome, StepId};
use handfast_scenario::name::{MethodName, RoleName};
use handfast_scenario::rule::RuleError;
use handfast_scenario::step::{Pace, Repeat, Rounds, Step, StepKind};
use handfast_scenario::template::TemplateError;
use handfast_scenario::verdict::Verdict;
use handfast_scenario::{Bindings, RunEvent};
use serde_json::json;

pub(super) use life::{act, resume};
pub(super) use never::Watch;

use crate::unit::chain;
use crate::unit::stage::{Stage, elapsed_us};

/// Why a step did not succeed, by blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StepError {
    /// The product did something else than the scenario says.
    Failed(String),
    /// The scenario, the platform or the machine is at fault.
    Infra(String),
    /// A peer says that it does not offer what is asked.
    Unsupported { role: RoleName, method: MethodName },
}

impl StepError {
    pub(super) fn into_verdict(self) -> Verdict {
        match self {
            Self::Failed(reason) => Verdict::Failed { reason },
            Self::Infra(reason) => Verdict::Infra { reason },
            Self::Unsupported { role, method } => Verdict::Unsupported { role, method },
        }
    }

    /// What a call without a result means for the step, and `context` in words.
    pub(super) fn of_call(
        role: &RoleName,
        method: &MethodName,
        error: &CallError,
        context: &str,
    ) -> Self {
        match error {
            CallError::Unsupported { .. } => {
                Self::Unsupported { role: role.clone(), method: method.clone() }
            }
            CallError::Refused(error) => {
                let refusal = error.refusal();
                let code =
                    refusal.as_ref().map_or("without a code", |refusal| refusal.code.as_str());
                let detail = refusal.as_ref().and_then(|refusal| refusal.detail.as_deref());
                let text = detail.unwrap_or(&error.message);
                Self::Failed(format!("{context}: it was refused {code}: {text}"))
            }
            CallError::Denied { .. }
            | CallError::TimedOut { .. }
            | CallError::Gone { .. }
            | CallError::NotReading { .. }
            | CallError::Fault(_) => Self::Failed(format!("{context}: {}", chain(error))),
            CallError::Request(_) => Self::Infra(format!("{context}: {}", chain(error))),
        }
    }

    pub(super) fn reason(&self) -> String {
        match self {
            Self::Failed(reason) | Self::Infra(reason) => reason.clone(),
            Self::Unsupported { role, method } => format!("{role} does not offer {method}"),
        }
    }
}

impl From<RuleError> for StepError {
    /// A step that is no rule is a mistake of the scenario file.
    fn from(error: RuleError) -> Self {
        match error {
            RuleError::Template(error) => error.into(),
            error @ (RuleError::NoNumber | RuleError::Field { .. } | RuleError::Meaning(_)) => {
                Self::Infra(error.to_string())
            }
        }
    }
}

impl From<TemplateError> for StepError {
    /// A hole that cannot be filled is a mistake of the scenario file.
    fn from(error: TemplateError) -> Self {
        Self::Infra(format!("the step cannot be filled in: {error}"))
    }
}

type StepResult = Result<(), StepError>;

/// Steps contain steps, so that their futures need a box.
type Boxed<'a> = Pin<Box<dyn Future<Output = StepResult> + Send + 'a>>;

/// Where in the numbering of steps one stands: `3.` before its number, `#4` behind it.
#[derive(Debug, Clone, Default)]
struct Place {
    before: String,
    behind: String,
}

impl Place {
    fn id(&self, number: usize) -> StepId {
        StepId(format!("{}{number}{}", self.before, self.behind))
    }
}

impl Stage {
    /// Carries out the whole scenario.
    pub(super) async fn act(&self) -> StepResult {
        let mut bindings = self.bindings();
        self.begin_disturbances(&mut bindings.clone())?;
        let steps = self.scenario().steps.clone();
        self.list(&steps, &Place::default(), &mut bindings).await?;
        for watch in self.watches() {
            self.keep_watch(&watch).await?;
        }
        self.background_failure().map_or(Ok(()), Err)
    }

    /// Carries out steps in order.
    fn list<'a>(
        &'a self,
        steps: &'a [Step],
        place: &'a Place,
        bindings: &'a mut Bindings,
    ) -> Boxed<'a> {
        Box::pin(async move {
            let mut before = self.journal().len();
            let mut watches: Vec<(u32, Watch)> = Vec::new();
            for (index, step) in steps.iter().enumerate() {
                let began = self.journal().len();
                let id = place.id(index + 1);
                if let StepKind::Never(never) = &step.kind {
                    self.announced(&never.event, &never.on)?;
                    let watch = Watch::new(never, step, before, began, bindings)?;
                    self.told(&id, step, self.begin_watch(&watch, &mut watches)).await?;
                } else {
                    self.told(&id, step, self.one(step, &id, bindings)).await?;
                    self.count_down(&mut watches).await?;
                }
                before = began;
                if let Some(error) = self.background_failure() {
                    return Err(error);
                }
            }
            for (_, watch) in watches {
                self.keep_watch(&watch).await?;
            }
            Ok(())
        })
    }

    /// Says the beginning and the end of a step around it.
    async fn told(
        &self,
        id: &StepId,
        step: &Step,
        act: impl Future<Output = StepResult>,
    ) -> StepResult {
        let unit = self.journal().unit().clone();
        let began_us = self.lab().evidence().clock().now_us();
        self.journal().say(RunEvent::StepStarted {
            unit: unit.clone(),
            step: id.clone(),
            line: step.span.line,
            text: step.text.clone(),
        });
        let result = act.await;
        let outcome = match &result {
            Ok(()) => Outcome::Passed,
            Err(error) => Outcome::Failed { reason: error.reason() },
        };
        let duration_us = elapsed_us(self, began_us);
        self.journal().say(RunEvent::StepEnded { unit, step: id.clone(), outcome, duration_us });
        result
    }

    async fn one(&self, step: &Step, id: &StepId, bindings: &mut Bindings) -> StepResult {
        match &step.kind {
            StepKind::Call(call) => self.ask(call, bindings).await,
            StepKind::Expect(expect) => self.expect(expect, bindings).await,
            StepKind::AwaitEvent(event) => {
                self.announced(&event.event, &event.on)?;
                self.await_event(event, bindings).await
            }
            // A `never` is dealt with by the list it stands in.
            StepKind::Never(_) => Ok(()),
            StepKind::Parallel(steps) => self.parallel(steps, id, bindings).await,
            StepKind::Repeat(repeat) => self.repeat(repeat, id, bindings).await,
            StepKind::Wire(wire) => self.wire(wire, step, bindings).await,
            StepKind::Fault(fault) => self.fault(fault, step, bindings).await,
            StepKind::Check(oracles) => self.check(oracles, bindings).await,
            StepKind::Measure(roles) => self.measure(roles),
            StepKind::Stop(role) => self.stop(role).await,
            StepKind::Kill(role) => self.kill(role).await,
            StepKind::Start(role) => {
                self.after_its_kill(role).await?;
                self.start_again(role, bindings).await
            }
            StepKind::Calm(within) => self.calm(*within).await,
        }
    }

    /// Carries out steps at the same time. Every one is carried through; the first failure in their order
    /// in the file is the step's.
    fn parallel<'a>(
        &'a self,
        steps: &'a [Step],
        id: &'a StepId,
        bindings: &'a mut Bindings,
    ) -> Boxed<'a> {
        Box::pin(async move {
            let mut forks: Vec<Bindings> =
                (0_u64..).zip(steps).map(|(index, _)| bindings.fork(index)).collect();
            let place = Place { before: format!("{}.", id.0), behind: String::new() };
            let ids: Vec<StepId> = (1..=steps.len()).map(|number| place.id(number)).collect();
            let parts = steps.iter().zip(&ids).zip(&mut forks);
            let acts = parts.map(|((step, id), fork)| {
                let act: Boxed<'_> = Box::pin(self.told(id, step, self.one(step, id, fork)));
                act
            });
            let results = join_all(acts.collect()).await;
            for fork in forks {
                bindings.merge(fork);
            }
            results.into_iter().collect()
        })
    }

    async fn repeat(&self, repeat: &Repeat, id: &StepId, bindings: &mut Bindings) -> StepResult {
        let rounds = repeat.rounds.count();
        match repeat.pace {
            Pace::OneByOne => {
                for round in 0..rounds {
                    self.round(repeat, id, round, bindings).await?;
                }
                Ok(())
            }
            Pace::AtOnce => {
                let mut forks: Vec<(usize, Bindings)> =
                    (0..rounds).zip((0_u64..).map(|index| bindings.fork(index))).collect();
                let acts = forks.iter_mut().map(|(round, fork)| {
                    let act: Boxed<'_> = Box::pin(self.round(repeat, id, *round, fork));
                    act
                });
                let results = join_all(acts.collect()).await;
                for (_, fork) in forks {
                    bindings.merge(fork);
                }
                results.into_iter().collect()
            }
        }
    }

    async fn round(
        &self,
        repeat: &Repeat,
        id: &StepId,
        round: usize,
        bindings: &mut Bindings,
    ) -> StepResult {
        bindings.set("round", json!(round + 1));
        if let Rounds::Rows(rows) = &repeat.rounds {
            for (name, value) in rows.get(round).into_iter().flatten() {
                bindings.set(name.clone(), value.clone());
            }
        }
        let place = Place { before: format!("{}.", id.0), behind: format!("#{}", round + 1) };
        let list = self.list(&repeat.steps, &place, bindings);
        list.await.map_err(|error| in_round(error, repeat, round))
    }
}

/// Names the round in a failure: the rows of a table are what a reader looks for.
fn in_round(error: StepError, repeat: &Repeat, round: usize) -> StepError {
    let row = match &repeat.rounds {
        Rounds::Count(_) => format!("round {}", round + 1),
        Rounds::Rows(rows) => {
            let row = rows.get(round).into_iter().flatten();
            let row: Vec<String> = row.map(|(name, value)| format!("{name} = {value}")).collect();
            format!("round {} ({})", round + 1, row.join(", "))
        }
    };
    match error {
        StepError::Failed(reason) => StepError::Failed(format!("{row}: {reason}")),
        StepError::Infra(reason) => StepError::Infra(format!("{row}: {reason}")),
        unsupported @ StepError::Unsupported { .. } => unsupported,
    }
}

/// Carries futures through together, in one task; their results in their order.
async fn join_all(mut acts: Vec<Boxed<'_>>) -> Vec<StepResult> {
    let mut results: Vec<Option<StepResult>> = acts.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (act, result) in acts.iter_mut().zip(&mut results) {
            if result.is_none() {
                match act.as_mut().poll(context) {
                    std::task::Poll::Ready(done) => *result = Some(done),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_numbered_by_place_and_round() {
        assert_eq!(Place::default().id(3).0, "3");
        let inside = Place { before: "3.".to_owned(), behind: "#4".to_owned() };
        assert_eq!(inside.id(2).0, "3.2#4");
    }

    #[tokio::test]
    async fn results_stand_in_the_order_of_the_file() {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let first: Boxed<'_> = Box::pin(async {
            receiver.await.unwrap();
            Err(StepError::Failed("first".to_owned()))
        });
        let second: Boxed<'_> = Box::pin(async {
            sender.send(()).unwrap();
            Err(StepError::Failed("second".to_owned()))
        });
        let results = join_all(vec![first, second]).await;
        assert_eq!(results[0], Err(StepError::Failed("first".to_owned())));
        assert_eq!(results.len(), 2);
    }
}
