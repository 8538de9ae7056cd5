//! Why a peer cannot go on where another left off.

use thiserror::Error;

/// What was kept cannot be used. The store is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// A newer version wrote it.
    #[error("it holds records of a kind that this version does not know: {space}")]
    UnknownSpace {
        /// The name of their space.
        space: String,
    },
    /// A record is not of its form.
    #[error("the record {key} of {space} is damaged: {reason}")]
    Damaged {
        /// The name of its space.
        space: &'static str,
        /// Its key, printable characters as they are.
        key: String,
        /// What is wrong.
        reason: String,
    },
}
