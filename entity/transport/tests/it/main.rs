//! The HTTP server and client over real loopback connections.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod client;
mod server;
mod sockets;
mod support;
