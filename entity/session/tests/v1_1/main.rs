//! Protocol 1.1 between two nodes in memory, under virtual time.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test, like the test itself")]

mod belonging;
mod bounds;
mod frames;
mod gone_bad;
mod handshake;
mod keys;
mod pair;
mod refusals;
mod rekey;
mod renewal_vectors;
mod resumption;
mod survival;
mod traffic;
mod vector;
