//! The journal on disk: one SQLite file, and a log before its tables.
//!
//! A commit is an entry in the log and one sync: what [`Journal::commit`] has returned for survives a loss of power. From time to
//! time, and before every read, the log goes into the tables. The file belongs to one process and one identity, and says so to
//! every other.
//!
//! | module | what it holds |
//! |---|---|
//! | `log` | the entries of the log: their form, which of them count |
//! | `file` | the file under it |
//! | `place` | the directory, and who can reach it |
//! | `prepare` | what makes a file ours, and the tables in it |
//! | `error` | [`StorageError`]: why it is not |

mod error;
mod file;
mod log;
mod place;
mod prepare;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use entity_crypto::signing::PublicKey;
use entity_journal::{Batch, Journal, JournalError, Record, Retention, Space, Stored, Write};
use entity_peer::inherit::inherit;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, params};
use tracing::info;

use crate::seed;

use file::DiskFile;
use log::{Log, LogFile, LogKey, Logged, UnfitLog, Wanted};
use place::{check_private, create_private};
use prepare::{Beside, Foreign, Found, log_of, prepare};

pub use error::StorageError;

pub use log::LOG_NAME;

/// The name of the file in the data directory.
pub const FILE_NAME: &str = "entity.db";

/// The form of the store. A node reads this one and those before, and makes this of them: 1 had no log of its own, in 2
/// certificates have no numbers.
pub const FORMAT: i64 = 3;

/// Whose a store is to be.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The key of the peer.
    pub key: PublicKey,
    /// The keys that handed over to it, the latest first.
    pub predecessors: Vec<PublicKey>,
}

impl From<PublicKey> for Owner {
    /// A key that comes after no other.
    fn from(key: PublicKey) -> Self {
        Self { key, predecessors: Vec::new() }
    }
}

/// A journal in a file.
///
/// Finishing it brings the log into the file and removes the log; dropping it does so as well, but cannot say that it failed.
#[derive(Debug)]
pub struct SqliteJournal {
    connection: Connection,
    log: RefCell<Log>,
    /// Why it takes no more: a commit failed, and what the file holds is no longer known, or it has been finished.
    over: Cell<Option<&'static str>>,
}

impl SqliteJournal {
    /// Opens the store of `owner` in `data_dir`; makes both where they do not exist, so that only their owner can read them.
    /// A store of a predecessor is the owner's from here on ([`inherit`] says what becomes of it).
    ///
    /// # Errors
    ///
    /// [`StorageError`]; the file is as it was then. Only where a take-over is refused its log is brought in and its format this
    /// version's, and where the log does not fit its format may be this version's: the records stay, and whose they are.
    pub fn open(data_dir: &Path, owner: impl Into<Owner>) -> Result<Self, StorageError> {
        let owner = owner.into();
        let path = data_dir.join(FILE_NAME);
        create_private(data_dir, &path)
            .map_err(|source| StorageError::Io { path: path.clone(), source })?;
        check_private(&path)?;
        check_private(&data_dir.join(LOG_NAME))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)
            .map_err(|source| StorageError::Sqlite { path: path.clone(), source })?;
        let beside = Beside {
            has_log: data_dir.join(LOG_NAME).exists(),
            key: LogKey::new(seed::from_system()?),
        };
        Self::begin(connection, DiskFile::opening(data_dir), path, &owner, &beside)
    }

    /// Makes a connection ours: alone, durable, of the right owner and format.
    fn begin(
        mut connection: Connection,
        log: impl FnOnce(Wanted) -> io::Result<Box<dyn LogFile>>,
        path: PathBuf,
        owner: &Owner,
        beside: &Beside,
    ) -> Result<Self, StorageError> {
        let foreign = match prepare(&mut connection, owner, beside) {
            Ok(None) => None,
            Ok(Some(Foreign::Predecessor(old))) => Some(old),
            Ok(Some(Foreign::Unknown)) => return Err(StorageError::NotAStore { path }),
            Ok(Some(Foreign::Log)) => return Err(StorageError::LogOfAnother { path }),
            Ok(Some(Foreign::Newer(found))) => {
                return Err(StorageError::NewerFormat { path, found });
            }
            Ok(Some(Foreign::Owner(owner))) => {
                return Err(StorageError::OtherOwner { path, owner });
            }
            Err(source) => return Err(refused(path, source)),
        };
        let journal = Self::with_log(connection, log, &path)?;
        if let Some(old) = foreign {
            journal.take_over(path, &old, &owner.key)?;
        }
        Ok(journal)
    }

    /// Opens the log of a store that is ours, and brings what waits in it into the tables.
    fn with_log(
        connection: Connection,
        log: impl FnOnce(Wanted) -> io::Result<Box<dyn LogFile>>,
        path: &Path,
    ) -> Result<Self, StorageError> {
        let sqlite = |source| StorageError::Sqlite { path: path.to_owned(), source };
        let system = |source| StorageError::Io { path: path.with_file_name(LOG_NAME), source };
        let Some(Found { generation, key, is_open }) = log_of(&connection).map_err(sqlite)? else {
            return Err(StorageError::NotAStore { path: path.to_owned() });
        };
        let file = match log(if is_open { Wanted::There } else { Wanted::Any }) {
            Ok(file) => file,
            Err(error) if is_open && error.kind() == io::ErrorKind::NotFound => {
                return Err(StorageError::LogMissing { path: path.to_owned() });
            }
            Err(error) => return Err(system(error)),
        };
        let log = Log::open(file, key, generation).map_err(|unfit| {
            let path = path.to_owned();
            match unfit {
                UnfitLog::Ahead => StorageError::LogAhead { path },
                UnfitLog::Damaged { at } => StorageError::LogDamaged { path, at },
                UnfitLog::System(source) => system(source),
            }
        })?;
        let journal = Self { connection, log: RefCell::new(log), over: Cell::new(None) };
        // Even where nothing waits: what the process before noted may not have reached the disk, although it is seen here.
        // Only a commit that changes a page syncs it, and the log must not be written over before.
        journal.turn(true).map_err(|error| StorageError::Io {
            path: path.to_owned(),
            source: io::Error::other(error),
        })?;
        Ok(journal)
    }

    /// Makes the store of `old` that of `new`, all of it at once.
    fn take_over(
        &self,
        path: PathBuf,
        old: &PublicKey,
        new: &PublicKey,
    ) -> Result<(), StorageError> {
        let refused = |source| StorageError::Sqlite { path: path.clone(), source };
        let stored = self.read_all().map_err(refused)?;
        let writes = inherit(&stored, old).map_err(|source| StorageError::NotInherited {
            path: path.clone(),
            owner: *old,
            source,
        })?;
        let made = || {
            let transaction = self.connection.unchecked_transaction()?;
            for write in &writes {
                make(&transaction, Logged::from(write))?;
            }
            transaction.execute(SET_META, params!["owner", new.to_hex()])?;
            transaction.commit()
        };
        made().map_err(refused)?;
        info!(%old, %new, "the store goes over to the key that took the place of the old one; sessions begin anew, accounts stay the old key's");
        Ok(())
    }

    /// Brings into the tables what waits in the log.
    fn bring_in(&self) -> Result<(), JournalError> {
        self.check_usable()?;
        if self.log.borrow().len() == 0 {
            return Ok(());
        }
        self.turn(true)
    }

    fn check_usable(&self) -> Result<(), JournalError> {
        match self.over.get() {
            None => Ok(()),
            Some(why) => Err(JournalError { action: "write", reason: why.to_owned() }),
        }
    }

    /// Brings the log into the tables, all of it at once and also when it is empty, and begins the next generation. On return
    /// everything that the tables have is durable. `stays_open` says whether more is to come.
    fn turn(&self, stays_open: bool) -> Result<(), JournalError> {
        self.check_usable()?;
        let mut log = self.log.borrow_mut();
        let brought = log.read().map_err(|error| error.to_string()).and_then(|bytes| {
            let writes = log::writes(&bytes).ok_or("the log is damaged")?;
            self.write(log::last_of_each(writes), log.generation(), stays_open)
                .map_err(|error| error.to_string())
        });
        let restarted = brought.and_then(|()| log.restart().map_err(|error| error.to_string()));
        restarted.map_err(|reason| self.failed(reason))
    }

    fn write(
        &self,
        writes: Vec<Logged<'_>>,
        generation: u64,
        stays_open: bool,
    ) -> rusqlite::Result<()> {
        // Nobody else has the file, so nothing begins between two statements.
        let transaction = self.connection.unchecked_transaction()?;
        for write in writes {
            make(&transaction, write)?;
        }
        transaction.execute(SET_META, params!["log", generation.to_string()])?;
        // While it is open a store without its log lacks something.
        let is_open = if stays_open { "1" } else { "0" };
        transaction.execute(SET_META, params!["log_is_open", is_open])?;
        transaction.commit()
    }

    fn failed(&self, reason: String) -> JournalError {
        self.over.set(Some("it has failed before"));
        JournalError { action: "write", reason }
    }

    fn read_all(&self) -> rusqlite::Result<Stored> {
        let mut stored = Stored::default();
        let mut statement = self.connection.prepare("SELECT space, key, value FROM state")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let record = Record { key: row.get(1)?, value: row.get(2)? };
            stored.put(row.get_ref(0)?.as_str()?, record);
        }
        Ok(stored)
    }

    fn read_some(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> rusqlite::Result<Vec<Record>> {
        let (from, is_above) = match after {
            Some(after) if after >= prefix => (after, true),
            Some(_) | None => (prefix, false),
        };
        let mut statement = self.connection.prepare_cached(match (space.retention(), is_above) {
            (Retention::State, false) => "SELECT key, value FROM state WHERE space = ?1 AND key >= ?2 ORDER BY key LIMIT ?3",
            (Retention::State, true) => "SELECT key, value FROM state WHERE space = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
            (Retention::Archive, false) => "SELECT key, value FROM archive WHERE space = ?1 AND key >= ?2 ORDER BY key LIMIT ?3",
            (Retention::Archive, true) => "SELECT key, value FROM archive WHERE space = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
        })?;
        let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![space.name(), from, count_max])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            let key: Vec<u8> = row.get(0)?;
            if !key.starts_with(prefix) {
                break;
            }
            records.push(Record { key, value: row.get(1)? });
        }
        Ok(records)
    }
}

impl Journal for SqliteJournal {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), JournalError> {
        self.check_usable()?;
        let writes = last_of_each(batches);
        if writes.is_empty() {
            return Ok(());
        }
        let appended = self.log.get_mut().append(writes);
        appended.map_err(|error| self.failed(error.to_string()))?;
        if self.log.get_mut().len() >= log::LEN_MAX {
            return self.bring_in();
        }
        Ok(())
    }

    fn load(&self) -> Result<Stored, JournalError> {
        self.bring_in()?;
        self.read_all().map_err(unreadable)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<Record>, JournalError> {
        self.bring_in()?;
        self.read_some(space, prefix, after, count_max).map_err(unreadable)
    }

    fn finish(&mut self) -> Result<(), JournalError> {
        self.turn(false)?;
        let removed = self.log.get_mut().remove();
        removed.map_err(|error| self.failed(error.to_string()))?;
        self.over.set(Some("it has been finished"));
        Ok(())
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        if self.over.get().is_none() {
            // What cannot be brought in now stays in the log, and is brought in at the next start.
            drop(self.finish());
        }
    }
}

impl<'a> From<&'a Write> for Logged<'a> {
    fn from(write: &'a Write) -> Self {
        let (space, key) = write.place();
        let value = match write {
            Write::Put { value, .. } => Some(value.as_slice()),
            Write::Delete { .. } => None,
        };
        Self { retention: space.retention(), space: space.name(), key, value }
    }
}

/// Makes one write in the tables.
fn make(transaction: &Transaction<'_>, write: Logged<'_>) -> rusqlite::Result<()> {
    let Logged { retention, space, key, value } = write;
    let (put, delete) = match retention {
        Retention::State => (PUT_STATE, DELETE_STATE),
        Retention::Archive => (PUT_ARCHIVE, DELETE_ARCHIVE),
    };
    match value {
        Some(value) => transaction.prepare_cached(put)?.execute(params![space, key, value])?,
        None => transaction.prepare_cached(delete)?.execute(params![space, key])?,
    };
    Ok(())
}

/// The writes of a group, without those that a later one undoes: the group is kept as a whole, so nobody sees them.
fn last_of_each(batches: &[Batch]) -> Vec<&Write> {
    let mut seen = HashSet::new();
    let writes = batches.iter().flat_map(Batch::writes).rev();
    let mut last: Vec<_> = writes.filter(|write| seen.insert(write.place())).collect();
    last.reverse();
    last
}

/// Why a connection cannot be made ours.
fn refused(path: PathBuf, source: rusqlite::Error) -> StorageError {
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StorageError::Taken { path },
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StorageError::NotAStore { path }
        }
        Some(_) | None => StorageError::Sqlite { path, source },
    }
}

fn unreadable(error: rusqlite::Error) -> JournalError {
    JournalError { action: "read", reason: error.to_string() }
}

const SET_META: &str = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const PUT_STATE: &str = "INSERT INTO state (space, key, value) VALUES (?1, ?2, ?3) ON CONFLICT (space, key) DO UPDATE SET value = excluded.value";
const PUT_ARCHIVE: &str = "INSERT INTO archive (space, key, value) VALUES (?1, ?2, ?3) ON CONFLICT (space, key) DO UPDATE SET value = excluded.value";
const DELETE_STATE: &str = "DELETE FROM state WHERE space = ?1 AND key = ?2";
const DELETE_ARCHIVE: &str = "DELETE FROM archive WHERE space = ?1 AND key = ?2";

#[cfg(test)]
mod tests;
