//! Protocol 1.1 between two nodes in memory, under virtual time.

mod handshake;
mod keys;
mod pair;
mod refusals;
mod traffic;
mod vector;
