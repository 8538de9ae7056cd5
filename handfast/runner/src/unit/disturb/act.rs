//! One order: what is done to processes and clocks.

use std::time::Duration;

use handfast_faults::disturbance::What;
use handfast_lab::CallError;
use handfast_scenario::name::{MethodName, RoleName};
use handfast_scenario::step::{CALL_DEADLINE, FaultKind};
use serde_json::json;

use super::ledger::Page;
use crate::unit::stage::Stage;
use crate::unit::step::{StepError, act, resume};

impl Stage {
    /// Brings a disturbance into force.
    pub(super) async fn apply(&self, id: usize) -> Result<(), StepError> {
        self.note(id, Page::begins);
        let done = match self.what(id)? {
            What::Network { from, to, both, .. } | What::Cut { from, to, both, .. } => {
                self.change_links(&from, &to, both).await
            }
            What::Kill { role } => self.take_down(id, &role_name(&role)?).await,
            What::Pause { role } => self.hold_still(id, &role_name(&role)?).await,
            What::CrashLoop { role, times, every } => {
                self.crash(id, &role_name(&role)?, times, every).await
            }
            What::Clock { role, offset_ms } => self.set_clock(&role_name(&role)?, offset_ms).await,
            What::Limit { role, what } => self.limit(id, &role_name(&role)?, &what),
        };
        if done.is_ok() {
            self.note(id, Page::applied);
        }
        done
    }

    /// Ends a disturbance: everything is as it was.
    pub(super) async fn undo(&self, id: usize) -> Result<(), StepError> {
        let done = match self.what(id)? {
            What::Network { from, to, both, .. } | What::Cut { from, to, both, .. } => {
                self.change_links(&from, &to, both).await
            }
            What::Kill { role } => self.bring_up(id, &role_name(&role)?).await,
            What::Pause { role } => self.let_go(id, &role_name(&role)?),
            What::CrashLoop { .. } => Ok(()),
            What::Clock { role, .. } => self.put_clock_right(id, &role_name(&role)?).await,
            What::Limit { role, .. } => self.unlimit(id, &role_name(&role)?).await,
        };
        if done.is_ok() {
            self.note(id, Page::undone);
        }
        done
    }

    /// Ends a disturbance because its unit ends: whoever was killed is not started again for that.
    pub(super) async fn relieve(&self, id: usize) -> Result<(), StepError> {
        let done = match self.what(id)? {
            What::Network { from, to, both, .. } | What::Cut { from, to, both, .. } => {
                self.relieve_links(&from, &to, both).await
            }
            What::Pause { role } => self.let_go(id, &role_name(&role)?),
            What::Limit { .. } => self.lift(id),
            What::Kill { .. } | What::CrashLoop { .. } | What::Clock { .. } => Ok(()),
        };
        self.note(id, Page::undone);
        done
    }

    fn what(&self, id: usize) -> Result<What, StepError> {
        let asked = self.disturber().asked.get(id);
        let asked = asked.ok_or_else(|| StepError::Infra(format!("no disturbance {id}")))?;
        Ok(asked.disturbance.what.clone())
    }

    /// Kills a role's peer, unless another disturbance has done so already.
    async fn take_down(&self, id: usize, role: &RoleName) -> Result<(), StepError> {
        let turn = self.disturber().turn(role);
        let _turn = turn.lock().await;
        let is_first = {
            let mut state = self.disturber().state();
            let by = state.down.entry(role.clone()).or_default();
            by.insert(id);
            by.len() == 1
        };
        if !is_first {
            self.note(id, |page, _| page.fact("it was down already"));
            return Ok(());
        }
        let began = self.now();
        act(self.lab(), role, FaultKind::Kill).await?;
        let took = self.now().saturating_sub(began);
        self.note(id, |page, _| page.fact(&format!("gone after {}", millis(took))));
        Ok(())
    }

    /// Starts a role's peer again, unless another disturbance keeps it down or it runs.
    async fn bring_up(&self, id: usize, role: &RoleName) -> Result<(), StepError> {
        let turn = self.disturber().turn(role);
        let _turn = turn.lock().await;
        let is_last = {
            let mut state = self.disturber().state();
            let by = state.down.entry(role.clone()).or_default();
            by.remove(&id);
            by.is_empty()
        };
        let runs = self.lab().peer(role.as_str()).is_some_and(|peer| peer.exit().is_none());
        if is_last && !runs {
            self.start_disturbed(role).await?;
            self.note(id, Page::back);
        }
        Ok(())
    }

    async fn crash(
        &self,
        id: usize,
        role: &RoleName,
        times: u32,
        every: Duration,
    ) -> Result<(), StepError> {
        for crash in 1..=times {
            self.take_down(id, role).await?;
            self.bring_up(id, role).await?;
            self.note(id, |page, _| page.fact(&format!("{crash} of {times} crashes")));
            if crash < times {
                tokio::time::sleep(every).await;
            }
        }
        Ok(())
    }

    /// Stops a role's processes, unless it does not run: then there is nothing that moves.
    async fn hold_still(&self, id: usize, role: &RoleName) -> Result<(), StepError> {
        let peer = self.lab().peer(role.as_str()).filter(|peer| peer.exit().is_none());
        let Some(peer) = peer else {
            self.note(id, |page, _| page.fact("it was down"));
            return Ok(());
        };
        let pid = peer.pid();
        self.disturber().state().still.entry(role.clone()).or_default().insert(id, pid);
        act(self.lab(), role, FaultKind::Pause).await?;
        self.note(id, |page, _| page.fact("every thread stood still"));
        Ok(())
    }

    /// Lets a role's processes go on, unless another disturbance holds them or they were killed meanwhile.
    fn let_go(&self, id: usize, role: &RoleName) -> Result<(), StepError> {
        let (pid, is_last) = {
            let mut state = self.disturber().state();
            let by = state.still.entry(role.clone()).or_default();
            let pid = by.remove(&id);
            (pid, !by.values().any(|other| Some(*other) == pid))
        };
        let peer = self.lab().peer(role.as_str()).filter(|peer| peer.exit().is_none());
        if is_last && pid.is_some() && peer.map(|peer| peer.pid()) == pid {
            return resume(self.lab(), role);
        }
        Ok(())
    }

    /// Shifts a role's clock; one that does not run is shifted when it is started again.
    async fn set_clock(&self, role: &RoleName, offset_ms: i64) -> Result<(), StepError> {
        let method =
            MethodName::new("clock.offset").map_err(|error| StepError::Infra(error.to_string()))?;
        let params = match offset_ms % 1_000 {
            0 => json!({ "seconds": offset_ms / 1_000 }),
            #[expect(clippy::cast_precision_loss, reason = "a day of milliseconds is exact")]
            _ => json!({ "seconds": offset_ms as f64 / 1_000.0 }),
        };
        match self.call(role, &method, params, CALL_DEADLINE).await {
            Ok(_) => Ok(()),
            Err(CallError::Gone { .. }) if self.is_down(role) => Ok(()),
            Err(error) => {
                let context = format!("the clock of {role} could not be shifted");
                Err(StepError::of_call(role, &method, &error, &context))
            }
        }
    }

    /// Shifts a role's clock back, or to what another disturbance still asks for.
    async fn put_clock_right(&self, id: usize, role: &RoleName) -> Result<(), StepError> {
        let others = self.in_force(role).into_iter().filter(|(other, _)| *other != id);
        let offset =
            |what| if let What::Clock { offset_ms, .. } = what { Some(offset_ms) } else { None };
        let left = others.filter_map(|(_, what)| offset(what)).next_back();
        self.set_clock(role, left.unwrap_or_default()).await
    }

    /// Starts a role's peer again with what is in force on it; who stands still or is down learns of it by itself.
    pub(super) async fn start_disturbed(&self, role: &RoleName) -> Result<(), StepError> {
        let mut bindings = self.bindings();
        self.start_again(role, &mut bindings).await
    }

    /// What a process does not take over from the one before it is done to it again.
    pub(in crate::unit) async fn disturb_again(&self, role: &RoleName) -> Result<(), StepError> {
        for (_, what) in self.in_force(role) {
            if let What::Clock { offset_ms, .. } = what {
                self.set_clock(role, offset_ms).await?;
            }
        }
        Ok(())
    }

    /// What is in force on a role at this moment, in the order of the file.
    fn in_force(&self, role: &RoleName) -> Vec<(usize, What)> {
        let begun: Vec<usize> = {
            let state = self.disturber().state();
            state.begun.intersection(&state.applied).copied().collect()
        };
        let what = |id: usize| Some((id, self.disturber().asked.get(id)?.disturbance.what.clone()));
        let all = begun.into_iter().filter_map(what);
        all.filter(|(_, what)| what.roles() == [role.as_str()]).collect()
    }

    pub(super) fn is_down(&self, role: &RoleName) -> bool {
        self.lab().peer(role.as_str()).is_none_or(|peer| peer.exit().is_some())
    }
}

fn role_name(role: &str) -> Result<RoleName, StepError> {
    RoleName::new(role).map_err(|error| StepError::Infra(error.to_string()))
}

/// A short span for people.
pub(super) fn millis(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1e3)
}
