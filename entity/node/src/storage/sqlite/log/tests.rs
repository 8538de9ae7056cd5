use std::sync::{Arc, Mutex};

use entity_journal::Space;
use proptest::prelude::*;

use super::*;

/// A file in memory that others can look at.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    fn log(&self, generation: u64) -> Log {
        self.log_with(key(), generation)
    }

    fn log_with(&self, key: LogKey, generation: u64) -> Log {
        Log::open(Box::new(self.clone()), key, generation).unwrap()
    }
}

impl LogFile for Memory {
    fn len(&self) -> io::Result<usize> {
        Ok(self.0.lock().unwrap().len())
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<()> {
        buffer.copy_from_slice(&self.0.lock().unwrap()[..buffer.len()]);
        Ok(())
    }

    fn write(&mut self, at: usize, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap();
        let len = bytes.len().max(at + data.len());
        bytes.resize(len, 0);
        bytes[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn cut(&mut self, len: usize) -> io::Result<()> {
        self.0.lock().unwrap().truncate(len);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn remove(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn key() -> LogKey {
    LogKey::new([8; 32])
}

const STATE: Space = Space::state("s");
const ARCHIVE: Space = Space::archive("a");

fn writes_of(bytes: &[u8]) -> Vec<Logged<'_>> {
    writes(bytes).unwrap()
}

#[test]
fn an_entry_has_these_bytes() {
    let file = Memory::default();
    let all = [
        Write::put(STATE, "k", "v1"),
        Write::put(ARCHIVE, "k", ""),
        Write::delete(STATE, "l"),
        Write::delete(ARCHIVE, ""),
    ];
    file.log(6).append(&all).unwrap();
    let bytes = file.bytes();
    assert_eq!(bytes.len(), ROOM_STEP);
    let expected = "456e4c67".to_owned()
        + "0000000000000007"
        + "00000029"
        + MARK_AND_DIGEST
        + "01"
        + "0173"
        + "000000016b"
        + "000000027631"
        + "02"
        + "0161"
        + "000000016b"
        + "00000000"
        + "03"
        + "0173"
        + "000000016c"
        + "04"
        + "0161"
        + "00000000";
    let end = expected.len() / 2;
    assert_eq!(hex_encode(&bytes[..end]), expected);
    assert!(bytes[end..].iter().all(|byte| *byte == 0));
}

/// What the entry of `an_entry_has_these_bytes` has after its length.
const MARK_AND_DIGEST: &str = "c62b25797bffa6b4cf93725796c14d85261af018d02174b2";

#[test]
fn who_does_not_have_the_key_writes_no_entry() {
    let file = Memory::default();
    let mut log = file.log(0);
    log.append([&Write::put(STATE, "a", "1")]).unwrap();
    let end = log.len();
    // Somebody knows everything but the key, and what they send comes to lie behind the end.
    let theirs = Memory::default();
    theirs.log_with(LogKey::new([9; 32]), 0).append([&Write::put(STATE, "b", "2")]).unwrap();
    file.clone().write(end, &theirs.bytes()).unwrap();
    assert_eq!(writes_of(&file.log(0).read().unwrap()).len(), 1);
    assert_eq!(theirs.log(0).len(), 0);
}

#[test]
fn a_key_is_noted_as_text_and_shown_nowhere() {
    let key = LogKey::new([0xa7; 32]);
    assert_eq!(format!("{key:?}"), "LogKey(..)");
    assert_eq!(LogKey::from_hex(&key.to_hex()).unwrap().to_hex(), key.to_hex());
    assert!(LogKey::from_hex("a7").is_none());
}

#[test]
fn what_was_appended_is_found_again_until_the_tables_have_it() {
    let file = Memory::default();
    let mut log = file.log(0);
    let (first, second) = (Write::put(STATE, "a", "1"), Write::put(ARCHIVE, "b", "2"));
    log.append([&first]).unwrap();
    log.append([&second]).unwrap();
    let again = file.log(0);
    assert_eq!(writes_of(&again.read().unwrap()), [Logged::from(&first), Logged::from(&second)]);
    assert_eq!(file.log(1).len(), 0, "the tables have generation 1");
    log.restart().unwrap();
    log.append([&second]).unwrap();
    let again = file.log(1);
    assert_eq!(writes_of(&again.read().unwrap()), [Logged::from(&second)]);
}

#[test]
fn a_log_from_later_than_its_tables_is_named() {
    let file = Memory::default();
    file.log(1).append([&Write::put(STATE, "a", "1")]).unwrap();
    let opened = Log::open(Box::new(file.clone()), key(), 0);
    assert!(matches!(opened, Err(UnfitLog::Ahead)), "{opened:?}");
    assert!(file.log(1).len() > 0);
    assert_eq!(file.log(2).len(), 0, "what the tables have is from before");
}

#[test]
fn what_looks_like_entries_behind_the_end_is_no_damage() {
    let file = Memory::default();
    let mut log = file.log(0);
    // As many heads of the next generation as fit, and one that strangers made whole.
    let theirs = Memory::default();
    let their_key = LogKey::new([9; 32]);
    theirs.log_with(their_key, 1).append([&Write::put(STATE, "b", "2")]).unwrap();
    let heads = [&MAGIC[..], &2_u64.to_be_bytes(), &[0, 0, 1, 0]].concat().repeat(1000);
    log.append([&Write::put(STATE, "a", [&theirs.bytes()[..100], &heads].concat())]).unwrap();
    log.restart().unwrap();
    log.append([&Write::put(STATE, "a", "1")]).unwrap();
    assert_eq!(writes_of(&file.log(1).read().unwrap()).len(), 1);
}

#[test]
fn a_log_that_one_entry_made_too_long_is_cut() {
    let file = Memory::default();
    let mut log = file.log(0);
    log.append([&Write::put(STATE, "a", vec![1; ROOM_MAX + 1])]).unwrap();
    assert!(file.bytes().len() > ROOM_MAX);
    log.restart().unwrap();
    assert_eq!(file.bytes().len(), LEN_MAX);
    log.append([&Write::put(STATE, "a", "2")]).unwrap();
    assert_eq!(writes_of(&file.log(1).read().unwrap()).len(), 1);
}

#[test]
fn of_several_writes_to_a_record_the_last_is_made_and_all_are_in_the_order_of_the_tables() {
    let all = [
        Write::put(ARCHIVE, "b", "1"),
        Write::put(STATE, "b", "2"),
        Write::put(STATE, "a", "3"),
        Write::delete(STATE, "b"),
        Write::put(STATE, "a", "4"),
    ];
    let made = last_of_each(all.iter().map(Logged::from).collect());
    assert_eq!(made, [&all[4], &all[3], &all[0]].map(Logged::from));
}

fn any_write() -> impl Strategy<Value = Write> {
    let space = prop_oneof![Just(STATE), Just(ARCHIVE)];
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    (space, bytes(), prop::option::of(bytes())).prop_map(|(space, key, value)| match value {
        Some(value) => Write::put(space, key, value),
        None => Write::delete(space, key),
    })
}

proptest! {
    #[test]
    fn damage_of_the_last_entry_takes_it_alone_and_any_other_is_named(
        groups in prop::collection::vec(prop::collection::vec(any_write(), 1..4), 1..5),
        at: prop::sample::Index,
        flip in 1..=255_u8,
    ) {
        let file = Memory::default();
        let mut log = file.log(0);
        let mut ends = vec![0];
        for group in &groups {
            log.append(group).unwrap();
            ends.push(log.len());
        }
        let at = at.index(log.len());
        file.0.lock().unwrap()[at] ^= flip;
        let whole = ends.iter().filter(|end| **end <= at).count() - 1;
        let opened = Log::open(Box::new(file), key(), 0);
        if whole + 1 < groups.len() {
            let is_named = matches!(&opened, Err(UnfitLog::Damaged { at }) if *at == ends[whole]);
            prop_assert!(is_named, "{:?}", opened);
        } else {
            let found = opened.unwrap().read().unwrap();
            let expected: Vec<_> = groups[..whole].iter().flatten().map(Logged::from).collect();
            prop_assert_eq!(writes_of(&found), expected);
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(writes(&bytes));
        let file = Memory(Arc::new(Mutex::new(bytes)));
        prop_assert_eq!(file.log(0).len(), 0);
    }
}
