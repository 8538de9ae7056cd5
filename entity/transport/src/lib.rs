//! The wires of an Entity peer. This crate moves bytes and decides nothing about them.
//!
//! ```text
//! http::server   listens, bounds what strangers may cost us, hands whole requests to a Handler
//! http::client   one attempt per call over pooled keep-alive connections
//! http::address  `http://host:port/prefix`, parsed once
//! http::limits   every figure that bounds the two, with its reason
//! ```
//!
//! HTTP is the only wire so far; a trait over several wires arrives together with the second one.
//! The rules of the wire are in `docs/protocol/1.0.md#transport` and `docs/protocol/1.0.md#client-rules`.

pub mod http;
