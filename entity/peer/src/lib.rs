//! One whole agent without IO: messages, commands, outcomes and deadlines go in; answers, transmissions and events
//! come out.
//!
//! Start at [`Peer`]. It keeps the pure contract of the house: inputs are `handle_*` and take `now`, outputs are drained
//! with [`Peer::poll_output`] until `None` after every input, [`Peer::next_deadline`] says when
//! [`Peer::handle_deadline`] wants to be called.
//!
//! The way of a received message, in three stages so that the costly one needs no lock:
//!
//! ```text
//! bytes ── decode ──> Decoded ── Peer::admit ──> Check ── Check::run ──> Checked ── Peer::handle_checked ──> Reply
//!         (no state)            (looks at state)        (signature only)           (changes state, handler)
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | what the operator decides |
//! | [`command`], [`output`], [`view`] | the vocabulary of inputs, outputs and getters |
//! | `peer` | [`Peer`]: the inputs, and what belongs to no version |
//! | [`inbound`] | the three stages, split by version |
//! | `core` | what both versions share: key, clock offset, roster, outbox, inbox, outputs |
//! | `link` | the relation to one peer: which version, opening, waiting commands, connecting again |
//! | `routing` | which feature a message goes to |
//! | `outbox`, `inbox`, `roster`, `health`, `capabilities` | one concept each |
//! | `v1_0`, `v1_1` | receiving, handshakes and sending of one version |

pub mod command;
pub mod config;
pub mod inbound;
pub mod output;
pub mod view;

mod capabilities;
mod core;
mod health;
mod inbox;
mod link;
mod name;
mod outbox;
mod peer;
mod roster;
mod routing;
mod v1_0;

pub use command::{Command, CommandError, CommandId, CommandResult};
pub use config::Config;
pub use name::{InvalidPeerName, PeerName};
pub use output::{Delivery, DeliveryId, Output, PeerEvent, Transmit};
pub use peer::Peer;
