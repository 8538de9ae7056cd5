//! Whole peers, without IO and in virtual time.
#![expect(clippy::unwrap_used, reason = "a test may stop at its first surprise")]

mod commands;
mod golden_errors;
mod golden_handshake;
mod handshake;
mod hardened;
mod mutations;
mod stranger;
mod world;
