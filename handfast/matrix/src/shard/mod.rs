//! Shards: one run cut into parts that different machines carry out at the same time.
//!
//! What is cut are *pieces*: units, cells of the matrix among them, and suites, each as a whole. How long each takes is known from earlier runs;
//! the longest goes first, always to the shard that has the least to do. Nothing else decides, so
//! that every machine with the same durations makes the same partition, and one with other durations notices:
//! a partition has a digest. `docs/design/shards.md` says why it is built so.
//!
//! 1. [`time`]: what a piece costs a machine.
//! 2. [`partition`]: which shard each piece is in, and how many shards there are.
//! 3. `file`: a partition as a file, for machines that do not have the same durations.

pub mod file;
pub mod partition;
pub mod time;

pub use file::{PlanFileError, ShardPlan};
pub use partition::{Load, Partition, Piece};
pub use time::{Machine, Wanted};
