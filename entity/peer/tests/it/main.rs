//! Whole peers, without IO and in virtual time.
#![expect(clippy::unwrap_used, reason = "a test may stop at its first surprise")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks the case it is about")]

mod between;
mod commands;
mod dht;
mod durable;
mod first_use;
mod frames;
mod golden_errors;
mod golden_handshake;
mod handshake;
mod hardened;
mod mutations;
mod mutations_1_1;
mod played;
mod sessions;
mod signals;
mod stranger;
mod tasks;
mod tokens;
mod transfers;
mod v1_1;
mod weather;
mod world;
