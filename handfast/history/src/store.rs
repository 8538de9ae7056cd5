//! Opening the file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::schema::{APPLICATION_ID, FORMAT, ROWS, SUITES, TABLES, guards};

/// The name of the file, in the project's `.handfast`.
pub const FILE: &str = "history.db";

/// Where a history goes that is full; the one that was there before it is gone then.
pub const FULL_FILE: &str = "history.full.db";

/// Bytes of a history; a fuller one is put aside and a new one begun. Guessed: years of work.
pub const LEN_MAX: u64 = 1024 * 1024 * 1024;

/// How long one run waits for another that is just writing. Writes take milliseconds.
const BUSY: Duration = Duration::from_secs(10);

/// The history of a project.
#[derive(Debug)]
pub struct History {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
}

/// Why the history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The folder or file cannot be made.
    #[error("failed to make the history {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is something else, or broken.
    #[error("{} is no history of handfast, or is damaged: move it away, and a new one is begun", path.display())]
    NotAHistory {
        /// The file.
        path: PathBuf,
    },
    /// A newer handfast wrote it.
    #[error("the history {} has format {found}, this handfast reads format {FORMAT}: use the newer handfast, or move the file away", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i32,
    },
    /// SQLite failed.
    #[error("failed to use the history {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: rusqlite::Error,
    },
    /// A row is not what the schema says.
    #[error("the history {} holds {what}, which this handfast does not understand", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// What.
        what: String,
    },
}

impl History {
    /// Opens the history in the folder `folder`, and makes it where there is none. One that is full is put aside first.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub fn open(folder: &Path) -> Result<Self, HistoryError> {
        Self::open_with_limit(folder, LEN_MAX)
    }

    /// As [`History::open`], for a history of at most `len_max` bytes.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub fn open_with_limit(folder: &Path, len_max: u64) -> Result<Self, HistoryError> {
        let path = folder.join(FILE);
        let file = |source| HistoryError::File { path: path.clone(), source };
        fs::create_dir_all(folder).map_err(file)?;
        let history = Self::open_file(path.clone())?;
        if fs::metadata(&path).map_err(file)?.len() <= len_max {
            return Ok(history);
        }
        // Everything is in the one file now; a run that still has it open goes on writing to it.
        let emptied =
            history.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        emptied.map_err(|error| history.failed(error))?;
        drop(history);
        fs::rename(&path, folder.join(FULL_FILE)).map_err(file)?;
        Self::open_file(path)
    }

    fn open_file(path: PathBuf) -> Result<Self, HistoryError> {
        let opened = Connection::open(&path).and_then(|mut connection| {
            let found = prepare(&mut connection)?;
            Ok((connection, found))
        });
        match opened {
            Ok((connection, Found::Ours)) => Ok(Self { connection, path }),
            Ok((_, Found::Newer(found))) => Err(HistoryError::NewerFormat { path, found }),
            Ok((_, Found::Foreign)) => Err(HistoryError::NotAHistory { path }),
            Err(source) => Err(match source.sqlite_error_code() {
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                    HistoryError::NotAHistory { path }
                }
                Some(_) | None => HistoryError::Sqlite { path, source },
            }),
        }
    }

    pub(crate) fn failed(&self, source: rusqlite::Error) -> HistoryError {
        HistoryError::Sqlite { path: self.path.clone(), source }
    }
}

enum Found {
    Ours,
    Newer(i32),
    Foreign,
}

/// A write-ahead log survives a killed process at every moment; what a loss of power takes are the last rows, never the file.
fn prepare(connection: &mut Connection) -> rusqlite::Result<Found> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // Two runs may begin at once: the one that comes second finds the tables made.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let id: i32 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let format: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id == 0 && tables == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(&guards(&ROWS))?;
    } else if id == APPLICATION_ID && format == 1 {
        // Format 2 has one table more; an older handfast refuses the file from here on.
        let added: Vec<_> =
            ROWS.iter().filter(|(table, _)| *table == "suite_results").copied().collect();
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.execute_batch(SUITES)?;
        transaction.execute_batch(&guards(&added))?;
    } else if id != APPLICATION_ID {
        return Ok(Found::Foreign);
    } else if format != FORMAT {
        return Ok(Found::Newer(format));
    }
    transaction.commit()?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(Found::Ours)
}
