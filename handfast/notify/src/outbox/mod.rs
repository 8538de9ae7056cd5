//! What has to be told, on disk: `.handfast/notify.db`.
//!
//! Every transaction is synced before it counts (`synchronous = FULL`): what an incident became and the letters that tell it are
//! in the file together or not at all, and an attempt to deliver is noted before it is made. `docs/design/notify.md` shows
//! the tables.
//!
//! 1. [`write`](mod@write): what a run adds; [`runs`]: which runs are watched.
//! 2. [`queue`]: what the courier takes and what came of it.
//! 3. [`status`]: what a person wants to know; [`prune`]: what is forgotten.

pub mod prune;
pub mod queue;
pub mod runs;
pub mod status;
pub mod write;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

/// The name of the file, in the project's `.handfast`.
pub const FILE: &str = "notify.db";

/// The form of the tables, in `user_version`.
pub const FORMAT: i32 = 1;

/// What marks the file as ours in the header of SQLite: `hfnt`.
pub const APPLICATION_ID: i32 = 0x6866_6e74;

/// The tables, as `docs/design/notify.md` shows them.
pub const TABLES: &str = include_str!("schema.sql");

/// How long one process waits for another that is just writing. Writes take milliseconds.
const BUSY: Duration = Duration::from_secs(10);

/// The outbox of a project.
#[derive(Debug)]
pub struct Outbox {
    connection: Connection,
    path: PathBuf,
}

/// Why the outbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The folder or file cannot be made.
    #[error("failed to make the outbox {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is something else, or broken.
    #[error("{} is no outbox of handfast, or is damaged: move it away, and a new one is begun", path.display())]
    NotAnOutbox {
        /// The file.
        path: PathBuf,
    },
    /// A newer handfast wrote it.
    #[error("the outbox {} has format {found}, this handfast reads format {FORMAT}: use the newer handfast, or move the file away", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i32,
    },
    /// SQLite failed.
    #[error("failed to use the outbox {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: rusqlite::Error,
    },
    /// A row is not what the schema says.
    #[error("the outbox {} holds {what}, which this handfast does not understand", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// What.
        what: String,
    },
}

/// The folder of what handfast keeps, in the project at `root`.
pub fn folder(root: &Path) -> PathBuf {
    root.join(".handfast")
}

impl Outbox {
    /// Opens the outbox in the folder `folder`, and makes it where there is none.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn open(folder: &Path) -> Result<Self, OutboxError> {
        let path = folder.join(FILE);
        let file = |source| OutboxError::File { path: path.clone(), source };
        fs::create_dir_all(folder).map_err(file)?;
        let opened = Connection::open(&path).and_then(|mut connection| {
            let found = prepare(&mut connection)?;
            Ok((connection, found))
        });
        match opened {
            Ok((connection, Found::Ours)) => Ok(Self { connection, path }),
            Ok((_, Found::Newer(found))) => Err(OutboxError::NewerFormat { path, found }),
            Ok((_, Found::Foreign)) => Err(OutboxError::NotAnOutbox { path }),
            Err(source) => Err(match source.sqlite_error_code() {
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                    OutboxError::NotAnOutbox { path }
                }
                Some(_) | None => OutboxError::Sqlite { path, source },
            }),
        }
    }

    /// Whether the project at `root` has one.
    pub fn exists(root: &Path) -> bool {
        folder(root).join(FILE).is_file()
    }

    /// Carries out one transaction.
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Trouble>,
    ) -> Result<T, OutboxError> {
        let done = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Trouble::Sqlite)
            .and_then(|transaction| {
                let done = work(&transaction)?;
                transaction.commit()?;
                Ok(done)
            });
        done.map_err(|trouble| self.failed(trouble))
    }

    fn failed(&self, trouble: Trouble) -> OutboxError {
        let path = self.path.clone();
        match trouble {
            Trouble::Sqlite(source) => OutboxError::Sqlite { path, source },
            Trouble::Row(what) => OutboxError::Row { path, what },
        }
    }
}

/// Why a transaction was not carried out.
#[derive(Debug)]
enum Trouble {
    Sqlite(rusqlite::Error),
    Row(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Reads what a column holds as JSON.
fn json<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T, Trouble> {
    serde_json::from_str(text).map_err(|_| Trouble::Row(what.to_owned()))
}

/// A word of an enum, as its JSON has it.
fn word(value: impl serde::Serialize) -> String {
    serde_json::json!(value).as_str().unwrap_or_default().to_owned()
}

fn text(value: impl serde::Serialize) -> String {
    serde_json::json!(value).to_string()
}

/// A count, which is never negative in a file of ours.
fn whole(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
}

enum Found {
    Ours,
    Newer(i32),
    Foreign,
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<Found> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // Two processes may begin at once: the one that comes second finds the tables made.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let id: i32 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let format: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id == 0 && tables == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.execute_batch(TABLES)?;
    } else if id != APPLICATION_ID {
        return Ok(Found::Foreign);
    } else if format != FORMAT {
        return Ok(Found::Newer(format));
    }
    transaction.commit()?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(Found::Ours)
}

#[cfg(test)]
mod tests;
