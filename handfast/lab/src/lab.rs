//! What all units of a run share.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

use crate::clock::Clock;
use crate::net::{Ask, Means, NetError, Owner};
use crate::scratch::{Scratch, Swept};
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

/// Opens units; one per run. Dropping it removes the run's folder, so its units are closed first.
#[derive(Debug)]
pub struct Lab {
    config: LabConfig,
    scratch: Scratch,
    units: AtomicU64,
    means: OnceLock<Means>,
}

impl Lab {
    /// Cleans up after earlier runs that were killed, then makes this run's folder.
    ///
    /// # Errors
    ///
    /// [`LabError::Scratch`].
    pub fn open(config: LabConfig) -> Result<(Self, Swept), LabError> {
        let (scratch, swept) =
            Scratch::open(&config.scratch_root, &config.run).map_err(LabError::Scratch)?;
        Ok((Self { config, scratch, units: AtomicU64::new(0), means: OnceLock::new() }, swept))
    }

    /// How units with a network of their own are carried out here: found out by doing it, and by doing it once. Takes some
    /// milliseconds the first time.
    pub async fn means(&self, ask: &Ask) -> Means {
        if let Some(means) = self.means.get() {
            return means.clone();
        }
        let dir = self.scratch.dir().to_owned();
        let owner = Owner {
            reaper: self.config.reaper.clone(),
            run: self.config.run.clone(),
            dir,
            ask: ask.clone(),
        };
        let found = tokio::task::spawn_blocking(move || Means::find(&owner)).await;
        let found = found.unwrap_or_else(|error| Means::Proxies { why: error.to_string() });
        self.means.get_or_init(|| found).clone()
    }

    /// Opens a unit: folder, reaper and tap; no peer is started yet.
    ///
    /// # Errors
    ///
    /// [`LabError`]; nothing is left behind.
    pub async fn unit(&self, config: UnitConfig) -> Result<Unit, LabError> {
        let number = self.units.fetch_add(1, Ordering::Relaxed);
        let dir = self.scratch.dir().join(format!("{number}-{}", file_name(&config.name)));
        Unit::open(&self.config, config, dir).await
    }
}

/// Why a lab or a unit could not be opened: the configuration or the machine, never a peer.
#[derive(Debug, Error)]
pub enum LabError {
    /// The run's folder could not be made, or an earlier run's not be removed.
    #[error("failed to make the folder of the run")]
    Scratch(#[source] io::Error),
    /// The unit's folder could not be made, or its path is not UTF-8.
    #[error("failed to make the folder of the unit")]
    Folder(#[source] io::Error),
    /// The reaper could not be started.
    #[error("failed to start the reaper")]
    Reaper(#[source] io::Error),
    /// The network of the unit could not be made.
    #[error("failed to make the network of the unit")]
    Network(#[source] NetError),
    /// The proxy could not listen.
    #[error("failed to open the recording proxy")]
    Tap(#[source] io::Error),
    /// Two roles have one name, there is none, or a name is no file name.
    #[error("the roles of a unit need different names of letters, digits, `-`, `_` and `.`")]
    Roles,
}

/// The part of a unit's name that may stand in a file name, at most 60 bytes of it.
fn file_name(name: &str) -> String {
    let safe = |c: char| if is_file_name_char(c) { c } else { '_' };
    name.chars().take(60).map(safe).collect()
}

pub(crate) fn is_file_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}
