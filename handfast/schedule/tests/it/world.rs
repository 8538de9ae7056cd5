//! A machine with a clock, a disk, a scheduler that is killed, put to sleep and started again, and runs that take their time.

use std::collections::BTreeMap;

use handfast_schedule::{
    Begin, Claim, Job, JobName, Machine, Mark, Note, Outcome, Output, Stage, State,
};
use jiff::{SignedDuration, Timestamp};

use crate::chance::Chance;

/// What may go wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trouble {
    /// A kill at one in so many outputs, before or after it was carried out; 0: never.
    pub(crate) kill_in: u64,
    /// Something else (a kill, a stop, a sleep) about once in so many hours; 0: never.
    pub(crate) every_hours: i64,
    /// A scheduler that is gone comes back within so many hours.
    pub(crate) away_hours: i64,
    /// Runs take up to so many minutes.
    pub(crate) run_minutes: i64,
    /// The clock is wrong by up to so many minutes, either way, after each trouble.
    pub(crate) clock_minutes: i64,
}

/// Steps at one instant, after which nothing will come of it any more.
const STEPS_MAX: usize = 1000;

/// One run, as an observer saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) job: JobName,
    pub(crate) occurrence: Timestamp,
    pub(crate) attempt: u8,
    pub(crate) began: Timestamp,
    /// What the clock of the machine showed then.
    pub(crate) shown: Timestamp,
    /// The latest that it had ever shown by then.
    pub(crate) shown_latest: Timestamp,
    /// When it was over; `None`: it was still going on at the end.
    pub(crate) over: Option<Timestamp>,
    /// `None`: it was still going on at the end.
    pub(crate) finished: Option<bool>,
}

/// The world.
pub(crate) struct World {
    trouble: Trouble,
    chance: Chance,
    now: Timestamp,
    /// By how much the clock is wrong.
    clock: SignedDuration,
    /// The latest that it has ever shown.
    shown_latest: Timestamp,
    jobs: Vec<Job>,
    disk: Vec<u8>,
    /// What the last run wrote down of itself, also on the disk.
    mark: Vec<u8>,
    machine: Option<Machine>,
    /// When the run that is going on will be over.
    child: Option<(Timestamp, Claim)>,
    pub(crate) seen: Vec<Seen>,
    pub(crate) notes: Vec<Note>,
    pub(crate) kills: usize,
    /// Instants at which the scheduler was there and nothing ran or waited.
    idle: Vec<Timestamp>,
}

impl World {
    pub(crate) fn new(jobs: Vec<Job>, trouble: Trouble, seed: u64, now: Timestamp) -> Self {
        Self {
            trouble,
            chance: Chance::new(seed),
            now,
            clock: SignedDuration::ZERO,
            shown_latest: now,
            jobs,
            disk: State::new(seed).to_bytes(),
            mark: Vec::new(),
            machine: None,
            child: None,
            seen: Vec::new(),
            notes: Vec::new(),
            kills: 0,
            idle: Vec::new(),
        }
    }

    /// Lives until `end`.
    pub(crate) fn live(&mut self, end: Timestamp) {
        // A job is known from the first state that is kept; trouble begins after that.
        let kill_in = std::mem::take(&mut self.trouble.kill_in);
        self.start();
        self.trouble.kill_in = kill_in;
        let mut trouble = self.next_trouble();
        let mut standing = 0;
        loop {
            let deadline = self.machine.as_ref().and_then(Machine::next_deadline);
            let deadline = deadline.map(|at| (at - self.clock).max(self.now));
            let child = self.child.as_ref().map(|(over, _)| *over);
            let next = [deadline, child, trouble].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next < end) else { return };
            // A kill may have taken the time beyond what was to come.
            standing = if next > self.now { 0 } else { standing + 1 };
            assert!(standing < STEPS_MAX, "it stands still at {}", self.now);
            self.now = next.max(self.now);
            if trouble == Some(next) {
                self.meet_trouble();
                trouble = self.next_trouble();
            } else if child == Some(next) {
                self.end_run(Outcome::Exited(0));
            } else {
                self.with(Machine::handle_deadline);
            }
        }
    }

    /// What each job should have begun at each idle moment: its newest occurrence that fell due at least `slack` before. Returns what was not.
    pub(crate) fn check_idle(
        &self,
        due: &BTreeMap<JobName, Vec<Timestamp>>,
        slack: SignedDuration,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for (job, due) in due {
            let mut seen = self.seen.iter().filter(|seen| &seen.job == job).peekable();
            let mut newest_begun = Timestamp::MIN;
            for idle in &self.idle {
                while let Some(seen) = seen.next_if(|seen| seen.began <= *idle) {
                    newest_begun = newest_begun.max(seen.occurrence);
                }
                let count = due.partition_point(|due| *due + slack <= *idle);
                if let Some(newest) = due[..count].last().filter(|due| **due > newest_begun) {
                    wrong.push(format!("{job}: {newest} had not begun at {idle}"));
                }
            }
        }
        wrong
    }

    /// Interrupted first attempts that were not made up for: neither by a second one nor by a later begin of their job, although at some moment
    /// nothing ran or waited any more. One that had become older than `within` by then may be left out.
    pub(crate) fn check_interrupted(&self, within: SignedDuration) -> Vec<String> {
        let mut wrong = Vec::new();
        for (index, seen) in self.seen.iter().enumerate() {
            let (1, Some(false), Some(over)) = (seen.attempt, seen.finished, seen.over) else {
                continue;
            };
            let idle = self.idle.get(self.idle.partition_point(|idle| *idle < over));
            let Some(idle) = idle.filter(|idle| idle.duration_since(seen.occurrence) <= within)
            else {
                continue;
            };
            let again = self.seen[index + 1..].iter().find(|again| again.job == seen.job);
            if again.is_none_or(|again| again.began > *idle) {
                wrong.push(format!("{seen:?} was not repeated, and nothing waited at {idle}"));
            }
        }
        wrong
    }

    fn start(&mut self) {
        let state = State::parse(&self.disk).unwrap();
        let mark = Mark::parse(&self.mark);
        let time = self.time();
        self.machine = Some(Machine::new(self.jobs.clone(), state, mark.as_ref(), time));
        self.carry_out();
    }

    fn with(&mut self, act: impl FnOnce(&mut Machine, Timestamp)) {
        let time = self.time();
        if let Some(machine) = &mut self.machine {
            act(machine, time);
        }
        self.carry_out();
    }

    /// Carries the outputs out as the program does, unless it is killed before or after one of them.
    fn carry_out(&mut self) {
        while let Some(output) = self.machine.as_mut().and_then(Machine::poll_output) {
            if self.is_killed() {
                return self.die();
            }
            match output {
                Output::Keep(state) => self.disk = state.to_bytes(),
                Output::Tell(note) => self.notes.push(note),
                Output::Begin(begin) => self.begin(begin),
            }
            if self.is_killed() {
                return self.die();
            }
        }
        if self.machine.as_ref().is_some_and(Machine::is_idle) {
            self.idle.push(self.now);
        }
    }

    fn begin(&mut self, begin: Begin) {
        assert!(self.child.is_none(), "{} begins beside another run, {}", begin.job, self.now);
        let minutes = self.chance.between(1, self.trouble.run_minutes.max(1));
        let over = self.now + SignedDuration::from_mins(minutes);
        let claim = Claim::of(&begin);
        self.mark = Mark::new(claim.clone(), Stage::Began).to_bytes();
        self.child = Some((over, claim));
        let shown = self.time();
        self.seen.push(Seen {
            job: begin.job,
            occurrence: begin.occurrence,
            attempt: begin.attempt,
            began: self.now,
            shown,
            shown_latest: self.shown_latest,
            over: None,
            finished: None,
        });
    }

    fn end_run(&mut self, outcome: Outcome) {
        let Some((_, claim)) = self.child.take() else { return };
        // One that was asked to end does not say that it came to its end.
        if outcome != Outcome::Interrupted {
            self.mark = Mark::new(claim, Stage::Ended(0)).to_bytes();
        }
        self.observe_end(outcome != Outcome::Interrupted);
        self.with(|machine, now| machine.handle_ended(outcome, now));
    }

    fn observe_end(&mut self, finished: bool) {
        let seen = self.seen.last_mut().unwrap();
        (seen.over, seen.finished) = (Some(self.now), Some(finished));
    }

    fn is_killed(&mut self) -> bool {
        self.trouble.kill_in > 0 && self.chance.once_in(self.trouble.kill_in)
    }

    /// `kill -9`: what runs dies with the scheduler, and nothing is written any more.
    fn die(&mut self) {
        self.kills += 1;
        self.machine = None;
        if self.child.take().is_some() {
            self.observe_end(false);
        }
        self.come_back();
    }

    fn come_back(&mut self) {
        let hours = self.trouble.away_hours;
        // Most are started again at once, by whoever watches over them.
        let away = if self.chance.once_in(2) {
            SignedDuration::from_secs(self.chance.between(0, 20))
        } else {
            SignedDuration::from_secs(self.chance.between(0, hours * 3600))
        };
        self.now += away;
        self.start();
    }

    fn next_trouble(&mut self) -> Option<Timestamp> {
        let hours = self.trouble.every_hours;
        (hours > 0).then(|| {
            let seconds = self.chance.between(1, 2 * hours * 3600);
            self.now + SignedDuration::from_secs(seconds)
        })
    }

    fn meet_trouble(&mut self) {
        if self.trouble.clock_minutes > 0 {
            let wrong = self.trouble.clock_minutes;
            self.clock = SignedDuration::from_mins(self.chance.between(-wrong, wrong));
        }
        match self.chance.between(0, 2) {
            0 => self.die(),
            // Stopped in order: the run is asked to end, and its end is still written down.
            1 => {
                let kills = self.kills;
                self.with(Machine::handle_stop);
                if self.child.is_some() && self.kills == kills {
                    self.end_run(Outcome::Interrupted);
                }
                // Unless it was killed while it did that.
                if self.kills == kills {
                    self.machine = None;
                    self.come_back();
                }
            }
            // Asleep: runs do not go on, and the deadline is met when the machine wakes up.
            _ => {
                let seconds = self.chance.between(0, self.trouble.away_hours * 3600);
                let asleep = SignedDuration::from_secs(seconds);
                self.now += asleep;
                self.child = self.child.take().map(|(over, claim)| (over + asleep, claim));
                self.with(Machine::handle_deadline);
            }
        }
    }

    fn time(&mut self) -> Timestamp {
        let time = self.now + self.clock;
        self.shown_latest = self.shown_latest.max(time);
        time
    }
}
