//! Run events to something people and machines read: console text, `JUnit` XML, a JSON summary.
//!
//! This crate is pure: it takes [`Recorded`](handfast_scenario::Recorded) events and returns text. A
//! recorded run and a live one give the same text because nothing else comes in.
//!
//! Reading order:
//!
//! 1. [`book`]: what a run's events add up to, one page a unit, one a suite.
//!    [`accounts`]: what its network and its disturbances were asked, and what was measured.
//! 2. [`console`]: lines while it runs and after; [`failure`], [`timeline`], [`table`] are its parts.
//!    [`shards`]: which part of a whole a run is, and what a merged record was made of.
//! 3. [`junit`] and [`summary`]: the same for other programs.
//!    [`ctrf`] in the Common Test Report Format; [`github`] as page and annotations of a GitHub job.
//! 4. [`html`]: the same as one file to look at.
//! 5. [`sequence`]: who said what to whom, as a diagram with the disturbances drawn in.
//! 6. [`palette`] and [`quantity`]: colours, and times for people.

pub mod accounts;
pub mod book;

pub mod console;
pub mod failure;
pub mod sequence;
pub mod table;
pub mod timeline;

pub mod matrix;
pub mod shards;

pub mod ctrf;
pub mod github;
pub mod html;
pub mod junit;
pub mod summary;

pub mod palette;
pub mod quantity;

#[cfg(test)]
mod sample;
