//! Key files in memory.

use std::collections::BTreeMap;
use std::io;

use zeroize::Zeroizing;

use crate::files::{FILE_LEN_MAX, KeyFiles, KeyFilesError};
use crate::name::FileName;

/// Keeps everything in memory: for tests. It can stop at any operation that changes something, as a process does that is
/// killed.
#[derive(Debug, Default)]
pub struct MemoryKeyFiles {
    files: BTreeMap<FileName, Zeroizing<Vec<u8>>>,
    changes: usize,
    stop: Option<Stop>,
}

/// Where a [`MemoryKeyFiles`] stops for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Before the change of this index is made, counted from 0.
    Before(usize),
    /// After it was made, but before anybody hears of it.
    After(usize),
}

impl MemoryKeyFiles {
    /// How many changes were asked for.
    pub fn changes(&self) -> usize {
        self.changes
    }

    /// Stops there; every later change fails, too.
    #[must_use]
    pub fn stopping(mut self, stop: Stop) -> Self {
        self.stop = Some(stop);
        self
    }

    /// The same files after a restart: nothing stops any more.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self { files: self.files.clone(), changes: 0, stop: None }
    }

    fn change(
        &mut self,
        name: &FileName,
        change: impl FnOnce(&mut BTreeMap<FileName, Zeroizing<Vec<u8>>>),
    ) -> Result<(), KeyFilesError> {
        let index = self.changes;
        self.changes += 1;
        let stopped = || KeyFilesError::System {
            action: "change",
            path: name.to_string(),
            source: io::Error::other("stopped").into(),
        };
        match self.stop {
            Some(Stop::Before(at)) if at <= index => Err(stopped()),
            Some(Stop::After(at)) if at < index => Err(stopped()),
            Some(Stop::After(at)) if at == index => {
                change(&mut self.files);
                Err(stopped())
            }
            Some(Stop::Before(_) | Stop::After(_)) | None => {
                change(&mut self.files);
                Ok(())
            }
        }
    }
}

impl KeyFiles for MemoryKeyFiles {
    fn list(&self) -> Result<Vec<FileName>, KeyFilesError> {
        Ok(self.files.keys().cloned().collect())
    }

    fn read(&self, name: &FileName) -> Result<Option<Zeroizing<Vec<u8>>>, KeyFilesError> {
        Ok(self.files.get(name).cloned())
    }

    fn create(&mut self, name: &FileName, bytes: &[u8]) -> Result<(), KeyFilesError> {
        if self.files.contains_key(name) {
            return Err(KeyFilesError::Exists { path: name.to_string() });
        }
        self.replace(name, bytes)
    }

    fn replace(&mut self, name: &FileName, bytes: &[u8]) -> Result<(), KeyFilesError> {
        if bytes.len() > FILE_LEN_MAX {
            return Err(KeyFilesError::TooLong { path: name.to_string() });
        }
        self.change(name, |files| {
            files.insert(name.clone(), Zeroizing::new(bytes.to_vec()));
        })
    }

    fn remove(&mut self, name: &FileName) -> Result<(), KeyFilesError> {
        self.change(name, |files| {
            files.remove(name);
        })
    }
}
