//! Protocol 1.1: handshake, sealed sessions and numbering (`docs/protocol/1.1.md`).
//!
//! [`sessions::Sessions`] is the way in: it holds everything that is open with any peer and takes each
//! message whose signature held through the order of checks. Below it, in reading order:
//!
//! - [`state`]: the names of the states, and the two roles.
//! - [`author`]: who writes a message; [`author::Outbound`]: a message on its way out.
//! - [`handshake`]: one type for each state, from step 1 to a ready session.
//! - [`proof`]: what a handshake has to show before there is a session.
//! - [`transcript`], `challenge`, `key_schedule`: what binds a handshake together.
//! - [`session`]: a ready session; [`channel`]: the keys and replay window of a generation, [`channels`]: of all; [`numbers`]: its order.
//! - [`secrets`]: what new keys are bound to; `resumption`, `rekey`: how they come about; [`record`]: what is kept.
//! - [`refusal`]: why a message is refused, and what the peer is told.
//! - [`simultaneous`]: who goes on when both sides open at once.

pub mod author;
mod challenge;
pub mod channel;
pub mod channels;
mod deadlines;
pub mod handshake;
mod key_schedule;
pub mod numbers;
pub mod proof;
pub mod record;
pub mod refusal;
mod rekey;
mod repeat;
mod resumption;
mod seal;
pub mod secrets;
pub mod session;
pub mod sessions;
pub mod simultaneous;
pub mod state;
pub mod transcript;
