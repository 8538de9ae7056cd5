//! Faults that wait for their moment.

use std::time::Duration;

use handfast_scenario::name::RoleName;
use handfast_scenario::step::{Fault, FaultKind, Step};
use tokio::sync::watch;
use tokio::time::timeout;

use super::step::StepError;

/// How long a step that comes after a fault waits for it. A guess: longer than any transfer of a scenario.
pub(super) const MOMENT_WITHIN: Duration = Duration::from_mins(1);

/// A fault that a step has announced and that happens beside the steps that follow.
#[derive(Debug, Clone)]
pub(super) struct Armed {
    role: RoleName,
    kind: FaultKind,
    line: usize,
    text: String,
    happened: watch::Receiver<bool>,
}

/// Says that an armed fault has happened.
#[derive(Debug)]
pub(super) struct Done(watch::Sender<bool>);

impl Done {
    pub(super) fn happened(self) {
        self.0.send_replace(true);
    }
}

impl Armed {
    pub(super) fn new(fault: &Fault, step: &Step) -> (Self, Done) {
        let (done, happened) = watch::channel(false);
        let (role, kind) = (fault.role.clone(), fault.kind);
        let armed = Self { role, kind, line: step.span.line, text: step.text.clone(), happened };
        (armed, Done(done))
    }

    /// Whether it ends the peer of this role.
    pub(super) fn kills(&self, role: &RoleName) -> bool {
        self.role == *role && self.kind == FaultKind::Kill
    }

    /// Waits until it has happened.
    ///
    /// # Errors
    /// It does not happen within a minute, or it failed.
    pub(super) async fn wait(&mut self) -> Result<(), StepError> {
        match timeout(MOMENT_WITHIN, self.happened.wait_for(|happened| *happened)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(StepError::Infra(format!(
                "line {}: {}: its moment did not come, so that nothing can be done after it",
                self.line, self.text
            ))),
        }
    }

    /// A warning if it has not happened: a step that was meant to disturb and did not.
    pub(super) fn without_effect(&self) -> Option<(&'static str, String)> {
        let idle = !*self.happened.borrow();
        idle.then(|| {
            (
                "never-exercised",
                format!("line {}: {}: its moment did not come", self.line, self.text),
            )
        })
    }
}
