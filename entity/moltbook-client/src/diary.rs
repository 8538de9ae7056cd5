//! The memory of an account's duties on disk.
//!
//! One file for each key beside its book, and a lock that is held as long as somebody does the duties: two programs would hand everything
//! over twice.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use entity_moltbook::duty::memory::{Forgotten, MEMORY_MAX, Memory};
use rustix::fs::{FlockOperation, flock};

use crate::clock::Clock;
use crate::store::replace;

/// Where the memory of one account lies, and the right to its duties.
#[derive(Debug)]
pub struct Diary {
    path: PathBuf,
    clock: Clock,
    _lock: File,
}

/// Why there is no memory, or why it cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum DiaryError {
    /// The file system does not let us.
    #[error("keep the memory of Moltbook in {}: {why}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// Another program does these duties.
    #[error("another program does the duties of this account (lock {})", path.display())]
    Taken {
        /// The lock.
        path: PathBuf,
    },
    /// It is no memory.
    #[error("read the memory {}: {why}; put it away, and what was handed over already comes once more", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: Forgotten,
    },
}

impl Diary {
    /// Takes the duties of `account`, whose files are in `folder`, and reads what was kept of them.
    pub(crate) fn open(
        folder: &Path,
        account: &str,
        clock: Clock,
    ) -> Result<(Self, Memory), DiaryError> {
        let path = folder.join(format!("moltbook-{account}.memory.json"));
        let lock = folder.join(format!("moltbook-{account}.duty.lock"));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |why| DiaryError::Io { path, why }
        };
        let mut options = OpenOptions::new();
        let file = options.create(true).write(true).truncate(false).mode(0o600).open(&lock);
        let file = file.map_err(failed(&lock))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(DiaryError::Taken { path: lock }),
            Err(error) => return Err(DiaryError::Io { path: lock, why: error.into() }),
        }
        let memory = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Memory::default(),
            Err(error) => return Err(failed(&path)(error)),
            Ok(about) if about.len() > MEMORY_MAX as u64 => {
                return Err(DiaryError::Damaged { path, why: Forgotten::Long });
            }
            Ok(_) => {
                let bytes = fs::read(&path).map_err(failed(&path))?;
                Memory::from_bytes(&bytes, clock.boot(), clock.now())
                    .map_err(|why| DiaryError::Damaged { path: path.clone(), why })?
            }
        };
        Ok((Self { path, clock, _lock: file }, memory))
    }

    /// Keeps `memory`; it is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`DiaryError::Io`]; what was kept before is then still there.
    pub fn keep(&self, memory: &Memory) -> Result<(), DiaryError> {
        let bytes = memory.to_bytes(self.clock.boot(), self.clock.now());
        replace(&self.path, &bytes).map_err(|why| DiaryError::Io { path: self.path.clone(), why })
    }
}
