//! Who said what to whom, from the top to the bottom, with the disturbances drawn in.
//!
//! One column a role, one row a moment: messages are arrows, notifications stand at the line of the peer that gave them, a disturbance
//! begins and ends at the lines that it touches, which look different in between. The same moment again is one row with a
//! number; of a long unit the rows around disturbances are kept, and its beginning and its end.
//!
//! - this file: from events to rows
//! - `elide`: which rows of many are shown
//! - [`text`] and [`svg`]: the same rows for a console and for a page

mod elide;
pub mod svg;
pub mod text;

use std::collections::BTreeMap;

use handfast_scenario::event::{CallOutcome, DisturbanceState, Half, Outcome, WireTaken};
use handfast_scenario::name::RoleName;
use handfast_scenario::verdict::Verdict;
use handfast_scenario::{Recorded, RunEvent};

use crate::quantity::{clipped, tame};

/// Most rows of a diagram; the others are counted.
pub const ROWS_MAX: usize = 60;

/// Most roles of a diagram: those that have most to do with the disturbances come first, the others are left out.
pub const ROLES_MAX: usize = 8;

/// Longest label of a row, in letters.
const LABEL_CHARS_MAX: usize = 44;

/// Most rows before some are left out, so that no unit takes more memory than this.
const KEPT_MAX: usize = 100_000;

/// What a disturbance is called and whom it touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disturbed {
    /// Its name in the events of the unit.
    pub name: String,
    /// The same in a few words, such as `kill b`.
    pub words: String,
    /// The roles that it touches: one, or the two ends of a way.
    pub roles: Vec<String>,
}

/// A unit as a diagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// The columns.
    pub roles: Vec<String>,
    /// The moments, in their order.
    pub rows: Vec<Row>,
}

/// One moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Since the unit began.
    pub at_us: u64,
    /// What happened.
    pub what: Happening,
    /// How often in a row.
    pub times: u64,
    /// What the line of each column looks like after it.
    pub lives: Vec<Life>,
}

/// What a row shows. Columns are numbers of [`Sequence::roles`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A message on the wire.
    Message {
        /// Who sent it.
        from: usize,
        /// Who was to get it.
        to: usize,
        /// Its type and what became of it.
        label: String,
        /// Whether it got there and was answered.
        arrived: bool,
    },
    /// Something at the line of one peer.
    Note {
        /// Whose.
        role: usize,
        /// What.
        text: String,
        /// How it is meant.
        tone: Tone,
    },
    /// A disturbance begins or ends.
    Disturbance {
        /// Whom it touches.
        roles: Vec<usize>,
        /// What it is.
        text: String,
        /// Whether it begins.
        begins: bool,
    },
    /// Rows that are not shown.
    LeftOut {
        /// How many.
        count: u64,
        /// What most of them were.
        text: String,
    },
    /// How it ended.
    End {
        /// In one line.
        text: String,
        /// Whether that was well.
        good: bool,
    },
}

/// How a note is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// The peer said something.
    Said,
    /// It was asked for something, which was done.
    Asked,
    /// Something went wrong.
    Bad,
    /// Its process began or ended.
    Process,
}

/// What the line of a peer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It does not run.
    Down,
    /// It runs.
    Up,
    /// It runs, and something is done to it.
    Disturbed,
}

impl Sequence {
    /// The diagram of a unit, from its events; events of other units are passed over.
    ///
    /// `disturbances` says whom each disturbance touches; one that is not in it touches everybody.
    pub fn of(events: &[Recorded], unit: &str, disturbances: &[Disturbed]) -> Self {
        let mut drawer = Drawer::new(events, unit, disturbances);
        for recorded in events {
            let is_of_unit = recorded.event.unit().is_some_and(|other| other.as_str() == unit);
            if is_of_unit {
                drawer.read(recorded);
            }
        }
        let rows = elide::shown(drawer.rows, ROWS_MAX);
        Self { roles: drawer.roles, rows }
    }
}

struct Drawer<'a> {
    disturbances: &'a [Disturbed],
    roles: Vec<String>,
    running: Vec<bool>,
    in_force: BTreeMap<&'a str, Vec<usize>>,
    rows: Vec<Row>,
    began_us: u64,
}

impl<'a> Drawer<'a> {
    fn new(events: &'a [Recorded], unit: &str, disturbances: &'a [Disturbed]) -> Self {
        let mut roles: Vec<String> =
            disturbances.iter().flat_map(|one| one.roles.clone()).collect();
        for Recorded { event, .. } in events {
            if let RunEvent::UnitStarted { unit: other, peers, .. } = event
                && other.as_str() == unit
            {
                roles.extend(peers.keys().map(ToString::to_string));
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        roles.retain(|role| seen.insert(role.clone()));
        roles.truncate(ROLES_MAX);
        roles.sort();
        let running = vec![false; roles.len()];
        let (in_force, rows) = (BTreeMap::new(), Vec::new());
        Self { disturbances, roles, running, in_force, rows, began_us: 0 }
    }

    fn read(&mut self, recorded: &'a Recorded) {
        if let RunEvent::UnitStarted { .. } = &recorded.event {
            self.began_us = recorded.at_us;
        }
        let happening = match &recorded.event {
            RunEvent::WireMessage { from, to, target, message_type, response, action, .. } => {
                let label = message_type.clone().unwrap_or_else(|| target.clone());
                let (label, arrived) = fate(label, response.as_ref().map(|one| one.status), action);
                self.message(from, to, label, arrived)
            }
            RunEvent::PeerEvent { role, event, .. } => {
                self.note(role, event.to_string(), Tone::Said)
            }
            RunEvent::CallEnded { role, method, outcome, .. } => {
                let (text, tone) = call(method.as_str(), outcome);
                self.note(role, text, tone)
            }
            RunEvent::PeerStarted { role, .. } => {
                self.set_running(role, true);
                self.note(role, "ready".to_owned(), Tone::Process)
            }
            RunEvent::PeerExited { role, expected, .. } => {
                self.set_running(role, false);
                let tone = if *expected { Tone::Process } else { Tone::Bad };
                self.note(role, "ended".to_owned(), tone)
            }
            RunEvent::Disturbance { name, text, state, .. } => {
                Some(self.disturbance(name, text, state))
            }
            RunEvent::CheckEnded { check, outcome: Outcome::Failed { reason }, .. } => {
                Some(Happening::End {
                    text: first_line(&format!("{check}: {reason}")),
                    good: false,
                })
            }
            RunEvent::UnitEnded { verdict, .. } => Some(end(verdict)),
            // Steps and calls that have only begun show in what comes of them; the rest is no part of the conversation.
            RunEvent::CheckEnded { .. }
            | RunEvent::UnitStarted { .. }
            | RunEvent::StepStarted { .. }
            | RunEvent::StepEnded { .. }
            | RunEvent::CallStarted { .. }
            | RunEvent::PeerLog { .. }
            | RunEvent::Searched { .. }
            | RunEvent::Measured { .. }
            | RunEvent::NetworkStarted { .. }
            | RunEvent::Account { .. }
            | RunEvent::CellRecalled { .. }
            | RunEvent::RunStarted { .. }
            | RunEvent::ShardsMerged { .. }
            | RunEvent::MatrixStarted { .. }
            | RunEvent::SuiteStarted { .. }
            | RunEvent::UnitFlaky { .. }
            | RunEvent::UnitHealing { .. }
            | RunEvent::SuiteTest { .. }
            | RunEvent::SuiteTestFlaky { .. }
            | RunEvent::SuiteEnded { .. }
            | RunEvent::NeverExercised { .. }
            | RunEvent::RunEnded { .. } => None,
        };
        if let Some(what) = happening {
            self.add(recorded.at_us, what);
        }
    }

    fn add(&mut self, at_us: u64, what: Happening) {
        let lives = self.lives();
        let at_us = at_us.saturating_sub(self.began_us);
        if let Some(last) = self.rows.last_mut()
            && last.what == what
            && last.lives == lives
        {
            last.times += 1;
            return;
        }
        if self.rows.len() < KEPT_MAX || matches!(what, Happening::End { .. }) {
            self.rows.push(Row { at_us, what, times: 1, lives });
        }
    }

    fn lives(&self) -> Vec<Life> {
        let is_disturbed =
            |index: &usize| self.in_force.values().any(|roles| roles.contains(index));
        let life = |(index, running): (usize, &bool)| match (*running, is_disturbed(&index)) {
            (false, _) => Life::Down,
            (true, false) => Life::Up,
            (true, true) => Life::Disturbed,
        };
        self.running.iter().enumerate().map(life).collect()
    }

    fn message(
        &self,
        from: &RoleName,
        to: &RoleName,
        label: String,
        arrived: bool,
    ) -> Option<Happening> {
        let (from, to) = (self.column(from.as_str())?, self.column(to.as_str())?);
        Some(Happening::Message { from, to, label: short(&label), arrived })
    }

    fn note(&self, role: &RoleName, text: String, tone: Tone) -> Option<Happening> {
        Some(Happening::Note { role: self.column(role.as_str())?, text: short(&text), tone })
    }

    fn disturbance(&mut self, name: &'a str, text: &str, state: &DisturbanceState) -> Happening {
        let known = self.disturbances.iter().find(|known| known.name == name);
        let everybody = || (0..self.roles.len()).collect();
        let named = |known: &Disturbed| {
            known.roles.iter().filter_map(|role| self.column(role)).collect::<Vec<usize>>()
        };
        let roles: Vec<usize> = known.map_or_else(everybody, named);
        let words = known.map_or_else(|| text.to_owned(), |known| known.words.clone());
        let (text, begins) = match state {
            DisturbanceState::Applied => {
                self.in_force.insert(name, roles.clone());
                (words, true)
            }
            DisturbanceState::Undone => {
                self.in_force.remove(name);
                (format!("{words}: over"), false)
            }
            DisturbanceState::Failed { reason } => (format!("{words} FAILED: {reason}"), true),
        };
        Happening::Disturbance { roles, text: short(&text), begins }
    }

    fn column(&self, role: &str) -> Option<usize> {
        self.roles.iter().position(|known| known == role)
    }

    fn set_running(&mut self, role: &RoleName, is_running: bool) {
        if let Some(running) =
            self.column(role.as_str()).and_then(|index| self.running.get_mut(index))
        {
            *running = is_running;
        }
    }
}

fn end(verdict: &Verdict) -> Happening {
    let good = verdict.is_passed();
    let text = if good {
        "passed".to_owned()
    } else {
        format!("{}: {}", verdict.kind(), verdict.reason())
    };
    Happening::End { text: first_line(&text), good }
}

/// A label with what became of the message, and whether it got there.
fn fate(label: String, status: Option<u16>, action: &WireTaken) -> (String, bool) {
    let side = |half: &Half| match half {
        Half::Request => "",
        Half::Response => " answer",
    };
    match action {
        WireTaken::Passed => match status {
            Some(200..=299) => (label, true),
            Some(status) => (format!("{label} => {status}"), true),
            None => (format!("{label} => no answer"), false),
        },
        WireTaken::Dropped { half } => (format!("{label}{} dropped", side(half)), false),
        WireTaken::Duplicated => (format!("{label} twice"), true),
        WireTaken::Held { .. } => (format!("{label} held"), true),
        WireTaken::Replayed => (format!("{label} replayed"), true),
        WireTaken::Cut { half } => (format!("{label}{} cut", side(half)), false),
        WireTaken::Replaced { .. } => (format!("{label} changed"), true),
        WireTaken::Responded { .. } => (format!("{label} answered by the wire"), false),
        WireTaken::Unreachable { .. } => (format!("{label} unreachable"), false),
    }
}

fn call(method: &str, outcome: &CallOutcome) -> (String, Tone) {
    match outcome {
        CallOutcome::Ok { .. } => (method.to_owned(), Tone::Asked),
        CallOutcome::Refused { code, .. } => {
            (format!("{method} refused {}", code.as_deref().unwrap_or_default()), Tone::Bad)
        }
        CallOutcome::Unsupported => (format!("{method} unsupported"), Tone::Bad),
        CallOutcome::TimedOut => (format!("{method} without answer"), Tone::Bad),
        CallOutcome::Lost => (format!("{method} lost"), Tone::Bad),
    }
}

fn short(text: &str) -> String {
    clipped(&tame(text).replace(['\n', '\t'], " "), LABEL_CHARS_MAX)
}

fn first_line(text: &str) -> String {
    clipped(&tame(text.lines().next().unwrap_or_default()), 2 * LABEL_CHARS_MAX)
}

#[cfg(test)]
mod tests;
