//! What may still be spent.
//!
//! The [`Book`] of an account says what was spent and when, in moments of a clock that nobody can set. Everything is written to it
//! *before* it is sent, and the time of a spend is the time when its answer came: so the service, which counts between the two, never sees
//! two of them closer together than its window. What was in flight when a program was killed counts as spent.
//!
//! - [`limits`]: how much of what in which window, for new accounts and for established ones
//! - [`book`]: reserve, settle, pause
//! - [`drift`]: what a book may believe about the time in which nobody looked: only the service's own dates
//! - [`mod@file`]: the form in which a book is kept

pub mod book;
pub mod drift;
pub mod file;
pub mod limits;
#[cfg(test)]
mod tests;

pub use book::{Book, Denied, Room, Settle, Settlement, Ticket};
pub use drift::Boot;
pub use limits::{Kind, Limit, Standing};
