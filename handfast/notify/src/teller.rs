//! The runner's side: hears a run, keeps what has to be told, and keeps a courier alive.
//!
//! Nothing here changes the verdict of the run: what goes wrong is a note for the console, and what is not told yet stays in the outbox.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use handfast_lab::Clock;
use handfast_scenario::notify::NotifySettings;
use handfast_scenario::{ExitCode, Recorded, RunEvent};

use crate::clock::{elapsed, unix_us};
use crate::courier::handle::Handle;
use crate::courier::rest;
use crate::deaths;
use crate::outbox::write::When;
use crate::outbox::{Outbox, OutboxError, folder};
use crate::presence::Presence;
use crate::rules::Rules;
use crate::watch::{Brief, News, Watch};

/// How long a run that is over waits for its courier.
pub const WAIT_MAX: Duration = Duration::from_secs(15);

/// Couriers that one runner starts; more would be a courier that cannot live.
pub const COURIERS_MAX: u32 = 200;

/// Shortest time between the first two starts of a courier; doubled with each further one, to 16 s.
const RESTART_AFTER: Duration = Duration::from_millis(250);

/// Sentences for the console that one teller keeps.
const SAID_MAX: usize = 20;

/// Longest look at the courier between two looks at everything else, at the end.
const GLANCE: Duration = Duration::from_millis(100);

/// How often a runner gives a sign of life.
const BEAT: Duration = Duration::from_secs(1);

/// What a teller works with.
#[derive(Debug, Clone)]
pub struct Means {
    /// The folder of `handfast.toml`.
    pub root: PathBuf,
    /// `[notify]`.
    pub settings: NotifySettings,
    /// The handfast program, which becomes the courier.
    pub program: OsString,
}

/// Hears one run and tells.
#[derive(Debug)]
pub struct Teller {
    means: Means,
    rules: Rules,
    outbox: Outbox,
    watch: Watch,
    presence: Option<Presence>,
    courier: Option<Handle>,
    started: u32,
    clock: Clock,
    restart_at: Duration,
    beat_at: Duration,
    /// News that could not be kept yet.
    pending: VecDeque<News>,
    over: bool,
    trouble: Option<String>,
    /// What the console is to say whatever comes, at most [`SAID_MAX`].
    said: Vec<String>,
}

impl Teller {
    /// Begins to watch a run, and tells of earlier ones whose death nobody has told.
    ///
    /// # Errors
    ///
    /// [`OutboxError`]: without an outbox nothing can be told.
    pub fn begin(means: Means, brief: Brief) -> Result<Self, OutboxError> {
        let rules = Rules::of(&means.settings);
        let mut outbox = Outbox::open(&folder(&means.root))?;
        let now = unix_us();
        let presence = Presence::announce(&means.root, &brief.run)
            .map_err(|source| OutboxError::File { path: means.root.clone(), source })?;
        // What is wrong with an earlier run does not silence this one.
        let swept = deaths::sweep(&mut outbox, &means.root, &rules, now).err();
        let said = swept.map(|error| format!("not told of an earlier run: {}", chain(&error)));
        let watch = Watch::new(brief);
        outbox.begin(&watch, now)?;
        let mut teller = Self {
            means,
            rules,
            outbox,
            watch,
            presence: Some(presence),
            courier: None,
            started: 0,
            clock: Clock::start(),
            restart_at: Duration::ZERO,
            beat_at: Duration::ZERO,
            pending: VecDeque::new(),
            over: false,
            trouble: None,
            said: said.into_iter().collect(),
        };
        teller.keep_courier();
        Ok(teller)
    }

    /// Hears the next event.
    pub fn event(&mut self, recorded: &Recorded) {
        let news = self.watch.hear(recorded, &self.means.settings);
        let is_step = matches!(
            recorded.event,
            RunEvent::RunStarted { .. } | RunEvent::UnitStarted { .. } | RunEvent::UnitEnded { .. }
        );
        match news {
            Some(news) => self.tell(news),
            None if is_step => {
                let noted = self.outbox.progress(&self.watch, unix_us());
                self.note(noted);
            }
            None => {}
        }
    }

    /// The run ends before its first event.
    pub fn refuse(&mut self, exit: ExitCode, reason: &str) {
        let news = self.watch.refuse(exit, reason, &self.means.settings);
        self.tell(news);
    }

    /// Is given the time, about ten times a second.
    pub fn tick(&mut self) {
        let now = elapsed(&self.clock);
        if now >= self.beat_at {
            self.beat_at = now + BEAT;
            if let Some(presence) = &self.presence {
                presence.beat(unix_us());
            }
        }
        self.keep_courier();
        if !self.pending.is_empty() {
            self.keep_news();
        }
    }

    /// Waits until everything due is told, at most [`WAIT_MAX`] and until somebody is in a `hurry`; what the console is to say.
    pub fn finish(mut self, hurry: impl Fn() -> bool) -> Vec<String> {
        let clock = Clock::start();
        loop {
            self.keep_news();
            let is_kept = self.pending.is_empty();
            if is_kept {
                // From here on nobody takes this runner for a dead one that was at work.
                self.presence = None;
            }
            self.keep_courier();
            let left = WAIT_MAX.saturating_sub(elapsed(&clock));
            let is_told = match &mut self.courier {
                // What is over before that is kept would never be told.
                Some(courier) if is_kept => {
                    courier.over();
                    courier.has_done(left.min(GLANCE))
                }
                Some(_) => false,
                None => is_kept,
            };
            if is_told || left.is_zero() || hurry() {
                break;
            }
            rest();
        }
        self.last_words()
    }

    fn tell(&mut self, news: News) {
        self.over |= news == News::Ended;
        // The incident is told as it is when it is kept, so the same news need not wait twice.
        if !self.pending.contains(&news) {
            self.pending.push_back(news);
        }
        self.keep_news();
    }

    fn keep_news(&mut self) {
        while let Some(news) = self.pending.front() {
            let kept = self.outbox.apply(&self.watch, news, &self.rules, When::now(unix_us()));
            let said = kept.as_ref().map(|applied| applied.said.clone()).unwrap_or_default();
            if !self.note(kept) {
                return;
            }
            for sentence in said {
                if self.said.len() < SAID_MAX && !self.said.contains(&sentence) {
                    self.said.push(sentence);
                }
            }
            self.pending.pop_front();
        }
        if let Some(courier) = &mut self.courier {
            if self.over { courier.over() } else { courier.news() }
        }
    }

    fn note<T>(&mut self, done: Result<T, OutboxError>) -> bool {
        match done {
            Ok(_) => {
                self.trouble = None;
                true
            }
            Err(error) => {
                self.trouble = Some(chain(&error));
                false
            }
        }
    }

    /// Starts a courier where none lives, unless the run is told.
    fn keep_courier(&mut self) {
        let lives = self.courier.as_mut().is_some_and(Handle::is_alive);
        let now = elapsed(&self.clock);
        if lives || now < self.restart_at || self.started >= COURIERS_MAX {
            return;
        }
        self.restart_at = now + RESTART_AFTER * (1 << self.started.min(6));
        self.started += 1;
        match Handle::start(&self.means.program, &self.means.root, &self.watch.brief.run) {
            Ok(courier) => self.courier = Some(courier),
            Err(error) => {
                self.courier = None;
                self.trouble = Some(format!("the courier could not be started: {error}"));
            }
        }
    }

    fn last_words(&self) -> Vec<String> {
        let mut words = self.said.clone();
        if let Some(trouble) = &self.trouble {
            words.push(format!("not told: {trouble}"));
        }
        let Ok(status) = self.outbox.status(self.means.settings.deadline, unix_us()) else {
            return words;
        };
        let waiting = status.untold_count.saturating_sub(status.held);
        if waiting > 0 {
            let first = status.untold.iter().find(|letter| letter.why.is_some());
            let why = first.map(|letter| {
                let why = letter.why.as_deref().unwrap_or_default();
                let fix = letter.fix.as_ref().map(|fix| format!(" ({fix})")).unwrap_or_default();
                format!(": {}: {why}{fix}", letter.channel)
            });
            let letters = if waiting == 1 { "letter is" } else { "letters are" };
            words.push(format!(
                "{waiting} {letters} not told yet{}; `handfast notify status` shows more",
                why.unwrap_or_default()
            ));
        }
        words
    }
}

/// An error with its causes; a cause that its error has named already is not named again.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.ends_with(&why) {
            text.push_str(": ");
            text.push_str(&why);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
