//! `expect`: looks at a getter until it shows what is expected.

use std::time::Duration;

use handfast_scenario::Bindings;
use handfast_scenario::expectation::Filled;
use handfast_scenario::name::RoleName;
use handfast_scenario::step::{CALL_DEADLINE, Expect};
use handfast_scenario::template::Path;
use serde_json::Value;
use tokio::time::Instant;

use super::call::save;
use super::{StepError, StepResult};
use crate::unit::stage::{Stage, deadline_text};

/// The first pause between two looks; each further one is twice as long, up to [`PAUSE_MAX`]. Anything
/// that the peers do in between ends a pause early.
const PAUSE_FIRST: Duration = Duration::from_millis(5);

/// The longest pause between two looks: a tenth of what a person notices.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// What one step looks for, filled in.
struct Wanted {
    params: Value,
    field: Option<Path>,
    conditions: Vec<Filled>,
}

impl Stage {
    pub(super) async fn expect(&self, expect: &Expect, bindings: &mut Bindings) -> StepResult {
        let wanted = Wanted {
            params: expect.params.resolve(bindings)?,
            field: expect.field.as_ref().map(|field| field.resolve(bindings)).transpose()?,
            conditions: expect
                .conditions
                .iter()
                .map(|condition| condition.resolve(bindings))
                .collect::<Result<_, _>>()?,
        };
        let deadline = expect.eventually.map(from_now);
        for (index, role) in expect.on.iter().enumerate() {
            let shown = self.look_until(expect, role, &wanted, deadline).await?;
            if index == 0 {
                save(&expect.save, &shown, bindings)?;
            }
        }
        Ok(())
    }

    /// Looks at one role; the deadline is the whole step's.
    async fn look_until(
        &self,
        expect: &Expect,
        role: &RoleName,
        wanted: &Wanted,
        deadline: Option<Instant>,
    ) -> Result<Value, StepError> {
        let mut pause = PAUSE_FIRST;
        loop {
            let error = match self.look(expect, role, wanted, deadline).await {
                Ok(shown) => return Ok(shown),
                Err(error @ (StepError::Infra(_) | StepError::Unsupported { .. })) => {
                    return Err(error);
                }
                Err(error @ StepError::Failed(_)) => error,
            };
            let Some(deadline) = deadline.filter(|deadline| *deadline > from_now(Duration::ZERO))
            else {
                return Err(error);
            };
            let until = from_now(pause).min(deadline);
            tokio::select! {
                () = self.journal().grown() => {}
                () = tokio::time::sleep_until(until) => {}
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn look(
        &self,
        expect: &Expect,
        role: &RoleName,
        wanted: &Wanted,
        deadline: Option<Instant>,
    ) -> Result<Value, StepError> {
        // A look near the end of the time still gets a fair chance to be answered.
        let left = deadline.map(|deadline| deadline.duration_since(from_now(Duration::ZERO)));
        let within = left.unwrap_or(CALL_DEADLINE).max(CALL_DEADLINE);
        let answer = self.call(role, &expect.method, wanted.params.clone(), within).await;
        let context = || format!("expected {} of {role}", expect.method);
        let result =
            answer.map_err(|error| StepError::of_call(role, &expect.method, &error, &context()))?;
        let mut shown = result.clone();
        for (index, condition) in wanted.conditions.iter().enumerate() {
            let found = condition.check(&result, wanted.field.as_ref()).map_err(|mismatch| {
                let field =
                    wanted.field.as_ref().map(|field| format!(" ({field})")).unwrap_or_default();
                let within =
                    expect.eventually.map(|time| format!(" within {}", deadline_text(time)));
                StepError::Failed(format!(
                    "expected {}{field} of {role}{} {mismatch}",
                    expect.method,
                    within.unwrap_or_default()
                ))
            })?;
            if index == 0 {
                shown = found.clone();
            }
        }
        Ok(shown)
    }
}

fn from_now(time: Duration) -> Instant {
    Instant::now() + time
}
