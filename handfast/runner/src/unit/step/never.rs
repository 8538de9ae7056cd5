//! `never`: forbids a notification for a while.

use handfast_scenario::Bindings;
use handfast_scenario::event::Outcome;
use handfast_scenario::expectation::includes;
use handfast_scenario::name::{EventName, RoleName};
use handfast_scenario::step::{Lasts, Never, Step};
use serde_json::Value;

use super::{StepError, StepResult};
use crate::unit::stage::Stage;

/// A forbidden notification, filled in.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::unit) struct Watch {
    event: EventName,
    on: Vec<RoleName>,
    condition: Option<Value>,
    lasts: Lasts,
    /// Number of the first event of the history that it is about.
    from: usize,
    line: usize,
}

impl Watch {
    /// A watch laid by a step that began at event `began`; the step before it began at `before`.
    pub(super) fn new(
        never: &Never,
        step: &Step,
        before: usize,
        began: usize,
        bindings: &mut Bindings,
    ) -> Result<Self, StepError> {
        let condition =
            never.condition.as_ref().map(|condition| condition.resolve(bindings)).transpose()?;
        let from = match never.lasts {
            Lasts::UntilNextStep => before,
            Lasts::Rest | Lasts::Steps(_) => began,
        };
        let (event, on, line) = (never.event.clone(), never.on.clone(), step.span.line);
        Ok(Self { event, on, condition, lasts: never.lasts, from, line })
    }
}

impl Stage {
    pub(super) async fn begin_watch(
        &self,
        watch: &Watch,
        watches: &mut Vec<(u32, Watch)>,
    ) -> StepResult {
        match watch.lasts {
            Lasts::UntilNextStep => self.look_back(watch).await,
            Lasts::Rest => {
                self.watch(watch.clone());
                Ok(())
            }
            Lasts::Steps(steps) => {
                watches.push((steps, watch.clone()));
                Ok(())
            }
        }
    }

    /// One step of the list is over: watches that end with it are looked at.
    pub(super) async fn count_down(&self, watches: &mut Vec<(u32, Watch)>) -> StepResult {
        let mut due = Vec::new();
        watches.retain_mut(|(left, watch)| {
            *left = left.saturating_sub(1);
            if *left == 0 {
                due.push(watch.clone());
            }
            *left > 0
        });
        for watch in due {
            self.keep_watch(&watch).await?;
        }
        Ok(())
    }

    /// Looks back over a watch whose step is long over, and says what came of it.
    pub(super) async fn keep_watch(&self, watch: &Watch) -> StepResult {
        let result = self.look_back(watch).await;
        let outcome = match &result {
            Ok(()) => Outcome::Passed,
            Err(error) => Outcome::Failed { reason: error.reason() },
        };
        self.journal().say_check(&format!("never {} (line {})", watch.event, watch.line), outcome);
        result
    }

    async fn look_back(&self, watch: &Watch) -> StepResult {
        for role in &watch.on {
            self.hear_out(role).await;
            let fits = |name: &str, params: &Value| {
                name == watch.event.as_str()
                    && watch.condition.as_ref().is_none_or(|condition| includes(params, condition))
            };
            let journal = self.journal();
            let said = match watch.lasts {
                // What an `event` step has waited for is allowed: this is about the rest.
                Lasts::UntilNextStep => journal.unclaimed_since(role, watch.from, fits),
                // It began with this step, so whoever has claimed something of it has waited for what is forbidden.
                Lasts::Rest | Lasts::Steps(_) => journal.notice_since(role, watch.from, fits),
            };
            if let Some(params) = said {
                let event = &watch.event;
                return Err(StepError::Failed(format!(
                    "expected no {event} from {role}, it said {params}"
                )));
            }
        }
        Ok(())
    }
}
