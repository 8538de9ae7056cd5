//! Which layer a message takes, and what a relay and its members do, as pure state.
//!
//! | module | what it holds |
//! |---|---|
//! | [`route`] | [`Router`]: for each transmission the way it goes, by what both sides have and what works; fallback, return, the partition rule, and what is held against relays |
//! | [`relay`] | [`Relay`]: members, mailboxes, forwarding |
//! | [`member`] | [`Member`]: what a member of relays says to them |
//!
//! All keep the pure contract of the house: inputs take `now`, outputs are drained with `poll_output` after every input,
//! randomness comes from a seed. Sockets, HTTP and the store are the node's.
//!
//! Source: `docs/protocol/1.1.md#layers`, `docs/protocol/1.1.md#relay`.

pub mod member;
pub mod relay;
pub mod route;

pub use member::Member;
pub use relay::Relay;
pub use route::{ConnectionId, Layers, Route, Router};
