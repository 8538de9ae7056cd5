use proptest::prelude::*;

use super::*;
use crate::conformance::{self, ARCHIVE, OTHER_STATE, STATE, after_power_loss};

#[test]
fn it_is_a_journal() {
    let store = std::cell::RefCell::new(MemoryJournal::default());
    conformance::check(|| Borrowed(&store));
}

/// A journal that others open again.
struct Borrowed<'a>(&'a std::cell::RefCell<MemoryJournal>);

impl Journal for Borrowed<'_> {
    fn commit(&mut self, batches: &[Batch]) -> Result<(), JournalError> {
        self.0.borrow_mut().commit(batches)
    }

    fn load(&self) -> Result<Stored, JournalError> {
        self.0.borrow().load()
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        count_max: usize,
    ) -> Result<Vec<Record>, JournalError> {
        self.0.borrow().scan(space, prefix, after, count_max)
    }
}

fn put(key: &str, value: &[u8]) -> Batch {
    Batch::from(vec![Write::put(STATE, key, value)])
}

#[test]
fn one_byte_above_the_limit_is_refused_and_room_that_is_freed_is_room() {
    let mut journal = MemoryJournal::with_limit(10);
    assert!(journal.commit(&[put("a", &[0; 10])]).is_err());
    journal.commit(&[put("a", &[0; 9])]).unwrap();
    assert_eq!(journal.len_bytes, 10);
    assert_eq!(
        journal.commit(&[put("b", &[0; 9])]).unwrap_err().to_string(),
        "write the journal: there is no room left"
    );
    journal.commit(&[Batch::from(vec![Write::delete(STATE, "a")])]).unwrap();
    assert_eq!(journal.len_bytes, 0);
    journal.commit(&[put("b", &[0; 9])]).unwrap();
}

#[test]
fn without_power_nothing_is_kept_until_it_is_back() {
    let mut journal = MemoryJournal::default();
    journal.lose_power_after(1);
    let failed = journal.commit(&[put("a", b"1"), put("b", b"1")]).unwrap_err();
    assert_eq!(failed.to_string(), "write the journal: the power failed");
    assert!(journal.commit(&[put("c", b"1")]).is_err());
    journal.power_on();
    journal.commit(&[put("d", b"1")]).unwrap();
    let keys: Vec<_> = journal.load().unwrap().take(STATE).map(|record| record.key).collect();
    assert_eq!(keys, [b"a", b"d"]);
}

fn write() -> impl Strategy<Value = Write> {
    let space = prop_oneof![Just(STATE), Just(OTHER_STATE), Just(ARCHIVE)];
    // Few keys, so that writes meet.
    let value =
        prop_oneof![3 => prop::collection::vec(any::<u8>(), 0..5).prop_map(Some), 1 => Just(None)];
    (space, "[a-c]", value).prop_map(|(space, key, value)| match value {
        Some(value) => Write::put(space, key, value),
        None => Write::delete(space, key),
    })
}

fn commits() -> impl Strategy<Value = Vec<Vec<Batch>>> {
    let batch = prop::collection::vec(write(), 0..5).prop_map(Batch::from);
    prop::collection::vec(prop::collection::vec(batch, 0..4), 0..8)
}

proptest! {
    /// Whenever the power fails: every acknowledged batch is there, and of the others whole ones, in order.
    #[test]
    fn a_loss_of_power_leaves_whole_batches_in_order(commits in commits(), cut in 0..32_usize) {
        let mut journal = MemoryJournal::default();
        journal.lose_power_after(cut);
        let mut acknowledged = 0;
        for commit in &commits {
            match journal.commit(commit) {
                Ok(()) => acknowledged += commit.len(),
                Err(_) => break,
            }
        }
        journal.power_on();
        let batches = commits.concat();
        prop_assert!(acknowledged <= cut);
        let held = after_power_loss(&batches, acknowledged, &journal);
        prop_assert!(held.is_ok(), "{held:?}");
    }

    /// The check would see a batch that is torn, missing in the midst, or lost after it was acknowledged.
    #[test]
    fn what_a_loss_of_power_may_not_do_is_seen(count in 1..6_usize, which in any::<prop::sample::Index>()) {
        let batch = |n: usize| Batch::from(vec![
            Write::put(STATE, format!("{n}"), "x"),
            Write::put(ARCHIVE, format!("{n}"), "x"),
        ]);
        let batches: Vec<_> = (0..count).map(batch).collect();
        let which = which.index(count);
        let journal_of = |batches: &[Batch]| {
            let mut journal = MemoryJournal::default();
            journal.commit(batches).unwrap();
            journal
        };
        let lost = journal_of(&batches[..which]);
        prop_assert_eq!(after_power_loss(&batches, which, &lost), Ok(which));
        prop_assert!(after_power_loss(&batches, which + 1, &lost).is_err());
        let mut torn = lost.clone();
        torn.apply(&batches[which].writes()[0]);
        prop_assert!(after_power_loss(&batches, which, &torn).is_err());
        if which + 1 < count {
            let mut gap = lost;
            gap.commit(&batches[which + 1..]).unwrap();
            prop_assert!(after_power_loss(&batches, which, &gap).is_err());
        }
    }
}
