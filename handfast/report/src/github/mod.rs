//! A run for GitHub Actions: a page for the job, and annotations at the lines of the scenario files.
//!
//! 1. [`failing`]: what made the run fail, in the order in which it is told.
//! 2. [`annotation`]: workflow commands, at most as many as GitHub shows.
//! 3. `page`: the summary in Markdown, at most as long as GitHub takes.

pub mod annotation;
pub mod failing;
pub mod page;

pub use annotation::{annotations, disarmed};
pub use page::page;

#[cfg(test)]
mod tests;
