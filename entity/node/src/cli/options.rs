//! Options that several commands share.

use std::path::PathBuf;

use clap::Args;
use tokio::runtime::Runtime;

use super::console::{Failed, Kind, LogFormat, start_log};
use crate::config;

/// Where the node keeps its files.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataDir {
    /// Directory of the node's files [default: `entity` in `$XDG_DATA_HOME` or in `~/.local/share`]
    #[arg(long, value_name = "DIR", env = "ENTITY_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

impl DataDir {
    pub(crate) fn resolve(self) -> PathBuf {
        self.data_dir.unwrap_or_else(config::default_data_dir)
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct Log {
    /// What to log: error, warn, info, debug, trace, or a filter like `entity_transport=debug`
    #[arg(long, value_name = "FILTER", env = "ENTITY_LOG", default_value = "info")]
    log: String,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", env = "ENTITY_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
}

impl Log {
    pub(crate) fn start(&self) -> Result<(), Failed> {
        start_log(&self.log, self.log_format)
    }
}

/// The runtime of a node: two workers carry a peer, and more would only cost memory.
pub(crate) fn runtime() -> Result<Runtime, Failed> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Failed::new(Kind::System, error, None))
}
