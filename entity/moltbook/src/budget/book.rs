//! Reserve, settle, pause.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::drift::ServiceClock;
use super::limits::{Kind, Limit, NEW_FOR, Span, Standing, longest};
use crate::call::{Call, Cost};
use crate::challenge::{Challenge, Challenges, Gate, Verdict};
use crate::moment::Moment;

/// Longest pause that the service can impose; a longer one counts as this.
pub const PAUSE_MAX: Duration = Duration::from_hours(168);
/// Most spends that a book can hold: as many as the limits allow, and room for those that are settled late.
pub const SPENDS_MAX: usize = 512;

/// What an account has spent, what it may not do for now, and which challenges wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    pub(super) began: Moment,
    pub(super) established: bool,
    pub(super) tickets: u64,
    pub(super) spends: Vec<Spend>,
    pub(super) pauses: Vec<Pause>,
    pub(super) challenges: Challenges,
    pub(super) clock: ServiceClock,
}

/// One thing that was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spend {
    pub(super) ticket: u64,
    pub(super) kind: Kind,
    #[serde(rename = "at_us")]
    pub(super) at: Moment,
    /// Its answer is still to come.
    pub(super) open: bool,
}

/// The service said: not before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pause {
    pub(super) kind: Kind,
    #[serde(rename = "made_us")]
    pub(super) made: Moment,
    #[serde(rename = "until_us")]
    pub(super) until: Moment,
}

/// The right to send one request, already paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(pub(super) u64);

/// What became of what was reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// It was done, or nobody knows.
    Used,
    /// It was certainly not done: the request counts, the post or comment or answer does not.
    NotDone,
}

/// All that an answer, or its absence, means for the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle {
    /// For what was reserved.
    pub ticket: Ticket,
    /// What became of it.
    pub settlement: Settlement,
    /// When the request left.
    pub sent: Moment,
    /// The service's date, in seconds since 1970.
    pub date: Option<i64>,
    /// What the service wants us to leave alone for how long.
    pub pause: Option<(Kind, Duration)>,
    /// A challenge that came with the answer.
    pub challenge: Option<Challenge>,
    /// What the service said of an answer to one, by its code.
    pub verdict: Option<(String, Verdict)>,
}

/// Why a request may not be sent now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A limit of the service would be exceeded.
    #[error("the budget of {limit} is used up for another {}", Span(until.since(*now)))]
    Budget {
        /// Which.
        limit: Limit,
        /// When there is room again.
        until: Moment,
        /// When it was asked for.
        now: Moment,
    },
    /// The service has asked for a pause.
    #[error("the service asked to leave {kind}s alone for another {}", Span(until.since(*now)))]
    Paused {
        /// Of what.
        kind: Kind,
        /// Until when.
        until: Moment,
        /// When it was asked for.
        now: Moment,
    },
    /// Too many challenges have failed or wait.
    #[error(transparent)]
    Challenges(#[from] Gate),
}

impl Denied {
    /// When it can be tried again; never by waiting alone, if `None`.
    pub fn until(&self) -> Option<Moment> {
        match self {
            Self::Budget { until, .. } | Self::Paused { until, .. } => Some(*until),
            Self::Challenges(_) => None,
        }
    }
}

/// How much room is left under one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Which limit.
    pub limit: Limit,
    /// How many of it are used.
    pub used: u16,
    /// When the next can be spent: now, or later.
    pub next: Moment,
}

impl Book {
    /// The book of an account that is seen for the first time.
    pub fn new(now: Moment) -> Self {
        Self {
            began: now,
            established: false,
            tickets: 0,
            spends: Vec::new(),
            pauses: Vec::new(),
            challenges: Challenges::default(),
            clock: ServiceClock::default(),
        }
    }

    /// Which limits apply: those of a new account until the book is a day old, or somebody [says otherwise](Self::set_established).
    pub fn standing(&self, now: Moment) -> Standing {
        if self.established || now.since(self.began) > NEW_FOR + Duration::from_mins(1) {
            Standing::Established
        } else {
            Standing::New
        }
    }

    /// The operator knows that the account is more than a day old.
    pub fn set_established(&mut self) {
        self.established = true;
    }

    /// The challenges that wait, and how many failed.
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// The operator has looked after the failed challenges.
    pub fn forget_failures(&mut self) {
        self.challenges.forget_failures();
    }

    /// Whether it is not known yet how long ago earlier spends were: the first answer of the service tells.
    pub fn is_adrift(&self) -> bool {
        self.clock.is_adrift()
    }

    /// Pays for `call`. What this returns has to be durable before the request leaves.
    ///
    /// # Errors
    ///
    /// [`Denied`] if it may not be sent now; nothing is paid then.
    pub fn reserve(&mut self, call: &Call, now: Moment) -> Result<Ticket, Denied> {
        self.prune(now);
        if matches!(call.cost(), Cost::Post | Cost::Comment) {
            self.challenges.gate()?;
        }
        let kinds = kinds_of(call.cost());
        for &kind in kinds {
            if let Some(pause) = self.pauses.iter().find(|pause| pause.kind == kind) {
                return Err(Denied::Paused { kind, until: pause.until, now });
            }
        }
        let rooms = self.rooms(now);
        let short = rooms.iter().filter(|room| kinds.contains(&room.limit.kind) && room.next > now);
        if let Some(room) = short.max_by_key(|room| room.next) {
            return Err(Denied::Budget { limit: room.limit, until: room.next, now });
        }
        self.tickets += 1;
        let ticket = self.tickets;
        self.spends.extend(kinds.iter().map(|&kind| Spend { ticket, kind, at: now, open: true }));
        Ok(Ticket(ticket))
    }

    /// Writes down what became of what was reserved.
    pub fn settle(&mut self, settle: Settle, now: Moment) {
        let Ticket(ticket) = settle.ticket;
        if settle.settlement == Settlement::NotDone {
            self.spends.retain(|spend| spend.ticket != ticket || spend.kind == Kind::Request);
        }
        for spend in self.spends.iter_mut().filter(|spend| spend.ticket == ticket) {
            spend.at = now;
            spend.open = false;
        }
        if let Some((since, missed)) =
            settle.date.and_then(|date| self.clock.observe(date, settle.sent, now))
        {
            self.move_back(since, missed);
        }
        if let Some((kind, length)) = settle.pause {
            self.pause(kind, length, now);
        }
        if let Some(challenge) = settle.challenge {
            self.challenges.issue(challenge, now);
        }
        if let Some((code, verdict)) = settle.verdict {
            self.challenges.judge(&code, verdict);
        }
        self.prune(now);
    }

    /// Forgets what is in nobody's way any more, and counts challenges that nobody answered.
    pub fn prune(&mut self, now: Moment) {
        self.spends.retain(|spend| spend.open || now < spend.at.plus(longest(spend.kind)));
        self.pauses.retain(|pause| now < pause.until);
        self.challenges.expire(now);
    }

    /// What is left under each limit.
    pub fn rooms(&self, now: Moment) -> Vec<Room> {
        self.standing(now).limits().iter().map(|&limit| self.room(limit, now)).collect()
    }

    fn room(&self, limit: Limit, now: Moment) -> Room {
        let of_kind = self.spends.iter().filter(|spend| spend.kind == limit.kind);
        // What is in flight may reach the service at any time from now on.
        let times = of_kind.map(|spend| if spend.open { now.max(spend.at) } else { spend.at });
        let mut ends: Vec<Moment> =
            times.map(|at| at.plus(limit.occupies())).filter(|&end| end > now).collect();
        ends.sort_unstable_by(|one, two| two.cmp(one));
        let next = ends.get(usize::from(limit.count) - 1).copied().unwrap_or(now);
        let used = u16::try_from(ends.len()).unwrap_or(u16::MAX);
        Room { limit, used, next }
    }

    fn pause(&mut self, kind: Kind, length: Duration, now: Moment) {
        let until = now.plus(length.min(PAUSE_MAX));
        match self.pauses.iter_mut().find(|pause| pause.kind == kind) {
            Some(pause) if pause.until >= until => {}
            Some(pause) => *pause = Pause { kind, made: now, until },
            None => self.pauses.push(Pause { kind, made: now, until }),
        }
    }

    /// Moves what was brought from another line back by `missed` microseconds.
    fn move_back(&mut self, since: Moment, missed: i64) {
        for spend in self.spends.iter_mut().filter(|spend| spend.at < since) {
            spend.at = spend.at.shifted(-missed);
        }
        for pause in self.pauses.iter_mut().filter(|pause| pause.made < since) {
            pause.until = pause.until.shifted(-missed);
        }
        self.challenges.move_back(since, missed);
        if self.began < since {
            self.began = self.began.shifted(-missed);
        }
    }
}

fn kinds_of(cost: Cost) -> &'static [Kind] {
    match cost {
        Cost::Read => &[Kind::Request],
        Cost::Post => &[Kind::Request, Kind::Post],
        Cost::Comment => &[Kind::Request, Kind::Comment],
        Cost::Answer => &[Kind::Request, Kind::Answer],
    }
}
