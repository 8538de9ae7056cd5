//! `wire`: tells the recording proxy what to do.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use handfast_faults::{HoldId, Link};
use handfast_scenario::Bindings;
use handfast_scenario::rule::{RuleError, link};
use handfast_scenario::step::{CALL_DEADLINE, ReleaseOrder, Step, Wire, WireRule};

use super::stage::Stage;
use super::steps::{StepError, StepResult};

/// How long a held message is waited for, and how long one that goes on may take.
const RELEASE_WITHIN: Duration = CALL_DEADLINE;

impl From<RuleError> for StepError {
    fn from(error: RuleError) -> Self {
        Self::Infra(error.to_string())
    }
}

impl Stage<'_> {
    pub(super) async fn wire(
        &self,
        wire: &Wire,
        step: &Step,
        bindings: &mut Bindings,
    ) -> StepResult {
        match wire {
            Wire::Rule(rule) => self.lay(rule, step, bindings),
            Wire::Release { from, to, order } => self.release(&link(from, to), *order).await,
            Wire::Clear { from, to } => self.clear(&link(from, to)).await,
            // It is refused before a run begins.
            Wire::Replay(_) => Ok(()),
        }
    }

    fn lay(&self, rule: &WireRule, step: &Step, bindings: &mut Bindings) -> StepResult {
        let laid = self.with(|inner| inner.field.tap().laid());
        let mut hasher = DefaultHasher::new();
        (self.seed, "wire", step.span.line, laid).hash(&mut hasher);
        let (link, filled) = (rule.link(), rule.rule(hasher.finish(), bindings)?);
        let title = format!("line {}: {}", step.span.line, step.text);
        let laid = self.with(|inner| inner.field.tap().lay(filled, link, title));
        laid.map_err(|error| StepError::Infra(format!("the rule could not be laid: {error}")))
    }

    /// Lets held messages go on, one after the other: the next one goes when the one before it is through.
    async fn release(&self, link: &Link, order: ReleaseOrder) -> StepResult {
        let deadline = self.now() + RELEASE_WITHIN;
        let held = self.until(deadline, |inner| {
            let held = inner.field.tap().held_on(link);
            (!held.is_empty()).then_some(held)
        });
        let mut held: Vec<HoldId> = held.await.ok_or_else(|| {
            StepError::Failed(format!("expected a held message of {link}, there is none"))
        })?;
        if order == ReleaseOrder::Last {
            held.reverse();
        }
        for id in held {
            let Some(exchange) = self.with(|inner| inner.field.let_go(id)) else { continue };
            let deadline = self.now() + RELEASE_WITHIN;
            let through =
                self.until(deadline, |inner| (!inner.field.is_under_way(&exchange)).then_some(()));
            through.await.ok_or_else(|| {
                StepError::Failed(format!("a released message of {link} was not through in time"))
            })?;
        }
        Ok(())
    }

    async fn clear(&self, link: &Link) -> StepResult {
        let is_held = self.with(|inner| {
            inner.field.tap().lift(link);
            !inner.field.tap().held_on(link).is_empty()
        });
        if is_held { self.release(link, ReleaseOrder::First).await } else { Ok(()) }
    }
}
