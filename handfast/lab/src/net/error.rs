//! Why there is no network for the peers of a unit.

use std::io;

use thiserror::Error;

use crate::net::place::PLACES_MAX;
use crate::net::switch::SwitchError;

/// Why there is no network for the peers of a unit: the caller, then the host, then the platform.
#[derive(Debug, Error)]
pub enum NetError {
    /// There are too many roles.
    #[error("{count} roles are too many for one network, which takes {PLACES_MAX}")]
    TooManyRoles {
        /// How many there are.
        count: usize,
    },
    /// Two roles have one name.
    #[error("the role {role:?} is there twice")]
    Twice {
        /// The name.
        role: String,
    },
    /// This host does not give what is needed, or it was not asked.
    #[error("there are no network namespaces here: {why}")]
    NotHere {
        /// What was tried, and what the system said.
        why: String,
    },
    /// The process that makes the namespaces could not be started, or failed.
    #[error("the holder of the namespaces failed")]
    Holder(#[source] io::Error),
    /// The namespaces are there, and nothing carries packets between them.
    #[error("the switch failed")]
    Switch(#[from] SwitchError),
}

/// An error and what caused it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
