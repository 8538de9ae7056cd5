//! The journal on disk: one SQLite file.
//!
//! A write-ahead log with a sync at every commit: what [`Journal::commit`] has returned for survives a loss of power. The
//! file belongs to one process and one identity, and says so to every other.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_journal::{Batch, Journal, JournalError, Record, Retention, Space, Stored, Write};
use entity_peer::inherit::{InheritError, inherit};
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, params};
use tracing::info;

/// The name of the file in the data directory.
pub const FILE_NAME: &str = "entity.db";

/// The form of the tables. A node reads this one and no newer one.
pub const FORMAT: i64 = 1;

/// What marks the file as ours in the header of SQLite: `enty`.
const APPLICATION_ID: i32 = 0x656e_7479;

/// Bytes that the log keeps on disk after a checkpoint. Guessed: a few full groups.
const LOG_LEN_MAX: i64 = 64 * 1024 * 1024;

/// Pages of the file that stay in memory, in KiB. Measured: what pays one of 256 accounts touches a dozen pages anywhere among
/// the newest ones, and with the 2 MiB that are usual every fourth access reads the file.
const CACHE_LEN_KIB: i64 = 8 * 1024;

/// Pages in the log at which it is brought into the file: 16 MiB. Measured: of the pages that payments write nearly all are
/// written again within that, and each is brought over once.
const CHECKPOINT_PAGES: i64 = 4096;

/// Statements kept prepared: all there are.
const STATEMENTS_MAX: usize = 8;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another process has it open.
    #[error("open the store {}: another process uses it", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("trust the store {}: its rights are {mode:o}, others can reach it", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another identity.
    #[error("open the store {}: it belongs to the peer with the key {owner}", path.display())]
    OtherOwner {
        /// The file.
        path: PathBuf,
        /// The key of that peer, as text.
        owner: String,
    },
    /// It belongs to the key before this one, and cannot go over.
    #[error("take over the store {} of the key {owner}", path.display())]
    NotInherited {
        /// The file.
        path: PathBuf,
        /// The key before.
        owner: PublicKey,
        /// Why not.
        #[source]
        source: InheritError,
    },
    /// A newer version wrote it.
    #[error("open the store {}: its format is {found}, this version reads {FORMAT}", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
    /// It is something else, or broken at its beginning.
    #[error("open the store {}: it is no store of a peer, or damaged", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("open the store {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// SQLite refuses.
    #[error("open the store {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it says.
        #[source]
        source: rusqlite::Error,
    },
}

impl StorageError {
    /// What to do about it, where there is something.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Taken { .. } => {
                Some("stop the other one, or give this one a directory of its own".to_owned())
            }
            Self::OpenToOthers { path, .. } => Some(format!("chmod go-rwx {}", path.display())),
            Self::OtherOwner { .. } => {
                Some("start it with that key, or give this one a directory of its own; a rotated key takes the store over where the wallet has the hand-over".to_owned())
            }
            Self::NotInherited { source: InheritError::Member, .. } => {
                Some("go on with the key before: `entity wallet list` names it, `entity wallet export` and `import` give it a name to start with (--key)".to_owned())
            }
            Self::NotInherited { path, source: InheritError::Damaged, .. } => {
                Some(format!("restore {} from a copy", path.display()))
            }
            Self::NewerFormat { .. } => Some("run the version that wrote it".to_owned()),
            Self::NotAStore { path } => {
                Some(format!("move {} away to start with an empty store", path.display()))
            }
            Self::Io { .. } | Self::Sqlite { .. } => None,
        }
    }
}

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
/// Dropping it brings the log into the file and removes the log.
#[derive(Debug)]
pub struct SqliteJournal {
    connection: Connection,
    /// A commit failed: what the file holds is no longer known.
    has_failed: bool,
}

impl SqliteJournal {
    /// Opens the store of `owner` in `data_dir`; makes both where they do not exist, so that only their owner can read them.
    /// A store of a predecessor is the owner's from here on ([`inherit`] says what becomes of it).
    ///
    /// # Errors
    ///
    /// [`StorageError`]; the file is as it was then.
    pub fn open(data_dir: &Path, owner: impl Into<Owner>) -> Result<Self, StorageError> {
        let owner = owner.into();
        let path = data_dir.join(FILE_NAME);
        create_private(data_dir, &path)
            .map_err(|source| StorageError::Io { path: path.clone(), source })?;
        let mode = fs::metadata(&path).map(|metadata| metadata.permissions().mode() & 0o777);
        let mode = mode.map_err(|source| StorageError::Io { path: path.clone(), source })?;
        if mode & 0o077 != 0 {
            return Err(StorageError::OpenToOthers { path, mode });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)
            .map_err(|source| StorageError::Sqlite { path: path.clone(), source })?;
        Self::begin(connection, path, &owner)
    }

    /// Makes a connection ours: alone, durable, of the right owner and format.
    fn begin(
        mut connection: Connection,
        path: PathBuf,
        owner: &Owner,
    ) -> Result<Self, StorageError> {
        let prepared = prepare(&mut connection, owner);
        let mut journal = Self { connection, has_failed: false };
        match prepared {
            Ok(None) => Ok(journal),
            Ok(Some(Foreign::Predecessor(old))) => {
                journal.take_over(path, &old, &owner.key)?;
                Ok(journal)
            }
            Ok(Some(Foreign::Unknown)) => Err(StorageError::NotAStore { path }),
            Ok(Some(Foreign::Newer(found))) => Err(StorageError::NewerFormat { path, found }),
            Ok(Some(Foreign::Owner(owner))) => Err(StorageError::OtherOwner { path, owner }),
            Err(source) => Err(match source.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    StorageError::Taken { path }
                }
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                    StorageError::NotAStore { path }
                }
                Some(_) | None => StorageError::Sqlite { path, source },
            }),
        }
    }

    /// Makes the store of `old` that of `new`, all of it at once.
    fn take_over(
        &mut self,
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
        self.write_with(&[Batch::from(writes)], |transaction| {
            transaction
                .execute("UPDATE meta SET value = ?1 WHERE name = 'owner'", [new.to_hex()])
                .map(drop)
        })
        .map_err(refused)?;
        info!(%old, %new, "the store goes over to the key that took the place of the old one; sessions begin anew, accounts stay the old key's");
        Ok(())
    }

    fn write(&mut self, batches: &[Batch]) -> rusqlite::Result<()> {
        self.write_with(batches, |_| Ok(()))
    }

    /// Makes the writes of a group and something else in one transaction.
    fn write_with(
        &mut self,
        batches: &[Batch],
        also: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for write in last_of_each(batches) {
            let (space, key) = write.place();
            let (put, delete) = match space.retention() {
                Retention::State => (PUT_STATE, DELETE_STATE),
                Retention::Archive => (PUT_ARCHIVE, DELETE_ARCHIVE),
            };
            match write {
                Write::Put { value, .. } => {
                    transaction.prepare_cached(put)?.execute(params![space.name(), key, value])?
                }
                Write::Delete { .. } => {
                    transaction.prepare_cached(delete)?.execute(params![space.name(), key])?
                }
            };
        }
        also(&transaction)?;
        transaction.commit()
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
        if self.has_failed {
            let reason = "it has failed before".to_owned();
            return Err(JournalError { action: "write", reason });
        }
        self.write(batches).map_err(|error| {
            self.has_failed = true;
            JournalError { action: "write", reason: error.to_string() }
        })
    }

    fn load(&self) -> Result<Stored, JournalError> {
        self.read_all().map_err(unreadable)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<Record>, JournalError> {
        self.read_some(space, prefix, after, count_max).map_err(unreadable)
    }
}

/// The writes of a group, without those that a later one undoes: the group is kept as a whole, so nobody sees them.
fn last_of_each(batches: &[Batch]) -> Vec<&Write> {
    let mut seen = HashSet::new();
    let writes = batches.iter().flat_map(Batch::writes).rev();
    let mut last: Vec<_> = writes.filter(|write| seen.insert(write.place())).collect();
    last.reverse();
    last
}

fn unreadable(error: rusqlite::Error) -> JournalError {
    JournalError { action: "read", reason: error.to_string() }
}

/// Why a file is not this peer's store.
enum Foreign {
    Unknown,
    Newer(i64),
    Owner(String),
    /// It is nobody else's: the key has handed over to this peer's.
    Predecessor(PublicKey),
}

/// Takes the file for this connection alone, sets what durability needs, and makes the tables of a new store.
fn prepare(connection: &mut Connection, owner: &Owner) -> rusqlite::Result<Option<Foreign>> {
    // Whoever holds the file holds it until its end; waiting would only put off the refusal.
    connection.busy_timeout(Duration::ZERO)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = id == 0 && tables == 0;
    if !is_new && id != APPLICATION_ID {
        return Ok(Some(Foreign::Unknown));
    }
    let foreign = if is_new { None } else { whose(connection, owner)? };
    if matches!(foreign, Some(Foreign::Unknown | Foreign::Newer(_) | Foreign::Owner(_))) {
        return Ok(foreign);
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On some systems a sync without these reaches the disk's cache alone.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LEN_MAX)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // A negative size counts KiB and not pages.
    connection.pragma_update(None, "cache_size", -CACHE_LEN_KIB)?;
    // Keys of sessions that are over must not stay in free space.
    connection.pragma_update(None, "secure_delete", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    if is_new {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute_batch(TABLES)?;
        let mut meta = transaction.prepare("INSERT INTO meta (name, value) VALUES (?1, ?2)")?;
        meta.execute(params!["format", FORMAT.to_string()])?;
        meta.execute(params!["owner", owner.key.to_hex()])?;
    }
    transaction.commit()?;
    Ok(foreign)
}

fn whose(connection: &Connection, owner: &Owner) -> rusqlite::Result<Option<Foreign>> {
    let meta = |name| -> rusqlite::Result<String> {
        connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
    };
    let Ok(found) = meta("format")?.parse::<i64>() else { return Ok(Some(Foreign::Unknown)) };
    // There is no older one.
    if found != FORMAT {
        return Ok(Some(Foreign::Newer(found)));
    }
    let kept = meta("owner")?;
    if kept == owner.key.to_hex() {
        return Ok(None);
    }
    let predecessor = owner.predecessors.iter().find(|key| key.to_hex() == kept);
    Ok(Some(predecessor.map_or(Foreign::Owner(kept), |key| Foreign::Predecessor(*key))))
}

/// Makes directory and file where they are missing, for their owner alone.
fn create_private(data_dir: &Path, path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
    // An existing file must not even be opened: closing it again would give up locks that this process has on it.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => File::open(data_dir)?.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Two tables of the same form, so that starting reads nothing of the archives.
const TABLES: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE state (space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)) STRICT, WITHOUT ROWID;
    CREATE TABLE archive (space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)) STRICT, WITHOUT ROWID;
";

const PUT_STATE: &str = "INSERT INTO state (space, key, value) VALUES (?1, ?2, ?3) ON CONFLICT (space, key) DO UPDATE SET value = excluded.value";
const PUT_ARCHIVE: &str = "INSERT INTO archive (space, key, value) VALUES (?1, ?2, ?3) ON CONFLICT (space, key) DO UPDATE SET value = excluded.value";
const DELETE_STATE: &str = "DELETE FROM state WHERE space = ?1 AND key = ?2";
const DELETE_ARCHIVE: &str = "DELETE FROM archive WHERE space = ?1 AND key = ?2";

#[cfg(test)]
mod tests;
