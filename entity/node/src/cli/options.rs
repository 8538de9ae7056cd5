//! Options that several commands share.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use tokio::runtime::Builder;

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

/// Runs `program` to its end on the workers of a new runtime.
///
/// There are as many workers as cores we may use, but no more than two: they carry a peer, further ones would only cost memory,
/// and a second one on the same core would only take turns with the first. The program is a task of a worker, so that what it
/// waits for need not wake another thread.
pub(crate) fn run_to_end<T: Send + 'static>(
    program: impl Future<Output = T> + Send + 'static,
) -> Result<T, Failed> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let runtime = Builder::new_multi_thread().worker_threads(cores.min(2)).enable_all().build();
    let runtime = runtime.map_err(|error| Failed::new(Kind::System, error, None))?;
    let ended = runtime.block_on(runtime.spawn(program));
    // A panic has been reported where it happened.
    ended.map_err(|error| Failed::new(Kind::System, error, None))
}
