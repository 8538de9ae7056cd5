//! The book of an account on disk.
//!
//! One file for each key, named by its digest, so that all programs with one key in one folder share one budget. A book is read, changed
//! and written under a lock, and written in whole beside the old one before it takes its place: after `kill -9` or a loss of power there is
//! the old book or the new one. A book that cannot be read is an error and never a fresh start, which would have the whole budget again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use entity_moltbook::Moment;
use entity_moltbook::budget::Book;
use entity_moltbook::budget::file::{BOOK_MAX, Damaged};
use entity_moltbook::duty::memory::Memory;
use rustix::fs::{FlockOperation, flock};

use crate::clock::Clock;
use crate::diary::{Diary, DiaryError};
use crate::waiting::Cancel;

/// How long to wait for another program that has the book.
pub const LOCK_WITHIN: Duration = Duration::from_secs(10);

/// Where the book of one account lies.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    account: String,
    book: PathBuf,
    lock: PathBuf,
    clock: Clock,
    cancel: Cancel,
}

/// Why the book cannot be had, or kept. Nothing is sent then.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system does not let us.
    #[error("keep the budget in {}: {why}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// Another program holds it.
    #[error("another program has held {} for {} s", path.display(), LOCK_WITHIN.as_secs())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// It is no book.
    #[error("read the budget {}: {why}; put it away only if nothing was posted in the last day", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: Damaged,
    },
}

impl Store {
    /// The book of `account` in `folder`, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the folder cannot be made.
    pub fn open(
        folder: &Path,
        account: &str,
        clock: Clock,
        cancel: Cancel,
    ) -> Result<Self, StoreError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|why| StoreError::Io { path: folder.to_owned(), why })?;
        Ok(Self {
            folder: folder.to_owned(),
            account: account.to_owned(),
            book: folder.join(format!("moltbook-{account}.json")),
            lock: folder.join(format!("moltbook-{account}.lock")),
            clock,
            cancel,
        })
    }

    /// The clock of the book.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Takes the duties of the account.
    pub(crate) fn diary(&self) -> Result<(Diary, Memory), DiaryError> {
        Diary::open(&self.folder, &self.account, self.clock.clone())
    }

    /// Where the book lies.
    pub fn path(&self) -> &Path {
        &self.book
    }

    /// Lets `change` have the book, and keeps what it has made of it before returning.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the book on disk is then the earlier one.
    pub fn change<T>(&self, change: impl FnOnce(&mut Book, Moment) -> T) -> Result<T, StoreError> {
        let _lock = self.locked()?;
        let (mut book, now) = self.read()?;
        let result = change(&mut book, now);
        let bytes = book.to_bytes(self.clock.boot(), now);
        replace(&self.book, &bytes)
            .map_err(|why| StoreError::Io { path: self.book.clone(), why })?;
        Ok(result)
    }

    /// The book as it is.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read.
    pub fn look(&self) -> Result<(Book, Moment), StoreError> {
        let _lock = self.locked()?;
        self.read()
    }

    fn read(&self) -> Result<(Book, Moment), StoreError> {
        let now = self.clock.now();
        let failed = |why| StoreError::Io { path: self.book.clone(), why };
        match fs::metadata(&self.book) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((Book::new(now), now));
            }
            Err(error) => return Err(failed(error)),
            Ok(about) if about.len() > BOOK_MAX as u64 => {
                return Err(StoreError::Damaged { path: self.book.clone(), why: Damaged::Long });
            }
            Ok(_) => {}
        }
        let bytes = fs::read(&self.book).map_err(failed)?;
        let book = Book::from_bytes(&bytes, self.clock.boot(), now)
            .map_err(|why| StoreError::Damaged { path: self.book.clone(), why })?;
        Ok((book, now))
    }

    fn locked(&self) -> Result<File, StoreError> {
        let failed = |why: io::Error| StoreError::Io { path: self.lock.clone(), why };
        let options = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.lock);
        let file = options.map_err(failed)?;
        let begun = self.clock.now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(failed(error.into())),
            }
            let over = self.clock.now().since(begun) > LOCK_WITHIN;
            if over || self.cancel.wait(Duration::from_millis(5)) {
                return Err(StoreError::Locked { path: self.lock.clone() });
            }
        }
    }
}

/// Puts `bytes` in the place of the file at `path`, in whole and durable; who calls it has the lock.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // One name, because whoever writes has the lock: what a killed program has left there is overwritten.
    let beside = path.with_extension("new");
    let mut file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
