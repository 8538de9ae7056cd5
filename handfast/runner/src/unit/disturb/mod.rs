//! Disturbances: what a scenario does to the network, to processes, clocks and resources beside its steps.
//!
//! The timeline of `handfast-faults` says when; the lab does it. Everything that was begun is undone, at the latest when the unit
//! ends, however it ends; and what was asked stands beside what was measured in the record.
//!
//! - [`Disturber`]: the timeline of a unit and what is in force
//! - `drive`: hears notifications, messages and the time, and carries out what the timeline orders
//! - `act`: one order, on processes and clocks
//! - `limits`: on what a process may use
//! - `links`: between two roles
//! - `ledger`: asked beside measured

mod act;
mod drive;
mod ledger;
mod limits;
mod links;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use handfast_faults::disturbance::{Disturbance, What};
use handfast_faults::timeline::{Done, Order, Timeline};
use handfast_faults::{Conditions, Link};
use handfast_lab::InForce;
use handfast_scenario::expectation::includes;
use handfast_scenario::name::RoleName;
use handfast_scenario::rule::filled;
use handfast_scenario::{Bindings, Scenario};
use tokio::sync::watch;

use super::step::StepError;
pub(super) use drive::Heard;
use ledger::Ledger;
pub(super) use limits::Excuse;

/// The disturbances of a unit.
#[derive(Debug)]
pub(super) struct Disturber {
    asked: Vec<Asked>,
    state: Mutex<State>,
    /// Whose turn it is to kill or start a role: a start takes its time, and who is to be killed meanwhile is killed after it.
    turns: Mutex<BTreeMap<RoleName, Arc<tokio::sync::Mutex<()>>>>,
    /// Whose turn it is to change links.
    links: tokio::sync::Mutex<()>,
    /// Counts whatever happens to a disturbance, so that others can wait for it.
    changes: watch::Sender<u64>,
}

/// A disturbance as the file has it.
#[derive(Debug)]
struct Asked {
    disturbance: Disturbance,
    line: usize,
}

#[derive(Debug, Default)]
struct State {
    /// There from the first step on.
    timeline: Option<Timeline>,
    /// Events of the journal that were there before the first step, or were heard since.
    began_at: usize,
    /// What was begun and is not undone, though it may not be in force yet.
    begun: BTreeSet<usize>,
    /// What is being undone, and has no say in what holds any more.
    undoing: BTreeSet<usize>,
    /// What has come into force at least once.
    applied: BTreeSet<usize>,
    /// Which disturbances keep a role from running.
    down: BTreeMap<RoleName, BTreeSet<usize>>,
    /// Which disturbances keep a role from moving, and the process that each stopped.
    still: BTreeMap<RoleName, BTreeMap<usize, u32>>,
    /// The limits that are in force.
    limits: BTreeMap<usize, Box<dyn InForce>>,
    stretches: links::Stretches,
    /// Under which conditions each disturbance of a link was in force.
    met: BTreeMap<usize, Vec<(Link, Conditions)>>,
    ledger: Ledger,
}

impl State {
    /// The number of the first event that was not heard yet; none counts before the first step.
    fn next_event(&self) -> usize {
        if self.timeline.is_some() { self.began_at } else { usize::MAX }
    }
}

impl Disturber {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let line = |index: usize| scenario.disturbed_at.get(index).map_or(0, |span| span.line);
        let disturbances = scenario.disturbances.iter().cloned().enumerate();
        let asked =
            disturbances.map(|(index, disturbance)| Asked { disturbance, line: line(index) });
        let changes = watch::Sender::new(0);
        let links = tokio::sync::Mutex::default();
        let (state, turns) = (Mutex::default(), Mutex::default());
        Self { asked: asked.collect(), state, turns, links, changes }
    }

    fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// The first step begins now; `events` is how many events there were before it.
    fn begin(
        &self,
        bindings: &mut Bindings,
        events: usize,
        now: Duration,
    ) -> Result<(), StepError> {
        let filled = self.asked.iter().map(|asked| filled(&asked.disturbance, bindings));
        let timeline = Timeline::new(filled.collect::<Result<_, _>>()?);
        let timeline = timeline.map_err(|error| StepError::Infra(error.to_string()))?;
        let mut timeline = timeline.comparing(includes);
        timeline.handle_start(now);
        let mut state = self.state();
        (state.timeline, state.began_at) = (Some(timeline), events);
        drop(state);
        self.changed();
        Ok(())
    }

    fn hear(&self, heard: &Heard, now: Duration) {
        let mut state = self.state();
        let Some(timeline) = &mut state.timeline else { return };
        match heard {
            Heard::Notification { role, event, params } => {
                timeline.handle_notification(role, event, params, now);
            }
            Heard::Message { from, to, message_type } => {
                timeline.handle_message(from, to, message_type.as_deref(), now);
            }
        }
    }

    fn handle_deadline(&self, now: Duration) {
        if let Some(timeline) = &mut self.state().timeline {
            timeline.handle_deadline(now);
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.state().timeline.as_ref()?.next_deadline()
    }

    fn next_order(&self) -> Option<Order> {
        self.state().timeline.as_mut()?.poll_output()
    }

    fn done(&self, id: usize, done: Done, now: Duration) {
        let mut state = self.state();
        match &done {
            Done::Applied => {
                state.applied.insert(id);
                if self.ends_by_itself(id) {
                    state.begun.remove(&id);
                }
            }
            Done::Undone => {
                state.begun.remove(&id);
            }
            Done::Failed { .. } => {}
        }
        if let Some(timeline) = &mut state.timeline {
            timeline.handle_done(id, done, now);
        }
        drop(state);
        self.changed();
    }

    /// Whether nothing is left to undo once it was applied.
    fn ends_by_itself(&self, id: usize) -> bool {
        self.asked.get(id).is_some_and(|asked| {
            asked.disturbance.lasts.is_none() && asked.disturbance.what.ends_by_itself()
        })
    }

    /// Whether everything is as it was once it was applied: a peer that stays dead is not.
    fn is_done_when_applied(&self, id: usize) -> bool {
        let is_loop = |asked: &Asked| matches!(asked.disturbance.what, What::CrashLoop { .. });
        self.ends_by_itself(id) && self.asked.get(id).is_some_and(is_loop)
    }

    /// A role's peer was started: whatever kept the one before it from running or moving does so no more.
    pub(super) fn runs_again(&self, role: &RoleName) {
        let mut state = self.state();
        state.down.remove(role);
        state.still.remove(role);
    }

    /// Lets what has no end of its own end.
    fn ask_for_calm(&self, now: Duration) {
        if let Some(timeline) = &mut self.state().timeline {
            timeline.handle_calm(now);
        }
        self.changed();
    }

    fn awaits_messages(&self) -> bool {
        self.state().timeline.as_ref().is_some_and(Timeline::awaits_messages)
    }

    fn is_calm(&self) -> bool {
        self.state().timeline.as_ref().is_none_or(Timeline::is_calm)
    }

    /// What is in force or still to come, for a person.
    fn unrest(&self) -> String {
        let state = self.state();
        let names = state.begun.iter().filter_map(|id| self.asked.get(*id));
        let names: Vec<String> = names.map(|asked| asked.disturbance.what.to_string()).collect();
        if names.is_empty() { "some are still to come".to_owned() } else { names.join("; ") }
    }

    /// Whether every kill of this role that nothing undoes has happened.
    fn has_killed(&self, role: &RoleName) -> bool {
        let state = self.state();
        self.asked.iter().enumerate().all(|(id, asked)| {
            let Disturbance { lasts, what, .. } = &asked.disturbance;
            let is_meant = matches!(what, What::Kill { role: of } if of == role.as_str());
            !is_meant || lasts.is_some() || state.applied.contains(&id)
        })
    }

    /// Whether this role cannot answer because of a disturbance.
    pub(super) fn hampers(&self, role: &RoleName) -> bool {
        let state = self.state();
        state.down.get(role).is_some_and(|by| !by.is_empty())
            || state.still.get(role).is_some_and(|by| !by.is_empty())
    }

    /// The unit ends: nothing that is in force has a say any more.
    fn end_all(&self) {
        let mut state = self.state();
        let begun = state.begun.clone();
        state.undoing.extend(begun);
    }

    fn turn(&self, role: &RoleName) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(role.clone()).or_default().clone()
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// A panic elsewhere leaves the tables whole: each change to them is one insertion or removal.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
