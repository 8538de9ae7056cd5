//! What an entity keeps across restarts.
//!
//! A pure machine says what is to be kept as [`Write`]s. All writes of one input form one [`Batch`], and a batch is
//! atomic: after a crash either all of it is there or nothing. Whoever runs the machine hands its batches to a
//! [`Journal`] in their order and lets nothing that came after a batch leave before the batch is durable.
//!
//! | module | what it holds |
//! |---|---|
//! | [`record`] | [`Space`], [`Write`], [`Batch`], [`Record`] |
//! | [`stored`] | [`Stored`]: what a machine is started again with |
//! | [`memory`] | [`MemoryJournal`], which can lose its power |
//! | [`conformance`] | what every journal has to do, as checks |
//!
//! The seam is [`Journal`]; a store on disk is the node's.

pub mod record;
pub mod stored;

pub mod memory;

pub mod conformance;

pub use memory::MemoryJournal;
pub use record::{Batch, Record, Retention, Space, Write};
pub use stored::Stored;

use thiserror::Error;

/// Keeps batches, in order, atomically, durably.
///
/// [`conformance::check`] is what an implementation has to pass.
pub trait Journal {
    /// Makes `batches` durable, in this order. On return all of them survive a loss of power.
    ///
    /// # Errors
    ///
    /// [`JournalError`]. Then a prefix of `batches` may have been kept, each of them whole or not at all, and the
    /// journal takes no more.
    fn commit(&mut self, batches: &[Batch]) -> Result<(), JournalError>;

    /// Returns everything in spaces of [`Retention::State`].
    ///
    /// # Errors
    ///
    /// [`JournalError`] where the store cannot be read.
    fn load(&self) -> Result<Stored, JournalError>;

    /// Ends it in order: what it had put off is done. Afterwards it takes no more. One that puts nothing off has nothing to do.
    ///
    /// # Errors
    ///
    /// [`JournalError`]; what was committed is as durable as before.
    fn finish(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    /// Returns up to `count_max` records of one space in the order of their keys, from the first key above `after`
    /// (from the first of all for `None`) whose beginning is `prefix`.
    ///
    /// # Errors
    ///
    /// [`JournalError`] where the store cannot be read.
    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<Record>, JournalError>;
}

/// The store failed; what it holds is as the last successful commit left it, or further.
#[derive(Debug, Error)]
#[error("{action} the journal: {reason}")]
pub struct JournalError {
    /// What was being done: `read`; `write`, after which the journal takes no more.
    pub action: &'static str,
    /// What the store says.
    pub reason: String,
}
