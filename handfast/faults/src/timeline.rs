//! When the disturbances of a unit begin and end.
//!
//! A pure machine: it is told what happens (the first step, notifications, messages, the time) and orders disturbances to
//! be applied and undone. Whoever carries an order out says so ([`Timeline::handle_done`]); nothing is undone before it
//! was applied, nothing is applied twice, and after [`Timeline::handle_end`] everything that was applied is undone.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::conditions::Conditions;
use crate::disturbance::{Cue, Disturbance, When};
use crate::units;

/// What is to be done with the disturbance of this place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// It is to begin.
    Apply(usize),
    /// It is to end, and everything is to be as it was.
    Undo(usize),
}

/// What has become of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The disturbance is in force.
    Applied,
    /// It is no more.
    Undone,
    /// The order could not be carried out.
    Failed {
        /// Why.
        reason: String,
    },
}

/// The disturbances of one unit. Times are spans on the driver's axis and never go back.
#[derive(Clone, Debug)]
pub struct Timeline {
    entries: Vec<Entry>,
    orders: VecDeque<Order>,
    is_started: bool,
    is_settled: bool,
    applications: u64,
    includes: Includes,
}

/// Whether the first value has everything that the second asks for.
type Includes = fn(&Value, &Value) -> bool;

#[derive(Clone, Debug)]
struct Entry {
    disturbance: Disturbance,
    state: State,
    /// Messages that a cue has seen.
    seen: u64,
}

/// Where a disturbance is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Its moment is not known yet.
    Waiting,
    /// It begins at this time.
    Armed { at: Duration },
    /// It was ordered, and is to be undone as soon as it is there if somebody wants that already.
    Applying { place: u64, is_unwanted: bool },
    /// It is in force, until this time.
    InForce { place: u64, until: Option<Duration> },
    /// Its end was ordered.
    Undoing,
    /// It was, and is no more.
    Over,
    /// An order failed.
    Failed { reason: String },
    /// It never came to pass.
    Never,
}

impl Timeline {
    /// Disturbances of one unit at most.
    pub const DISTURBANCES_MAX: usize = 256;

    /// How long a driver waits, before [`handle_calm`](Self::handle_calm), for messages that are under way while one is
    /// [awaited](Self::awaits_messages): TCP has sent a packet again four times by then (200 ms, doubled each time).
    pub const UNDER_WAY_MAX: Duration = Duration::from_secs(3);

    /// Takes the disturbances of a unit that has not begun.
    ///
    /// # Errors
    ///
    /// [`TooMany`] of them.
    pub fn new(disturbances: Vec<Disturbance>) -> Result<Self, TooMany> {
        if disturbances.len() > Self::DISTURBANCES_MAX {
            return Err(TooMany { count: disturbances.len() });
        }
        let entry = |disturbance| Entry { disturbance, state: State::Waiting, seen: 0 };
        let entries = disturbances.into_iter().map(entry).collect();
        Ok(Self {
            entries,
            orders: VecDeque::new(),
            is_started: false,
            is_settled: false,
            applications: 0,
            includes,
        })
    }

    /// Compares the fields of notifications like this: the first value is what a peer told, the second what a cue asks
    /// for. Without, fields of objects are compared by name and everything else by equality.
    #[must_use]
    pub fn comparing(mut self, includes: fn(&Value, &Value) -> bool) -> Self {
        self.includes = includes;
        self
    }

    /// The unit's first step begins.
    pub fn handle_start(&mut self, now: Duration) {
        if self.is_started || self.is_settled {
            return;
        }
        self.is_started = true;
        for entry in &mut self.entries {
            if let When::At(after) = entry.disturbance.when {
                entry.state = State::Armed { at: now + after };
            }
        }
        self.handle_deadline(now);
    }

    /// A peer has told of an event.
    pub fn handle_notification(&mut self, role: &str, event: &str, fields: &Value, now: Duration) {
        let is_included = self.includes;
        self.handle_cue(now, |cue, _seen| match cue {
            Cue::Notification { role: of, event: wanted, includes } => {
                of == role
                    && wanted == event
                    && includes.as_ref().is_none_or(|part| is_included(fields, part))
            }
            Cue::Message { .. } => false,
        });
    }

    /// A message of this type, or of none, was seen on the wire.
    pub fn handle_message(&mut self, from: &str, to: &str, kind: Option<&str>, now: Duration) {
        self.handle_cue(now, |cue, seen| match cue {
            Cue::Message { from: sender, to: receiver, message_type, nth } => {
                let is_meant = sender == from
                    && receiver == to
                    && message_type.as_deref().is_none_or(|wanted| kind == Some(wanted));
                *seen += u64::from(is_meant);
                is_meant && *seen == *nth
            }
            Cue::Notification { .. } => false,
        });
    }

    /// When time alone changes something next.
    pub fn next_deadline(&self) -> Option<Duration> {
        let deadline = |entry: &Entry| match entry.state {
            State::Armed { at } => Some(at),
            State::InForce { until, .. } => until,
            State::Waiting
            | State::Applying { .. }
            | State::Undoing
            | State::Over
            | State::Failed { .. }
            | State::Never => None,
        };
        self.entries.iter().filter_map(deadline).min()
    }

    /// Time has passed. What ends comes before what begins.
    pub fn handle_deadline(&mut self, now: Duration) {
        for id in 0..self.entries.len() {
            if matches!(self.entries[id].state, State::InForce { until: Some(until), .. } if until <= now)
            {
                self.undo(id);
            }
        }
        let mut due: Vec<(Duration, usize)> = Vec::new();
        for (id, entry) in self.entries.iter().enumerate() {
            match entry.state {
                State::Armed { at } if at <= now => due.push((at, id)),
                State::Armed { .. }
                | State::Waiting
                | State::Applying { .. }
                | State::InForce { .. }
                | State::Undoing
                | State::Over
                | State::Failed { .. }
                | State::Never => {}
            }
        }
        due.sort_unstable();
        for (_, id) in due {
            let place = self.applications;
            self.applications += 1;
            self.entries[id].state = State::Applying { place, is_unwanted: false };
            self.orders.push_back(Order::Apply(id));
        }
    }

    /// An order was carried out, or could not be.
    pub fn handle_done(&mut self, id: usize, done: Done, now: Duration) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        match (&entry.state, done) {
            (State::Applying { place, is_unwanted }, Done::Applied) => {
                let (place, is_unwanted) = (*place, *is_unwanted);
                let Disturbance { lasts, what, .. } = &entry.disturbance;
                if lasts.is_none() && what.ends_by_itself() {
                    entry.state = State::Over;
                    return;
                }
                let until = lasts.map(|lasts| now + lasts);
                entry.state = State::InForce { place, until };
                let has_no_end = until.is_none() && self.is_settled;
                if is_unwanted || has_no_end {
                    self.undo(id);
                }
            }
            (State::Undoing, Done::Undone) => entry.state = State::Over,
            (State::Applying { .. } | State::Undoing, Done::Failed { reason }) => {
                entry.state = State::Failed { reason };
            }
            // Nobody had ordered that.
            (
                State::Waiting
                | State::Armed { .. }
                | State::Applying { .. }
                | State::InForce { .. }
                | State::Undoing
                | State::Over
                | State::Failed { .. }
                | State::Never,
                Done::Applied | Done::Undone | Done::Failed { .. },
            ) => {}
        }
    }

    /// The unit is to become calm: what has no end of its own ends now, what waits for something to happen waits no more,
    /// and what is to begin at a time that is still to come does so and is waited for.
    pub fn handle_calm(&mut self, _now: Duration) {
        self.is_settled = true;
        for id in 0..self.entries.len() {
            match self.entries[id].state {
                State::Waiting => self.entries[id].state = State::Never,
                State::InForce { until: None, .. } => self.undo(id),
                State::Armed { .. }
                | State::Applying { .. }
                | State::InForce { until: Some(_), .. }
                | State::Undoing
                | State::Over
                | State::Failed { .. }
                | State::Never => {}
            }
        }
    }

    /// The unit ends, however: everything that was applied is undone, and nothing more begins.
    pub fn handle_end(&mut self, _now: Duration) {
        self.is_settled = true;
        for id in 0..self.entries.len() {
            match &mut self.entries[id].state {
                state @ (State::Waiting | State::Armed { .. }) => *state = State::Never,
                State::Applying { is_unwanted, .. } => *is_unwanted = true,
                State::InForce { .. } => self.undo(id),
                State::Undoing | State::Over | State::Failed { .. } | State::Never => {}
            }
        }
    }

    /// The next order, in the order in which they were given.
    pub fn poll_output(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// Whether every disturbance is over and undone. One that waits for something to happen may still come: see
    /// [`handle_calm`](Self::handle_calm).
    pub fn is_calm(&self) -> bool {
        self.entries.iter().all(|entry| match entry.state {
            State::Waiting | State::Over | State::Failed { .. } | State::Never => true,
            State::Armed { .. }
            | State::Applying { .. }
            | State::InForce { .. }
            | State::Undoing => false,
        })
    }

    /// Whether something waits for a message that has not come.
    pub fn awaits_messages(&self) -> bool {
        let awaits = |entry: &Entry| {
            let cue = matches!(entry.disturbance.when, When::On { cue: Cue::Message { .. }, .. });
            cue && entry.state == State::Waiting
        };
        self.entries.iter().any(awaits)
    }

    /// The disturbances, in the order in which they were given.
    pub fn disturbances(&self) -> impl ExactSizeIterator<Item = &Disturbance> {
        self.entries.iter().map(|entry| &entry.disturbance)
    }

    /// The conditions from `from` to `to`: what is in force, or was ordered, laid over `base`, the later over the earlier.
    pub fn conditions(&self, base: &Conditions, from: &str, to: &str) -> Conditions {
        let mut changes: Vec<(u64, &Entry)> = Vec::new();
        for entry in &self.entries {
            match entry.state {
                State::Applying { place, .. } | State::InForce { place, .. } => {
                    changes.push((place, entry));
                }
                State::Waiting
                | State::Armed { .. }
                | State::Undoing
                | State::Over
                | State::Failed { .. }
                | State::Never => {}
            }
        }
        changes.sort_unstable_by_key(|(place, _)| *place);
        let changes =
            changes.iter().filter_map(|(_, entry)| entry.disturbance.what.change_of(from, to));
        changes.fold(base.clone(), |conditions, change| change.over(&conditions))
    }

    /// The disturbances that never came to pass, each with the reason. Right once the unit has ended.
    pub fn never_exercised(&self) -> Vec<(usize, String)> {
        let never = |(id, entry): (usize, &Entry)| match entry.state {
            State::Never | State::Waiting | State::Armed { .. } => {
                Some((id, why_not(&entry.disturbance.when, entry.seen)))
            }
            State::Applying { .. }
            | State::InForce { .. }
            | State::Undoing
            | State::Over
            | State::Failed { .. } => None,
        };
        self.entries.iter().enumerate().filter_map(never).collect()
    }

    /// The disturbances of which an order failed, each with the reason.
    pub fn failed(&self) -> impl Iterator<Item = (usize, &str)> {
        self.entries.iter().enumerate().filter_map(|(id, entry)| match &entry.state {
            State::Failed { reason } => Some((id, reason.as_str())),
            State::Waiting
            | State::Armed { .. }
            | State::Applying { .. }
            | State::InForce { .. }
            | State::Undoing
            | State::Over
            | State::Never => None,
        })
    }

    /// Arms what waits for this.
    fn handle_cue(&mut self, now: Duration, is_cue: impl Fn(&Cue, &mut u64) -> bool) {
        if !self.is_started || self.is_settled {
            return;
        }
        for entry in &mut self.entries {
            if entry.state != State::Waiting {
                continue;
            }
            if let When::On { cue, after } = &entry.disturbance.when
                && is_cue(cue, &mut entry.seen)
            {
                entry.state = State::Armed { at: now + *after };
            }
        }
        self.handle_deadline(now);
    }

    fn undo(&mut self, id: usize) {
        self.entries[id].state = State::Undoing;
        self.orders.push_back(Order::Undo(id));
    }
}

fn why_not(when: &When, seen: u64) -> String {
    match when {
        When::At(after) => {
            format!("the unit was over before {} had passed", units::display_span(*after))
        }
        When::On { cue: Cue::Notification { role, event, includes }, .. } => {
            let of = if includes.is_some() { " with these fields" } else { "" };
            format!("{role} never told of {event}{of}")
        }
        When::On { cue: Cue::Message { from, to, message_type, nth }, .. } => {
            let kind = message_type.as_deref().unwrap_or("any type");
            format!("{seen} messages of {kind} went from {from} to {to}, {nth} were to")
        }
    }
}

/// Whether everything in `part` is in `whole`: fields of objects by name, anything else by equality.
fn includes(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(name, value)| whole.get(name).is_some_and(|other| includes(other, value))),
        (whole, part) => whole == part,
    }
}

/// More disturbances than a unit can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{count} disturbances are more than {max}", max = Timeline::DISTURBANCES_MAX)]
pub struct TooMany {
    /// How many there were.
    pub count: usize,
}

#[cfg(test)]
mod tests;
