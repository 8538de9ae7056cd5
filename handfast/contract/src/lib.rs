//! The peer contract, as `docs/contract/README.md` states it to a stranger.
//!
//! Pure: lines go in and out as bytes, time as [`std::time::Duration`] since any fixed moment.
//!
//! 1. [`message`]: JSON-RPC 2.0 messages.
//! 2. [`codec`]: one message a line, at most 4 MiB.
//! 3. [`initialized`]: what a peer says of itself.
//! 4. [`client`]: ids, deadlines, cancelling, the events' counter.
//! 5. [`schema`]: the shapes of all methods and events of the Entity contract.
//! 6. [`probe`]: does a peer keep the contract?

pub mod client;
pub mod codec;
pub mod initialized;
pub mod message;
pub mod probe;
pub mod schema;

pub use client::{Client, Output};
pub use initialized::Initialized;
pub use message::{Message, Refusal, RequestId, RpcError};
pub use probe::{Probe, Report};

/// Version of the contract that this crate speaks.
pub const CONTRACT_VERSION: &str = "1";
