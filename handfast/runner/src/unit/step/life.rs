//! `stop`, `kill` and `fault`: what happens to a peer's process.

use std::sync::Arc;
use std::time::Duration;

use handfast_lab::{Exit, Unit};
use handfast_scenario::expectation::includes;
use handfast_scenario::name::{EventName, RoleName};
use handfast_scenario::rule::message_type;
use handfast_scenario::step::{Fault, FaultKind, Step, Trigger};
use handfast_scenario::{Bindings, Recorded, RunEvent};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::timeout;

use super::{StepError, StepResult};
use crate::unit::armed::Armed;
use crate::unit::chain;
use crate::unit::journal::Journal;
use crate::unit::stage::Stage;

/// How long a peer may take to stand still after SIGSTOP.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);
/// How long between two looks at its threads.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

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
        let moment = Moment::new(trigger, bindings)?;
        let (lab, journal) = (Arc::clone(self.lab()), self.journal().clone());
        let (role, kind) = (fault.role.clone(), fault.kind);
        let from = journal.len();
        let (armed, done) = Armed::new(fault, step);
        self.arm(armed);
        self.in_background(async move {
            moment.come(&journal, from).await;
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
        self.after_its_disturbance(role).await
    }
}

/// What a fault waits for.
enum Moment {
    Notification { event: EventName, role: RoleName, condition: Option<Value> },
    Message { from: RoleName, to: RoleName, kind: Option<String>, nth: u64 },
}

impl Moment {
    fn new(trigger: &Trigger, bindings: &mut Bindings) -> Result<Self, StepError> {
        Ok(match trigger {
            Trigger::Notification { event, role, condition } => {
                let condition = condition.as_ref();
                let condition =
                    condition.map(|condition| condition.resolve(bindings)).transpose()?;
                Self::Notification { event: event.clone(), role: role.clone(), condition }
            }
            Trigger::Message { from, to, message_type: kind, nth } => {
                let kind = message_type(kind.as_deref(), bindings)?;
                Self::Message { from: from.clone(), to: to.clone(), kind, nth: *nth }
            }
        })
    }

    /// Waits for it, from the event number `begin` on.
    async fn come(&self, journal: &Journal, begin: usize) {
        match self {
            Self::Notification { event, role, condition } => {
                let fits = |name: &str, params: &Value| {
                    name == event.as_str()
                        && condition.as_ref().is_none_or(|condition| includes(params, condition))
                };
                journal.notice_after(role, begin, fits).await;
            }
            Self::Message { from, to, kind, nth } => {
                let (mut seen, mut looked_at) = (0, begin);
                let count = |events: &[Recorded]| {
                    for recorded in events.get(looked_at..).unwrap_or_default() {
                        let RunEvent::WireMessage { from: f, to: t, message_type, index, .. } =
                            &recorded.event
                        else {
                            continue;
                        };
                        let fits = kind.is_none() || kind == message_type;
                        seen += u64::from(f == from && t == to && *index > 0 && fits);
                    }
                    looked_at = events.len();
                    (seen >= *nth).then_some(())
                };
                journal.wait_for_event(count).await;
            }
        }
    }
}

/// Does something to a role's process, now.
pub(in crate::unit) async fn act(lab: &Unit, role: &RoleName, kind: FaultKind) -> StepResult {
    match kind {
        FaultKind::Kill => kill(lab, role).await,
        FaultKind::Pause => {
            signal(lab, role, Signal::STOP)?;
            stopped(lab, role).await
        }
        FaultKind::Resume => resume(lab, role),
    }
}

/// Lets a role's process go on.
pub(in crate::unit) fn resume(lab: &Unit, role: &RoleName) -> StepResult {
    signal(lab, role, Signal::CONT)
}

async fn kill(lab: &Unit, role: &RoleName) -> StepResult {
    match lab.kill(role.as_str()).await {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(StepError::Infra(format!("{role} could not be killed: {}", chain(&error))))
        }
    }
}

/// Waits until every thread of the peer stands still: the signal returns before they do, and what one of them does in
/// between would come after the pause in the scenario and before it in truth.
async fn stopped(lab: &Unit, role: &RoleName) -> StepResult {
    let pid = lab.peer(role.as_str()).map(|peer| peer.pid()).unwrap_or_default();
    let still = async {
        while !stands_still(pid) {
            // The kernel tells only the parent, which is the unit's reaper.
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    timeout(STOPPED_WITHIN, still)
        .await
        .map_err(|_| StepError::Infra(format!("{role} was stopped and does not stand still")))
}

/// Whether every thread is stopped, as `/proc/PID/task/TID/stat` says (`proc_pid_stat(5)`); a process that is gone is.
fn stands_still(pid: u32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    // The name of the program stands in brackets before the state and may hold anything.
    let state = |stat: &str| stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    stats.all(|stat| matches!(state(&stat), Some('T' | 't' | 'Z' | 'X')))
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
