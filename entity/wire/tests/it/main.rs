//! The wire against recorded traffic: every vector was made by running the earlier peer.

#![expect(clippy::unwrap_used, reason = "a vector that does not read is a failed test")]

mod canonical;
mod data;
mod envelope_1_0;
mod envelope_1_1;
mod handshake_1_0;
