//! Where a node keeps what its peer wants kept.
//!
//! | module | what it holds |
//! |---|---|
//! | [`sqlite`] | [`SqliteJournal`]: the journal on disk |
//! | [`writer`] | the thread that owns a journal: everything that waits becomes one transaction |
//!
//! `docs/design/storage.md` says why it is built so, and what it costs.

pub mod sqlite;
pub mod writer;

use std::fmt;
use std::path::Path;

use entity_journal::{Journal, JournalError, MemoryJournal, Stored};

pub use sqlite::{Owner, SqliteJournal, StorageError};

/// What a node is started with to keep its records in.
pub enum Storage {
    /// Memory: kept at once, gone with the node.
    Memory(MemoryJournal),
    /// A journal that takes its time; it gets a thread of its own.
    Journal(Box<dyn Journal + Send>),
}

/// Bytes that a node without a directory keeps. Guessed: days of a test; a node that is to last has a directory.
const VOLATILE_LEN_MAX: usize = 512 * 1024 * 1024;

/// Why the store of a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be opened.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// It cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl OpenError {
    /// What to do about it, where there is something.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Storage(error) => error.help(),
            Self::Journal(_) => None,
        }
    }
}

impl Storage {
    /// Nothing kept, and nothing to outlast the node.
    pub fn volatile() -> (Self, Stored) {
        (Self::Memory(MemoryJournal::with_limit(VOLATILE_LEN_MAX)), Stored::default())
    }

    /// Opens the store of `owner` in `data_dir`, and makes it where there is none. One of a predecessor goes over to it.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(data_dir: &Path, owner: impl Into<Owner>) -> Result<(Self, Stored), OpenError> {
        let journal = SqliteJournal::open(data_dir, owner)?;
        let stored = journal.load()?;
        Ok((Self::Journal(Box::new(journal)), stored))
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Memory(_) => "Memory(..)",
            Self::Journal(_) => "Journal(..)",
        })
    }
}
