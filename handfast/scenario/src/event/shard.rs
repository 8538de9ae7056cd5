//! Shards in a record: which part of a whole a run is, and of which parts a merged record was made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::exit::ExitCode;

/// Most shards of one partition: so many jobs GitHub makes of one matrix
/// (<https://docs.github.com/en/actions/reference/limits>).
pub const SHARDS_MAX: u32 = 256;

/// One of several shards, written `2/4`: the second of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: u32,
    count: u32,
}

/// Why a text is no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidShard {
    /// It has another form.
    #[error("{text:?} is no shard: write its number, `/` and how many there are, such as 2/4")]
    Form {
        /// The text as written.
        text: String,
    },
    /// Its number is not between 1 and how many there are.
    #[error("there is no shard {index} of {count}: shards are counted from 1")]
    Index {
        /// The number.
        index: u32,
        /// How many there are.
        count: u32,
    },
    /// There are more than [`SHARDS_MAX`].
    #[error("{count} shards are more than {SHARDS_MAX}")]
    TooMany {
        /// How many there are.
        count: u32,
    },
}

impl Shard {
    /// The shard number `index` of `count`, from 1.
    ///
    /// # Errors
    ///
    /// [`InvalidShard`] if there is none.
    pub fn new(index: u32, count: u32) -> Result<Self, InvalidShard> {
        if count > SHARDS_MAX {
            return Err(InvalidShard::TooMany { count });
        }
        if index == 0 || index > count {
            return Err(InvalidShard::Index { index, count });
        }
        Ok(Self { index, count })
    }

    /// Its number, from 1.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Its place in a list of all shards, from 0.
    pub fn place(self) -> usize {
        usize::try_from(self.index - 1).unwrap_or(usize::MAX)
    }
}

impl FromStr for Shard {
    type Err = InvalidShard;

    fn from_str(text: &str) -> Result<Self, InvalidShard> {
        let form = || InvalidShard::Form { text: text.to_owned() };
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse::<u32>().ok()).flatten().ok_or_else(form)
        };
        let (index, count) = text.split_once('/').ok_or_else(form)?;
        Self::new(number(index)?, number(count)?)
    }
}

impl TryFrom<String> for Shard {
    type Error = InvalidShard;

    fn try_from(text: String) -> Result<Self, InvalidShard> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}/{}", self.index, self.count))
    }
}

/// Which part of a whole a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardMark {
    /// Which shard.
    pub shard: Shard,
    /// A digest of the whole partition, as lower-case hex: shards of one whole have the same.
    pub partition: String,
    /// How many units and suites all shards have together.
    pub pieces: u64,
}

/// One part of a merged record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardLine {
    /// Which shard; nothing for a run that was none.
    pub shard: Option<Shard>,
    /// Id of its run.
    pub run: String,
    /// The folder it was found in, as given.
    pub folder: String,
    /// How many units its plan holds.
    pub units: usize,
    /// How many suites its plan holds.
    pub suites: usize,
    /// Its seed.
    pub seed: u64,
    /// What it ended with; nothing for a run that was killed.
    pub exit: Option<ExitCode>,
    /// How long it took: until its last event, for one that was killed.
    pub duration_us: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(text: &str, part: &str) {
        let error = text.parse::<Shard>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }

    #[test]
    fn a_shard_is_written_as_its_number_of_how_many() {
        let shard: Shard = "2/4".parse().unwrap();
        assert_eq!((shard.index(), shard.count(), shard.place()), (2, 4, 1));
        assert_eq!(shard.to_string(), "2/4");
        assert_eq!(serde_json::to_string(&shard).unwrap(), r#""2/4""#);
        assert_eq!(serde_json::from_str::<Shard>(r#""256/256""#).unwrap().index(), 256);
    }

    #[test]
    fn what_is_no_shard_is_refused_with_the_reason() {
        for text in ["", "2", "/", "a/b", "1/", "+1/2", " 1/2", "1/2/3", "1/99999999999999"] {
            check_refused(text, "write its number");
        }
        check_refused("0/4", "counted from 1");
        check_refused("5/4", "no shard 5 of 4");
        check_refused("1/0", "no shard 1 of 0");
        check_refused("1/257", "more than 256");
        assert!(serde_json::from_str::<Shard>(r#""0/4""#).is_err());
    }
}
