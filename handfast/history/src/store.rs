//! Opening the file.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::schema::{APPLICATION_ID, FORMAT, steps};

/// The name of the file, in the project's `.handfast`.
pub const FILE: &str = "history.db";

/// Where a history goes that is full; the one that was there before it is gone then.
pub const FULL_FILE: &str = "history.full.db";

/// Bytes of a history; a fuller one is put aside and a new one begun. Guessed: years of work.
pub const LEN_MAX: u64 = 1024 * 1024 * 1024;

/// Who has the history open holds this file shared, and who puts another file in its place holds it alone.
pub const LOCK_FILE: &str = "history.lock";

/// How long one run waits for another that is just writing. Writes take milliseconds, an import of a million rows less than a minute.
const BUSY: Duration = Duration::from_mins(1);

/// Kilobytes of pages that a connection keeps at most: the indices of a million rows are written to here and there.
const CACHE_KB: i32 = 64 * 1024;

/// Pages of the write-ahead log, 4 KiB each, after which they are brought into the file: a page that many transactions write to goes there once.
const LOG_PAGES: i32 = 8 * 1024;

/// Statements that a connection keeps: an import has two for each table.
const STATEMENTS: usize = 64;

/// The history of a project.
#[derive(Debug)]
pub struct History {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    /// As long as it is there, no other file is put in the place of this one. Nothing to hold for a file that nobody else knows yet.
    _shared: Option<File>,
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
    /// A run has it open, and so no other file can be put in its place.
    #[error("the history {} is in use by another handfast or program: try again when that is over", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
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
    /// The history of a team cannot be used.
    #[error("failed to use the history of the team, the database {place}")]
    Team {
        /// Where it is, without the password.
        place: String,
        /// What its server or the system said.
        #[source]
        source: postgres::Error,
    },
    /// A newer handfast made the tables of a team.
    #[error(
        "the history of the team, the database {place}, has format {found}, this handfast reads format {FORMAT}: use the newer handfast"
    )]
    NewerTeam {
        /// Where it is.
        place: String,
        /// Its format.
        found: i32,
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
        if fs::metadata(&path).is_ok_and(|data| data.len() > len_max) {
            put_aside(folder)?;
        }
        let lock = lock_file(folder)?;
        lock.lock_shared().map_err(file)?;
        let history = Self::open_file(path)?;
        Ok(Self { _shared: Some(lock), ..history })
    }

    /// A file that nobody else opens meanwhile.
    pub(crate) fn open_file(path: PathBuf) -> Result<Self, HistoryError> {
        let opened = Connection::open(&path).and_then(|mut connection| {
            let found = prepare(&mut connection)?;
            Ok((connection, found))
        });
        match opened {
            Ok((connection, Found::Ours)) => Ok(Self { connection, path, _shared: None }),
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

    /// Brings everything into the one file, so that it can be moved, and closes it.
    ///
    /// # Errors
    ///
    /// [`HistoryError::InUse`] if any other program has it open.
    pub(crate) fn close_whole(self) -> Result<(), HistoryError> {
        let mode = self
            .connection
            .pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if mode == "delete" => Ok(()),
            Ok(_) => Err(HistoryError::InUse { path: self.path }),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                Err(HistoryError::InUse { path: self.path })
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    pub(crate) fn failed(&self, source: rusqlite::Error) -> HistoryError {
        HistoryError::Sqlite { path: self.path.clone(), source }
    }
}

/// Puts a full history aside, unless somebody has it open: then the next one to open it does.
fn put_aside(folder: &Path) -> Result<(), HistoryError> {
    let Some(_alone) = alone(folder)? else { return Ok(()) };
    let path = folder.join(FILE);
    match History::open_file(path.clone())?.close_whole() {
        Err(HistoryError::InUse { .. }) => return Ok(()),
        closed => closed?,
    }
    fs::rename(&path, folder.join(FULL_FILE)).map_err(|source| HistoryError::File { path, source })
}

/// The lock with which nobody else has the history open; nothing if somebody has.
pub(crate) fn alone(folder: &Path) -> Result<Option<File>, HistoryError> {
    let lock = lock_file(folder)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => {
            Err(HistoryError::File { path: folder.join(LOCK_FILE), source })
        }
    }
}

fn lock_file(folder: &Path) -> Result<File, HistoryError> {
    let path = folder.join(LOCK_FILE);
    let opened = File::options().create(true).append(true).open(&path);
    opened.map_err(|source| HistoryError::File { path, source })
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
    if id != APPLICATION_ID && (id != 0 || tables != 0) {
        return Ok(Found::Foreign);
    }
    if format > FORMAT {
        return Ok(Found::Newer(format));
    }
    if format < FORMAT {
        // An older handfast refuses the file from here on.
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.execute_batch(&steps(format))?;
    }
    transaction.commit()?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KB)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(Found::Ours)
}
