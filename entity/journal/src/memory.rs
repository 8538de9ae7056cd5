//! A journal in memory.

use std::collections::BTreeMap;

use crate::record::{Batch, Record, Retention, Space, Write};
use crate::stored::Stored;
use crate::{Journal, JournalError};

/// Keeps everything in memory: for tests, for simulation, and for a peer without a directory.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal {
    records: BTreeMap<Space, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl MemoryJournal {
    fn apply(&mut self, write: &Write) {
        match write {
            Write::Put { space, key, value } => {
                self.records.entry(*space).or_default().insert(key.clone(), value.clone());
            }
            Write::Delete { space, key } => {
                if let Some(records) = self.records.get_mut(space) {
                    records.remove(key);
                }
            }
        }
    }
}

impl Journal for MemoryJournal {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), JournalError> {
        for write in batches.iter().flat_map(Batch::writes) {
            self.apply(write);
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
