//! From the time to what begins.
//!
//! An occurrence goes through three stages, each kept before the next: it *falls due* (and is owed), it is *claimed* (and begins), it is *over*.
//! What is owed when the scheduler ends is begun when it comes back; what was claimed was interrupted, and is begun once more.
//! There is one run at a time, of all jobs.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::job::{CATCH_UP_WITHIN, CatchUp, Job, JobName};
use crate::mark::{Mark, Stage};
use crate::note::{Note, Then, Why};
use crate::state::{BEGUN_MAX, Last, Outcome, Owed, Progress, Running, State};

/// How late an occurrence may be noticed without having been missed.
pub const ON_TIME: SignedDuration = SignedDuration::from_mins(1);

/// Up to here missed occurrences are counted; nobody needs to know more.
pub const COUNT_MAX: usize = 1000;

/// How often an occurrence is begun at most: again only where it was interrupted or could not be started.
pub const ATTEMPTS_MAX: u8 = 2;

/// What could not be started is tried again after so long.
pub const TRY_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// A clock that is set back further than this was wrong before: the schedule goes on from where the clock is now.
pub const SET_BACK: SignedDuration = SignedDuration::from_hours(26);

/// Decides what begins.
#[derive(Debug, Clone)]
pub struct Machine {
    jobs: Vec<Job>,
    /// When the next occurrence of each job is due, beside the place of the job that it follows from.
    next: Vec<(Option<Timestamp>, Timestamp)>,
    state: State,
    /// What `state` was when it was last given out.
    kept: State,
    is_stopping: bool,
    /// What could not be started, and when it is tried again. A new start of the scheduler tries at once.
    held_back: BTreeMap<JobName, HeldBack>,
    notes: Vec<Note>,
    outputs: VecDeque<Output>,
}

/// An occurrence that could not be started.
#[derive(Debug, Clone, Copy)]
struct HeldBack {
    occurrence: Timestamp,
    until: Timestamp,
}

/// What the machine wants done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Make this durable before anything that follows.
    Keep(State),
    /// Tell this.
    Tell(Note),
    /// Begin this run, and say when it is over.
    Begin(Begin),
}

/// A run to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// The job.
    pub job: JobName,
    /// For which occurrence.
    pub occurrence: Timestamp,
    /// When that was due, with jitter.
    pub due: Timestamp,
    /// The how-manieth attempt it is, from 1.
    pub attempt: u8,
    /// Words after `handfast`.
    pub command: Vec<String>,
}

impl Machine {
    /// Goes on from a state. `jobs` are those of the project, in the order of the file; `mark` is what the last run wrote down of itself.
    /// A claimed run that has no mark never began; one whose mark does not say how it ended was interrupted.
    pub fn new(jobs: Vec<Job>, state: State, mark: Option<&Mark>, now: Timestamp) -> Self {
        let kept = state.clone();
        let mut machine = Self {
            jobs: Vec::new(),
            next: Vec::new(),
            state,
            kept,
            is_stopping: false,
            held_back: BTreeMap::new(),
            notes: Vec::new(),
            outputs: VecDeque::new(),
        };
        // Before the jobs are looked at: what was claimed was claimed under the expressions of then.
        if let Some(running) = machine.state.running.take() {
            match mark.filter(|mark| mark.is_of(&running)).map(|mark| mark.stage) {
                None => machine.take_back(running),
                Some(Stage::Began) => machine.settle(running, Outcome::Interrupted, now),
                Some(Stage::Ended(code)) => machine.settle(running, Outcome::Exited(code), now),
            }
        }
        machine.adopt(jobs, now);
        machine.drop_stale(now);
        machine.step(now);
        machine
    }

    /// The project has other jobs now.
    pub fn handle_jobs(&mut self, jobs: Vec<Job>, now: Timestamp) {
        self.adopt(jobs, now);
        self.step(now);
    }

    /// The time is `now`. Early is harmless.
    pub fn handle_deadline(&mut self, now: Timestamp) {
        self.step(now);
    }

    /// The run that was begun is over.
    pub fn handle_ended(&mut self, outcome: Outcome, now: Timestamp) {
        if let Some(running) = self.state.running.take() {
            self.settle(running, outcome, now);
        }
        self.step(now);
    }

    /// The scheduler is going to end: nothing more begins.
    pub fn handle_stop(&mut self, now: Timestamp) {
        self.is_stopping = true;
        self.step(now);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Machine::handle_deadline`] wants to be called; `None`: never.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.is_stopping {
            return None;
        }
        let due = self.next.iter().filter_map(|(due, _)| *due);
        // The end of what runs is heard of.
        let is_free = self.state.running.is_none();
        let again = self.held_back.values().filter(|_| is_free).map(|held| held.until);
        due.chain(again).min()
    }

    /// What is kept.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The jobs, in the order of the file.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Whether nothing runs and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.state.running.is_none() && self.state.jobs.values().all(|job| job.owed.is_none())
    }

    fn adopt(&mut self, jobs: Vec<Job>, now: Timestamp) {
        let mut known = std::mem::take(&mut self.state.jobs);
        let mut progresses = BTreeMap::new();
        for job in &jobs {
            let (cron, zone) = (job.calendar.cron.as_str(), job.calendar.zone.name());
            let progress = match known.remove(&job.name) {
                Some(progress) if progress.cron == cron && progress.zone == zone => progress,
                Some(progress) => {
                    self.notes.push(Note::Changed { job: job.name.clone() });
                    self.forget(&job.name, progress.owed, Why::Changed);
                    Progress { begun: progress.begun, last: progress.last, ..fresh(job, now) }
                }
                None => {
                    self.notes.push(Note::New { job: job.name.clone() });
                    fresh(job, now)
                }
            };
            progresses.insert(job.name.clone(), progress);
        }
        for (job, progress) in known {
            self.forget(&job, progress.owed, Why::Gone);
            self.notes.push(Note::Gone { job });
        }
        self.state.jobs = progresses;
        self.jobs = jobs;
        self.next = Vec::new();
        self.look_ahead();
    }

    /// Finds when the next occurrence of each job is due, where its place has changed.
    fn look_ahead(&mut self) {
        let seed = self.state.seed;
        self.next.resize(self.jobs.len(), (None, Timestamp::MAX));
        for (job, next) in self.jobs.iter().zip(&mut self.next) {
            let Some(progress) = self.state.jobs.get(&job.name) else { continue };
            if next.1 != progress.through {
                let occurrence = job.calendar.next_after(progress.through);
                let due = occurrence.map(|occurrence| job.due(seed, occurrence));
                *next = (due, progress.through);
            }
        }
    }

    fn forget(&mut self, job: &JobName, owed: Option<Owed>, why: Why) {
        if let Some(owed) = owed {
            let (job, occurrence) = (job.clone(), owed.occurrence);
            self.notes.push(Note::Skipped { job, occurrence, missed: 1, why });
        }
    }

    /// A claim that led to no run is owed as before.
    fn take_back(&mut self, claimed: Running) {
        let Running { job, occurrence, attempt, .. } = claimed;
        if let Some(progress) = self.state.jobs.get_mut(&job) {
            progress.owed.get_or_insert(Owed { occurrence, attempt });
        }
    }

    /// A run is over.
    fn settle(&mut self, running: Running, outcome: Outcome, now: Timestamp) {
        let Running { job, occurrence, attempt, began } = running;
        let took = now.duration_since(began);
        let is_to_repeat = matches!(outcome, Outcome::Interrupted | Outcome::NotStarted);
        let mut then = Then::NotAgain;
        if let Some(progress) = self.state.jobs.get_mut(&job) {
            progress.last = Some(Last { occurrence, attempt, began, ended: now, outcome });
            if progress.owed.is_some() {
                then = Then::MadeUp;
            } else if is_to_repeat && attempt < ATTEMPTS_MAX {
                then = Then::Again;
                progress.owed = Some(Owed { occurrence, attempt: attempt + 1 });
                if outcome == Outcome::NotStarted {
                    let until = now.checked_add(TRY_AGAIN_AFTER).unwrap_or(now);
                    self.held_back.insert(job.clone(), HeldBack { occurrence, until });
                }
            }
        }
        self.notes.push(match outcome {
            Outcome::Interrupted => Note::Interrupted { job, occurrence, then },
            Outcome::NotStarted => Note::NotStarted { job, occurrence, then },
            Outcome::Exited(_) | Outcome::Died(_) => Note::Ended { job, occurrence, took, outcome },
        });
    }

    fn step(&mut self, now: Timestamp) {
        for index in 0..self.jobs.len() {
            self.notice(index, now);
        }
        self.look_ahead();
        self.let_go(now);
        let begin = self.claim(now);
        if self.state != self.kept {
            self.kept = self.state.clone();
            self.outputs.push_back(Output::Keep(self.state.clone()));
        }
        self.outputs.extend(self.notes.drain(..).map(Output::Tell));
        self.outputs.extend(begin.map(Output::Begin));
    }

    /// Notices what fell due of a job.
    fn notice(&mut self, index: usize, now: Timestamp) {
        let job = &self.jobs[index];
        let Some(progress) = self.state.jobs.get_mut(&job.name) else { return };
        let name = || job.name.clone();
        if progress.through.duration_since(now) > SET_BACK {
            progress.through = now;
            self.notes.push(Note::SetBack { job: name() });
            return;
        }
        // Nothing of it can come twice that never came: the clock was wrong when it became known.
        if progress.begun.is_empty() && progress.owed.is_none() && now < progress.through {
            progress.through = now;
            return;
        }
        if self.next[index].0.is_none_or(|due| now < due) {
            return;
        }
        let Some(occurrence) = last_due(job, self.state.seed, now) else { return };
        if occurrence <= progress.through {
            return;
        }
        let missed = count(job, progress.through, occurrence);
        progress.through = occurrence;
        let late = now.duration_since(job.due(self.state.seed, occurrence));
        let why = match job.catch_up {
            _ if progress.begun.contains(&occurrence) => Some(Why::HadBegun),
            _ if late <= ON_TIME => None,
            CatchUp::Never => Some(Why::NoCatchUp),
            CatchUp::Within(within) if late > signed(within) => Some(Why::TooOld),
            CatchUp::Within(_) => None,
        };
        if let Some(why) = why {
            self.notes.push(Note::Skipped { job: name(), occurrence, missed, why });
            return;
        }
        let waited = progress.owed.replace(Owed { occurrence, attempt: 1 }).is_some();
        if missed > 1 || waited || late > ON_TIME {
            let missed = missed + usize::from(waited);
            self.notes.push(Note::MadeUp { job: name(), occurrence, missed });
        }
        if let Some(running) = &self.state.running {
            let behind = running.job.clone();
            self.notes.push(Note::Waits { job: name(), occurrence, behind });
        }
    }

    /// Holds nothing back any more whose time has come, or that is not owed any more.
    fn let_go(&mut self, now: Timestamp) {
        let jobs = &self.state.jobs;
        self.held_back.retain(|job, held| {
            let owed = jobs.get(job).and_then(|progress| progress.owed);
            let left = held.until.duration_since(now);
            // More is left than it was to wait: the clock was set back.
            let waits = SignedDuration::ZERO < left && left <= TRY_AGAIN_AFTER;
            waits && owed.is_some_and(|owed| owed.occurrence == held.occurrence)
        });
    }

    /// Claims what has waited longest, unless something runs.
    fn claim(&mut self, now: Timestamp) -> Option<Begin> {
        if self.state.running.is_some() || self.is_stopping {
            return None;
        }
        let seed = self.state.seed;
        let free = self.jobs.iter().filter(|job| !self.held_back.contains_key(&job.name));
        let owed = free.filter_map(|job| {
            let owed = self.state.jobs.get(&job.name)?.owed?;
            Some((job.due(seed, owed.occurrence), owed, job))
        });
        // Of several that fell due at the same instant the first of the file.
        let (due, owed, job) = owed.min_by_key(|(due, ..)| *due)?;
        let Owed { occurrence, attempt } = owed;
        let name = job.name.clone();
        let command = job.command.clone();
        let progress = self.state.jobs.get_mut(&name)?;
        progress.owed = None;
        if !progress.begun.contains(&occurrence) {
            progress.begun.push_back(occurrence);
            if progress.begun.len() > BEGUN_MAX {
                progress.begun.pop_front();
            }
        }
        self.state.running = Some(Running { job: name.clone(), occurrence, attempt, began: now });
        Some(Begin { job: name, occurrence, due, attempt, command })
    }

    /// What was owed when the scheduler ended may be too old when it comes back. While it is there, what waits may wait for long.
    fn drop_stale(&mut self, now: Timestamp) {
        for job in &self.jobs {
            let Some(progress) = self.state.jobs.get_mut(&job.name) else { continue };
            let Some(owed) = progress.owed else { continue };
            let within = match job.catch_up {
                CatchUp::Within(within) => within,
                // It had fallen due before the eyes of the scheduler: it was not missed, it waits.
                CatchUp::Never => CATCH_UP_WITHIN,
            };
            let (name, occurrence) = (job.name.clone(), owed.occurrence);
            if now.duration_since(job.due(self.state.seed, occurrence)) > signed(within) {
                progress.owed = None;
                let why = Why::TooOld;
                self.notes.push(Note::Skipped { job: name, occurrence, missed: 1, why });
            }
        }
    }
}

fn fresh(job: &Job, now: Timestamp) -> Progress {
    Progress {
        cron: job.calendar.cron.as_str().to_owned(),
        zone: job.calendar.zone.name().to_owned(),
        through: now,
        owed: None,
        begun: VecDeque::new(),
        last: None,
    }
}

/// The last occurrence that is due. The one before the last is, where jitter still holds the last back.
fn last_due(job: &Job, seed: u64, now: Timestamp) -> Option<Timestamp> {
    let last = job.calendar.last_until(now)?;
    if job.due(seed, last) <= now { Some(last) } else { job.calendar.last_before(last) }
}

/// The occurrences after `from`, up to and with `last`.
fn count(job: &Job, from: Timestamp, last: Timestamp) -> usize {
    let mut count = 1;
    let mut at = from;
    while count < COUNT_MAX {
        match job.calendar.next_after(at) {
            Some(next) if next < last => (at, count) = (next, count + 1),
            Some(_) | None => break,
        }
    }
    count
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
