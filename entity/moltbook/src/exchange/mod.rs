//! One call from its beginning to its end.
//!
//! ```text
//!   Reserve ──granted──▶ Send ──arrival──▶ Settle ──▶ Done, or Wait and Reserve again
//!      └──denied──▶ Wait until there is room, or Done
//! ```
//!
//! The driver does what [`Exchange::next`] says and tells what came of it. It waits and repeats only within the caller's patience, and
//! after a lost answer only what changes nothing: a post whose answer was lost may exist, so it is reported as [`Failure::Unsure`] and
//! never sent twice by itself.

mod failure;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use failure::{Doubt, Failure, Outcome, Strange};

use crate::budget::{Denied, Kind, Settle, Settlement, Ticket};
use crate::call::{Call, Request};
use crate::challenge::{Challenge, Verdict};
use crate::moment::Moment;
use crate::reply::judge::{Answered, Judged, http_date, judge};
use crate::reply::{Arrival, Trouble, read};

/// Most times that one call is sent.
pub const ATTEMPTS_MAX: u8 = 5;
/// First wait between two attempts; each further one is twice as long.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// Longest such wait.
pub const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// Longest patience.
pub const PATIENCE_MAX: Duration = Duration::from_hours(1);
/// How long one attempt may take.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(30);

/// One call under way.
#[derive(Debug)]
pub struct Exchange {
    call: Call,
    deadline: Moment,
    attempt_max: Duration,
    attempts: u8,
    chance: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Reserving,
    Sending { ticket: Ticket, sent: Moment, until: Moment },
    Settling(Box<Settle>, Then),
    Waiting(Moment),
    Over(Box<Outcome>),
}

/// What comes after the book is kept.
#[derive(Debug)]
enum Then {
    Over(Outcome),
    Again { at: Moment, or: Failure },
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Pay for the [call](Exchange::call) out of the book, keep the book, and tell [`Exchange::handle_reserved`].
    Reserve,
    /// Send this and tell [`Exchange::handle_arrival`], at the latest at `until`.
    Send {
        /// What.
        request: Request,
        /// When to give up.
        until: Moment,
    },
    /// Write this into the book, keep it, and tell [`Exchange::handle_settled`].
    Settle(Box<Settle>),
    /// Call [`Exchange::handle_woken`] at this moment.
    Wait(Moment),
    /// It is over; what came of it is [`Exchange::into_outcome`].
    Done,
}

/// How long a caller waits, and how the waits are spread.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until then everything has to be over, waits for the budget included; at most [`PATIENCE_MAX`].
    pub whole: Duration,
    /// How long one attempt may take; at most [`ATTEMPT_MAX`].
    pub attempt: Duration,
    /// Chance, so that many clients do not come back at once.
    pub seed: u64,
}

/// What an arrival means: for the book, and for what comes next.
struct Meaning {
    settlement: Settlement,
    pause: Option<(Kind, Duration)>,
    challenge: Option<Challenge>,
    verdict: Option<Verdict>,
    then: Next,
}

enum Next {
    Over(Outcome),
    /// Try again after this time, or after a wait of our own; if there is no time or no attempt left, it is this failure.
    Again(Option<Duration>, Failure),
}

impl Exchange {
    /// Begins `call` at `now`.
    pub fn new(call: Call, patience: Patience, now: Moment) -> Self {
        Self {
            call,
            deadline: now.plus(patience.whole.min(PATIENCE_MAX)),
            attempt_max: patience.attempt.min(ATTEMPT_MAX),
            attempts: 0,
            chance: patience.seed,
            state: State::Reserving,
        }
    }

    /// What is asked.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// What the driver has to do now. Asking again changes nothing.
    pub fn next(&self) -> Step {
        match &self.state {
            State::Reserving => Step::Reserve,
            State::Sending { until, .. } => {
                Step::Send { request: self.call.request(), until: *until }
            }
            State::Settling(settle, _) => Step::Settle(settle.clone()),
            State::Waiting(until) => Step::Wait(*until),
            State::Over(_) => Step::Done,
        }
    }

    /// Whether the book has paid.
    pub fn handle_reserved(&mut self, reserved: Result<Ticket, Denied>, now: Moment) {
        if !matches!(self.state, State::Reserving) {
            return;
        }
        self.state = match reserved {
            Ok(ticket) => {
                self.attempts += 1;
                State::Sending { ticket, sent: now, until: now.plus(self.attempt_max) }
            }
            Err(denied) => match denied.until() {
                Some(until) if until < self.deadline => State::Waiting(until),
                _ => State::Over(Box::new(Err(denied.into()))),
            },
        };
    }

    /// What came of sending.
    pub fn handle_arrival(&mut self, arrival: Arrival, now: Moment) {
        let State::Sending { ticket, sent, .. } = self.state else { return };
        let date = match &arrival {
            Arrival::Reply(reply) => reply.date.as_deref().and_then(http_date),
            Arrival::Unsent(_) | Arrival::Lost(_) | Arrival::TooLarge => None,
        };
        let meaning = self.meaning(arrival);
        let code = if let Call::Verify(solution) = &self.call {
            Some(solution.code.as_str().to_owned())
        } else {
            None
        };
        let settle = Settle {
            ticket,
            settlement: meaning.settlement,
            sent,
            date,
            pause: meaning.pause,
            challenge: meaning.challenge,
            verdict: code.zip(meaning.verdict),
        };
        let then = match meaning.then {
            Next::Over(outcome) => Then::Over(outcome),
            Next::Again(wait, or) => {
                let wait = wait.unwrap_or(Duration::ZERO).max(self.backoff());
                Then::Again { at: now.plus(wait), or }
            }
        };
        self.state = State::Settling(Box::new(settle), then);
    }

    /// The book is kept.
    pub fn handle_settled(&mut self) {
        let State::Settling(_, then) = std::mem::replace(&mut self.state, State::Reserving) else {
            return;
        };
        self.state = match then {
            Then::Again { at, .. } if at < self.deadline && self.attempts < ATTEMPTS_MAX => {
                State::Waiting(at)
            }
            Then::Again { or, .. } => State::Over(Box::new(Err(or))),
            Then::Over(outcome) => State::Over(Box::new(outcome)),
        };
    }

    /// The moment waited for has come; earlier is harmless.
    pub fn handle_woken(&mut self, now: Moment) {
        if matches!(self.state, State::Waiting(until) if now >= until) {
            self.state = State::Reserving;
        }
    }

    /// What came of it, once [`Self::next`] says [`Step::Done`].
    ///
    /// # Errors
    ///
    /// Gives the exchange back while it is under way.
    pub fn into_outcome(self) -> Result<Outcome, Box<Self>> {
        match self.state {
            State::Over(outcome) => Ok(*outcome),
            State::Reserving | State::Sending { .. } | State::Settling(..) | State::Waiting(_) => {
                Err(Box::new(self))
            }
        }
    }

    fn meaning(&self, arrival: Arrival) -> Meaning {
        match arrival {
            Arrival::Unsent(trouble) => {
                let failure = Failure::Unreachable { trouble, attempts: self.attempts };
                Meaning::again(Settlement::NotDone, None, failure)
            }
            Arrival::Lost(trouble) => self.doubtful(Doubt::Lost(trouble), None),
            Arrival::TooLarge => self.unreadable(Doubt::TooLarge, Failure::TooLarge),
            Arrival::Reply(reply) => match judge(&self.call, &reply) {
                Judged::Fine(answered) => self.fine(answered),
                Judged::Pause { kind, length } => {
                    let failure = Failure::RateLimited { kind, wait: length };
                    Meaning {
                        pause: Some((kind, length)),
                        ..Meaning::again(Settlement::NotDone, Some(length), failure)
                    }
                }
                Judged::Trouble { status, wait } => self.doubtful(Doubt::Status(status), wait),
                Judged::Refused(refusal) => {
                    let verdict = Some(Verdict::Failed).filter(|_| refusal.counts_as_failure());
                    let settled =
                        if verdict.is_some() { Settlement::Used } else { Settlement::NotDone };
                    Meaning { verdict, ..Meaning::over(settled, Err(Failure::Refused(refusal))) }
                }
                Judged::Elsewhere(place) => {
                    Meaning::over(Settlement::NotDone, Err(Failure::Redirected(place)))
                }
                Judged::NoJson => self.strange(Strange::NoJson),
                Judged::Unknown(status) => self.strange(Strange::Status(status)),
            },
        }
    }

    fn fine(&self, answered: Answered) -> Meaning {
        if matches!(self.call, Call::Verify(_)) {
            let verdict = Some(Verdict::Right);
            return Meaning { verdict, ..Meaning::over(Settlement::Used, Ok(answered)) };
        }
        if self.call.is_read() {
            return Meaning::over(Settlement::Used, Ok(answered));
        }
        match read::challenge(&answered) {
            Ok(challenge) => Meaning { challenge, ..Meaning::over(Settlement::Used, Ok(answered)) },
            // It was done, and asks something that cannot be read: nobody must believe that all is well.
            Err(changed) => self.strange(Strange::Changed(changed)),
        }
    }

    /// The service may have done it, or not: a read is asked again, a write is not.
    fn doubtful(&self, doubt: Doubt, wait: Option<Duration>) -> Meaning {
        if !self.call.is_read() {
            return Meaning::over(Settlement::Used, Err(Failure::Unsure(doubt)));
        }
        let attempts = self.attempts;
        let failure = match doubt {
            Doubt::Status(status) => Failure::Unavailable { status, attempts },
            Doubt::Lost(trouble) => Failure::Unreachable { trouble, attempts },
            Doubt::TooLarge | Doubt::Strange(_) => {
                Failure::Unreachable { trouble: Trouble::NoHttp, attempts }
            }
        };
        Meaning::again(Settlement::Used, wait, failure)
    }

    fn strange(&self, strange: Strange) -> Meaning {
        self.unreadable(Doubt::Strange(strange.clone()), Failure::Incompatible(strange))
    }

    /// An answer that no repetition makes better.
    fn unreadable(&self, doubt: Doubt, of_a_read: Failure) -> Meaning {
        let failure = if self.call.is_read() { of_a_read } else { Failure::Unsure(doubt) };
        Meaning::over(Settlement::Used, Err(failure))
    }

    /// Half of the doubling wait, and chance for the other half.
    fn backoff(&mut self) -> Duration {
        let doublings = u32::from(self.attempts.saturating_sub(1)).min(16);
        let whole = BACKOFF_FIRST.saturating_mul(1 << doublings).min(BACKOFF_MAX);
        let half = whole / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_micros(self.dice() % spread)
    }

    /// SplitMix64.
    fn dice(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Meaning {
    fn over(settlement: Settlement, outcome: Outcome) -> Self {
        let then = Next::Over(outcome);
        Self { settlement, pause: None, challenge: None, verdict: None, then }
    }

    fn again(settlement: Settlement, wait: Option<Duration>, or: Failure) -> Self {
        let then = Next::Again(wait, or);
        Self { settlement, pause: None, challenge: None, verdict: None, then }
    }
}
