//! The disturbances of a scenario: the same [`Timeline`] as on processes, carried out in virtual time.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use handfast_faults::Conditions;
use handfast_faults::disturbance::What;
use handfast_faults::timeline::{Done, Order, Timeline};
use handfast_scenario::event::DisturbanceState;
use handfast_scenario::expectation::includes;
use handfast_scenario::name::{MethodName, RoleName};
use handfast_scenario::rule::filled;
use handfast_scenario::step::CALL_DEADLINE;
use handfast_scenario::{Bindings, RunEvent, Scenario};
use serde_json::json;

use super::stage::{Inner, Stage};
use super::steps::StepError;

/// Something that is done beside the steps.
pub(super) type Aside<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// The disturbances of a run, as far as they are.
#[derive(Debug)]
pub(super) struct Disturbances {
    pub(super) timeline: Timeline,
    /// What each direction is like where nothing disturbs it, by the places of its roles.
    base: Vec<((usize, usize), Conditions)>,
    /// Those that have been in force.
    applied: BTreeSet<usize>,
    /// Events that the timeline has seen.
    seen: usize,
}

impl Disturbances {
    /// Those of a scenario that has not begun.
    ///
    /// # Errors
    ///
    /// There are too many of them.
    pub(super) fn new(scenario: &Scenario) -> Result<Self, String> {
        let timeline =
            Timeline::new(scenario.disturbances.clone()).map_err(|error| error.to_string())?;
        let roles = || scenario.roles.keys().enumerate();
        let ways = roles().flat_map(|from| roles().map(move |to| (from, to)));
        let base = ways.filter(|(from, to)| from.0 != to.0).map(|(from, to)| {
            let conditions = scenario.network.toward(from.1.as_str(), to.1.as_str());
            ((from.0, to.0), conditions)
        });
        let base = base.collect();
        Ok(Self { timeline: timeline.comparing(includes), base, applied: BTreeSet::new(), seen: 0 })
    }

    /// The first step begins: cues know the names of the peers now.
    ///
    /// # Errors
    ///
    /// A hole that nothing fills.
    pub(super) fn begin(
        &mut self,
        bindings: &mut Bindings,
        now: Duration,
    ) -> Result<(), StepError> {
        let disturbances = self.timeline.disturbances().map(|one| filled(one, bindings));
        let timeline = Timeline::new(disturbances.collect::<Result<_, _>>()?);
        let timeline = timeline.map_err(|error| StepError::Infra(error.to_string()))?;
        self.timeline = timeline.comparing(includes);
        self.timeline.handle_start(now);
        Ok(())
    }

    /// Whether every disturbance that kills this role for good has done so.
    pub(super) fn have_killed(&self, role: &RoleName) -> bool {
        let mut all = self.timeline.disturbances().enumerate();
        all.all(|(id, disturbance)| {
            let kills =
                matches!(&disturbance.what, What::Kill { role: killed } if killed == role.as_str());
            !kills || disturbance.lasts.is_some() || self.applied.contains(&id)
        })
    }

    /// When time alone changes something next.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.timeline.next_deadline()
    }
}

impl Inner {
    /// Tells the timeline what has been said since it was told last.
    fn hear(&mut self) {
        let (now, disturbances) = (self.field.now(), &mut self.disturbances);
        let events = self.journal.events();
        for recorded in events.get(disturbances.seen..).unwrap_or_default() {
            if let RunEvent::PeerEvent { role, event, params, .. } = &recorded.event {
                let (role, event) = (role.as_str(), event.as_str());
                disturbances.timeline.handle_notification(role, event, params, now);
            }
            if let RunEvent::WireMessage { from, to, message_type, .. } = &recorded.event {
                let (from, to, kind) = (from.as_str(), to.as_str(), message_type.as_deref());
                disturbances.timeline.handle_message(from, to, kind, now);
            }
        }
        disturbances.seen = events.len();
    }
}

impl<'s> Stage<'s> {
    /// Puts the links into the state that the network of the scenario has from the beginning.
    pub(super) fn lay_network(&self) {
        self.refresh();
    }

    /// Tells the timeline what has happened, and carries out what it orders. What takes time is returned.
    pub(super) fn disturb<'a>(&'a self) -> Vec<Aside<'a>>
    where
        's: 'a,
    {
        let mut asides = Vec::new();
        let orders = self.with(|inner| {
            inner.hear();
            let (now, timeline) = (inner.field.now(), &mut inner.disturbances.timeline);
            timeline.handle_deadline(now);
            std::iter::from_fn(|| timeline.poll_output()).collect::<Vec<_>>()
        });
        for order in orders {
            let (id, begins) = match order {
                Order::Apply(id) => (id, true),
                Order::Undo(id) => (id, false),
            };
            let what = self.with(|inner| {
                let mut all = inner.disturbances.timeline.disturbances();
                all.nth(id).map(|disturbance| disturbance.what.clone())
            });
            asides.extend(what.and_then(|what| self.carry_out(id, what, begins)));
        }
        asides
    }

    fn carry_out<'a>(&'a self, id: usize, what: What, begins: bool) -> Option<Aside<'a>>
    where
        's: 'a,
    {
        match what {
            What::Network { .. } | What::Cut { .. } => {
                self.done(id, begins, Ok(()));
                self.refresh();
            }
            What::Pause { role } => {
                let done = self.role(&role).and_then(|role| self.stand_still(&role, begins));
                self.done(id, begins, done);
            }
            What::Kill { role } if begins => {
                let done = self.role(&role).and_then(|role| self.end(&role, false));
                self.done(id, begins, done);
            }
            What::Kill { role } => {
                return Some(Box::pin(async move {
                    let done = match self.role(&role) {
                        Ok(role) => self.start_again(&role).await,
                        Err(reason) => Err(reason),
                    };
                    self.done(id, begins, done);
                }));
            }
            What::CrashLoop { role, times, every } => {
                return Some(Box::pin(async move {
                    let done = match self.role(&role) {
                        Ok(role) => self.crash_again_and_again(&role, times, every).await,
                        Err(reason) => Err(reason),
                    };
                    self.done(id, begins, done);
                }));
            }
            What::Clock { role, offset_ms } => {
                return Some(Box::pin(async move {
                    let offset_ms = if begins { offset_ms } else { 0 };
                    let done = self.set_clock(&role, offset_ms).await;
                    self.done(id, begins, done);
                }));
            }
            What::Limit { role, .. } => {
                self.done(id, begins, Err(format!("the resources of {role} are not simulated")));
            }
        }
        None
    }

    fn done(&self, id: usize, begins: bool, done: Result<(), String>) {
        let (done, state) = match (done, begins) {
            (Ok(()), true) => (Done::Applied, DisturbanceState::Applied),
            (Ok(()), false) => (Done::Undone, DisturbanceState::Undone),
            (Err(reason), _) => {
                (Done::Failed { reason: reason.clone() }, DisturbanceState::Failed { reason })
            }
        };
        let line = self.scenario.disturbed_at.get(id).map_or(0, |span| span.line);
        self.with(|inner| {
            let (now, unit) = (inner.field.now(), inner.journal.unit());
            let all = &mut inner.disturbances;
            if done == Done::Applied {
                all.applied.insert(id);
            }
            all.timeline.handle_done(id, done, now);
            let disturbance = all.timeline.disturbances().nth(id);
            let title = disturbance.map(|one| (one.name.clone(), one.to_string()));
            let (name, text) = title.unwrap_or_default();
            let number = id + 1;
            inner.say(RunEvent::Disturbance { unit, number, name, line, text, state });
        });
    }

    /// Lays what is in force over what each link is like.
    fn refresh(&self) {
        self.with(|inner| {
            for ((from, to), base) in &inner.disturbances.base {
                let (sender, receiver) = (self.roles[*from].as_str(), self.roles[*to].as_str());
                let conditions = inner.disturbances.timeline.conditions(base, sender, receiver);
                inner.field.set_conditions(*from, *to, conditions);
            }
        });
    }

    fn role(&self, name: &str) -> Result<RoleName, String> {
        let role = self.roles.iter().find(|role| role.as_str() == name);
        role.cloned().ok_or_else(|| format!("there is no role {name}"))
    }

    fn stand_still(&self, role: &RoleName, begins: bool) -> Result<(), String> {
        let at = self.place(role);
        self.with(|inner| {
            if !inner.field.machine(at).is_on() {
                return Err(format!("{role} does not run"));
            }
            if begins {
                inner.field.pause(at);
            } else {
                inner.field.resume(at);
            }
            Ok(())
        })
    }

    /// Waits until every disturbance is over and undone.
    ///
    /// What has come by now began what waits for it, and so does a message that is under way; what comes later begins nothing more.
    pub(super) async fn calm(&self, within: Duration) -> Result<(), String> {
        let under_way = self.with(|inner| inner.field.under_way());
        let has_settled = |inner: &mut Inner| {
            inner.hear();
            let is_awaited = inner.disturbances.timeline.awaits_messages();
            let is_left = || under_way.iter().any(|exchange| inner.field.is_under_way(exchange));
            (!is_awaited || !is_left()).then_some(())
        };
        self.until(self.now() + Timeline::UNDER_WAY_MAX, has_settled).await;
        self.with(|inner| {
            let now = inner.field.now();
            inner.disturbances.timeline.handle_calm(now);
        });
        let is_calm = |inner: &mut Inner| inner.disturbances.timeline.is_calm().then_some(());
        let calm = self.until(self.now() + within, is_calm).await;
        calm.ok_or_else(|| format!("not calm within {within:?}"))
    }

    async fn crash_again_and_again(
        &self,
        role: &RoleName,
        times: u32,
        every: Duration,
    ) -> Result<(), String> {
        for _ in 0..times {
            self.end(role, false)?;
            self.start_again(role).await?;
            self.until(self.now() + every, |_| None::<()>).await;
        }
        Ok(())
    }

    async fn set_clock(&self, role: &str, offset_ms: i64) -> Result<(), String> {
        let role = self.role(role)?;
        let method = MethodName::new("clock.offset").map_err(|error| error.to_string())?;
        #[expect(clippy::cast_precision_loss, reason = "no clock is off by thousands of years")]
        let params = json!({ "seconds": offset_ms as f64 / 1e3 });
        let set = self.call(&role, &method, params, CALL_DEADLINE).await;
        set.map(drop).map_err(|error| format!("the clock of {role} cannot be set: {error:?}"))
    }

    /// A disturbance that failed or never came to pass: a run that was to be disturbed and was not.
    pub(super) fn undisturbed(&self) -> Option<String> {
        self.with(|inner| {
            let timeline = &inner.disturbances.timeline;
            let name = |id: usize| timeline.disturbances().nth(id).map(|one| one.name.clone());
            let failed = timeline.failed().map(|(id, reason)| (id, reason.to_owned())).next();
            let (id, reason) = failed.or_else(|| timeline.never_exercised().into_iter().next())?;
            Some(format!("disturbance {}: {reason}", name(id).unwrap_or_default()))
        })
    }
}
