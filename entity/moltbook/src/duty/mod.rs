//! What a peer does on Moltbook by itself: it says how it is from time to time, and hands what names it to another peer.
//!
//! ```text
//!   Who ──▶ Status, each period
//!       └─▶ Look, each period ──▶ HandOver, one by one ──▶ remembered
//! ```
//!
//! The driver does what [`Duty::next`] says and tells what came of it. Everything asked of the service goes through the book like any other
//! call. What was handed over is in the [`Memory`], which the driver keeps after each item: an item is handed over once, and twice only
//! where the driver was killed between the two.

pub mod memory;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use crate::Failure;
use crate::call::{Call, PAGE_MAX, Page};
use crate::inbound::Inbound;
use crate::letter::PERIOD_MIN;
use crate::moment::Moment;
use crate::words::{Name, Query};
use memory::Memory;

/// Shortest time between two looks for mentions.
pub const LOOK_MIN: Duration = Duration::from_mins(1);
/// Longest time between two of anything.
pub const PERIOD_MAX: Duration = Duration::from_hours(7 * 24);
/// First wait after a question that came to nothing; each further one is twice as long.
pub const RETRY_FIRST: Duration = Duration::from_secs(30);
/// Longest such wait.
pub const RETRY_MAX: Duration = Duration::from_mins(30);
/// Most items that wait to be handed over: those of one look.
pub const WAITING_MAX: usize = 2 * PAGE_MAX as usize;

/// What is to be done, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plan {
    /// Between two posts that say how the peer is, [`PERIOD_MIN`] to [`PERIOD_MAX`]; none without.
    pub status: Option<Duration>,
    /// Between two looks for mentions, [`LOOK_MIN`] to [`PERIOD_MAX`]; none without.
    pub mentions: Option<Duration>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Ask for the own [profile](Call::Me) and tell [`Duty::handle_who`].
    Who,
    /// Post how the peer is and tell [`Duty::handle_status`].
    Status,
    /// Ask this for a list and tell [`Duty::handle_looked`].
    Look(Call),
    /// Give this to the other peer, so that it is kept, and tell [`Duty::handle_handed`]; then keep the [memory](Duty::memory).
    HandOver(Box<Inbound>),
    /// Nothing before this moment; nothing ever, without one.
    Wait(Option<Moment>),
}

/// What became of a status.
#[derive(Debug, Clone, Copy)]
pub enum Posted<'a> {
    /// It was made.
    Made,
    /// The service, the way there or the book stood against it.
    Failed(&'a Failure),
    /// Something here stood against it, and nothing was sent.
    NotSent,
}

/// The duties of one account.
#[derive(Debug)]
pub struct Duty {
    plan: Plan,
    memory: Memory,
    name: Option<Name>,
    failures: u32,
    who_at: Moment,
    status_at: Moment,
    look_at: Moment,
    look: Look,
    waiting: VecDeque<Inbound>,
    hand_at: Moment,
}

/// Which part of a look comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Newest,
    Search,
}

impl Duty {
    /// Takes the duties of `plan` up at `now`, where they were left.
    pub fn new(plan: Plan, memory: Memory, now: Moment) -> Self {
        let within = |period: Duration, min| period.clamp(min, PERIOD_MAX);
        let plan = Plan {
            status: plan.status.map(|period| within(period, PERIOD_MIN)),
            mentions: plan.mentions.map(|period| within(period, LOOK_MIN)),
        };
        let next = |last: Moment| last.plus(plan.status.unwrap_or_default());
        Self {
            status_at: memory.status().map_or(now, next).max(now),
            plan,
            memory,
            name: None,
            failures: 0,
            who_at: now,
            look_at: now,
            look: Look::Newest,
            waiting: VecDeque::new(),
            hand_at: now,
        }
    }

    /// What is to be kept.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The name of the account, once the service has said it.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// What is to be done at `now`. Asking again changes nothing.
    pub fn next(&self, now: Moment) -> Deed {
        if self.plan == Plan::default() {
            return Deed::Wait(None);
        }
        let Some(name) = &self.name else {
            return if now >= self.who_at { Deed::Who } else { Deed::Wait(Some(self.who_at)) };
        };
        if let Some(item) = self.waiting.front().filter(|_| now >= self.hand_at) {
            return Deed::HandOver(Box::new(item.clone()));
        }
        let status_at = self.plan.status.map(|_| self.status_at);
        if status_at.is_some_and(|at| now >= at) {
            return Deed::Status;
        }
        // What waits comes first: a look never finds more than there is room for.
        let look_at = match (self.plan.mentions, self.waiting.is_empty()) {
            (Some(_), true) => Some(self.look_at),
            (Some(_), false) => Some(self.hand_at),
            (None, _) => None,
        };
        if look_at.is_some_and(|at| now >= at) {
            return Deed::Look(self.look.call(name));
        }
        Deed::Wait(status_at.into_iter().chain(look_at).min())
    }

    /// What the service calls us; nothing where it could not be asked.
    pub fn handle_who(&mut self, name: Option<Name>, now: Moment) {
        if name.is_some() {
            self.failures = 0;
            self.name = name;
            return;
        }
        let wait = RETRY_FIRST.saturating_mul(1 << self.failures.min(16)).min(RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        self.who_at = now.plus(wait);
    }

    /// What became of the post. One whose answer was lost may stand there, so it counts as made; one that was refused is not made up for,
    /// unless it is known when there is room for it.
    pub fn handle_status(&mut self, posted: Posted<'_>, now: Moment) {
        let Some(period) = self.plan.status else { return };
        let later = match posted {
            Posted::Made | Posted::Failed(Failure::Unsure(_)) => {
                self.memory.set_status(now);
                None
            }
            Posted::Failed(Failure::Denied(denied)) => denied.until(),
            Posted::Failed(Failure::RateLimited { wait, .. }) => Some(now.plus(*wait)),
            Posted::Failed(Failure::Unreachable { .. } | Failure::Unavailable { .. }) => {
                Some(now.plus(RETRY_MAX))
            }
            Posted::NotSent
            | Posted::Failed(
                Failure::Refused(_)
                | Failure::Redirected(_)
                | Failure::TooLarge
                | Failure::Incompatible(_),
            ) => None,
        };
        let next = now.plus(period);
        self.status_at = later.map_or(next, |later| later.max(now.plus(RETRY_FIRST)).min(next));
    }

    /// What the list had; nothing where it could not be had, which ends this look.
    pub fn handle_looked(&mut self, items: Option<Vec<Inbound>>, now: Moment) {
        let (Some(period), Some(name)) = (self.plan.mentions, &self.name) else { return };
        let found = items.is_some();
        for item in items.into_iter().flatten().filter(|item| item.mentions(name.as_str())) {
            let own = item
                .author
                .as_ref()
                .is_some_and(|author| author.raw().to_lowercase() == name.as_str().to_lowercase());
            let waits = self.waiting.iter().any(|waiting| waiting.id == item.id);
            if !own && !self.memory.knows(&item.id) && !waits && self.waiting.len() < WAITING_MAX {
                self.waiting.push_back(item);
            }
        }
        self.look = match self.look {
            Look::Newest if found => Look::Search,
            Look::Newest | Look::Search => Look::Newest,
        };
        if self.look == Look::Newest {
            self.look_at = now.plus(period);
        }
    }

    /// Whether the other peer will have the first item that waits. If not, it is tried again later, in the same order.
    pub fn handle_handed(&mut self, kept: bool, now: Moment) {
        if !kept {
            self.hand_at = now.plus(RETRY_FIRST);
        } else if let Some(item) = self.waiting.pop_front() {
            self.memory.add(item.id);
        }
    }
}

impl Look {
    /// The newest posts, and what a search for the name with its `@` finds, comments too.
    fn call(self, name: &Name) -> Call {
        let newest = Call::Posts(Page::newest(PAGE_MAX));
        match self {
            Self::Newest => newest,
            Self::Search => Query::new(&format!("@{name}"))
                .map_or(newest, |query| Call::Search(query, PAGE_MAX)),
        }
    }
}
