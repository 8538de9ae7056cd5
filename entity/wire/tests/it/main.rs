//! The wire against vectors that it did not make itself: recorded traffic of the earlier peer, and records that another
//! implementation has signed.

#![expect(clippy::unwrap_used, reason = "a vector that does not read is a failed test")]

mod canonical;
mod data;
mod dht;
mod envelope_1_0;
mod envelope_1_1;
mod frames;
mod handshake_1_0;
