//! Where letters go: each channel is one service, one place in it, and one secret.
//!
//! 1. [`settings`]: what a channel is, as the project file says it.

pub mod settings;

use crate::letter::Letter;
use crate::outcome::Outcome;

/// A place that letters can be handed to.
pub trait Channel: Send {
    /// Hands a letter over, and waits until it is known what came of it: at most [`CALL_MAX`].
    ///
    /// Of a letter that is [`unsure`](Letter::unsure) it finds out first, where the service can be asked, whether the service has it.
    /// Letters of one incident have to be handed over in order.
    fn deliver(&self, letter: &Letter) -> Outcome;
}

/// Longest time that handing over one letter takes, look-ups included.
pub const CALL_MAX: std::time::Duration = std::time::Duration::from_mins(1);
