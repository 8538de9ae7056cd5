//! The matrix: every scenario with every pair of peers.
//!
//! This crate is pure: it enumerates cells, says what each verdict follows from, in which order cells are
//! played, what was expected of them, and, from the events of a run, how the grid stands and whose fault a
//! failure is. `docs/design/matrix.md` says why it is built so.
//!
//! Reading order:
//!
//! 1. [`cell`]: scenario x pair of peers, and which of them somebody asks for.
//! 2. [`key`]: the digest of all that a cell's verdict follows from.
//! 3. [`expected`]: the reviewed file of results that are not `passed`.
//! 4. [`schedule`]: which cell is played next, and beside which; [`queue`]: the same for the units of a category.
//!    [`shard`]: which machine plays it, where there are several.
//! 5. [`grid`]: rows, columns and states, from events; [`blame`]: which peer, or which pair.

pub mod blame;
pub mod cell;
pub mod expected;
pub mod grid;
pub mod key;
pub mod queue;
pub mod schedule;
pub mod shard;

#[cfg(test)]
mod sample;

pub use cell::{Ask, Cell, Column, MatrixError, cells, with_seeds};
pub use expected::Expectations;
pub use grid::Grid;
pub use key::{Digest, Ingredients};
pub use queue::{Queue, Room};
pub use schedule::Schedule;
