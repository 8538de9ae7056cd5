use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::{JournalError, MemoryJournal};

/// One thing that a journal can get wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    ForgetsTheLastBatch,
    ForgetsWhenClosed,
    KeepsTheFirstOfTwoWrites,
    DoesNotDelete,
    LoadsArchives,
    ScansFromAfterOn,
    IgnoresThePrefix,
    IgnoresTheCount,
    MixesSpaces,
}

struct Wrong<'a> {
    store: &'a RefCell<MemoryJournal>,
    mistake: Mistake,
}

impl Journal for Wrong<'_> {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), JournalError> {
        let mut batches = batches.to_vec();
        if self.mistake == Mistake::ForgetsTheLastBatch && batches.len() > 1 {
            batches.pop();
        } else if self.mistake == Mistake::KeepsTheFirstOfTwoWrites {
            batches = batches.into_iter().map(first_of_two).collect();
        } else if self.mistake == Mistake::DoesNotDelete {
            batches = batches.into_iter().map(without_deletes).collect();
        }
        self.store.borrow_mut().commit(&batches)
    }

    fn load(&self) -> Result<Stored, JournalError> {
        let mut stored = self.store.borrow().load()?;
        if self.mistake == Mistake::LoadsArchives {
            for record in self.store.borrow().scan(ARCHIVE, b"", None, usize::MAX)? {
                stored.put(ARCHIVE.name(), record);
            }
        }
        Ok(stored)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<Record>, JournalError> {
        let store = self.store.borrow();
        let is = |mistake| self.mistake == mistake;
        if is(Mistake::ScansFromAfterOn)
            && let Some(after) = after
        {
            let all = store.scan(space, prefix, None, usize::MAX)?.into_iter();
            let from = all.filter(|record| record.key.as_slice() >= after);
            return Ok(from.take(count_max).collect());
        }
        let space = if is(Mistake::MixesSpaces) && space == OTHER_STATE { STATE } else { space };
        let prefix = if is(Mistake::IgnoresThePrefix) { b"" } else { prefix };
        let count_max = if is(Mistake::IgnoresTheCount) { usize::MAX } else { count_max };
        store.scan(space, prefix, after, count_max)
    }
}

impl Drop for Wrong<'_> {
    fn drop(&mut self) {
        if self.mistake == Mistake::ForgetsWhenClosed {
            self.store.replace(MemoryJournal::default());
        }
    }
}

fn first_of_two(batch: Batch) -> Batch {
    let mut seen = std::collections::HashSet::new();
    let writes = batch.writes().iter().filter(|write| {
        let (space, key) = write.place();
        seen.insert((space, key.to_vec()))
    });
    Batch::from(writes.cloned().collect::<Vec<_>>())
}

fn without_deletes(batch: Batch) -> Batch {
    let puts = batch.writes().iter().filter(|write| matches!(write, Write::Put { .. }));
    Batch::from(puts.cloned().collect::<Vec<_>>())
}

#[test]
fn each_mistake_of_a_journal_is_found() {
    let passes = |mistake| {
        let store = RefCell::new(MemoryJournal::default());
        let check = || check(|| Wrong { store: &store, mistake });
        catch_unwind(AssertUnwindSafe(check)).is_ok()
    };
    assert!(passes(Mistake::None));
    for mistake in [
        Mistake::ForgetsTheLastBatch,
        Mistake::ForgetsWhenClosed,
        Mistake::KeepsTheFirstOfTwoWrites,
        Mistake::DoesNotDelete,
        Mistake::LoadsArchives,
        Mistake::ScansFromAfterOn,
        Mistake::IgnoresThePrefix,
        Mistake::IgnoresTheCount,
        Mistake::MixesSpaces,
    ] {
        assert!(!passes(mistake), "{mistake:?} is not found");
    }
}
