//! Nothing leaves before what it rests on is durable.
//!
//! The gate counts the batches that were handed to the journal and those that are durable. While the counts differ, whatever
//! would leave waits here, in order, each for the batches that were handed over before it.

use std::collections::VecDeque;

/// What waits, and for how much.
#[derive(Debug)]
pub(super) struct Gate<T> {
    state: Passage,
    waiting: VecDeque<Waiting<T>>,
}

#[derive(Debug)]
enum Passage {
    Counting {
        submitted: u64,
        durable: u64,
        bytes_under_way: VecDeque<usize>,
        bytes: usize,
    },
    /// The journal failed: nothing passes again.
    Shut,
}

#[derive(Debug)]
struct Waiting<T> {
    /// How many batches have to be durable.
    rests_on: u64,
    what: T,
}

impl<T> Gate<T> {
    /// Batches that may be on their way to the disk before further work is refused. Guessed: more than all connections and
    /// commands can bring about at once, so that only a disk that stands still reaches it.
    pub(super) const BATCHES_MAX: usize = 8192;

    /// The same in bytes. Guessed: half of what bodies of requests may take.
    pub(super) const BYTES_MAX: usize = 64 * 1024 * 1024;

    /// Makes an open gate.
    pub(super) fn new() -> Self {
        let state = Passage::Counting {
            submitted: 0,
            durable: 0,
            bytes_under_way: VecDeque::new(),
            bytes: 0,
        };
        Self { state, waiting: VecDeque::new() }
    }

    /// Notes that a batch was handed to the journal: what comes now rests on it.
    pub(super) fn submitted(&mut self, len_bytes: usize) {
        if let Passage::Counting { submitted, bytes_under_way, bytes, .. } = &mut self.state {
            *submitted += 1;
            bytes_under_way.push_back(len_bytes);
            *bytes += len_bytes;
        }
    }

    /// Gives `what` back if it may leave now, and keeps it otherwise; a shut gate drops it.
    pub(super) fn pass(&mut self, what: T) -> Option<T> {
        match self.state {
            Passage::Counting { submitted, durable, .. } if submitted == durable => Some(what),
            Passage::Counting { submitted, .. } => {
                self.waiting.push_back(Waiting { rests_on: submitted, what });
                None
            }
            Passage::Shut => None,
        }
    }

    /// Notes that so many further batches are durable. What may leave then is to be taken with [`Gate::next`].
    pub(super) fn durable(&mut self, batches: usize) {
        if let Passage::Counting { durable, bytes_under_way, bytes, .. } = &mut self.state {
            for len_bytes in bytes_under_way.drain(..batches.min(bytes_under_way.len())) {
                *durable += 1;
                *bytes -= len_bytes;
            }
        }
    }

    /// Takes the next that has waited long enough, in order.
    pub(super) fn next(&mut self) -> Option<T> {
        let Passage::Counting { durable, .. } = self.state else { return None };
        self.waiting.pop_front_if(|first| first.rests_on <= durable).map(|waiting| waiting.what)
    }

    /// Says whether nothing is on its way to the disk.
    pub(super) fn is_open(&self) -> bool {
        match self.state {
            Passage::Counting { submitted, durable, .. } => submitted == durable,
            Passage::Shut => false,
        }
    }

    /// Says whether further work is to be refused.
    pub(super) fn is_full(&self) -> bool {
        match &self.state {
            Passage::Counting { bytes_under_way, bytes, .. } => {
                bytes_under_way.len() >= Self::BATCHES_MAX || *bytes >= Self::BYTES_MAX
            }
            Passage::Shut => true,
        }
    }

    /// The journal failed: drops what waits and lets nothing pass again.
    pub(super) fn shut(&mut self) {
        self.state = Passage::Shut;
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests;
