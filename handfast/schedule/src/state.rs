//! What has to survive the scheduler: `.handfast/schedule.json`.
//!
//! It is written before a run begins, so that whoever reads it after a crash knows what was begun. The form is described in
//! `docs/design/schedule.md`; `stored` reads and writes it.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use crate::job::JobName;
use crate::stored;

/// The form of the file. A handfast reads this one and no newer one.
pub const FORMAT: u32 = 1;

/// Bytes of the file: far more than [`JOBS_MAX`](crate::job::JOBS_MAX) jobs need.
pub const FILE_LEN_MAX: usize = 1024 * 1024;

/// Occurrences of a job that are remembered as begun.
pub const BEGUN_MAX: usize = 16;

/// What has to survive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// From which the jitter follows.
    pub(crate) seed: u64,
    pub(crate) jobs: BTreeMap<JobName, Progress>,
    pub(crate) running: Option<Running>,
}

/// How far a job has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The expression this belongs to; with another one a job begins anew.
    pub(crate) cron: String,
    /// The zone this belongs to.
    pub(crate) zone: String,
    /// Everything up to and with this instant is dealt with.
    pub(crate) through: Timestamp,
    /// What fell due and has to begin.
    pub(crate) owed: Option<Owed>,
    /// The last occurrences that began, in the order in which they did; at most [`BEGUN_MAX`].
    pub(crate) begun: VecDeque<Timestamp>,
    /// The last run that is over.
    pub(crate) last: Option<Last>,
}

/// An occurrence that has to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owed {
    /// Which.
    pub occurrence: Timestamp,
    /// The how-manieth attempt it will be, from 1.
    pub attempt: u8,
}

/// The run that is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its job.
    pub job: JobName,
    /// Its occurrence.
    pub occurrence: Timestamp,
    /// The how-manieth attempt it is, from 1.
    pub attempt: u8,
    /// When it was claimed.
    pub began: Timestamp,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// Its occurrence.
    pub occurrence: Timestamp,
    /// The how-manieth attempt it was, from 1.
    pub attempt: u8,
    /// When it was claimed.
    pub began: Timestamp,
    /// When it was over, or was found to be.
    pub ended: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// By itself, with this exit code.
    Exited(u8),
    /// By a signal that nobody here sent.
    Died(u8),
    /// With the scheduler, or because it was asked to end.
    Interrupted,
    /// It could not be started.
    NotStarted,
}

/// Why a file is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It is something else, or broken.
    #[error("it is no state of a schedule, or is damaged: {what}")]
    Damaged {
        /// What is wrong.
        what: String,
    },
    /// A newer handfast wrote it.
    #[error("it has format {found}, this handfast reads format {FORMAT}")]
    Newer {
        /// Its format.
        found: u32,
    },
}

impl State {
    /// The state of a schedule that begins.
    pub fn new(seed: u64) -> Self {
        Self { seed, jobs: BTreeMap::new(), running: None }
    }

    /// Reads what [`State::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StateError> {
        stored::parse(bytes)
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        stored::write(self)
    }

    /// From which the jitter follows.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The run that is going on, or was when the scheduler ended.
    pub fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    /// What waits of a job.
    pub fn owed(&self, job: &JobName) -> Option<Owed> {
        self.jobs.get(job)?.owed
    }

    /// The last run of a job that is over.
    pub fn last(&self, job: &JobName) -> Option<&Last> {
        self.jobs.get(job)?.last.as_ref()
    }

    /// Up to when a job is dealt with; `None` for one that has not been seen.
    pub fn through(&self, job: &JobName) -> Option<Timestamp> {
        Some(self.jobs.get(job)?.through)
    }
}
