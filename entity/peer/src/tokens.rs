//! Certified token transfers as a peer sees them.
//!
//! The ledger, a machine of its own, knows accounts and members by their keys alone, and decides everything; this room
//! knows which peer has which key, which accounts are ours, and which command waits for which payment. An account has one
//! order under way at a time: further payments of it wait here for their turn.
//!
//! | module | what it holds |
//! |---|---|
//! | `vocabulary` | [`TokenCommand`], [`TokenResult`], [`TokenEvent`], [`TokenError`] |
//! | `accounts` | the accounts of this identity and what they sign with |
//! | `payments` | commands that wait: for the end of an order, or for their turn |
//! | `room` | messages, deadlines and events between the ledger and the rest of the peer |
//!
//! Source: docs/protocol/1.1.md#tokens

mod accounts;
mod payments;
mod room;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use accounts::ACCOUNTS_MAX;
pub(crate) use accounts::SPACE as ACCOUNT_KEYS;
pub use payments::{QUEUED_PER_ACCOUNT_MAX, WAITING_MAX};
pub(crate) use room::Tokens;
pub use vocabulary::{
    Paid, Payment, TokenCommand, TokenError, TokenEvent, TokenResult, Until, Way,
};
