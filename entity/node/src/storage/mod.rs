//! Where a node keeps what its peer wants kept.
//!
//! | module | what it holds |
//! |---|---|
//! | [`writer`] | the thread that owns a journal: everything that waits becomes one transaction |

pub mod writer;

use entity_journal::{Journal, MemoryJournal};

/// What a node is started with to keep its records in.
pub enum Storage {
    /// Memory: kept at once, gone with the node.
    Memory(MemoryJournal),
    /// A journal that takes its time; it gets a thread of its own.
    Journal(Box<dyn Journal + Send>),
}
