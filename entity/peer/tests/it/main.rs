//! Whole peers, without IO and in virtual time.

mod handshake;
mod world;
