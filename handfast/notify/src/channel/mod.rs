//! Where letters go: each channel is one service, one place in it, and one secret.
//!
//! 1. [`settings`]: what a channel is, as the project file says it.
//! 2. [`secret`]: tokens, and that they go nowhere else.
//! 3. `open`: from settings to a channel.
//! 4. `message`: how a letter looks.
//! 5. `http`: one call at a time, and whether it may have arrived.
//! 6. `slack`: a bot's token, or an incoming webhook.
//! 7. `webhook`: any service that takes JSON, by templates.

mod http;
mod message;
pub mod open;
pub mod secret;
pub mod settings;
mod slack;
mod webhook;

use std::time::Duration;

pub use open::{OpenError, Opened, open};

use crate::letter::Letter;
use crate::outcome::Outcome;
use open::Refused;

/// A place that letters can be handed to.
pub trait Channel: Send {
    /// Hands a letter over, and waits until it is known what came of it: at most [`CALL_MAX`].
    ///
    /// Of a letter that is [`unsure`](Letter::unsure) it finds out first, where the service can be asked, whether the service has it.
    /// Letters of one incident have to be handed over in order.
    fn deliver(&self, letter: &Letter) -> Outcome;

    /// Tries without telling anybody, as far as the service allows, whether letters can be handed over; says to whom.
    ///
    /// # Errors
    ///
    /// What would come of a letter.
    fn check(&self) -> Result<String, Outcome>;
}

/// Longest time that handing over one letter takes, look-ups included.
pub const CALL_MAX: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
