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
//! | `record`, `restore` | what is kept, and starting with it |
//! | [`inherit`] | what is kept when the key changes |
//! | `features` | the rooms of everything built on sessions and messages |
//! | [`dht`] | the part in the distributed hash table and the registry over it |
//! | `discovery` | who knows a peer, whichever way |
//! | `tasks` | tasks that peers delegate to each other |
//! | `routing` | which feature a message goes to |
//! | `durable` | messages that are kept until the other side has them |
//! | `signals` | waking a peer, and telling it that something of its failed |
//! | `circuit` | when nothing is tried for a while |
//! | `outbox`, `inbox`, `roster`, `health`, `capabilities` | one concept each |
//! | `v1_0` | receiving, handshakes and sending of 1.0 |
//!
//! The room of a version has a `State` with `admit`, `handle_checked`, `open`, `send`, `settle`, `close`, `expire`,
//! `next_deadline`, `sessions` and `live_session`, which `Peer` calls by a `match` on the version, and a `Purpose` that
//! says what the outcome of a delivery means to it. It tells the rest of the peer what happened with `core::News`.

pub mod command;
pub mod config;
pub mod dht;
pub mod inbound;
pub mod inherit;
pub mod output;
pub mod tokens;
pub mod view;

mod capabilities;
mod circuit;
mod core;
mod discovery;
mod durable;
mod features;
mod health;
mod inbox;
mod link;
mod name;
mod outbox;
mod peer;
mod record;
mod restore;
mod roster;
mod routing;
mod signals;
mod tasks;
mod transfers;
mod v1_0;
mod v1_1;

pub use command::{Command, CommandError, CommandId, CommandResult};
pub use config::Config;
pub use name::{InvalidPeerName, PeerName};
pub use output::{Delivery, DeliveryId, Output, PeerEvent, Transmit};
pub use peer::Peer;
pub use restore::RestoreError;
