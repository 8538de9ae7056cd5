//! From a scenario that holds to the smallest schedule under which it does not.
//!
//! ```text
//! steady before -> search -> again? -> steady after -> shrink -> again -> over
//!                    ^          |
//!                    +- gone ---+
//! ```
//!
//! *Steady* means that the scenario passes when nothing is disturbed. It is asked before, so that a failure can be due to a
//! disturbance at all, and after, so that it is not due to what an earlier try left behind. During a try the scenario's own last steps
//! ask it, once every disturbance is undone.
//!
//! The machine is pure: whoever plays the schedules pulls them with [`Campaign::poll_try`], several at the same time if it likes,
//! and tells what came of each.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::menu::Menu;
use crate::novelty::Sign;
use crate::repeat::{Kind, Rate, Repeat};
use crate::schedule::{Failure, Outcome, Schedule};
use crate::search::{Known, Search, Steps};
use crate::shrink::{Shrink, Try, TryId};

mod report;

pub use report::{End, Found, Report, Shrunk};

/// Tries without disturbances before the search.
pub const STEADY_TRIES: u32 = 2;

/// Tries by which it is seen whether a failure comes again before it is reduced.
pub const AGAIN_TRIES: u32 = 3;

/// Further ones where it did not: a failure that comes in one of five cases is seen again with nine of ten chances.
pub const RARE_TRIES: u32 = 8;

/// The share of the rate at which a failure was found that its smallest schedule has to reach.
const WORSE: f64 = 0.9;

/// Most failures that did not come again and are kept.
pub const LOST_MAX: usize = 16;

/// The search gives up when so many tries in a row could not be carried out.
pub const UNCLEAR_MAX: u32 = 20;

/// What a campaign is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Everything left to chance follows from it.
    pub seed: u64,
    /// How many disturbances a schedule has.
    pub steps: Steps,
    /// For how long it searches.
    pub search_for: Duration,
    /// For how long it reduces what it has found.
    pub shrink_for: Duration,
    /// How often the reduced schedule is played again.
    pub confirm: u32,
    /// How many tries can be under way at the same time, 1 or more.
    pub abreast: usize,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, in the order of its times.
    pub signs: Vec<Sign>,
    /// The names of the disturbances that took effect before it ended; nothing where that is not known.
    pub occurred: Option<Vec<String>>,
}

/// What it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Plays without disturbances, first.
    SteadyBefore,
    /// Looks for a schedule that makes it fail.
    Search,
    /// Plays a failing schedule again.
    Again,
    /// Plays without disturbances once more.
    SteadyAfter,
    /// Makes the schedule smaller.
    Shrink,
    /// Plays the smallest schedule again.
    Confirm,
    /// Everything is done.
    Over,
}

/// See the module.
#[derive(Debug)]
pub struct Campaign {
    settings: Settings,
    search: Search,
    state: State,
    under_way: BTreeMap<TryId, (Phase, Schedule)>,
    next_id: u64,
    tries: u32,
    unclear_in_a_row: u32,
    lost: Vec<Failure>,
    began_search: Duration,
}

#[derive(Debug)]
enum State {
    SteadyBefore(Repeat),
    Search,
    Again { failure: Failure, occurred: Option<Schedule>, repeat: Repeat, found: Duration },
    SteadyAfter { found: Found, occurred: Option<Schedule>, repeat: Repeat },
    Shrink { found: Found, shrink: Box<Shrink>, ids: BTreeMap<TryId, TryId>, began: Duration },
    Confirm { found: Found, shrunk: Shrunk, repeat: Repeat },
    Over(End),
}

impl Campaign {
    /// Begins; `menu` is what may be done to whom.
    pub fn new(settings: Settings, menu: Menu) -> Self {
        Self {
            search: Search::new(settings.seed, settings.steps, menu),
            settings,
            state: State::SteadyBefore(Repeat::new("", STEADY_TRIES)),
            under_way: BTreeMap::new(),
            next_id: 0,
            tries: 0,
            unclear_in_a_row: 0,
            lost: Vec::new(),
            began_search: Duration::ZERO,
        }
    }

    /// The next schedule to play, `now` after the beginning; nothing while outcomes are waited for, and when all is over.
    pub fn poll_try(&mut self, now: Duration) -> Option<Try> {
        self.handle_time(now);
        let phase = self.phase();
        let schedule = match &mut self.state {
            State::SteadyBefore(repeat) | State::SteadyAfter { repeat, .. } => {
                repeat.poll_try().then(Schedule::default)?
            }
            State::Search => self.search.next_schedule(),
            State::Again { failure, repeat, .. } => {
                repeat.poll_try().then(|| failure.schedule.clone())?
            }
            State::Shrink { shrink, ids, .. } => {
                let next = shrink.poll_try()?;
                ids.insert(TryId(self.next_id), next.id);
                next.schedule
            }
            State::Confirm { shrunk, repeat, .. } => {
                repeat.poll_try().then(|| shrunk.failure.schedule.clone())?
            }
            State::Over(_) => return None,
        };
        let id = TryId(self.next_id);
        self.next_id += 1;
        self.tries += 1;
        self.under_way.insert(id, (phase, schedule.clone()));
        Some(Try { id, schedule })
    }

    /// Takes in what came of a try. An outcome that the phase no longer waits for counts for what it shows of the protocol only.
    pub fn handle_played(&mut self, id: TryId, played: Played, now: Duration) {
        let Some((phase, schedule)) = self.under_way.remove(&id) else { return };
        if phase == self.phase() {
            self.take_in(id, schedule, played, now);
        } else if phase == Phase::Search {
            self.search.handle_signs(&schedule, &played.signs);
        }
        self.handle_time(now);
    }

    /// Ends it with the best that it has: no further try.
    pub fn handle_stop(&mut self) {
        self.state = State::Over(self.end_early());
    }

    /// What it is doing.
    pub fn phase(&self) -> Phase {
        match &self.state {
            State::SteadyBefore(_) => Phase::SteadyBefore,
            State::Search => Phase::Search,
            State::Again { .. } => Phase::Again,
            State::SteadyAfter { .. } => Phase::SteadyAfter,
            State::Shrink { .. } => Phase::Shrink,
            State::Confirm { .. } => Phase::Confirm,
            State::Over(_) => Phase::Over,
        }
    }

    /// Whether everything is done; tries that are still under way need not be waited for.
    pub fn is_over(&self) -> bool {
        self.phase() == Phase::Over
    }

    /// The smallest schedule that is known to fail, once there is one.
    pub fn best(&self) -> Option<&Schedule> {
        match &self.state {
            State::Again { failure, .. } => Some(&failure.schedule),
            State::SteadyAfter { found, .. } => Some(&found.failure.schedule),
            State::Shrink { shrink, .. } => Some(&shrink.best().schedule),
            State::Confirm { shrunk, .. } | State::Over(End::Found { shrunk, .. }) => {
                Some(&shrunk.failure.schedule)
            }
            State::SteadyBefore(_) | State::Search | State::Over(_) => None,
        }
    }

    /// How many tries were begun.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// What the search knows by now.
    pub fn known(&self) -> Known {
        self.search.known()
    }

    /// What has come of it; of one that is not over, what is known so far.
    pub fn into_report(mut self) -> Report {
        let end = self.end_early();
        let known = self.search.known();
        Report { seed: self.settings.seed, end, tries: self.tries, known, lost: self.lost }
    }

    fn take_in(&mut self, id: TryId, schedule: Schedule, played: Played, now: Duration) {
        let Played { outcome, signs, occurred } = played;
        let mut repeated = false;
        match &mut self.state {
            State::SteadyBefore(repeat) => {
                self.search.handle_calm(&signs);
                repeat.handle_outcome(&outcome);
                match outcome {
                    Outcome::Passed => repeated = repeat.rate().tries >= STEADY_TRIES,
                    Outcome::Failed { reason } => {
                        self.state = State::Over(End::Unsteady { reason });
                    }
                    Outcome::Unclear { reason } => {
                        self.state = State::Over(End::Unclear { reason });
                    }
                }
                self.began_search = now;
            }
            State::Search => {
                self.search.handle_signs(&schedule, &signs);
                self.searched(schedule, outcome, occurred.as_deref(), now);
            }
            State::Again { repeat, .. }
            | State::SteadyAfter { repeat, .. }
            | State::Confirm { repeat, .. } => {
                repeat.handle_outcome(&outcome);
                repeated = repeat.is_done();
            }
            State::Shrink { shrink, ids, .. } => {
                if let Some(inner) = ids.remove(&id) {
                    shrink.handle_outcome(inner, outcome);
                }
                repeated = shrink.is_done();
            }
            State::Over(_) => {}
        }
        if repeated {
            self.next_phase(now);
        }
    }

    fn searched(
        &mut self,
        schedule: Schedule,
        outcome: Outcome,
        occurred: Option<&[String]>,
        now: Duration,
    ) {
        match outcome {
            Outcome::Passed => self.unclear_in_a_row = 0,
            Outcome::Failed { reason } => {
                self.unclear_in_a_row = 0;
                let occurred = occurred.map(|names| part_of(&schedule, names));
                let repeat = Repeat::new(&reason, AGAIN_TRIES);
                let failure = Failure { schedule, reason };
                let found = now.saturating_sub(self.began_search);
                self.state = State::Again { failure, occurred, repeat, found };
            }
            Outcome::Unclear { reason } => {
                self.unclear_in_a_row += 1;
                if self.unclear_in_a_row >= UNCLEAR_MAX {
                    self.state = State::Over(End::Unclear { reason });
                }
            }
        }
    }

    /// All that a phase asked for is there.
    fn next_phase(&mut self, now: Duration) {
        let state =
            std::mem::replace(&mut self.state, State::Over(End::Nothing { is_whole: false }));
        self.state = match state {
            State::SteadyBefore(_) => State::Search,
            State::Again { failure, occurred, repeat, found } => {
                self.judge_again(failure, occurred, repeat, found)
            }
            State::SteadyAfter { found, occurred, repeat } => {
                if repeat.rate().failures > 0 {
                    let reason = found.failure.reason;
                    State::Over(End::Unsteady { reason })
                } else {
                    let trust = found.rate.trust();
                    let shrink = Shrink::new(found.failure.clone(), trust, occurred);
                    let shrink = Box::new(shrink.abreast(self.settings.abreast));
                    State::Shrink { found, shrink, ids: BTreeMap::new(), began: now }
                }
            }
            State::Shrink { found, shrink, began, .. } => {
                let shrunk = Shrunk::of(&shrink, now.saturating_sub(began));
                let repeat = Repeat::new(&shrunk.failure.reason, self.settings.confirm);
                State::Confirm { found, shrunk, repeat }
            }
            State::Confirm { found, shrunk, repeat } => {
                self.judge_confirmed(found, shrunk, repeat.rate())
            }
            state @ (State::Search | State::Over(_)) => state,
        };
        self.skip_empty_phases(now);
    }

    fn judge_again(
        &mut self,
        failure: Failure,
        occurred: Option<Schedule>,
        repeat: Repeat,
        found: Duration,
    ) -> State {
        let rate = repeat.rate();
        let is_first_round = repeat.wanted() < AGAIN_TRIES + RARE_TRIES;
        match rate.kind() {
            Kind::Gone if is_first_round => {
                let repeat = repeat.further(RARE_TRIES);
                State::Again { failure, occurred, repeat, found }
            }
            Kind::Gone => {
                if self.lost.len() < LOST_MAX {
                    self.lost.push(failure);
                }
                State::Search
            }
            Kind::Deterministic | Kind::Flaky => {
                let found = Found { failure, after: found, tries: self.tries, rate };
                let repeat = Repeat::new("", 1);
                State::SteadyAfter { found, occurred, repeat }
            }
        }
    }

    /// A schedule that fails less often than what it was made from is no good result: then it is the one with the disturbances as they
    /// were found, and at last everything that was found.
    fn judge_confirmed(&self, found: Found, mut shrunk: Shrunk, confirmed: Rate) -> State {
        let is_worse = confirmed.tries > 0 && confirmed.share() < found.rate.share() * WORSE;
        if !is_worse {
            return State::Over(End::Found { found, shrunk, confirmed });
        }
        if shrunk.failure != shrunk.fewest {
            shrunk.failure = shrunk.fewest.clone();
            let repeat = Repeat::new(&shrunk.failure.reason, self.settings.confirm);
            return State::Confirm { found, shrunk, repeat };
        }
        if confirmed.kind() == Kind::Gone {
            let confirmed = found.rate;
            return State::Over(End::Found { shrunk: Shrunk::none(&found), found, confirmed });
        }
        State::Over(End::Found { found, shrunk, confirmed })
    }

    /// A schedule that cannot become smaller, or is not to be played again.
    fn skip_empty_phases(&mut self, now: Duration) {
        let is_empty = match &self.state {
            State::Shrink { shrink, .. } => shrink.is_done(),
            State::Confirm { repeat, .. } => repeat.is_done(),
            State::SteadyBefore(_)
            | State::Search
            | State::Again { .. }
            | State::SteadyAfter { .. }
            | State::Over(_) => false,
        };
        if is_empty {
            self.next_phase(now);
        }
    }

    fn handle_time(&mut self, now: Duration) {
        match &self.state {
            State::Search if now.saturating_sub(self.began_search) >= self.settings.search_for => {
                self.state = State::Over(End::Nothing { is_whole: true });
            }
            State::Shrink { began, .. }
                if now.saturating_sub(*began) >= self.settings.shrink_for =>
            {
                self.next_phase(now);
            }
            State::SteadyBefore(_)
            | State::Search
            | State::Again { .. }
            | State::SteadyAfter { .. }
            | State::Shrink { .. }
            | State::Confirm { .. }
            | State::Over(_) => {}
        }
    }

    /// What it ends with from wherever it is.
    fn end_early(&mut self) -> End {
        let over = State::Over(End::Nothing { is_whole: false });
        let state = std::mem::replace(&mut self.state, over);
        match state {
            State::SteadyBefore(_) | State::Search => End::Nothing { is_whole: false },
            State::Again { failure, repeat, found, .. } => {
                let found = Found { failure, after: found, tries: self.tries, rate: repeat.rate() };
                End::Found { shrunk: Shrunk::none(&found), found, confirmed: Rate::default() }
            }
            State::SteadyAfter { found, .. } => {
                End::Found { shrunk: Shrunk::none(&found), found, confirmed: Rate::default() }
            }
            State::Shrink { found, shrink, .. } => {
                let shrunk = Shrunk::of(&shrink, Duration::ZERO);
                End::Found { found, shrunk, confirmed: Rate::default() }
            }
            State::Confirm { found, shrunk, repeat } => {
                End::Found { found, shrunk, confirmed: repeat.rate() }
            }
            State::Over(end) => end,
        }
    }
}

/// The steps of these names.
fn part_of(schedule: &Schedule, names: &[String]) -> Schedule {
    let steps = schedule.steps.iter().filter(|step| names.contains(&step.name));
    Schedule::new(steps.cloned().collect())
}

#[cfg(test)]
mod tests;
