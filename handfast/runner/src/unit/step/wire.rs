//! `wire`: tells the recording proxy what to do.

use handfast_faults::{Effect, HoldId, Link};
use handfast_scenario::event::WireTaken;
use handfast_scenario::name::RoleName;
use handfast_scenario::rule::{link, message_type};
use handfast_scenario::step::{Recorded, ReleaseOrder, Step, Wire, WireReplay, WireRule};
use handfast_scenario::{Bindings, RunEvent};
use serde_json::{Value, json};

use super::call::includes;
use super::{StepError, StepResult};
use crate::unit::chain;
use crate::unit::post::post;
use crate::unit::stage::{INTRODUCE_DEADLINE, Laid, Stage};

impl Stage {
    pub(super) async fn wire(
        &self,
        wire: &Wire,
        step: &Step,
        bindings: &mut Bindings,
    ) -> StepResult {
        match wire {
            Wire::Rule(rule) => self.lay(rule, step, bindings),
            Wire::Replay(replay) => self.replay(replay, bindings).await,
            Wire::Release { from, to, order } => self.release(&link(from, to), *order).await,
            Wire::Clear { from, to } => self.clear(&link(from, to)).await,
        }
    }

    fn lay(&self, rule: &WireRule, step: &Step, bindings: &mut Bindings) -> StepResult {
        let (link, line) = (rule.link(), step.span.line);
        let rule = rule.rule(self.seed_of_rule(line), bindings)?;
        let id =
            self.lab().tap().lay(rule).map_err(|error| {
                StepError::Infra(format!("the rule could not be laid: {error}"))
            })?;
        self.note_rule(Laid { id, link, line, text: step.text.clone() });
        Ok(())
    }

    async fn replay(&self, replay: &WireReplay, bindings: &mut Bindings) -> StepResult {
        let link = link(&replay.from, &replay.to);
        let kind = message_type(replay.message_type.as_deref(), bindings)?;
        let index = self.recorded_index(replay, kind.as_deref()).ok_or_else(|| {
            let kind = kind.as_deref().unwrap_or("message");
            StepError::Failed(format!(
                "expected a recorded {kind} of {link} to send again, there is none"
            ))
        })?;
        let (status, body) = match &replay.redirect {
            None => {
                let answer = self.lab().tap().replay(&link, index).await;
                let answer = answer.map_err(|error| StepError::Failed(chain(&error)))?;
                (answer.status, answer.body.kept().to_vec())
            }
            Some(receiver) => self.redirect(&link, index, receiver).await?,
        };
        let body: Value = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&body).into_owned()));
        let part =
            |pointers: &[&str]| pointers.iter().find_map(|pointer| body.pointer(pointer)).cloned();
        // Where the code and the text stand: docs/protocol/1.1.md#errors, docs/protocol/1.0.md#error-texts.
        let shown = json!({
            "status": status,
            "code": part(&["/error/code", "/code"]),
            "detail": part(&["/detail", "/error/message"]),
            "body": body,
        });
        includes("the answer", &shown, replay.answer.as_ref(), bindings)
    }

    /// Sends a recorded request, byte for byte, to somebody it was not meant for: through the tap, as if its
    /// sender had.
    async fn redirect(
        &self,
        link: &Link,
        index: u64,
        receiver: &RoleName,
    ) -> Result<(u16, Vec<u8>), StepError> {
        let other = Link::new(link.from.clone(), receiver.as_str());
        let infra = |error: std::io::Error| StepError::Infra(chain(&error));
        let stream = self.lab().tap().connect(&other).await.map_err(infra)?;
        let recorded = self.journal().events().into_iter().find_map(|recorded| {
            let RunEvent::WireMessage { from, to, index: at, request, target, .. } = recorded.event
            else {
                return None;
            };
            let same = from.as_str() == link.from && to.as_str() == link.to && at == index;
            same.then_some((request, target))
        });
        let Some((request, target)) = recorded.filter(|(request, _)| !request.is_truncated())
        else {
            return Err(StepError::Infra(format!(
                "message {index} of {link} is not recorded whole"
            )));
        };
        let body = request.bytes().map_err(|error| StepError::Infra(error.to_string()))?;
        let path = target.split_once(' ').map_or("/", |(_, path)| path);
        post(stream, path, body).await.map_err(|error| StepError::Failed(chain(&error)))
    }

    /// The number of the recorded request that a step means.
    fn recorded_index(&self, replay: &WireReplay, kind: Option<&str>) -> Option<u64> {
        let events = self.journal().events();
        let mut indices = events.iter().filter_map(|recorded| {
            let RunEvent::WireMessage { from, to, index, message_type, action, .. } =
                &recorded.event
            else {
                return None;
            };
            let kind = kind.is_none() || kind == message_type.as_deref();
            let own = !matches!(action, WireTaken::Replayed | WireTaken::Duplicated);
            (*from == replay.from && *to == replay.to && kind && own && *index > 0)
                .then_some(*index)
        });
        match replay.which {
            Recorded::Last => indices.next_back(),
            Recorded::Nth(nth) => indices.nth(usize::try_from(nth.checked_sub(1)?).ok()?),
        }
    }

    /// Lets held messages go on, one after the other: the next one goes when the one before it is through.
    async fn release(&self, link: &Link, order: ReleaseOrder) -> StepResult {
        // The call that makes a message may run beside this step.
        let some_held = self.journal().wait_for_event(|_| {
            let held = self.held_on(link);
            (!held.is_empty()).then_some(held)
        });
        let mut held = tokio::time::timeout(INTRODUCE_DEADLINE, some_held).await.map_err(|_| {
            StepError::Failed(format!("expected a held message of {link}, there is none"))
        })?;
        if order == ReleaseOrder::Last {
            held.reverse();
        }
        for (id, effect) in held {
            let from = self.journal().len();
            self.lab().tap().release(id);
            let through = self.journal().wait_for_event(|events| {
                let later = events.get(from..).unwrap_or_default();
                later
                    .iter()
                    .any(|recorded| is_held(&recorded.event, link, effect.index))
                    .then_some(())
            });
            tokio::time::timeout(INTRODUCE_DEADLINE, through).await.map_err(|_| {
                StepError::Failed(format!("a released message of {link} was not through in time"))
            })?;
        }
        Ok(())
    }

    fn held_on(&self, link: &Link) -> Vec<(HoldId, Effect)> {
        let held = self.lab().tap().held().into_iter();
        held.filter(|(_, effect)| effect.link == *link).collect()
    }

    async fn clear(&self, link: &Link) -> StepResult {
        let tap = self.lab().tap();
        for rule in self.rules_on(link) {
            tap.lift(rule);
        }
        if self.held_on(link).is_empty() {
            return Ok(());
        }
        self.release(link, ReleaseOrder::First).await
    }
}

fn is_held(event: &RunEvent, link: &Link, wanted: Option<u64>) -> bool {
    let RunEvent::WireMessage { from, to, index, action, .. } = event else { return false };
    from.as_str() == link.from
        && to.as_str() == link.to
        && wanted.unwrap_or_default() == *index
        && matches!(action, WireTaken::Held { .. })
}
