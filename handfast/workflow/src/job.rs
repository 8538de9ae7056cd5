//! A job, for both services.

use crate::setting::Word;
use crate::yaml::Field;

/// A job as both services run it. Its name is its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its name, which no other job of the project has.
    pub id: String,
    /// What it does, a line above it.
    pub about: String,
    /// Its fields on GitHub; `None`: GitHub has no such job.
    pub github: Option<Vec<Field>>,
    /// Its fields on GitLab; `None`: GitLab has no such job.
    pub gitlab: Option<Vec<Field>>,
    /// What its outcome means.
    pub outcome: Outcome,
    /// Whether it runs only in the full regression.
    pub only_full: bool,
}

/// What a job's outcome means for the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has to succeed, and leaves a record of what it ran.
    Recorded,
    /// It has to succeed; what it ran stands in the record of another job, or it runs nothing.
    Unrecorded,
    /// It looks at the others.
    Looking,
}

/// A job that calls handfast once and keeps the record.
#[derive(Debug, Clone)]
pub struct Plain {
    /// Its name.
    pub id: String,
    /// What it does, in one line.
    pub about: String,
    /// What handfast is called with.
    pub call: Vec<Word>,
    /// Its minutes.
    pub minutes: u64,
    /// Whether it runs only in the full regression.
    pub only_full: bool,
}
