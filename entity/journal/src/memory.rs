//! A journal in memory.

use std::collections::BTreeMap;

use crate::record::{Batch, Record, Retention, Space, Write};
use crate::stored::Stored;
use crate::{Journal, JournalError};

/// Keeps everything in memory: for tests, for simulation, and for a peer without a directory.
///
/// For tests it can lose its power: see [`MemoryJournal::lose_power_after`].
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal {
    records: BTreeMap<Space, BTreeMap<Vec<u8>, Vec<u8>>>,
    /// The size of keys and values.
    len_bytes: usize,
    /// How large that may be; `None` for no limit.
    len_bytes_max: Option<usize>,
    /// How many further batches there is power for; `None` while it does not fail.
    power: Option<usize>,
}

impl MemoryJournal {
    /// Makes one whose keys and values take at most `len_bytes_max` together. A commit that would exceed it fails.
    pub fn with_limit(len_bytes_max: usize) -> Self {
        Self { len_bytes_max: Some(len_bytes_max), ..Self::default() }
    }

    /// Makes the power fail after `batches` further batches: those are kept, also in the midst of a commit, and every other
    /// is gone and its commit fails.
    pub fn lose_power_after(&mut self, batches: usize) {
        self.power = Some(batches);
    }

    /// Brings the power back. What was kept is there.
    pub fn power_on(&mut self) {
        self.power = None;
    }

    /// Takes power for one batch.
    fn spend(&mut self) -> Result<(), JournalError> {
        match &mut self.power {
            None => Ok(()),
            Some(0) => Err(failed("the power failed")),
            Some(batches) => {
                *batches -= 1;
                Ok(())
            }
        }
    }

    fn apply(&mut self, write: &Write) {
        let (space, key) = write.place();
        let records = self.records.entry(space).or_default();
        let old = match write {
            Write::Put { value, .. } => records.insert(key.to_vec(), value.clone()),
            Write::Delete { .. } => records.remove(key),
        };
        self.len_bytes += growth(write);
        self.len_bytes -= old.map_or(0, |old| key.len() + old.len());
    }
}

impl Journal for MemoryJournal {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), JournalError> {
        for batch in batches {
            self.spend()?;
            // What it replaces is not looked at: a batch too large by that little is refused early.
            let grown = batch.writes().iter().map(growth).sum();
            let len_bytes = self.len_bytes.saturating_add(grown);
            if self.len_bytes_max.is_some_and(|len_bytes_max| len_bytes > len_bytes_max) {
                return Err(failed("there is no room left"));
            }
            for write in batch.writes() {
                self.apply(write);
            }
        }
        Ok(())
    }

    fn load(&self) -> Result<Stored, JournalError> {
        let mut stored = Stored::default();
        let states = self.records.iter().filter(|(space, _)| space.retention() == Retention::State);
        for (space, records) in states {
            for (key, value) in records {
                let record = Record { key: key.clone(), value: value.clone() };
                stored.put(space.name(), record);
            }
        }
        Ok(stored)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<Record>, JournalError> {
        let Some(records) = self.records.get(&space) else { return Ok(Vec::new()) };
        let records = records
            .range(prefix.to_vec()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(key, _)| after.is_none_or(|after| key.as_slice() > after));
        Ok(records
            .take(count_max)
            .map(|(key, value)| Record { key: key.clone(), value: value.clone() })
            .collect())
    }
}

/// The size of key and value of what is put.
fn growth(write: &Write) -> usize {
    match write {
        Write::Put { key, value, .. } => key.len() + value.len(),
        Write::Delete { .. } => 0,
    }
}

fn failed(reason: &str) -> JournalError {
    JournalError { action: "write", reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
