//! What earlier runs have found, in one SQLite file that only grows: `.handfast/history.db`.
//!
//! The record of a run (`events.jsonl`) is the truth and may be thrown away; the history is its essence and stays: runs, cells,
//! results, durations, measurements, what was done about failures, incidents. Nothing in it is ever changed, which the file itself sees to;
//! to forget runs is to copy what stays into a new file. The schema is documented in `docs/design/history.md`, for whoever wants to ask it
//! something with SQL.
//!
//! 1. [`store`]: opening the file, its limits, and what is wrong with one that cannot be opened.
//! 2. [`schema`]: the tables, and how those of an older format become them.
//! 3. [`write`](mod@write), [`remember`]: what a run adds.
//! 4. [`ask`]: what the next run wants to know; [`questions`]: what people want to know.
//! 5. [`retention`], [`prune`](mod@prune): which runs may be forgotten, and how.
//! 6. [`export`], [`import`]: the same as JSON lines.
//! 7. [`team`]: the same in `PostgreSQL`, for several machines.

pub mod schema;
pub mod store;

pub mod remember;
pub mod write;

pub mod ask;
pub mod questions;

pub mod prune;
pub mod retention;

pub mod export;
pub mod import;

pub mod team;

pub use ask::{Cost, Recalled};
pub use prune::{Pruned, prune};
pub use questions::{Questions, TestName};
pub use remember::{ClosingRow, HealingRow, IncidentRow, MeasurementRow, TestRow};
pub use store::{History, HistoryError};
pub use team::Team;
pub use write::{BuildRow, CellRow, EndRow, RecallRow, ResultRow, RunRow, SuiteRow};

#[cfg(test)]
mod tests;
