//! How a letter looks: pure, and small enough for every service by construction.
//!
//! 1. [`words`]: what is said, without a service's markup.
//! 2. [`text`]: foreign texts made harmless and cut to size.
//! 3. [`slack`]: Slack's blocks.

pub(super) mod slack;
pub(super) mod text;
pub(super) mod words;

#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;
