//! Records, and what is done to them.

use std::fmt;

/// A named set of records, ordered by key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space {
    name: &'static str,
    retention: Retention,
}

/// Whether a record comes back at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Retention {
    /// The machine is started with it.
    State,
    /// It is only looked up on demand.
    Archive,
}

impl Space {
    /// Names a space whose records come back at the start.
    pub const fn state(name: &'static str) -> Self {
        Self { name, retention: Retention::State }
    }

    /// Names a space whose records are only looked up on demand: what grows without bound.
    pub const fn archive(name: &'static str) -> Self {
        Self { name, retention: Retention::Archive }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Whether its records come back at the start.
    pub const fn retention(self) -> Retention {
        self.retention
    }
}

/// A record as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

/// One change.
#[derive(Clone, PartialEq, Eq)]
pub enum Write {
    /// Sets a record, whether or not there was one.
    Put {
        /// Where.
        space: Space,
        /// Its key.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// Takes a record away, if there is one.
    Delete {
        /// Where.
        space: Space,
        /// Its key.
        key: Vec<u8>,
    },
}

impl Write {
    /// Sets a record.
    pub fn put(space: Space, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self::Put { space, key: key.into(), value: value.into() }
    }

    /// Takes a record away.
    pub fn delete(space: Space, key: impl Into<Vec<u8>>) -> Self {
        Self::Delete { space, key: key.into() }
    }

    /// Which record it is about: its space and its key.
    pub fn place(&self) -> (Space, &[u8]) {
        match self {
            Self::Put { space, key, .. } | Self::Delete { space, key } => (*space, key),
        }
    }

    /// The size of space, key and value, in bytes.
    pub fn len_bytes(&self) -> usize {
        let (space, key) = self.place();
        let value = match self {
            Self::Put { value, .. } => value.len(),
            Self::Delete { .. } => 0,
        };
        space.name().len() + key.len() + value
    }
}

/// Changes that are kept together or not at all, in order: of two to the same record the later counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch(Vec<Write>);

impl Batch {
    /// Adds a change.
    pub fn push(&mut self, write: Write) {
        self.0.push(write);
    }

    /// The changes.
    pub fn writes(&self) -> &[Write] {
        &self.0
    }

    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The size of all spaces, keys and values, in bytes.
    pub fn len_bytes(&self) -> usize {
        self.0.iter().map(Write::len_bytes).sum()
    }
}

impl From<Vec<Write>> for Batch {
    fn from(writes: Vec<Write>) -> Self {
        Self(writes)
    }
}

impl Extend<Write> for Batch {
    fn extend<T: IntoIterator<Item = Write>>(&mut self, writes: T) {
        self.0.extend(writes);
    }
}

// A value may hold a secret, so it is never printed.

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value } = self;
        write!(formatter, "Record({}: {} bytes)", key.escape_ascii(), value.len())
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { space, key, value } => {
                let (space, key) = (space.name(), key.escape_ascii());
                write!(formatter, "Put({space}/{key}: {} bytes)", value.len())
            }
            Self::Delete { space, key } => {
                write!(formatter, "Delete({}/{})", space.name(), key.escape_ascii())
            }
        }
    }
}

#[cfg(test)]
mod tests;
