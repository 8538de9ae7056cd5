//! Statistics of runs over time: where a series changed, which tests are flaky, which of two builds is
//! slower, how long something will take.
//!
//! This crate is pure: it opens no file, reads no clock, and what it draws at random follows from a seed.
//! [`docs/design/trend.md`](../../../docs/design/trend.md) says which papers it stands on and what was measured.
//!
//! Reading order:
//!
//! 1. [`change`]: change points of a noisy series, value by value or all at once.
//! 2. [`flaky`]: how often each test fails, and what that makes of it; [`sequential`] tests on which that rests.
//! 3. [`paired`]: two builds compared by runs that alternate; [`forecast`]: durations to expect.
//! 4. [`evaluate`]: how good all this is, as tables, on series with known truth or on recorded data.
//! 5. `beta`: what is known of a rate; [`random`]: dice.

pub mod change;

pub mod flaky;
pub mod sequential;

pub mod forecast;
pub mod paired;

pub mod evaluate;

mod beta;
pub mod random;
