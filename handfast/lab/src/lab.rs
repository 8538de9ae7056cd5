//! What all units of a run share.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::clock::Clock;
use crate::scratch::Swept;
use crate::unit::{Unit, UnitConfig};

/// What a lab needs to know.
#[derive(Clone, Debug)]
pub struct LabConfig {
    /// The folder under which every run has its own; made if it is missing.
    pub scratch_root: PathBuf,
    /// Id of the run: letters, digits, `-` and `_`; also the marker `HANDFAST_RUN` of its
    /// processes.
    pub run: String,
    /// The command that becomes a reaper: the `handfast` program and its hidden subcommand. See
    /// [`LabConfig::own_reaper`].
    pub reaper: Vec<OsString>,
    /// The run's clock.
    pub clock: Clock,
}

impl LabConfig {
    /// The running program with [`crate::reaper::ARGUMENT`].
    ///
    /// # Errors
    ///
    /// If the system does not say which program runs.
    pub fn own_reaper() -> io::Result<Vec<OsString>> {
        Ok(vec![std::env::current_exe()?.into(), crate::reaper::ARGUMENT.into()])
    }
}

/// Opens units; one per run.
#[derive(Debug)]
pub struct Lab {}

impl Lab {
    /// Cleans up after earlier runs that were killed, then makes this run's folder.
    ///
    /// # Errors
    ///
    /// [`LabError`].
    pub fn open(config: LabConfig) -> Result<(Self, Swept), LabError> {
        todo!("{config:?}")
    }

    /// Opens a unit: folder, reaper and tap; no peer is started yet.
    ///
    /// # Errors
    ///
    /// [`LabError`]; nothing is left behind.
    pub async fn unit(&self, config: UnitConfig) -> Result<Unit, LabError> {
        todo!("{config:?}")
    }
}

/// Why a lab or a unit could not be opened: the configuration or the machine, never a peer.
#[derive(Debug, Error)]
pub enum LabError {
    /// The run's folder could not be made.
    #[error("failed to make the folder of the run")]
    Scratch(#[source] io::Error),
    /// The unit's folder could not be made.
    #[error("failed to make the folder of the unit")]
    Folder(#[source] io::Error),
    /// The reaper could not be started.
    #[error("failed to start the reaper")]
    Reaper(#[source] io::Error),
    /// The proxy could not listen.
    #[error("failed to open the recording proxy")]
    Tap(#[source] io::Error),
    /// Two roles have one name, or there is none.
    #[error("the roles of a unit must be there and have different names")]
    Roles,
}
