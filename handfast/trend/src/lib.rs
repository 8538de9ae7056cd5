//! Statistics of runs over time: where a series changed.
//!
//! This crate is pure: it opens no file, reads no clock, and what it draws at random follows from a seed.
//! [`docs/design/trend.md`](../../../docs/design/trend.md) says which papers it stands on and what was measured.
//!
//! Reading order:
//!
//! 1. [`change`]: change points of a noisy series, value by value or all at once.
//! 2. [`evaluate`]: how good all this is, as tables, on series with known truth or on recorded data.
//! 3. `number` and [`random`]: conversions in one place, and dice.

pub mod change;

pub mod evaluate;

mod number;
pub mod random;
