//! Drives the timeline: what is heard goes in, orders come out and are carried out at the same time.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use handfast_faults::timeline::{Done, Order, Timeline};
use handfast_scenario::event::DisturbanceState;
use handfast_scenario::name::RoleName;
use handfast_scenario::{Bindings, RunEvent};
use serde_json::Value;
use tokio::time::timeout;

use crate::unit::armed::MOMENT_WITHIN;
use crate::unit::stage::{Stage, deadline_text};
use crate::unit::step::StepError;

/// Something that may begin a disturbance.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::unit) enum Heard {
    /// A peer told of an event.
    Notification { role: String, event: String, params: Value },
    /// A message went over the wire.
    Message { from: String, to: String, message_type: Option<String> },
}

impl Heard {
    /// What an event of the record means for disturbances.
    pub(in crate::unit) fn of(event: &RunEvent) -> Option<Self> {
        if let RunEvent::PeerEvent { role, event, params, .. } = event {
            let (role, event) = (role.to_string(), event.to_string());
            return Some(Self::Notification { role, event, params: params.clone() });
        }
        let RunEvent::WireMessage { from, to, index, message_type, .. } = event else {
            return None;
        };
        let (from, to) = (from.to_string(), to.to_string());
        (*index > 0).then(|| Self::Message { from, to, message_type: message_type.clone() })
    }
}

/// How long the end of a unit waits for what is undone then.
const UNDONE_WITHIN: Duration = Duration::from_secs(10);

impl Stage {
    /// The first step begins: the disturbances count their time from here on.
    pub(in crate::unit) fn begin_disturbances(
        &self,
        bindings: &mut Bindings,
    ) -> Result<(), StepError> {
        let events = self.journal().len();
        self.disturber().begin(bindings, events, self.now())
    }

    /// Carries disturbances out as their moments come; comes back only if one cannot be.
    pub(in crate::unit) async fn disturb(&self) -> StepError {
        let disturber = self.disturber();
        if disturber.is_empty() {
            return std::future::pending().await;
        }
        let mut changes = disturber.watch();
        let mut acts = FuturesUnordered::new();
        loop {
            self.catch_up();
            let next = disturber.state().next_event();
            while let Some(order) = disturber.next_order() {
                acts.push(self.carry_out(order));
            }
            tokio::select! {
                () = self.journal().more_than(next) => {}
                () = self.until(disturber.next_deadline()) => disturber.handle_deadline(self.now()),
                Some(done) = acts.next() => if let Err(error) = done { return error },
                // The first step has begun, or somebody asks for calm.
                _ = changes.changed() => {}
            }
        }
    }

    /// Takes in what was heard until now.
    fn catch_up(&self) {
        let disturber = self.disturber();
        let next = disturber.state().next_event();
        if next == usize::MAX {
            return;
        }
        let (heard, seen) = self.journal().heard_since(next);
        let now = self.now();
        for heard in &heard {
            disturber.hear(heard, now);
        }
        let mut state = disturber.state();
        state.began_at = state.began_at.max(seen);
    }

    /// Waits until every disturbance is over and undone.
    ///
    /// What has come by now began what waits for it, and so does a message that is under way; what comes later begins nothing more.
    pub(in crate::unit) async fn calm(&self, within: Duration) -> Result<(), StepError> {
        let disturber = self.disturber();
        let mut changes = disturber.watch();
        self.catch_up();
        if disturber.awaits_messages() {
            // One that takes longer begins nothing more, either.
            drop(timeout(Timeline::UNDER_WAY_MAX, self.lab().tap().settled()).await);
            self.catch_up();
        }
        disturber.ask_for_calm(self.now());
        let calm = changes.wait_for(|_| disturber.is_calm());
        let is_calm = timeout(within, calm).await.is_ok();
        if is_calm {
            return Ok(());
        }
        let (within, unrest) = (deadline_text(within), disturber.unrest());
        Err(StepError::Infra(format!("not calm within {within}: {unrest}")))
    }

    /// A peer that is still to be killed is started after that.
    pub(in crate::unit) async fn after_its_disturbance(
        &self,
        role: &RoleName,
    ) -> Result<(), StepError> {
        let disturber = self.disturber();
        let mut changes = disturber.watch();
        let killed = changes.wait_for(|_| disturber.has_killed(role));
        match timeout(MOMENT_WITHIN, killed).await {
            Ok(_) => Ok(()),
            Err(_) => Err(StepError::Infra(format!(
                "{role} was to be killed by a disturbance whose moment did not come, so that it cannot be started after it"
            ))),
        }
    }

    /// Undoes what is still in force at the end of the unit, however it ended.
    pub(in crate::unit) async fn end_disturbances(&self) {
        let disturber = self.disturber();
        if let Some(timeline) = &mut disturber.state().timeline {
            timeline.handle_end(self.now());
        }
        let begun: Vec<usize> = disturber.state().begun.iter().copied().collect();
        let relieve = async {
            for id in begun {
                let relieved = self.relieve(id).await;
                self.report(id, relieved.map(|()| Done::Undone));
            }
        };
        // What cannot be undone in time ends with the processes it was done to.
        drop(timeout(UNDONE_WITHIN, relieve).await);
    }

    /// A warning for each disturbance that never came to pass.
    pub(in crate::unit) fn disturbances_without_effect(&self) -> Vec<(&'static str, String)> {
        let disturber = self.disturber();
        let never = disturber.state().timeline.as_ref().map(Timeline::never_exercised);
        let warning = |(id, why): (usize, String)| {
            let asked = disturber.asked.get(id)?;
            let text = format!("line {}: {}: {why}", asked.line, asked.disturbance);
            Some(("never-exercised", text))
        };
        never.into_iter().flatten().filter_map(warning).collect()
    }

    async fn carry_out(&self, order: Order) -> Result<(), StepError> {
        let (id, result) = match order {
            Order::Apply(id) => {
                self.disturber().state().begun.insert(id);
                let applied = self.apply(id).await;
                if applied.is_ok() && self.disturber().is_done_when_applied(id) {
                    self.say_disturbance(id, DisturbanceState::Applied);
                    self.say_disturbance(id, DisturbanceState::Undone);
                    self.disturber().done(id, Done::Applied, self.now());
                    return Ok(());
                }
                (id, applied.map(|()| Done::Applied))
            }
            Order::Undo(id) => {
                self.disturber().state().undoing.insert(id);
                (id, self.undo(id).await.map(|()| Done::Undone))
            }
        };
        let failure = result.as_ref().err().cloned();
        self.report(id, result);
        failure.map_or(Ok(()), Err)
    }

    /// Says what became of an order, to the timeline and in the record.
    fn report(&self, id: usize, result: Result<Done, StepError>) {
        let done = result.unwrap_or_else(|error| Done::Failed { reason: error.reason() });
        let state = match &done {
            Done::Applied => DisturbanceState::Applied,
            Done::Undone => DisturbanceState::Undone,
            Done::Failed { reason } => DisturbanceState::Failed { reason: reason.clone() },
        };
        self.say_disturbance(id, state);
        self.disturber().done(id, done, self.now());
    }

    pub(super) fn say_disturbance(&self, id: usize, state: DisturbanceState) {
        let Some(asked) = self.disturber().asked.get(id) else { return };
        self.journal().say(RunEvent::Disturbance {
            unit: self.journal().unit().clone(),
            number: id + 1,
            name: asked.disturbance.name.clone(),
            line: asked.line,
            text: asked.disturbance.to_string(),
            state,
        });
    }

    /// The time on the run's clock.
    pub(super) fn now(&self) -> Duration {
        Duration::from_micros(self.lab().evidence().clock().now_us())
    }

    async fn until(&self, deadline: Option<Duration>) {
        match deadline {
            Some(deadline) => tokio::time::sleep(deadline.saturating_sub(self.now())).await,
            None => std::future::pending().await,
        }
    }
}
