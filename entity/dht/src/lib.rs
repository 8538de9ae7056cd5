//! The distributed hash table and the registry over it, as pure state.
//!
//! Start at [`Dht`], one node of the table, or at [`Discovery`], the one face for whoever wants to find a peer: among
//! those that the operator named, the bootstrap contacts, and the table. Both keep the pure contract of the house: inputs
//! take `now`, outputs are drained with `poll_output` after every input, what is to be kept with `take_writes` before
//! them. Randomness comes from a seed.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | the bounds |
//! | [`vocabulary`] | questions, answers, outputs, events |
//! | [`distance`] | [`Distance`], the XOR metric |
//! | [`node`] | [`Node`], a contact with its [`node::Subnet`] |
//! | [`checked`] | [`CheckedRecord`], the proof that a record is its owner's; [`Judge`], the seam of the check |
//! | [`table`], `bucket` | [`Table`]: who is known |
//! | [`lookup`] | [`Lookup`]: whom to ask next, over disjoint paths |
//! | `slots` | which record wins, and how many are stored |
//! | `rates` | how much a node may ask |
//! | `dht` | [`Dht`]: questions, answers, lookups, upkeep, ends |
//! | [`kept`] | what survives a restart |
//! | [`registry`] | [`Announcer`] and [`registry::resolve`]: entities by id and by capability |
//! | [`discovery`] | [`Discovery`] |
//!
//! Source: `docs/protocol/1.1.md#distributed-hash-table`.

pub mod checked;
pub mod config;
pub mod distance;
pub mod node;
pub mod vocabulary;

mod bucket;
pub mod lookup;
mod rates;
mod slots;
pub mod table;

mod dht;
pub mod kept;

pub mod discovery;
pub mod registry;

#[cfg(test)]
mod testing;

pub use checked::{CheckedRecord, Ed25519, Forged, Judge};
pub use config::Config;
pub use dht::Dht;
pub use discovery::Discovery;
pub use distance::Distance;
pub use kept::{DamagedRecord, SPACE};
pub use lookup::Lookup;
pub use node::Node;
pub use registry::Announcer;
pub use table::Table;
pub use vocabulary::{Answer, BeginError, Effort, Event, Inbound, OperationId, Output, Question};
