//! What a courier needs of the project file, without the scenarios.

use std::io;
use std::path::{Path, PathBuf};

use handfast_scenario::Project;
use handfast_scenario::notify::NotifySettings;
use handfast_scenario::problem::Problems;
use handfast_scenario::scenario::FILE_LEN_MAX;

/// The name of the project file.
const FILE: &str = "handfast.toml";

/// Why there is nobody to tell.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is wrong.
    #[error("{}", .0.to_plain_text())]
    Wrong(Problems),
    /// It names no channel.
    #[error("{FILE} has no [notify]: nobody can be told")]
    Nobody,
}

/// Whom to tell.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of the project.
    pub project: String,
    /// The table.
    pub settings: NotifySettings,
}

/// Reads the project file in `root`.
///
/// # Errors
///
/// [`ConfigError`].
pub fn read(root: &Path) -> Result<Config, ConfigError> {
    use std::io::Read as _;
    let path = root.join(FILE);
    let failed = |source| ConfigError::Read { path: path.clone(), source };
    let limit = u64::try_from(FILE_LEN_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    let file = std::fs::File::open(&path).map_err(failed)?;
    file.take(limit).read_to_string(&mut text).map_err(failed)?;
    let project = Project::parse(FILE, &text).map_err(ConfigError::Wrong)?;
    let settings = project.notify.ok_or(ConfigError::Nobody)?;
    Ok(Config { project: project.name, settings })
}
