//! `stop`, `kill` and `fault`: what happens to a peer's process.

use std::sync::Arc;

use handfast_lab::{Exit, Unit};
use handfast_scenario::Bindings;
use handfast_scenario::expectation::includes;
use handfast_scenario::name::RoleName;
use handfast_scenario::step::{Fault, FaultKind, Step};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{StepError, StepResult};
use crate::unit::armed::Armed;
use crate::unit::chain;
use crate::unit::stage::Stage;

impl Stage {
    pub(super) async fn stop(&self, role: &RoleName) -> StepResult {
        match self.lab().stop(role.as_str(), Unit::STOP_WITHIN).await {
            Ok(Exit::Code(0)) => Ok(()),
            Ok(exit) => Err(StepError::Failed(format!(
                "expected {role} to end with exit code 0, it ended with {exit}"
            ))),
            Err(error) => {
                Err(StepError::Failed(format!("expected {role} to stop: {}", chain(&error))))
            }
        }
    }

    pub(super) async fn kill(&self, role: &RoleName) -> StepResult {
        kill(self.lab(), role).await
    }

    /// A fault without a moment happens at once; one with a moment waits for it beside the steps that follow.
    pub(super) async fn fault(
        &self,
        fault: &Fault,
        step: &Step,
        bindings: &mut Bindings,
    ) -> StepResult {
        let Some(trigger) = &fault.when else {
            return act(self.lab(), &fault.role, fault.kind).await;
        };
        let condition =
            trigger.condition.as_ref().map(|condition| condition.resolve(bindings)).transpose()?;
        let (lab, journal) = (Arc::clone(self.lab()), self.journal().clone());
        let (role, kind, trigger) = (fault.role.clone(), fault.kind, trigger.clone());
        let from = journal.len();
        let (armed, done) = Armed::new(fault, step);
        self.arm(armed);
        self.in_background(async move {
            let fits = |name: &str, params: &Value| {
                name == trigger.event.as_str()
                    && condition.as_ref().is_none_or(|condition| includes(params, condition))
            };
            journal.notice_after(&trigger.role, from, fits).await;
            act(&lab, &role, kind).await?;
            done.happened();
            Ok(())
        });
        Ok(())
    }

    /// A peer that is still to be killed is started after that: nobody can know how long the event takes.
    pub(super) async fn after_its_kill(&self, role: &RoleName) -> StepResult {
        for armed in self.armed().iter_mut().filter(|armed| armed.kills(role)) {
            armed.wait().await?;
        }
        Ok(())
    }
}

async fn act(lab: &Unit, role: &RoleName, kind: FaultKind) -> StepResult {
    match kind {
        FaultKind::Kill => kill(lab, role).await,
        FaultKind::Pause => signal(lab, role, Signal::STOP),
        FaultKind::Resume => signal(lab, role, Signal::CONT),
    }
}

async fn kill(lab: &Unit, role: &RoleName) -> StepResult {
    match lab.kill(role.as_str()).await {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(StepError::Infra(format!("{role} could not be killed: {}", chain(&error))))
        }
    }
}

fn signal(lab: &Unit, role: &RoleName, signal: Signal) -> StepResult {
    let peer = lab.peer(role.as_str()).filter(|peer| peer.exit().is_none());
    let pid = peer.and_then(|peer| i32::try_from(peer.pid()).ok()).and_then(Pid::from_raw);
    let Some(pid) = pid else {
        return Err(StepError::Infra(format!(
            "{role} does not run, so that it cannot be stopped or resumed"
        )));
    };
    kill_process(pid, signal).map_err(|error| {
        StepError::Infra(format!("{role} could not be stopped or resumed: {error}"))
    })
}
