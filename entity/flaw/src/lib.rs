//! Defects that are planted on purpose.
//!
//! Tests that never fail prove nothing. So a peer can be built that is told at its start to have one named defect, and
//! `handfast selftest` shows which scenario sees it. Where a defect has its place, the code asks:
//!
//! ```ignore
//! if planted(Flaw::AcceptsStale) { .. }
//! ```
//!
//! Without the feature `planted` the answer is `false` at compile time, and neither names nor sentences are in the program.
//! With it, the answer comes from the one flaw that `plant` has set. That is the only state of a whole process that pure
//! crates look at, and it exists in no build that anybody uses.
//!
//! Source: docs/design/selftest.md

mod flaws;

#[cfg(feature = "planted")]
mod planted;

pub use flaws::Flaw;
#[cfg(feature = "planted")]
pub use planted::{AlreadyPlanted, plant, planted};

/// Whether the program has this defect: never, in this build.
#[cfg(not(feature = "planted"))]
#[inline]
pub const fn planted(_flaw: Flaw) -> bool {
    false
}
