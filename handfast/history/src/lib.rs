//! What earlier runs have found, in one SQLite file that only grows: `.handfast/history.db`.
//!
//! The record of a run (`events.jsonl`) is the truth and may be thrown away; the history is its essence and stays: runs, cells,
//! results, durations. Nothing in it is ever changed, which the file itself sees to. The schema is
//! documented in `docs/design/history.md`, for whoever wants to ask it something with SQL.
//!
//! 1. [`store`]: opening the file, its limits, and what is wrong with one that cannot be opened.
//! 2. [`schema`]: the tables.
//! 3. [`write`](mod@write): what a run adds.
//! 4. [`ask`]: what the next run wants to know.

pub mod ask;
pub mod schema;
pub mod store;
pub mod write;

pub use ask::{Cost, Recalled};
pub use store::{History, HistoryError};
pub use write::{BuildRow, CellRow, EndRow, RecallRow, ResultRow, RunRow, SuiteRow};

#[cfg(test)]
mod tests;
