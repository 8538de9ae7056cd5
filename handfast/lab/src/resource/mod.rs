//! Limits that are put on a running peer: what it may use of the machine.
//!
//! A limit is [applied](Limiting::limit), shows by the system's own counts that it [took effect](InForce::measured), and is
//! [undone](InForce::undo). What the host cannot do is an error that says why, and never a limit that does nothing.
//!
//! | limit | means | took effect, if |
//! |---|---|---|
//! | processor | control group | the kernel counts throttled periods |
//! | memory | control group | the kernel counts allocations that met the limit, or kills |
//! | processes and threads | control group | the kernel counts refused forks |
//! | descriptors | `prlimit(2)` | as many are open as may be |
//! | disk full | a file system of its own, filled up | a write there finds no space |
//! | slow disk | control group, on the disk under the peer's folder | bytes moved at the limit, and no faster |
//!
//! Reading order: this file for what a caller sees; `prepared` for what a unit does before a role starts; a file a limit; `groups`
//! for control groups and how they vanish.

mod cpu;
pub(crate) mod descriptors;
pub(crate) mod full_disk;
pub(crate) mod groups;
pub(crate) mod line;
mod memory;
pub(crate) mod prepared;
mod processes;
pub(crate) mod slow_disk;

use std::{fmt, io};

use handfast_faults::account::Line;
use handfast_faults::disturbance::Limit;
use thiserror::Error;

pub use full_disk::DISK_BYTES;
pub use groups::{Controller, Version};

/// Puts limits on the peers of a unit.
pub trait Limiting {
    /// Puts a limit on the peer that plays a role; it also holds for whatever the peer starts, and for the role's next process until it is
    /// undone. May block for some 10 ms.
    ///
    /// # Errors
    ///
    /// [`LimitError`]; no limit is in force then.
    fn limit(&self, role: &str, limit: &Limit) -> Result<Box<dyn InForce>, LimitError>;
}

/// A limit that is in force until it is undone, at the latest with its unit.
#[must_use = "a limit that nobody undoes stays until its unit is closed"]
pub trait InForce: fmt::Debug + Send {
    /// What was asked and what is measured so far. `Held`: it is in force and the peer met it. `TooFew`: in force, and the peer did not come
    /// near it. `Missed`: not as it was asked.
    fn measured(&mut self) -> Vec<Line>;

    /// Takes the limit away and says what was measured in all.
    ///
    /// # Errors
    ///
    /// [`LimitError::Refused`] if the system does not let go of it.
    fn undo(self: Box<Self>) -> Result<Vec<Line>, LimitError>;
}

/// Why a limit could not be put on, or taken off.
#[derive(Debug, Error)]
pub enum LimitError {
    /// The unit has no such role.
    #[error("the unit has no role {role:?}")]
    NoSuchRole {
        /// The name.
        role: String,
    },
    /// The role was not opened with this limit in its configuration, and it takes preparation before the peer starts.
    #[error("nothing was prepared for {what} of {role:?}")]
    NotPrepared {
        /// The role.
        role: String,
        /// What was to be limited.
        what: &'static str,
    },
    /// No process plays the role.
    #[error("{role:?} does not run")]
    NotRunning {
        /// The role.
        role: String,
    },
    /// This host cannot do it; `handfast doctor` says what to do about it.
    #[error("{what} cannot be limited here: {why}")]
    NotPossible {
        /// What was to be limited.
        what: &'static str,
        /// What the host lacks.
        why: String,
    },
    /// The system refuses it at this moment.
    #[error("the limit for {what} was refused")]
    Refused {
        /// What was to be limited.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// What a limit is about, in the words of messages.
pub(crate) fn what(limit: &Limit) -> &'static str {
    match limit {
        Limit::Cpu { .. } => "the processor",
        Limit::Memory { .. } => "memory",
        Limit::Processes { .. } => "processes",
        Limit::Descriptors { .. } => "descriptors",
        Limit::DiskFull => "the space on disk",
        Limit::DiskSlow { .. } => "the speed of the disk",
    }
}
