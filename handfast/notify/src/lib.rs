//! Tells people what runs have found.
//!
//! 1. [`letter`]: one thing to be told to one channel, with the data of its incident.
//! 2. [`outcome`]: what came of handing a letter over.
//! 3. [`channel`]: where letters go.
//! 4. [`watch`], [`incident`], [`quiet`] and [`rules`], pure: from the events of a run to what its incidents become and which letters tell it.
//! 5. [`outbox`]: incidents and letters on disk.
//! 6. [`teller`]: the runner's side; [`courier`]: the process that delivers; [`presence`] and [`deaths`]: who lives, and who does not any more.
//! 7. [`config`], [`wiring`], [`clock`]: what these processes are told from outside.

pub mod channel;
pub mod letter;
pub mod outcome;

pub mod incident;
pub mod quiet;
pub mod rules;
pub mod watch;

pub mod outbox;

pub mod courier;
pub mod deaths;
pub mod presence;
pub mod teller;

pub mod clock;
pub mod config;
pub mod wiring;

#[cfg(test)]
mod sample;

pub use channel::Channel;
pub use letter::{
    Class, Counts, Death, Failure, Incident, Key, Kind, Letter, Mention, Note, Owner, Reference,
    State,
};
pub use outcome::Outcome;
