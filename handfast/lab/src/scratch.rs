//! Run folders, and what an earlier run left behind.

use std::path::PathBuf;

/// The folder of one run.
#[derive(Debug)]
pub struct Scratch {}

/// What was found of earlier runs that were killed, and removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Folders of dead runs.
    pub folders: Vec<PathBuf>,
    /// Processes of dead runs that still lived.
    pub processes: Vec<u32>,
}

impl Swept {
    /// Whether nothing was left behind.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.processes.is_empty()
    }
}
