//! What happened in a run.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use entity_peer::{CommandError, CommandId, CommandResult, PeerEvent};

/// One thing that happened at a machine, as its program could have told.
#[derive(Debug, Clone)]
pub struct Happened {
    /// When, from the start of the run.
    pub at: Duration,
    /// Where.
    pub machine: usize,
    /// In which life of the machine, from 0.
    pub life: u32,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Debug, Clone)]
pub enum What {
    /// The peer told an event.
    Event(PeerEvent),
    /// A command was given.
    Asked(CommandId),
    /// A command came to its end.
    Done(CommandId, Box<Result<CommandResult, CommandError>>),
    /// The machine started, again or for the first time.
    Started,
    /// The machine lost its power.
    Crashed,
}

/// Everything that happened, in order, and a fingerprint of it and of all bytes that travelled.
#[derive(Debug)]
pub struct History {
    happened: Vec<Happened>,
    keep: Keep,
    hasher: DefaultHasher,
}

/// What of a history stays in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Everything.
    #[default]
    All,
    /// Its fingerprint: with hundreds of peers the rest is millions of entries.
    Fingerprint,
}

impl History {
    /// A history in which nothing has happened.
    pub fn new(keep: Keep) -> Self {
        Self { happened: Vec::new(), keep, hasher: DefaultHasher::new() }
    }

    /// Adds what happened.
    pub fn push(&mut self, happened: Happened) {
        // The debug form shows every field but secrets, and those are seen in the bytes that travel.
        let text = format!("{happened:?}");
        text.hash(&mut self.hasher);
        match self.keep {
            Keep::All => self.happened.push(happened),
            Keep::Fingerprint => {}
        }
    }

    /// Adds bytes that travelled to the fingerprint.
    pub fn travelled(&mut self, at: Duration, bytes: &[u8]) {
        (at, bytes).hash(&mut self.hasher);
    }

    /// Everything, in order, where it is kept.
    pub fn iter(&self) -> impl Iterator<Item = &Happened> {
        self.happened.iter()
    }

    /// Equal for equal histories of the same build, and as good as never for others.
    pub fn fingerprint(&self) -> u64 {
        self.hasher.finish()
    }
}
