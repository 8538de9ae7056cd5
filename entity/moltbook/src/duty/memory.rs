//! What was handed over, and when the last status was posted: one JSON object, version 1.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::budget::Boot;
use crate::moment::Moment;
use crate::words::ID_MAX;

/// Most items that are remembered, the latest seen of them: ten times what one look can find.
pub const HANDED_MAX: usize = 1_024;
/// Longest memory, in bytes.
pub const MEMORY_MAX: usize = 512 * 1024;

const FORMAT: &str = "moltbook.memory";
const VERSION: u32 = 1;

/// What has been done, so that it is not done again after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    status: Option<Moment>,
    handed: VecDeque<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    format: String,
    version: u32,
    boot: Boot,
    #[serde(rename = "saved_us")]
    saved: Moment,
    #[serde(rename = "status_us")]
    status: Option<Moment>,
    handed: VecDeque<String>,
}

/// A memory that cannot be read. It is never taken for an empty one: everything would be handed over again.
#[derive(Debug, thiserror::Error)]
pub enum Forgotten {
    /// Longer than a memory can be.
    #[error("it is longer than {MEMORY_MAX} bytes")]
    Long,
    /// No memory, or changed by hand.
    #[error("it is no memory of this program: {0}")]
    Form(#[from] serde_json::Error),
    /// Written by a later version of this program.
    #[error("it has version {0}, and this program knows version {VERSION}")]
    Version(u32),
    /// Values that no memory can have.
    #[error("{0} in it cannot be")]
    Values(&'static str),
}

impl Memory {
    /// When the last status was posted, where that is known: not over a restart of the system.
    pub fn status(&self) -> Option<Moment> {
        self.status
    }

    pub(super) fn set_status(&mut self, now: Moment) {
        self.status = Some(now);
    }

    /// How many items are remembered.
    pub fn len(&self) -> usize {
        self.handed.len()
    }

    /// Whether nothing was ever handed over.
    pub fn is_empty(&self) -> bool {
        self.handed.is_empty()
    }

    /// Whether the item was handed over. What is seen again is remembered longest.
    pub(super) fn knows(&mut self, id: &str) -> bool {
        let Some(place) = self.handed.iter().position(|known| known == id) else { return false };
        if let Some(seen) = self.handed.remove(place) {
            self.handed.push_back(seen);
        }
        true
    }

    pub(super) fn add(&mut self, id: String) {
        if self.handed.len() == HANDED_MAX {
            self.handed.pop_front();
        }
        self.handed.push_back(id);
    }

    /// The bytes to keep at `now`.
    pub fn to_bytes(&self, boot: &Boot, now: Moment) -> Vec<u8> {
        let kept = Kept {
            format: FORMAT.to_owned(),
            version: VERSION,
            boot: boot.clone(),
            saved: now,
            status: self.status,
            handed: self.handed.clone(),
        };
        let mut bytes = serde_json::to_vec(&kept).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads what was kept, at `now` on the clock of `boot`.
    ///
    /// # Errors
    ///
    /// [`Forgotten`] if these are not the bytes of a memory.
    pub fn from_bytes(bytes: &[u8], boot: &Boot, now: Moment) -> Result<Self, Forgotten> {
        if bytes.len() > MEMORY_MAX {
            return Err(Forgotten::Long);
        }
        let kept: Kept = serde_json::from_slice(bytes)?;
        if kept.format != FORMAT {
            return Err(Forgotten::Values("the name of the format"));
        }
        if kept.version != VERSION {
            return Err(Forgotten::Version(kept.version));
        }
        // An id has at most so many characters, and a character four bytes.
        if kept.handed.len() > HANDED_MAX || kept.handed.iter().any(|id| id.len() > 4 * ID_MAX) {
            return Err(Forgotten::Values("an id or the number of ids"));
        }
        if kept.status.is_some_and(|status| status > kept.saved) {
            return Err(Forgotten::Values("a status of later than the memory"));
        }
        let same = kept.boot.is_same(boot) && now >= kept.saved;
        Ok(Self { status: kept.status.filter(|_| same), handed: kept.handed })
    }
}
