//! The part of a peer in the distributed hash table, and the registry over it.
//!
//! [`entity_dht`] decides, and knows nodes by their keys alone; this room asks them in sealed sessions of 1.1, so that a
//! session under its key stands behind whatever a node says, signs what this entity announces, and remembers which command
//! waits for which lookup. Everything lives by the wall clock, as records do.
//!
//! | module | what it holds |
//! |---|---|
//! | `vocabulary` | [`DhtConfig`], [`DhtCommand`], [`DhtResult`], [`DhtEvent`], [`DhtError`], [`DhtView`] |
//! | `room` | messages, deadlines and outputs between the table and the rest of the peer |
//! | `contacts` | from contacts of the table to peers of the roster, and back |
//! | `operations` | commands, and what waits for a lookup |
//! | `presence` | when this entity is announced anew |
//! | `guests` | peers that nobody named, met through the table: how many are remembered, and who gives way |
//!
//! Source: docs/protocol/1.1.md#distributed-hash-table

mod contacts;
mod guests;
mod operations;
mod presence;
mod room;
mod vocabulary;

pub use entity_dht::discovery::{Source, Wanted};
pub use entity_dht::{CheckedRecord, Effort};
pub(crate) use room::{Dht, Part};
pub use vocabulary::{
    ContactView, DhtCommand, DhtConfig, DhtError, DhtEvent, DhtResult, DhtState, DhtView, FoundWay,
    Got, Put, Stored,
};
