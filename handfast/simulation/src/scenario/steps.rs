//! Carries out steps, as a run on processes does, in virtual time.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use handfast_scenario::Bindings;
use handfast_scenario::RunEvent;
use handfast_scenario::event::{Outcome, StepId};
use handfast_scenario::expectation::{Filled, difference, includes};
use handfast_scenario::name::RoleName;
use handfast_scenario::step::{
    AwaitEvent, CALL_DEADLINE, Call, Expect, Expected, Lasts, Never, OracleCall, Pace, Repeat,
    Rounds, Step, StepKind,
};
use handfast_scenario::template::{Path, Template, TemplateError};
use serde_json::{Value, json};

use super::faults::Armed;
use super::stage::{CallError, Stage, micros};

/// The first pause between two looks; each further one is twice as long, up to [`PAUSE_MAX`]. What peers do ends a pause early.
const PAUSE_FIRST: Duration = Duration::from_millis(5);

/// The longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// Why a step did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StepError {
    /// The product did something else than the scenario says.
    Failed(String),
    /// The scenario or the simulation is at fault.
    Infra(String),
}

pub(super) type StepResult = Result<(), StepError>;

type Boxed<'a> = Pin<Box<dyn Future<Output = StepResult> + 'a>>;

impl From<TemplateError> for StepError {
    fn from(error: TemplateError) -> Self {
        Self::Infra(format!("the step cannot be filled in: {error}"))
    }
}

impl StepError {
    pub(super) fn reason(&self) -> &str {
        let (Self::Failed(reason) | Self::Infra(reason)) = self;
        reason
    }
}

/// Where in the numbering of steps one stands: `3.` before its number, `#4` behind it.
#[derive(Debug, Clone, Default)]
struct Place {
    before: String,
    behind: String,
}

/// A forbidden notification, filled in.
#[derive(Debug, Clone)]
struct Watch<'a> {
    never: &'a Never,
    condition: Option<Value>,
    /// Number of the first event that it is about.
    from: usize,
}

impl<'s> Stage<'s> {
    /// Carries out the whole scenario.
    pub(super) async fn act(&self) -> StepResult {
        self.begin().await.map_err(StepError::Failed)?;
        let mut bindings = self.bindings();
        self.with(|inner| {
            let now = inner.field.now();
            inner.disturbances.begin(&mut bindings, now)
        })?;
        let (mut rest, place) = (Vec::new(), Place::default());
        self.list(&self.scenario.steps, &place, &mut bindings, &mut rest).await?;
        for watch in rest {
            self.look_back(&watch)?;
        }
        Ok(())
    }

    fn list<'a, 'f: 'a>(
        &'a self,
        steps: &'f [Step],
        place: &'a Place,
        bindings: &'a mut Bindings,
        rest: &'a mut Vec<Watch<'f>>,
    ) -> Boxed<'a>
    where
        's: 'a,
    {
        Box::pin(async move {
            let mut before = self.with(|inner| inner.journal.len());
            let mut watches: Vec<(u32, Watch<'_>)> = Vec::new();
            for (index, step) in steps.iter().enumerate() {
                let began = self.with(|inner| inner.journal.len());
                let id = StepId(format!("{}{}{}", place.before, index + 1, place.behind));
                if let StepKind::Never(never) = &step.kind {
                    let from = if never.lasts == Lasts::UntilNextStep { before } else { began };
                    let condition = resolve(never.condition.as_ref(), bindings)?;
                    let watch = Watch { never, condition, from };
                    match never.lasts {
                        Lasts::UntilNextStep => self.look_back(&watch)?,
                        Lasts::Rest => rest.push(watch),
                        Lasts::Steps(count) => watches.push((count, watch)),
                    }
                } else {
                    self.told(&id, step, bindings).await?;
                    for (left, watch) in &mut watches {
                        *left = left.saturating_sub(1);
                        if *left == 0 {
                            self.look_back(watch)?;
                        }
                    }
                    watches.retain(|(left, _)| *left > 0);
                }
                before = began;
            }
            for (_, watch) in &watches {
                self.look_back(watch)?;
            }
            Ok(())
        })
    }

    /// Carries out a step and says its beginning and its end.
    async fn told(&self, id: &StepId, step: &Step, bindings: &mut Bindings) -> StepResult {
        let began = self.now();
        self.with(|inner| {
            let (unit, line) = (inner.journal.unit(), step.span.line);
            inner.say(RunEvent::StepStarted {
                unit,
                step: id.clone(),
                line,
                text: step.text.clone(),
            });
        });
        let result = self.one(id, step, bindings).await;
        let outcome = match &result {
            Ok(()) => Outcome::Passed,
            Err(error) => Outcome::Failed { reason: error.reason().to_owned() },
        };
        let duration_us = micros(self.now().saturating_sub(began));
        self.with(|inner| {
            let unit = inner.journal.unit();
            inner.say(RunEvent::StepEnded { unit, step: id.clone(), outcome, duration_us });
        });
        let in_line = |reason: String| format!("line {}: {}: {reason}", step.span.line, step.text);
        let is_inside = |reason: &str| reason.starts_with("line ");
        result.map_err(|error| match error {
            StepError::Failed(reason) if !is_inside(&reason) => StepError::Failed(in_line(reason)),
            StepError::Infra(reason) if !is_inside(&reason) => StepError::Infra(in_line(reason)),
            told @ (StepError::Failed(_) | StepError::Infra(_)) => told,
        })
    }

    async fn one(&self, id: &StepId, step: &Step, bindings: &mut Bindings) -> StepResult {
        match &step.kind {
            StepKind::Call(call) => self.ask(call, bindings).await,
            StepKind::Expect(expect) => self.expect(expect, bindings).await,
            StepKind::AwaitEvent(event) => self.await_event(event, bindings).await,
            StepKind::Parallel(steps) => self.parallel(id, steps, bindings).await,
            StepKind::Repeat(repeat) => self.repeat(id, repeat, bindings).await,
            StepKind::Fault(fault) => {
                let armed = Armed::new(fault, step, bindings, self)?;
                self.arm(armed)
            }
            StepKind::Check(oracles) => self.check(oracles, bindings),
            StepKind::Stop(role) => self.end(role, true).map_err(StepError::Failed),
            StepKind::Kill(role) => self.end(role, false).map_err(StepError::Infra),
            StepKind::Start(role) => {
                self.after_its_kill(role).await?;
                self.start_again(role).await.map_err(StepError::Failed)
            }
            StepKind::Calm(within) => self.calm(*within).await.map_err(StepError::Infra),
            StepKind::Wire(wire) => self.wire(wire, step, bindings).await,
            // A `never` is dealt with by the list it stands in; measuring is refused before a run begins.
            StepKind::Never(_) | StepKind::Measure(_) => Ok(()),
        }
    }

    async fn ask(&self, call: &Call, bindings: &mut Bindings) -> StepResult {
        let params = call.params.resolve(bindings)?;
        let answer = self.call(&call.role, &call.method, params, call.within).await;
        match (&call.outcome, answer) {
            (Expected::Ok { returns }, Ok(result)) => {
                compare("the result", &result, returns.as_ref(), bindings)?;
                save(&call.save, &result, bindings)
            }
            (Expected::Refused { like }, Err(CallError::Refused(error))) => {
                let data = error.data.as_ref();
                let refusal = json!({
                    "code": data.map(|data| &data.code),
                    "status": data.and_then(|data| data.status),
                    "detail": data.map(|data| &data.detail),
                    "message": error.message,
                });
                compare("the refusal", &refusal, like.as_ref(), bindings)
            }
            (Expected::Refused { .. }, Ok(result)) => {
                Err(StepError::Failed(format!("expected a refusal, it was done: {result}")))
            }
            (Expected::Unknown, Ok(result)) => save(&call.save, &result, bindings),
            (Expected::Unknown, Err(_)) => Ok(()),
            (Expected::Ok { .. } | Expected::Refused { .. }, Err(error)) => Err(StepError::Failed(
                format!("expected {} to do {}: {error:?}", call.role, call.method),
            )),
        }
    }

    async fn expect(&self, expect: &Expect, bindings: &mut Bindings) -> StepResult {
        let params = expect.params.resolve(bindings)?;
        let field = expect.field.as_ref().map(|field| field.resolve(bindings)).transpose()?;
        let conditions = expect.conditions.iter().map(|condition| condition.resolve(bindings));
        let conditions: Vec<Filled> = conditions.collect::<Result<_, _>>()?;
        let deadline = expect.eventually.map(|time| self.now() + time);
        for (index, role) in expect.on.iter().enumerate() {
            let wanted = (field.as_ref(), conditions.as_slice());
            let shown = self.look_until(expect, role, &params, wanted, deadline).await?;
            if index == 0 {
                save(&expect.save, &shown, bindings)?;
            }
        }
        Ok(())
    }

    async fn look_until(
        &self,
        expect: &Expect,
        role: &RoleName,
        params: &Value,
        (field, conditions): (Option<&Path>, &[Filled]),
        deadline: Option<Duration>,
    ) -> Result<Value, StepError> {
        let mut pause = PAUSE_FIRST;
        loop {
            let answer = self.call(role, &expect.method, params.clone(), CALL_DEADLINE).await;
            let error = match answer {
                Ok(result) => match shown(&result, field, conditions) {
                    Ok(shown) => return Ok(shown),
                    Err(mismatch) => format!("expected {} of {role} {mismatch}", expect.method),
                },
                Err(error) => format!("expected {} of {role}: {error:?}", expect.method),
            };
            let Some(deadline) = deadline.filter(|deadline| *deadline > self.now()) else {
                return Err(StepError::Failed(error));
            };
            let stirs = self.with(|inner| inner.journal.stirs());
            let stirred =
                |inner: &mut super::stage::Inner| (inner.journal.stirs() > stirs).then_some(());
            self.until((self.now() + pause).min(deadline), stirred).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn await_event(&self, event: &AwaitEvent, bindings: &mut Bindings) -> StepResult {
        let condition = resolve(event.condition.as_ref(), bindings)?;
        let fits = |name: &str, params: &Value| {
            name == event.event.as_str()
                && condition.as_ref().is_none_or(|condition| includes(params, condition))
        };
        let deadline = self.now() + event.within;
        for (index, role) in event.on.iter().enumerate() {
            let claimed = self.until(deadline, |inner| inner.journal.claim(role, fits)).await;
            let Some(params) = claimed else {
                let like =
                    condition.as_ref().map(|like| format!(" like {like}")).unwrap_or_default();
                return Err(StepError::Failed(format!(
                    "expected {}{like} from {role}, it never came",
                    event.event
                )));
            };
            if index == 0 {
                save(&event.save, &params, bindings)?;
            }
        }
        Ok(())
    }

    async fn parallel(&self, id: &StepId, steps: &[Step], bindings: &mut Bindings) -> StepResult {
        let mut forks: Vec<(StepId, Bindings)> = (0_u64..)
            .zip(steps)
            .map(|(index, _)| (StepId(format!("{}.{}", id.0, index + 1)), bindings.fork(index)))
            .collect();
        let acts = steps.iter().zip(&mut forks).map(|(step, (id, fork))| {
            let act: Boxed<'_> = Box::pin(self.told(id, step, fork));
            act
        });
        let results = join_all(acts.collect()).await;
        for (_, fork) in forks {
            bindings.merge(fork);
        }
        results.into_iter().collect()
    }

    async fn repeat(&self, id: &StepId, repeat: &Repeat, bindings: &mut Bindings) -> StepResult {
        let rounds = repeat.rounds.count();
        match repeat.pace {
            Pace::OneByOne => {
                for round in 0..rounds {
                    self.round(id, repeat, round, bindings).await?;
                }
                Ok(())
            }
            Pace::AtOnce => {
                let mut forks: Vec<(usize, Bindings)> =
                    (0..rounds).zip((0_u64..).map(|index| bindings.fork(index))).collect();
                let acts = forks.iter_mut().map(|(round, fork)| {
                    let act: Boxed<'_> = Box::pin(self.round(id, repeat, *round, fork));
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
        id: &StepId,
        repeat: &Repeat,
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
        let mut rest = Vec::new();
        self.list(&repeat.steps, &place, bindings, &mut rest).await?;
        Ok(())
    }

    fn check(&self, oracles: &[OracleCall], bindings: &mut Bindings) -> StepResult {
        let mut failures = Vec::new();
        for oracle in oracles {
            let params = oracle.params.resolve(bindings)?;
            match self.judge(&oracle.name, &params).map_err(StepError::Infra)? {
                Outcome::Passed | Outcome::Skipped { .. } => {}
                Outcome::Failed { reason } => failures.push(format!("{}: {reason}", oracle.name)),
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(StepError::Failed(failures.join("\n"))) }
    }

    fn look_back(&self, watch: &Watch<'_>) -> StepResult {
        let Watch { never, condition, from } = watch;
        let fits = |name: &str, params: &Value| {
            name == never.event.as_str()
                && condition.as_ref().is_none_or(|condition| includes(params, condition))
        };
        let unclaimed = never.lasts == Lasts::UntilNextStep;
        for role in &never.on {
            let said = self.with(|inner| {
                inner.journal.said_since(role, *from, unclaimed, fits).map(Value::to_string)
            });
            if let Some(params) = said {
                let event = &never.event;
                return Err(StepError::Failed(format!(
                    "expected no {event} from {role}, it said {params}"
                )));
            }
        }
        Ok(())
    }
}

fn shown(result: &Value, field: Option<&Path>, conditions: &[Filled]) -> Result<Value, String> {
    let mut shown = result;
    for (index, condition) in conditions.iter().enumerate() {
        let found = condition.check(result, field).map_err(|mismatch| mismatch.to_string())?;
        if index == 0 {
            shown = found;
        }
    }
    Ok(shown.clone())
}

pub(super) fn resolve(
    template: Option<&Template>,
    bindings: &mut Bindings,
) -> Result<Option<Value>, TemplateError> {
    template.map(|template| template.resolve(bindings)).transpose()
}

/// Whether a value includes what the scenario says, and if not, where it differs.
fn compare(
    what: &str,
    value: &Value,
    like: Option<&Template>,
    bindings: &mut Bindings,
) -> StepResult {
    let Some(like) = resolve(like, bindings)? else { return Ok(()) };
    match difference(value, &like) {
        None => Ok(()),
        Some(difference) => Err(StepError::Failed(format!(
            "expected {what} to include {like}\n{difference}\nit was {value}"
        ))),
    }
}

/// Binds the named parts of a value.
fn save(names: &BTreeMap<String, Path>, value: &Value, bindings: &mut Bindings) -> StepResult {
    for (name, path) in names {
        let path = path.resolve(bindings)?;
        let Some(part) = path.find(value) else {
            return Err(StepError::Failed(format!(
                "expected {path} in the result, it was {value}"
            )));
        };
        bindings.set(name.clone(), part.clone());
    }
    Ok(())
}

/// Carries futures through together; their results in their order.
async fn join_all(mut acts: Vec<Boxed<'_>>) -> Vec<StepResult> {
    let mut results: Vec<Option<StepResult>> = acts.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut pending = false;
        for (act, result) in acts.iter_mut().zip(&mut results) {
            if result.is_none() {
                match act.as_mut().poll(context) {
                    Poll::Ready(done) => *result = Some(done),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    results.into_iter().flatten().collect()
}
