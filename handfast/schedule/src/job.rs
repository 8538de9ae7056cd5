//! What is to run, and when.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::calendar::Calendar;
use crate::jitter;

/// Jobs of a project.
pub const JOBS_MAX: usize = 32;

/// Letters of a name.
pub const NAME_LEN_MAX: usize = 64;

/// Words of a command.
pub const WORDS_MAX: usize = 64;

/// How old a missed occurrence may be and still be made up for, where a job does not say.
pub const CATCH_UP_WITHIN: Duration = Duration::from_hours(7 * 24);

/// The longest such time a job may name.
pub const CATCH_UP_WITHIN_MAX: Duration = Duration::from_hours(366 * 24);

/// One thing that runs by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its name; what survives of it belongs to this name.
    pub name: JobName,
    /// When.
    pub calendar: Calendar,
    /// Words after `handfast`, at least one.
    pub command: Vec<String>,
    /// Each occurrence is due up to so much later, and always before the next.
    pub jitter: Duration,
    /// What is done about occurrences that were missed.
    pub catch_up: CatchUp,
}

/// What is done about occurrences that were missed while nobody was there to begin them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// Nothing.
    Never,
    /// One run for all of them, if the last is no older than this.
    Within(Duration),
}

/// The name of a job: letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobName(String);

/// Why a text names no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a job cannot be called {name:?}: use up to {NAME_LEN_MAX} letters, digits, -, _ and ., and begin with a letter or digit"
)]
pub struct InvalidJobName {
    /// The text.
    pub name: String,
}

impl JobName {
    /// Reads a name.
    ///
    /// # Errors
    ///
    /// [`InvalidJobName`].
    pub fn new(name: &str) -> Result<Self, InvalidJobName> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if begins && name.len() <= NAME_LEN_MAX && name.bytes().all(plain) {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidJobName { name: name.to_owned() })
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Job {
    /// When an occurrence is due: at its instant or up to the jitter later, before the next one in any case.
    pub fn due(&self, seed: u64, occurrence: Timestamp) -> Timestamp {
        let mut limit = self.jitter;
        if limit.is_zero() {
            return occurrence;
        }
        if let Some(next) = self.calendar.next_after(occurrence) {
            let until_next = Duration::try_from(next.duration_since(occurrence));
            limit = limit.min(until_next.unwrap_or_default());
        }
        let delay = jitter::delay(seed, self.name.as_str(), occurrence, limit);
        let delay = SignedDuration::try_from(delay).unwrap_or_default();
        occurrence.checked_add(delay).unwrap_or(occurrence)
    }
}
