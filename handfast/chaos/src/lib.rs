//! Looks for a schedule of disturbances under which a system fails, and reduces it to the few that matter.
//!
//! The crate is pure: it says what to play next and is told what came of it; somebody else plays. The same seed and the same outcomes
//! give the same tries.
//!
//! Reading order:
//!
//! 1. [`schedule`]: disturbances, outcomes, and when two failures are the same.
//! 2. [`menu`]: what can be done to whom, and at which moments of the protocol.
//! 3. [`novelty`] and [`corpus`]: what a try has shown, and which schedules are worth changing; [`search`]: which is tried next.
//! 4. [`shrink`]: from twenty disturbances to the one that matters. [`repeat`]: does it fail every time? [`chances`]: what so many tries say.
//! 5. [`campaign`]: all of it in its order, with a steady state before and after.
//!
//! Source: docs/design/chaos.md

pub mod campaign;
pub mod chances;
mod change;
pub mod corpus;
pub mod menu;
pub mod novelty;
pub mod repeat;
pub mod schedule;
pub mod search;
pub mod shrink;
mod simpler;

#[cfg(test)]
mod model;
#[cfg(test)]
mod sample;

pub use campaign::{Campaign, Played, Report, Settings};
pub use schedule::{Failure, Outcome, Schedule};
