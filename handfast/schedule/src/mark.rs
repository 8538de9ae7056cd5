//! What a run writes down of itself: `.handfast/schedule.run`.
//!
//! The run writes it, not the scheduler. One that is killed between its claim and the run's begin would otherwise count a run that never was;
//! one that is killed between the run's end and its own note of it would repeat what is done.

use std::fmt;

use jiff::Timestamp;

use crate::job::JobName;
use crate::machine::Begin;
use crate::state::{Outcome, Running};

/// Bytes of the file.
pub const MARK_LEN_MAX: usize = 256;

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    claim: Claim,
    pub(crate) stage: Stage,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It has begun.
    Began,
    /// It came to its end, with this exit code.
    Ended(u8),
}

/// Job, occurrence and attempt of a run; written as three words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    job: JobName,
    occurrence: Timestamp,
    attempt: u8,
}

impl Claim {
    /// That of a run.
    pub fn of(begin: &Begin) -> Self {
        let Begin { job, occurrence, attempt, .. } = begin;
        Self { job: job.clone(), occurrence: *occurrence, attempt: *attempt }
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let job = JobName::new(words.next()?).ok()?;
        let occurrence = words.next()?.parse().ok()?;
        let attempt = words.next()?.parse().ok()?;
        words.next().is_none().then_some(Self { job, occurrence, attempt })
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.job, self.occurrence, self.attempt)
    }
}

/// What the system says of the end of a run's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessEnd {
    /// It ended with this exit code.
    Exited(u8),
    /// It was ended by this signal.
    Signalled(u8),
}

/// How a run ended that was watched. What it wrote down of itself decides; the rest says only how one ended that did not come to its end.
pub fn outcome(
    mark: Option<&Mark>,
    running: &Running,
    end: ProcessEnd,
    is_stopping: bool,
) -> Outcome {
    let stage = mark.filter(|mark| mark.is_of(running)).map(|mark| mark.stage);
    match (stage, end) {
        (Some(Stage::Began), _) if is_stopping => Outcome::Interrupted,
        (Some(Stage::Began), ProcessEnd::Signalled(signal)) => Outcome::Died(signal),
        (None, ProcessEnd::Exited(1..) | ProcessEnd::Signalled(_)) => Outcome::NotStarted,
        // Without a last word, as after a panic, its exit code is all there is.
        (Some(Stage::Ended(code)), _) | (_, ProcessEnd::Exited(code)) => Outcome::Exited(code),
    }
}

impl Mark {
    /// A run that has come so far.
    pub fn new(claim: Claim, stage: Stage) -> Self {
        Self { claim, stage }
    }

    /// Reads what [`Mark::to_bytes`] wrote; `None` for anything else, such as half of it.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..MARK_LEN_MAX).unwrap_or(bytes);
        let line = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        let (claim, stage) = line.rsplit_once(' ')?;
        let stage = match stage {
            "began" => Stage::Began,
            code => Stage::Ended(code.parse().ok()?),
        };
        Some(Self { claim: Claim::parse(claim)?, stage })
    }

    /// The bytes of the file: one line, `daily 2026-11-22T01:00:00Z 1 began`, at the end `daily 2026-11-22T01:00:00Z 1 0`.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self.stage {
            Stage::Began => format!("{} began\n", self.claim),
            Stage::Ended(code) => format!("{} {code}\n", self.claim),
        }
        .into_bytes()
    }

    /// Whether it is that of this run.
    pub(crate) fn is_of(&self, running: &Running) -> bool {
        let Claim { job, occurrence, attempt } = &self.claim;
        job == &running.job && *occurrence == running.occurrence && *attempt == running.attempt
    }
}
