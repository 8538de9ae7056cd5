//! What a machine is started again with.

use std::collections::BTreeMap;

use crate::record::{Record, Space};

/// Records by the name of their space and by key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    spaces: BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Stored {
    /// Adds a record.
    pub fn put(&mut self, space: &str, record: Record) {
        self.spaces.entry(space.to_owned()).or_default().insert(record.key, record.value);
    }

    /// Takes all records of a space, in the order of their keys.
    pub fn take(&mut self, space: Space) -> impl Iterator<Item = Record> + use<> {
        let records = self.spaces.remove(space.name()).unwrap_or_default();
        records.into_iter().map(|(key, value)| Record { key, value })
    }

    /// Looks at all records of a space, in the order of their keys.
    pub fn records(&self, space: Space) -> impl Iterator<Item = (&[u8], &[u8])> {
        let records = self.spaces.get(space.name()).into_iter().flatten();
        records.map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// Says how many records of which spaces there are, for people: `roster 3, session 2`, or `nothing`.
    pub fn summary(&self) -> String {
        let counts =
            self.spaces.iter().map(|(space, records)| format!("{space} {}", records.len()));
        let counts: Vec<_> = counts.collect();
        if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") }
    }

    /// The names of the spaces that have records nobody took: written by somebody who knew more.
    pub fn left(&self) -> impl Iterator<Item = &str> {
        self.spaces.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
