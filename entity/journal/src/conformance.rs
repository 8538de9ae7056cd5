//! What every journal has to do, as checks that panic where it does not. For tests.

use std::collections::BTreeMap;

use crate::Journal;
use crate::record::{Batch, Record, Space, Write};
use crate::stored::Stored;

/// Spaces of both kinds for checks.
pub const STATE: Space = Space::state("check.state");
/// A second one that comes back at the start; its name begins like that of the first.
pub const OTHER_STATE: Space = Space::state("check.state2");
/// One that is only looked up.
pub const ARCHIVE: Space = Space::archive("check.archive");

/// Checks everything that a journal owes. `open` opens the same store each time, an empty one the first time; the journal
/// before it is dropped by then.
///
/// # Panics
///
/// Where the journal does something else.
pub fn check<J: Journal>(mut open: impl FnMut() -> J) {
    let mut model = Model::default();
    model.check(&open());
    for batches in script() {
        let mut journal = open();
        journal.commit(&batches).unwrap_or_else(|error| panic!("{error}"));
        for batch in &batches {
            model.apply(batch);
        }
        assert!(model.is_held_by(&journal), "{batches:?} is not there");
        drop(journal);
        assert!(model.is_held_by(&open()), "{batches:?} is not there after opening again");
    }
    nothing_is_a_commit(&mut open(), &model);
    model.check(&open());
}

fn nothing_is_a_commit(journal: &mut impl Journal, model: &Model) {
    journal.commit(&[]).unwrap_or_else(|error| panic!("{error}"));
    journal.commit(&[Batch::default()]).unwrap_or_else(|error| panic!("{error}"));
    assert!(model.is_held_by(journal), "an empty commit changes nothing");
}

/// Checks a journal that comes back from a loss of power: it holds the first so many of `batches`, all of each, and no fewer
/// than the `acknowledged` first ones. Returns how many.
///
/// # Errors
///
/// Says what it holds instead.
///
/// # Panics
///
/// Where it cannot be read.
pub fn after_power_loss(
    batches: &[Batch],
    acknowledged: usize,
    journal: &impl Journal,
) -> Result<usize, String> {
    let mut model = Model::default();
    let mut held = None;
    let found = contents(journal);
    for count in 0..=batches.len() {
        if model.contents() == found {
            held = Some(count);
        }
        if let Some(batch) = batches.get(count) {
            model.apply(batch);
        }
    }
    match held {
        Some(count) if count >= acknowledged => Ok(count),
        Some(count) => Err(format!("{count} batches are there, {acknowledged} were acknowledged")),
        None => Err("what is there is no number of whole batches".to_owned()),
    }
}

/// What a journal has to hold: everything that was committed, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Model {
    records: BTreeMap<Space, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Model {
    /// Takes a batch in.
    pub fn apply(&mut self, batch: &Batch) {
        for write in batch.writes() {
            match write {
                Write::Put { space, key, value } => {
                    let records = self.records.entry(*space).or_default();
                    records.insert(key.clone(), value.clone());
                }
                Write::Delete { space, key } => {
                    self.records.entry(*space).or_default().remove(key);
                }
            }
        }
    }

    /// Checks that `journal` holds exactly this in the three spaces, however it is asked.
    ///
    /// # Panics
    ///
    /// Where it does not.
    pub fn check(&self, journal: &impl Journal) {
        assert!(self.is_held_by(journal), "{self:?} is not what is there");
        for space in [STATE, OTHER_STATE, ARCHIVE] {
            self.check_scans(journal, space);
        }
    }

    /// Says whether `journal` holds exactly this in the three spaces.
    ///
    /// # Panics
    ///
    /// Where it cannot be read.
    pub fn is_held_by(&self, journal: &impl Journal) -> bool {
        contents(journal) == self.contents()
    }

    fn contents(&self) -> (Stored, Vec<Record>) {
        let mut stored = Stored::default();
        for space in [STATE, OTHER_STATE] {
            for record in self.records(space) {
                stored.put(space.name(), record);
            }
        }
        (stored, self.records(ARCHIVE))
    }

    fn check_scans(&self, journal: &impl Journal, space: Space) {
        let all = self.records(space);
        let scan = |prefix: &[u8], after: Option<&[u8]>, count_max| {
            journal.scan(space, prefix, after, count_max).unwrap_or_else(|error| panic!("{error}"))
        };
        assert_eq!(scan(b"", None, usize::MAX), all, "all of {space:?}");
        let bounds: Vec<&[u8]> =
            all.iter().map(|record| record.key.as_slice()).chain(BOUNDS.iter().copied()).collect();
        for &prefix in &bounds {
            for after in bounds.iter().copied().map(Some).chain([None]) {
                let fitting: Vec<_> = all
                    .iter()
                    .filter(|record| record.key.starts_with(prefix))
                    .filter(|record| after.is_none_or(|after| record.key.as_slice() > after))
                    .cloned()
                    .collect();
                for count_max in [0, 1, 2, usize::MAX] {
                    let first = &fitting[..fitting.len().min(count_max)];
                    let found = scan(prefix, after, count_max);
                    assert_eq!(found, first, "{space:?} {prefix:?} {after:?} {count_max}");
                }
            }
        }
    }

    fn records(&self, space: Space) -> Vec<Record> {
        let records = self.records.get(&space).into_iter().flatten();
        records.map(|(key, value)| Record { key: key.clone(), value: value.clone() }).collect()
    }
}

/// Everything that a journal holds in the three spaces.
fn contents(journal: &impl Journal) -> (Stored, Vec<Record>) {
    let loaded = journal.load().unwrap_or_else(|error| panic!("{error}"));
    let archive = journal.scan(ARCHIVE, b"", None, usize::MAX);
    (loaded, archive.unwrap_or_else(|error| panic!("{error}")))
}

/// Keys and beginnings of keys where an order by text or by length goes wrong.
const BOUNDS: &[&[u8]] =
    &[b"", b"\0", b"a", b"a\0", b"a\xff", b"b", b"\xff", b"\xff\xff", b"%", b"_"];

/// Commits, each of some batches, that cover what a journal can get wrong.
fn script() -> Vec<Vec<Batch>> {
    let put = |space, key: &[u8], value: &[u8]| Write::put(space, key, value);
    let batch = |writes: Vec<Write>| Batch::from(writes);
    vec![
        // Both kinds of spaces in one batch.
        vec![batch(vec![
            put(STATE, b"a", b"1"),
            put(ARCHIVE, b"a", b"2"),
            put(OTHER_STATE, b"a", b"3"),
        ])],
        // In one batch the later counts.
        vec![batch(vec![put(STATE, b"b", b"old"), put(STATE, b"b", b"new")])],
        vec![batch(vec![put(STATE, b"c", b"1"), Write::delete(STATE, b"c".as_slice())])],
        vec![batch(vec![Write::delete(ARCHIVE, b"a".as_slice()), put(ARCHIVE, b"a", b"again")])],
        // Of two batches in one commit the later counts.
        vec![batch(vec![put(STATE, b"a", b"x")]), batch(vec![put(STATE, b"a", b"y")])],
        vec![
            batch(vec![put(STATE, b"d", b"x")]),
            batch(vec![Write::delete(STATE, b"d".as_slice())]),
        ],
        // What is not there can be taken away, and an empty batch between others does no harm.
        vec![batch(vec![Write::delete(STATE, b"never".as_slice())]), Batch::default()],
        // Any bytes are a key or a value, and empty ones too.
        BOUNDS
            .iter()
            .map(|key| batch(vec![put(ARCHIVE, key, key), put(STATE, key, b"")]))
            .collect(),
        vec![batch(vec![put(STATE, &[0xff; 300], &[0; 100_000])])],
        // The same key in another space is another record.
        vec![batch(vec![Write::delete(STATE, b"a".as_slice())])],
    ]
}

#[cfg(test)]
mod tests;
