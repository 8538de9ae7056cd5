//! What the machine tells: one line each, for a log.

use std::fmt;

use jiff::{SignedDuration, Timestamp, Unit};

use crate::job::JobName;
use crate::state::Outcome;

/// Something worth a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A job is seen for the first time.
    New {
        /// The job.
        job: JobName,
    },
    /// The expression or zone of a job is another one: it begins anew.
    Changed {
        /// The job.
        job: JobName,
    },
    /// A job is no longer in the project.
    Gone {
        /// The job.
        job: JobName,
    },
    /// Occurrences were missed, and one run makes up for them.
    MadeUp {
        /// The job.
        job: JobName,
        /// The last of them.
        occurrence: Timestamp,
        /// How many were missed, counted up to [`COUNT_MAX`](crate::machine::COUNT_MAX).
        missed: usize,
    },
    /// Occurrences will not be run.
    Skipped {
        /// The job.
        job: JobName,
        /// The last of them.
        occurrence: Timestamp,
        /// How many, counted up to [`COUNT_MAX`](crate::machine::COUNT_MAX).
        missed: usize,
        /// Why not.
        why: Why,
    },
    /// An occurrence waits until what runs is over.
    Waits {
        /// The job.
        job: JobName,
        /// The occurrence.
        occurrence: Timestamp,
        /// What runs.
        behind: JobName,
    },
    /// The scheduler ended in the midst of a run.
    Interrupted {
        /// The job.
        job: JobName,
        /// The occurrence.
        occurrence: Timestamp,
        /// What becomes of it.
        then: Then,
    },
    /// A run could not be started.
    NotStarted {
        /// The job.
        job: JobName,
        /// The occurrence.
        occurrence: Timestamp,
        /// What becomes of it.
        then: Then,
    },
    /// A run is over.
    Ended {
        /// The job.
        job: JobName,
        /// The occurrence.
        occurrence: Timestamp,
        /// How long it took by the clock.
        took: SignedDuration,
        /// How it ended.
        outcome: Outcome,
    },
    /// The clock was set back by more than a day.
    SetBack {
        /// The job whose place was moved.
        job: JobName,
    },
}

/// What becomes of a run that was interrupted or could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is begun once more.
    Again,
    /// A newer occurrence of its job waits, whose run makes up for it.
    MadeUp,
    /// It was the second attempt, or the job is gone.
    NotAgain,
}

/// Why occurrences are not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The job does not catch up.
    NoCatchUp,
    /// They are older than `catch_up_within`.
    TooOld,
    /// The clock was set back, and they had begun before.
    HadBegun,
    /// The expression of the job was changed.
    Changed,
    /// The job is gone.
    Gone,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { job } => write!(f, "{job}: is new, its next occurrence is the first"),
            Self::Changed { job } => {
                write!(f, "{job}: has another expression or zone, its next occurrence is the first")
            }
            Self::Gone { job } => write!(f, "{job}: is no longer in handfast.toml"),
            Self::MadeUp { job, occurrence, missed } => {
                write!(f, "{job}: missed {missed}, the last due {occurrence}: one run for all")
            }
            Self::Skipped { job, occurrence, missed, why } => {
                write!(f, "{job}: skipped {missed}, the last due {occurrence}: {why}")
            }
            Self::Waits { job, occurrence, behind } => {
                write!(f, "{job}: due {occurrence}, waits until {behind} is over")
            }
            Self::NotStarted { job, occurrence, then } => {
                write!(f, "{job}: the run due {occurrence} could not be started; {then}")
            }
            Self::Interrupted { job, occurrence, then } => {
                write!(f, "{job}: the run due {occurrence} was interrupted; {then}")
            }
            Self::Ended { job, occurrence, took, outcome } => {
                let took = took.round(Unit::Second).unwrap_or(*took);
                write!(f, "{job}: the run due {occurrence} {outcome} after {took:#}")
            }
            Self::SetBack { job } => {
                write!(f, "{job}: the clock was set back by more than a day, going on from now")
            }
        }
    }
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Again => "it begins once more",
            Self::MadeUp => "the next one makes up for it",
            Self::NotAgain => "it does not begin again",
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCatchUp => "catch_up = false",
            Self::TooOld => "older than catch_up_within",
            Self::HadBegun => "begun before the clock was set back",
            Self::Changed => "the expression or zone was changed",
            Self::Gone => "the job is gone",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(0) => f.write_str("passed"),
            Self::Exited(code) => write!(f, "ended with exit code {code}"),
            Self::Died(signal) => write!(f, "died by signal {signal}"),
            Self::Interrupted => f.write_str("was interrupted"),
            Self::NotStarted => f.write_str("could not be started"),
        }
    }
}
