//! A peer played from recorded reference conversations, for the day the other team's peer is late.
//!
//! A conversation is a file that a person can read: what was said to the recorded peer, in order, and what it answered, with
//! its computed parts (signatures, keys, digests) written as expressions instead of bytes. Played back with the recorded
//! randomness and time it gives the recorded bytes; played back live it answers a real peer. It proves as much as it checks: less than a peer
//! would, which is why every report calls it a stub.
//!
//! Reading order:
//!
//! 1. `conversation`: the file; `expression`: what computes its parts, with `primitives` and `canonical`.
//! 2. `player`: message and time in, answer and messages out; owns no socket and no clock.
//! 3. `desk`: the peer contract around the player; `serve`: sockets, clock and standard streams around both.
//! 4. `paced`: another peer, with a protocol of its own, that is as slow as it is told to be.

pub mod canonical;
pub mod conversation;
pub mod desk;
pub mod expression;
pub mod paced;
pub mod player;
mod primitives;
pub mod serve;

pub use conversation::{Conversation, ConversationError};
pub use player::{Known, Player, Reply};
