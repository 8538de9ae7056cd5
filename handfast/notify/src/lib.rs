//! Tells people what runs have found.
//!
//! 1. [`letter`]: one thing to be told to one channel, with the data of its incident.
//! 2. [`outcome`]: what came of handing a letter over.
//! 3. [`channel`]: where letters go.

pub mod channel;
pub mod letter;
pub mod outcome;

pub use channel::Channel;
pub use letter::{
    Class, Counts, Death, Failure, Incident, Key, Kind, Letter, Mention, Note, Owner, Reference,
    State,
};
pub use outcome::Outcome;
