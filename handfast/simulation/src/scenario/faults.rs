//! What happens to a peer's process: at once, or when its moment has come.

use std::time::Duration;

use handfast_scenario::expectation::includes;
use handfast_scenario::name::{EventName, RoleName};
use handfast_scenario::step::{Fault, FaultKind, Step, Trigger};
use handfast_scenario::template::Template;
use handfast_scenario::{Bindings, Recorded, RunEvent};
use serde_json::Value;

use super::stage::Stage;
use super::steps::{StepError, StepResult, resolve};

/// How long a step that comes after a fault waits for it.
const MOMENT_WITHIN: Duration = Duration::from_mins(1);

/// A fault that has been announced and happens when its moment comes.
#[derive(Debug, Clone)]
pub(super) struct Armed {
    role: RoleName,
    kind: FaultKind,
    moment: Option<Moment>,
    /// The number of the first event that may be its moment.
    from: usize,
    has_happened: bool,
    title: String,
}

/// What a fault waits for.
#[derive(Debug, Clone)]
enum Moment {
    Notification { event: EventName, role: RoleName, condition: Option<Value> },
    Message { from: RoleName, to: RoleName, kind: Option<String>, nth: u64 },
}

impl Armed {
    pub(super) fn new(
        fault: &Fault,
        step: &Step,
        bindings: &mut Bindings,
        stage: &Stage<'_>,
    ) -> Result<Self, StepError> {
        let moment =
            fault.when.as_ref().map(|trigger| Moment::new(trigger, bindings)).transpose()?;
        let title = format!("line {}: {}", step.span.line, step.text);
        let from = stage.with(|inner| inner.journal.len());
        let (role, kind) = (fault.role.clone(), fault.kind);
        Ok(Self { role, kind, moment, from, has_happened: false, title })
    }
}

impl Moment {
    fn new(trigger: &Trigger, bindings: &mut Bindings) -> Result<Self, StepError> {
        Ok(match trigger {
            Trigger::Notification { event, role, condition } => {
                let condition = resolve(condition.as_ref(), bindings)?;
                Self::Notification { event: event.clone(), role: role.clone(), condition }
            }
            Trigger::Message { from, to, message_type, nth } => {
                let kind = match message_type {
                    None => None,
                    Some(text) => {
                        let filled =
                            Template::new(Value::from(text.as_str()))?.resolve(bindings)?;
                        Some(filled.as_str().map_or_else(|| filled.to_string(), str::to_owned))
                    }
                };
                Self::Message { from: from.clone(), to: to.clone(), kind, nth: *nth }
            }
        })
    }

    fn has_come(&self, later: &[Recorded]) -> bool {
        match self {
            Self::Notification { event, role, condition } => later.iter().any(|recorded| {
                let RunEvent::PeerEvent { role: by, event: told, params, .. } = &recorded.event
                else {
                    return false;
                };
                by == role
                    && told == event
                    && condition.as_ref().is_none_or(|condition| includes(params, condition))
            }),
            Self::Message { from, to, kind, nth } => {
                let fits = |recorded: &&Recorded| {
                    let RunEvent::WireMessage { from: f, to: t, message_type, index, .. } =
                        &recorded.event
                    else {
                        return false;
                    };
                    f == from && t == to && *index > 0 && (kind.is_none() || kind == message_type)
                };
                later.iter().filter(fits).count() as u64 >= *nth
            }
        }
    }
}

impl Stage<'_> {
    /// A fault without a moment happens at once.
    pub(super) fn arm(&self, mut armed: Armed) -> StepResult {
        if armed.moment.is_none() {
            return self.strike(&mut armed);
        }
        self.with(|inner| inner.armed.push(armed));
        Ok(())
    }

    /// Lets those faults happen whose moment has come; nobody comes in between.
    pub(super) fn strike_all(&self) -> StepResult {
        let mut waiting = self.with(|inner| std::mem::take(&mut inner.armed));
        let mut result = Ok(());
        for armed in waiting.iter_mut().filter(|armed| !armed.has_happened) {
            let has_come = self.with(|inner| {
                let later = inner.journal.events().get(armed.from..).unwrap_or_default();
                armed.moment.as_ref().is_none_or(|moment| moment.has_come(later))
            });
            if has_come {
                result = result.and(self.strike(armed));
            }
        }
        self.with(|inner| inner.armed.append(&mut waiting));
        result
    }

    fn strike(&self, armed: &mut Armed) -> StepResult {
        armed.has_happened = true;
        let at = self.place(&armed.role);
        match armed.kind {
            FaultKind::Kill => return self.end(&armed.role, false).map_err(StepError::Infra),
            FaultKind::Pause => self.with(|inner| inner.field.pause(at)),
            FaultKind::Resume => self.with(|inner| inner.field.resume(at)),
        }
        Ok(())
    }

    /// A peer that is still to be killed is started after that.
    pub(super) async fn after_its_kill(&self, role: &RoleName) -> StepResult {
        let deadline = self.now() + MOMENT_WITHIN;
        let struck = self.until(deadline, |inner| {
            let kills = |armed: &&Armed| armed.role == *role && armed.kind == FaultKind::Kill;
            let have_struck = inner.armed.iter().filter(kills).all(|armed| armed.has_happened);
            (have_struck && inner.disturbances.have_killed(role)).then_some(())
        });
        struck.await.ok_or_else(|| {
            let reason = format!(
                "the fault that kills {role} did not come, so that nothing can be done after it"
            );
            StepError::Infra(reason)
        })
    }

    /// A rule of the wire that never did anything.
    pub(super) fn idle_rule(&self) -> Option<String> {
        self.with(|inner| inner.field.tap().without_effect())
    }

    /// A fault that never happened: a step that was meant to disturb and did not.
    pub(super) fn without_effect(&self) -> Option<String> {
        self.with(|inner| {
            let idle = inner.armed.iter().find(|armed| !armed.has_happened);
            idle.map(|armed| format!("{}: its moment did not come", armed.title))
        })
    }
}
