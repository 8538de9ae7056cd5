//! Makes a file ours: alone, durable, with its tables; or says whose it is.

use std::time::Duration;

use entity_crypto::signing::PublicKey;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use zeroize::Zeroizing;

use super::log::LogKey;
use super::{FORMAT, Owner, SET_META};

/// Why a file is not this peer's store.
pub(super) enum Foreign {
    Unknown,
    Newer(i64),
    Owner(String),
    /// It never had a log, and one lies beside it.
    Log,
    /// It is nobody else's: the key has handed over to this peer's.
    Predecessor(PublicKey),
}

/// What a store that never had a log finds.
pub(super) struct Beside {
    /// There is a file with the log's name.
    pub(super) has_log: bool,
    /// The key for its log.
    pub(super) key: LogKey,
}

/// Takes the file for this connection alone, sets what durability needs, and makes the tables of a new store.
pub(super) fn prepare(
    connection: &mut Connection,
    owner: &Owner,
    beside: &Beside,
) -> rusqlite::Result<Option<Foreign>> {
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
    // Its log is made once the tables say that it has one.
    let format = if is_new { None } else { format_of(connection)? };
    let never_had_log = format.is_none_or(|format| format < FORMAT_WITH_LOG);
    if never_had_log && beside.has_log {
        return Ok(Some(Foreign::Log));
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
        transaction.execute(SET_META, params!["owner", owner.key.to_hex()])?;
    }
    if format != Some(FORMAT) {
        transaction.execute(SET_META, params!["format", FORMAT.to_string()])?;
    }
    if never_had_log {
        transaction.execute(SET_META, params!["log", "0"])?;
        transaction.execute(SET_META, params!["log_key", beside.key.to_hex().as_str()])?;
    }
    transaction.commit()?;
    Ok(foreign)
}

/// What the tables say about the log.
pub(super) struct Found {
    /// The generation that they have.
    pub(super) generation: u64,
    pub(super) key: LogKey,
    /// More may wait in it.
    pub(super) is_open: bool,
}

/// What the tables say about the log; `None` where that is damaged.
pub(super) fn log_of(connection: &Connection) -> rusqlite::Result<Option<Found>> {
    let generation = meta(connection, "log")?.and_then(|text| text.parse().ok());
    let key = meta(connection, "log_key")?.map(Zeroizing::new);
    let key = key.and_then(|text| LogKey::from_hex(&text));
    let is_open = meta(connection, "log_is_open")?.as_deref() == Some("1");
    let found = generation.zip(key);
    Ok(found.map(|(generation, key)| Found { generation, key, is_open }))
}

fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let found =
        connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0));
    found.optional()
}

fn format_of(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    Ok(meta(connection, "format")?.and_then(|text| text.parse().ok()))
}

fn whose(connection: &Connection, owner: &Owner) -> rusqlite::Result<Option<Foreign>> {
    let Some(found) = format_of(connection)? else { return Ok(Some(Foreign::Unknown)) };
    if found > FORMAT {
        return Ok(Some(Foreign::Newer(found)));
    }
    let Some(kept) = meta(connection, "owner")? else { return Ok(Some(Foreign::Unknown)) };
    if kept == owner.key.to_hex() {
        return Ok(None);
    }
    let predecessor = owner.predecessors.iter().find(|key| key.to_hex() == kept);
    Ok(Some(predecessor.map_or(Foreign::Owner(kept), |key| Foreign::Predecessor(*key))))
}

/// The first form of the store that has a log.
const FORMAT_WITH_LOG: i64 = 2;

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

/// Two tables of the same form, so that starting reads nothing of the archives.
pub(super) const TABLES: &str = "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE state (space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)) STRICT, WITHOUT ROWID;
    CREATE TABLE archive (space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (space, key)) STRICT, WITHOUT ROWID;
";
