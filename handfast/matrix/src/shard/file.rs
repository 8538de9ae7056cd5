//! A partition as a file, `docs/design/shards.md#the-plan-file`: made once, so that machines whose durations differ agree.

use handfast_scenario::event::Shard;
use serde::{Deserialize, Serialize};

use super::partition::{Load, Partition, Piece, sum_us};

/// Version of the file's form, and the only one that is read.
pub const FORMAT: u32 = 1;

/// Bytes of a plan file at most: a matrix of the greatest size has less.
pub const LEN_MAX: usize = 64 * 1024 * 1024;

/// What the file says it is.
const KIND: &str = "handfast shard plan";

/// A partition and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardPlan {
    /// The command that made it, program first.
    pub command: Vec<String>,
    /// How long a shard was to take at most, microseconds.
    pub within_us: u64,
    /// The partition.
    pub partition: Partition,
}

/// Why a text is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It has more than [`LEN_MAX`] bytes.
    #[error("it has {len} bytes, and a plan at most {LEN_MAX}")]
    TooLong {
        /// How many it has.
        len: usize,
    },
    /// It is not JSON of this form.
    #[error("line {}, column {}: {source}", source.line(), source.column())]
    Form {
        /// What the decoder says.
        source: serde_json::Error,
    },
    /// It says that it is something else.
    #[error("it is no {KIND}, but {found:?}")]
    Kind {
        /// What it says.
        found: String,
    },
    /// It has a form this code does not know.
    #[error("it has format {found}, this handfast reads format {FORMAT}")]
    Format {
        /// The format it names.
        found: u32,
    },
    /// The shards are not all there, or in another order.
    #[error("where shard {expected} should stand there is {found}")]
    Order {
        /// What should stand there.
        expected: String,
        /// What does.
        found: Shard,
    },
    /// There is no shard.
    #[error("it has no shards")]
    Empty,
    /// Something is in it twice.
    #[error("{piece} is in it twice")]
    Twice {
        /// What.
        piece: Piece,
    },
    /// Somebody has changed it.
    #[error(
        "its pieces are not those of which it gives the digest: it was changed after it was made"
    )]
    Changed,
}

#[derive(Serialize, Deserialize)]
struct Head {
    kind: String,
    format: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kind: String,
    format: u32,
    command: Vec<String>,
    within_us: u64,
    partition: String,
    shards: Vec<ShardEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShardEntry {
    shard: Shard,
    expected_us: u64,
    pieces: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    piece: Piece,
    us: u64,
    is_guess: bool,
}

impl ShardPlan {
    /// The file, with its last line feed.
    ///
    /// # Errors
    ///
    /// What the JSON encoder says; it has nothing to refuse here.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let count = self.partition.count();
        let entry = |(place, loads): (usize, &Vec<Load>)| {
            let index = u32::try_from(place + 1).unwrap_or(u32::MAX);
            let shard = Shard::new(index, count).map_err(serde::ser::Error::custom)?;
            let pieces = loads.iter().map(|load| Entry {
                piece: load.piece.clone(),
                us: load.us,
                is_guess: load.is_guess,
            });
            Ok(ShardEntry { shard, expected_us: sum_us(loads), pieces: pieces.collect() })
        };
        let shards = self.partition.shards().iter().enumerate().map(entry);
        let file = File {
            kind: KIND.to_owned(),
            format: FORMAT,
            command: self.command.clone(),
            within_us: self.within_us,
            partition: self.partition.digest().to_string(),
            shards: shards.collect::<Result<_, serde_json::Error>>()?,
        };
        let mut text = serde_json::to_string_pretty(&file)?;
        text.push('\n');
        Ok(text)
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`PlanFileError`]; a file that was changed by hand is refused, because others may have the one it was.
    pub fn parse(text: &str) -> Result<Self, PlanFileError> {
        if text.len() > LEN_MAX {
            return Err(PlanFileError::TooLong { len: text.len() });
        }
        let form = |source| PlanFileError::Form { source };
        let head: Head = serde_json::from_str(text).map_err(form)?;
        if head.kind != KIND {
            return Err(PlanFileError::Kind { found: head.kind });
        }
        if head.format != FORMAT {
            return Err(PlanFileError::Format { found: head.format });
        }
        let file: File = serde_json::from_str(text).map_err(form)?;
        let mut shards = Vec::new();
        let count = u32::try_from(file.shards.len()).unwrap_or(u32::MAX);
        for entry in file.shards {
            let place = shards.len();
            if entry.shard.place() != place || entry.shard.count() != count {
                let expected = format!("{}/{count}", place + 1);
                return Err(PlanFileError::Order { expected, found: entry.shard });
            }
            let load =
                |entry: Entry| Load { piece: entry.piece, us: entry.us, is_guess: entry.is_guess };
            shards.push(entry.pieces.into_iter().map(load).collect());
        }
        if shards.is_empty() {
            return Err(PlanFileError::Empty);
        }
        let partition =
            Partition::from_shards(shards).map_err(|piece| PlanFileError::Twice { piece })?;
        if partition.digest().to_string() != file.partition {
            return Err(PlanFileError::Changed);
        }
        Ok(Self { command: file.command, within_us: file.within_us, partition })
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
