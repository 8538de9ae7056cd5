//! The wires of an Entity peer. This crate moves bytes and decides nothing about them.
//!
//! ```text
//! http::server   listens, bounds what strangers may cost us, hands whole requests to a Handler
//! http::client   one attempt per call over pooled keep-alive connections
//! http::address  `http://host:port/prefix`, parsed once
//! http::limits   every figure that bounds the two, with its reason
//! ws             WebSockets: messages both ways over one connection, accepted by the same server or dialled
//! turns          shares the processor out among those who are connected
//! places         shares the places for connections out, and says who has to go (pure)
//! host           whom a remote address is counted for
//! ```
//!
//! The rules of the wires are in `docs/protocol/1.0.md#transport`, `docs/protocol/1.0.md#client-rules` and
//! `docs/protocol/1.1.md#websocket`.

mod host;
pub mod http;
mod places;
pub mod turns;
pub mod ws;
