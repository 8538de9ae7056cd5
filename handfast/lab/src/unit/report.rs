//! How a unit and its peers ended.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use crate::exit::Exit;
use crate::peer::CallError;
use crate::reaper::LeftProcess;

/// Why a peer did not end as asked.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum StopError {
    /// No peer plays the role at this moment.
    #[error("role {role:?} does not run")]
    NotRunning {
        /// The role.
        role: String,
    },
    /// It refused `shutdown`, did not answer it, or broke the contract; it was killed.
    #[error("it did not accept shutdown and was killed")]
    Shutdown(#[source] CallError),
    /// It did not end in time; it was killed.
    #[error("it did not end within {within:?} and was killed")]
    Lingered {
        /// The deadline.
        within: Duration,
    },
    /// The reaper is gone, so nobody knows how the process ended: the machine is to blame.
    #[error("the reaper is gone")]
    ReaperGone,
}

/// How a unit ended.
#[derive(Clone, Debug, Default)]
pub struct CloseReport {
    /// How each peer that still ran was stopped.
    pub stopped: BTreeMap<String, Result<Exit, StopError>>,
    /// Processes the peers left behind, which were ended.
    pub left: Vec<LeftProcess>,
    /// Whether the reaper said that no process is left and the folder is gone. If `false`, the
    /// machine failed or the reaper was killed, and handfast has cleaned up as far as it could.
    pub clean: bool,
    /// Whether all logs and exchanges came to their end in time.
    pub settled: bool,
    /// Facts that did not fit into the evidence; above 0 no oracle may judge.
    pub lost_facts: u64,
    /// Processor time of all its processes, in steps of 10 ms; zero if the reaper failed.
    pub cpu: Duration,
}
