mod disk;
mod power;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use entity_crypto::signing::SigningKey;
use entity_journal::conformance;
use entity_peer::inherit::InheritError;

use super::prepare::TABLES;
use super::*;

fn owner(first: u8) -> PublicKey {
    SigningKey::from_seed([first; 32]).public_key()
}

#[test]
fn it_is_a_journal() {
    let directory = tempfile::tempdir().unwrap();
    conformance::check(|| SqliteJournal::open(directory.path(), owner(1)).unwrap());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_its_owner_can_read_it_and_closing_leaves_no_log() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let mut journal = SqliteJournal::open(&data_dir, owner(1)).unwrap();
    journal.commit(&[Batch::from(vec![Write::put(conformance::STATE, *b"a", *b"b")])]).unwrap();
    assert_eq!((mode(&data_dir), mode(&data_dir.join(FILE_NAME))), (0o700, 0o600));
    assert_eq!(mode(&data_dir.join("entity.db-wal")), 0o600);
    assert_eq!(mode(&data_dir.join(LOG_NAME)), 0o600);
    drop(journal);
    let names: Vec<_> =
        fs::read_dir(&data_dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [FILE_NAME]);
}

#[test]
fn every_directory_that_is_missing_is_made_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let above = directory.path().join("a");
    drop(SqliteJournal::open(&above.join("b/c"), owner(1)).unwrap());
    drop(SqliteJournal::open(&above.join("b/c"), owner(1)).unwrap());
    assert_eq!(["", "b", "b/c"].map(|name| mode(&above.join(name))), [0o700; 3]);
    fs::write(above.join("file"), "").unwrap();
    let refused = SqliteJournal::open(&above.join("file/d"), owner(1)).unwrap_err();
    assert!(matches!(refused, StorageError::Io { .. }), "{refused}");
}

#[track_caller]
fn check_refused(data_dir: &Path, owner: PublicKey, expected: &str) {
    let before = fs::read(data_dir.join(FILE_NAME)).unwrap();
    let refused = SqliteJournal::open(data_dir, owner).unwrap_err();
    assert!(refused.help().is_some());
    let text = refused.to_string().replace(&data_dir.display().to_string(), "");
    assert_eq!(text, expected);
    assert_eq!(fs::read(data_dir.join(FILE_NAME)).unwrap(), before, "the file is as it was");
}

#[test]
fn a_file_that_is_not_this_peers_is_refused_as_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    drop(SqliteJournal::open(data_dir, owner(1)).unwrap());
    let path = data_dir.join(FILE_NAME);

    let other =
        format!("open the store /entity.db: it belongs to the peer with the key {}", owner(1));
    check_refused(data_dir, owner(2), &other);

    Connection::open(&path)
        .unwrap()
        .execute("UPDATE meta SET value = '4' WHERE name = 'format'", [])
        .unwrap();
    check_refused(
        data_dir,
        owner(1),
        "open the store /entity.db: its format is 4, this version reads 3",
    );

    Connection::open(&path).unwrap().pragma_update(None, "application_id", 7).unwrap();
    let nothing = "open the store /entity.db: it is no store of a peer, or damaged";
    check_refused(data_dir, owner(1), nothing);

    fs::write(&path, [b'x'; 5000]).unwrap();
    check_refused(data_dir, owner(1), nothing);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    check_refused(
        data_dir,
        owner(1),
        "trust the store /entity.db: its rights are 640, others can reach it",
    );
}

#[test]
fn a_second_one_is_refused_and_the_first_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    for _ in 0..2 {
        let refused = SqliteJournal::open(directory.path(), owner(1)).unwrap_err();
        assert!(matches!(refused, StorageError::Taken { .. }), "{refused}");
    }
    let batch = Batch::from(vec![Write::put(conformance::STATE, *b"a", *b"b")]);
    journal.commit(&[batch]).unwrap();
    drop(journal);
    assert!(SqliteJournal::open(directory.path(), owner(1)).is_ok());
}

#[test]
fn after_a_failure_it_takes_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    let batch = Batch::from(vec![Write::put(conformance::STATE, *b"a", *b"b")]);
    journal.connection.execute_batch("DROP TABLE state").unwrap();
    journal.commit(&[batch]).unwrap();
    assert!(journal.bring_in().unwrap_err().to_string().contains("no such table"));
    journal.connection.execute_batch(TABLES.lines().nth(2).unwrap()).unwrap();
    let again = journal.commit(&[Batch::from(vec![put("a")])]).unwrap_err();
    assert_eq!(again.to_string(), "write the journal: it has failed before");
}

#[test]
fn one_that_is_finished_takes_no_more_and_leaves_no_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    journal.commit(&[Batch::from(vec![put("roster")])]).unwrap();
    journal.finish().unwrap();
    assert!(!directory.path().join(LOG_NAME).exists());
    let more = journal.commit(&[Batch::from(vec![put("outbox")])]).unwrap_err();
    assert_eq!(more.to_string(), "write the journal: it has been finished");
    drop(journal);
    let journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    assert_eq!(journal.load().unwrap().summary(), "roster 1");
}

#[test]
fn one_that_cannot_be_finished_says_so_and_keeps_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    journal.commit(&[Batch::from(vec![put("roster")])]).unwrap();
    journal.connection.execute_batch("ALTER TABLE state RENAME TO away").unwrap();
    assert!(journal.finish().unwrap_err().to_string().contains("no such table"));
    journal.connection.execute_batch("ALTER TABLE away RENAME TO state").unwrap();
    drop(journal);
    let journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    assert_eq!(journal.load().unwrap().summary(), "roster 1");
}

#[test]
fn of_a_group_only_the_last_write_to_each_record_is_made() {
    let write = |key: &str, value: &str| Write::put(conformance::STATE, key, value);
    let batches = [
        Batch::from(vec![write("a", "1"), write("b", "2")]),
        Batch::from(vec![write("a", "3"), Write::delete(conformance::STATE, "b"), write("c", "4")]),
    ];
    let made: Vec<_> = last_of_each(&batches).into_iter().cloned().collect();
    assert_eq!(made, [write("a", "3"), Write::delete(conformance::STATE, "b"), write("c", "4")]);
}

/// Whose the store is that was made by `owner(1)`, after `heir` has opened it.
fn heir(predecessors: &[u8]) -> Owner {
    Owner { key: owner(9), predecessors: predecessors.iter().copied().map(owner).collect() }
}

fn put(space: &'static str) -> Write {
    Write::put(Space::state(space), *b"a", *b"b")
}

#[test]
fn a_store_goes_over_to_the_key_that_took_the_place_of_its_owners() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    let mut journal = SqliteJournal::open(data_dir, owner(1)).unwrap();
    let kept = ["roster", "outbox", "outbox.place", "session"].map(put).to_vec();
    journal.commit(&[Batch::from(kept)]).unwrap();
    drop(journal);
    let refused = SqliteJournal::open(data_dir, heir(&[3, 2])).unwrap_err();
    assert!(matches!(refused, StorageError::OtherOwner { .. }), "{refused}");
    for predecessors in [&[2, 1][..], &[]] {
        let journal = SqliteJournal::open(data_dir, heir(predecessors)).unwrap();
        assert_eq!(journal.load().unwrap().summary(), "outbox 1, roster 1");
    }
    let refused = SqliteJournal::open(data_dir, owner(1)).unwrap_err();
    assert!(matches!(refused, StorageError::OtherOwner { .. }), "it is not theirs any more");
}

#[test]
fn a_store_that_cannot_go_over_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    let mut journal = SqliteJournal::open(data_dir, owner(1)).unwrap();
    journal.commit(&[Batch::from(vec![put("token.ledger"), put("session")])]).unwrap();
    drop(journal);
    let refused = SqliteJournal::open(data_dir, heir(&[1])).unwrap_err();
    let expected = StorageError::NotInherited {
        path: data_dir.join(FILE_NAME),
        owner: owner(1),
        source: InheritError::Damaged,
    };
    assert_eq!(refused.to_string(), expected.to_string());
    assert!(refused.help().is_some());
    let journal = SqliteJournal::open(data_dir, owner(1)).unwrap();
    assert_eq!(journal.load().unwrap().summary(), "session 1, token.ledger 1");
}

/// The files of a store as a process that was killed just now leaves them.
fn killed(data_dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(data_dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

#[test]
fn what_only_the_log_has_is_there_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    journal.commit(&[Batch::from(vec![put("roster")])]).unwrap();
    journal.bring_in().unwrap();
    journal.commit(&[Batch::from(vec![put("outbox")])]).unwrap();
    journal.commit(&[Batch::from(vec![Write::delete(Space::state("roster"), *b"a")])]).unwrap();
    let copy = killed(directory.path());
    for _ in 0..2 {
        let journal = SqliteJournal::open(copy.path(), owner(1)).unwrap();
        assert_eq!(journal.load().unwrap().summary(), "outbox 1");
    }
}

#[test]
fn what_only_the_log_has_goes_over_to_an_heir_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    journal.commit(&[Batch::from(vec![put("roster"), put("session")])]).unwrap();
    let copy = killed(directory.path());
    let journal = SqliteJournal::open(copy.path(), heir(&[1])).unwrap();
    assert_eq!(journal.load().unwrap().summary(), "roster 1");
}

#[test]
fn a_store_whose_log_was_taken_away_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    let copy = killed(directory.path());
    fs::remove_file(copy.path().join(LOG_NAME)).unwrap();
    for _ in 0..2 {
        let refused = SqliteJournal::open(copy.path(), owner(1)).unwrap_err();
        assert!(refused.help().is_some());
        assert!(matches!(refused, StorageError::LogMissing { .. }), "{refused}");
    }
    drop(journal);
    fs::copy(directory.path().join(FILE_NAME), copy.path().join(FILE_NAME)).unwrap();
    drop(fs::remove_file(copy.path().join("entity.db-wal")));
    assert!(SqliteJournal::open(copy.path(), owner(1)).is_ok(), "one that was closed needs none");
}

#[test]
fn a_store_and_a_log_of_different_moments_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    let before = killed(directory.path());
    journal.commit(&[Batch::from(vec![put("roster")])]).unwrap();
    journal.bring_in().unwrap();
    journal.commit(&[Batch::from(vec![put("outbox")])]).unwrap();
    fs::copy(directory.path().join(LOG_NAME), before.path().join(LOG_NAME)).unwrap();
    for _ in 0..2 {
        let refused = SqliteJournal::open(before.path(), owner(1)).unwrap_err();
        assert!(refused.help().is_some());
        assert!(matches!(refused, StorageError::LogAhead { .. }), "{refused}");
    }
}

#[test]
fn a_log_that_is_damaged_before_its_end_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    for space in ["roster", "outbox"] {
        journal.commit(&[Batch::from(vec![put(space)])]).unwrap();
    }
    let copy = killed(directory.path());
    let path = copy.path().join(LOG_NAME);
    let mut bytes = fs::read(&path).unwrap();
    bytes[30] ^= 1;
    fs::write(&path, bytes).unwrap();
    for _ in 0..2 {
        let refused = SqliteJournal::open(copy.path(), owner(1)).unwrap_err();
        assert!(refused.help().is_some());
        assert!(matches!(refused, StorageError::LogDamaged { at: 0, .. }), "{refused}");
    }
}

#[test]
fn a_store_that_does_not_say_which_log_it_has_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteJournal::open(directory.path(), owner(1)).unwrap());
    let path = directory.path().join(FILE_NAME);
    for name in ["log", "log_key"] {
        let connection = Connection::open(&path).unwrap();
        let value: String = connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
            .unwrap();
        connection.execute(SET_META, params![name, "7 and more"]).unwrap();
        let nothing = "open the store /entity.db: it is no store of a peer, or damaged";
        drop(connection);
        check_refused(directory.path(), owner(1), nothing);
        Connection::open(&path).unwrap().execute(SET_META, params![name, value]).unwrap();
    }
    assert!(SqliteJournal::open(directory.path(), owner(1)).is_ok());
}

#[test]
fn a_log_is_not_brought_into_a_store_that_is_new_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    journal.commit(&[Batch::from(vec![put("roster")])]).unwrap();
    let copy = killed(directory.path());
    fs::remove_file(copy.path().join("entity.db-wal")).unwrap();
    fs::remove_file(copy.path().join(FILE_NAME)).unwrap();
    for _ in 0..2 {
        let refused = SqliteJournal::open(copy.path(), owner(2)).unwrap_err();
        assert!(refused.help().is_some_and(|help| help.contains(LOG_NAME)));
        assert!(matches!(refused, StorageError::LogOfAnother { .. }), "{refused}");
    }
    fs::remove_file(copy.path().join(LOG_NAME)).unwrap();
    let journal = SqliteJournal::open(copy.path(), owner(2)).unwrap();
    assert_eq!(journal.load().unwrap().summary(), "nothing");
}

#[test]
fn a_long_log_goes_into_the_tables_by_itself() {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    let count = 5;
    for number in 0..count {
        let value = vec![number; log::LEN_MAX / 4];
        let write = Write::put(conformance::ARCHIVE, vec![number], value);
        journal.commit(&[Batch::from(vec![write])]).unwrap();
    }
    let waiting = journal.log.borrow().len();
    assert!((1..log::LEN_MAX).contains(&waiting), "{waiting}");
    let found = journal.scan(conformance::ARCHIVE, b"", None, 10).unwrap();
    assert_eq!(found.len(), usize::from(count));
    assert_eq!(journal.log.borrow().len(), 0, "a read sees everything");
}

/// Opens a store that these statements have made one of an earlier format.
#[track_caller]
fn check_earlier(statements: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    journal.commit(&[Batch::from(vec![put("roster")])]).unwrap();
    drop(journal);
    let path = directory.path().join(FILE_NAME);
    let before = Connection::open(&path).unwrap();
    for statement in statements {
        before.execute(statement, []).unwrap();
    }
    drop(before);
    let journal = SqliteJournal::open(directory.path(), owner(1)).unwrap();
    assert_eq!(journal.load().unwrap().summary(), "roster 1");
    drop(journal);
    let format = "SELECT value FROM meta WHERE name = 'format'";
    let after: String =
        Connection::open(&path).unwrap().query_row(format, [], |row| row.get(0)).unwrap();
    assert_eq!(after, "3");
}

#[test]
fn stores_of_the_formats_before_are_taken_as_they_are() {
    check_earlier(&["UPDATE meta SET value = '2' WHERE name = 'format'"]);
    check_earlier(&[
        "UPDATE meta SET value = '1' WHERE name = 'format'",
        "DELETE FROM meta WHERE name LIKE 'log%'",
    ]);
}

#[test]
fn what_waits_in_the_log_of_the_format_before_is_brought_in() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut journal = SqliteJournal::open(from.path(), owner(1)).unwrap();
    journal.commit(&[Batch::from(vec![put("roster")])]).unwrap();
    // As a process leaves it that is killed now.
    for entry in fs::read_dir(from.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    let before = Connection::open(to.path().join(FILE_NAME)).unwrap();
    before.execute("UPDATE meta SET value = '2' WHERE name = 'format'", []).unwrap();
    drop(before);
    let journal = SqliteJournal::open(to.path(), owner(1)).unwrap();
    assert_eq!(journal.load().unwrap().summary(), "roster 1");
}
