//! Numbers: each application message is handled once and in order (`docs/protocol/1.1.md#numbers`).
//!
//! [`Outgoing`] gives numbers to what this side sends and learns from acknowledgements what arrived;
//! [`Incoming`] puts what the other side sent back into order. Neither knows about sealing: a number
//! survives the sequence number, the generation and the connection its message was sent with.

use std::time::Duration;

use entity_wire::id::MessageId;

mod incoming;
mod outgoing;

pub use incoming::{Arrival, Incoming, NumberRefusal};
pub use outgoing::{AckRefusal, Fate, Outgoing, SendWindowFull};

/// How far a number may run ahead of the last acknowledged one, and how many a receiver holds back: 1,024.
///
/// Specified by `docs/protocol/1.1.md#numbers`.
pub const AHEAD_MAX: u64 = 1_024;

/// How many bytes of messages a receiver holds back: 8 MiB.
///
/// A guess: eight of the longest messages. Without it 1,024 held messages of 1 MiB would be a gigabyte.
pub const HOLD_BACK_LEN_MAX: usize = 8 << 20;

/// What a message is worth.
///
/// Source: `docs/protocol/1.1.md#durable-messages`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Class {
    /// It may be lost: when it is not acknowledged in time, its number is skipped.
    #[default]
    Volatile,
    /// Its sender keeps it and sends it until it is acknowledged, across restarts, resumptions and sessions. The id is
    /// the same each time.
    Durable(MessageId),
}

/// How many numbers are reserved at once: 256, a quarter of [`AHEAD_MAX`].
///
/// A guess: one write to disk for 256 messages, and at most so many numbers to skip after a restart.
pub const RESERVED_BLOCK: u64 = 256;

/// How far what is committed as handled may lag behind what is handled: 256.
///
/// Specified by `docs/protocol/1.1.md#kept-numbers`. A restart forgets at most so many volatile messages.
pub const COMMIT_LAG_MAX: u64 = 256;

/// After how many handled messages an acknowledgement is sent on its own: 256.
///
/// Specified by `docs/protocol/1.1.md#acknowledgement`; a quarter of [`AHEAD_MAX`], so that a sender at
/// full speed never waits for one.
pub const ACK_EVERY: u64 = 256;

/// How long the first handled message may stay unacknowledged: 1 s.
///
/// Specified by `docs/protocol/1.1.md#acknowledgement`.
pub const ACK_DELAY: Duration = Duration::from_secs(1);

/// After how long without an acknowledgement a volatile message counts as lost: 30 s.
///
/// A guess: longer than three attempts of 10 s with their pauses would be pointless, and much shorter
/// would declare messages lost that are on their way.
pub const LOST_AFTER: Duration = Duration::from_secs(30);

/// How long the first repetition of a `skip` waits: 2 s, twice [`ACK_DELAY`]. Each wait doubles the last.
pub const SKIP_REPEAT_MIN: Duration = Duration::from_secs(2);

/// The longest wait between two repetitions of a `skip`: 60 s, a guess.
pub const SKIP_REPEAT_MAX: Duration = Duration::from_mins(1);
