//! The machine over years of virtual time: its laws hold whatever happens to the scheduler.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests are tests, too")]

mod almanac;
mod chance;
mod two_years;
mod world;
