//! The form in which a book is kept: one JSON object, version 1.

use serde::{Deserialize, Serialize};

use super::book::{Book, Pause, SPENDS_MAX, Spend};
use super::drift::{Boot, ServiceClock};
use crate::challenge::Challenges;
use crate::moment::Moment;

/// Longest book, in bytes.
pub const BOOK_MAX: usize = 256 * 1024;

const FORMAT: &str = "moltbook.budget";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    format: String,
    version: u32,
    boot: Boot,
    #[serde(rename = "saved_us")]
    saved: Moment,
    #[serde(rename = "began_us")]
    began: Moment,
    established: bool,
    tickets: u64,
    spends: Vec<Spend>,
    pauses: Vec<Pause>,
    challenges: Challenges,
    clock: ServiceClock,
}

/// A book that cannot be read. It is never taken for an empty one, which would have the whole budget.
#[derive(Debug, thiserror::Error)]
pub enum Damaged {
    /// Longer than a book can be.
    #[error("it is longer than {BOOK_MAX} bytes")]
    Long,
    /// No book, or changed by hand.
    #[error("it is no book of this program: {0}")]
    Form(#[from] serde_json::Error),
    /// Written by a later version of this program.
    #[error("it has version {0}, and this program knows version {VERSION}")]
    Version(u32),
    /// Values that no book can have.
    #[error("{0} in it cannot be")]
    Values(&'static str),
}

impl Book {
    /// The bytes to keep at `now`.
    pub fn to_bytes(&self, boot: &Boot, now: Moment) -> Vec<u8> {
        let kept = Kept {
            format: FORMAT.to_owned(),
            version: VERSION,
            boot: boot.clone(),
            saved: now,
            began: self.began,
            established: self.established,
            tickets: self.tickets,
            spends: self.spends.clone(),
            pauses: self.pauses.clone(),
            challenges: self.challenges.clone(),
            clock: self.clock,
        };
        let mut bytes = serde_json::to_vec(&kept).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads a book and goes on with it at `now`, on the clock of `boot`.
    ///
    /// # Errors
    ///
    /// [`Damaged`] if these are not the bytes of a book.
    pub fn from_bytes(bytes: &[u8], boot: &Boot, now: Moment) -> Result<Self, Damaged> {
        if bytes.len() > BOOK_MAX {
            return Err(Damaged::Long);
        }
        let kept: Kept = serde_json::from_slice(bytes)?;
        if kept.format != FORMAT {
            return Err(Damaged::Values("the name of the format"));
        }
        if kept.version != VERSION {
            return Err(Damaged::Version(kept.version));
        }
        check(&kept)?;
        let same = kept.boot.is_same(boot) && now >= kept.saved;
        let saved = kept.saved;
        let mut book = Self {
            began: kept.began,
            established: kept.established,
            tickets: kept.tickets,
            spends: kept.spends,
            pauses: kept.pauses,
            challenges: kept.challenges,
            clock: kept.clock,
        };
        if !same {
            book.go_on(saved, now);
        }
        // Whoever had sent these may be dead: they reach the service now, or have before.
        for spend in book.spends.iter_mut().filter(|spend| spend.open) {
            spend.at = now;
            spend.open = false;
        }
        book.prune(now);
        Ok(book)
    }

    /// Moves everything from the old line, where it was `saved`, to another, where it is `now`: as if no time had passed.
    fn go_on(&mut self, saved: Moment, now: Moment) {
        // A microsecond before the present, so that it can be told from what is spent at the present.
        let shift = now.0.saturating_sub(saved.0).saturating_sub(1);
        for spend in &mut self.spends {
            spend.at = spend.at.shifted(shift);
        }
        for pause in &mut self.pauses {
            pause.made = pause.made.shifted(shift);
            pause.until = pause.until.shifted(shift);
        }
        self.challenges.shift(shift);
        self.began = self.began.shifted(shift);
        self.clock.cut(saved, now);
    }
}

fn check(kept: &Kept) -> Result<(), Damaged> {
    let saved = kept.saved;
    if kept.spends.len() > SPENDS_MAX {
        return Err(Damaged::Values("the number of spends"));
    }
    if kept.spends.iter().any(|spend| spend.at > saved || spend.ticket > kept.tickets) {
        return Err(Damaged::Values("a spend of later than the book"));
    }
    if kept.pauses.len() > 4 || kept.pauses.iter().any(|pause| pause.made > saved) {
        return Err(Damaged::Values("a pause of later than the book"));
    }
    if kept.began > saved {
        return Err(Damaged::Values("a beginning after the end"));
    }
    kept.challenges.check(saved).map_err(Damaged::Values)
}
