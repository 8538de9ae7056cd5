use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};

use entity_wallet::{KeyName, conformance};
use rustix::fs::{FileType, mknodat};

use super::*;

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn name(text: &str) -> FileName {
    text.parse::<KeyName>().unwrap().file_name()
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn key_files_on_disk_keep_the_rules_of_the_seam() {
    let home = home();
    let data = home.path().join("data");
    let reopen = |files: DiskKeyFiles| {
        drop(files);
        DiskKeyFiles::open_for_changes(&data).unwrap()
    };
    conformance::check(DiskKeyFiles::open_for_changes(&data).unwrap(), reopen);
}

#[test]
fn only_the_owner_can_reach_what_is_made() {
    let home = home();
    let data = home.path().join("data");
    let mut files = DiskKeyFiles::open_for_changes(&data).unwrap();
    files.create(&name("a"), b"one").unwrap();
    files.replace(&name("b"), b"two").unwrap();
    let keys = data.join(DIRECTORY);
    assert_eq!((mode_of(&data), mode_of(&keys)), (0o700, 0o700));
    let mut left: Vec<_> =
        fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".lock", "a.key", "b.key"], "nothing else is left");
    for file in left {
        assert_eq!(mode_of(&keys.join(file)), 0o600);
    }
}

#[test]
fn what_others_can_reach_is_refused() {
    let home = home();
    let data = home.path().join("data");
    let mut files = DiskKeyFiles::open_for_changes(&data).unwrap();
    files.create(&name("a"), b"one").unwrap();
    let path = files.path_of(&name("a"));
    for mode in [0o640, 0o604, 0o620, 0o601] {
        set_mode(&path, mode);
        let refused = files.read(&name("a"));
        assert!(
            matches!(&refused, Err(KeyFilesError::OpenToOthers { mode: found, .. }) if *found == mode),
            "{refused:?}"
        );
    }
    set_mode(&data.join(DIRECTORY), 0o750);
    let refused = DiskKeyFiles::open(&data);
    assert!(matches!(refused, Err(KeyFilesError::OpenToOthers { mode: 0o750, .. })));
    set_mode(&data.join(DIRECTORY), 0o700);
    set_mode(&data, 0o770);
    let refused = DiskKeyFiles::open(&data);
    assert!(matches!(refused, Err(KeyFilesError::OpenToOthers { mode: 0o770, .. })));
}

#[test]
fn links_pipes_and_directories_are_no_key_files() {
    let home = home();
    let data = home.path().join("data");
    let mut files = DiskKeyFiles::open_for_changes(&data).unwrap();
    files.create(&name("a"), b"one").unwrap();
    let keys = data.join(DIRECTORY);
    symlink("a.key", keys.join("link.key")).unwrap();
    fs::create_dir(keys.join("folder.key")).unwrap();
    mknodat(CWD, keys.join("pipe.key"), FileType::Fifo, PRIVATE_FILE, 0).unwrap();
    for text in ["link", "folder", "pipe"] {
        let refused = files.read(&name(text));
        assert!(matches!(refused, Err(KeyFilesError::NotAFile { .. })), "{text}: {refused:?}");
    }
    // A link in the place of a file is replaced, not followed.
    files.replace(&name("link"), b"two").unwrap();
    assert_eq!(files.read(&name("a")).unwrap().unwrap().as_slice(), b"one");
    // A link in the place of the directory is not followed either.
    let other = home.path().join("other");
    fs::create_dir(&other).unwrap();
    set_mode(&other, 0o700);
    symlink(&keys, other.join(DIRECTORY)).unwrap();
    assert!(matches!(DiskKeyFiles::open(&other), Err(KeyFilesError::NotAFile { .. })));
}

#[test]
fn a_planted_unfinished_file_is_removed_not_written_through() {
    let home = home();
    let data = home.path().join("data");
    drop(DiskKeyFiles::open(&data).unwrap());
    let victim = home.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let planted = data.join(DIRECTORY).join(".a.key.new");
    symlink(&victim, &planted).unwrap();
    let mut files = DiskKeyFiles::open_for_changes(&data).unwrap();
    assert!(fs::symlink_metadata(&planted).is_err(), "what a crash leaves is removed");
    symlink(&victim, &planted).unwrap();
    files.replace(&name("a"), b"one").unwrap_err();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_directory_put_in_the_place_of_an_opened_one_is_not_listed() {
    let home = home();
    let mut files = DiskKeyFiles::open_for_changes(home.path()).unwrap();
    files.create(&name("a"), b"one").unwrap();
    let keys = home.path().join(DIRECTORY);
    fs::rename(&keys, home.path().join("moved")).unwrap();
    fs::create_dir(&keys).unwrap();
    fs::write(keys.join("b.key"), "two").unwrap();
    assert_eq!(files.list().unwrap(), [name("a")]);
}

#[test]
fn only_one_process_changes_a_wallet_while_others_may_read() {
    let home = home();
    let first = DiskKeyFiles::open_for_changes(home.path()).unwrap();
    let second = DiskKeyFiles::open_for_changes(home.path());
    assert!(matches!(second, Err(KeyFilesError::System { action: "lock", .. })), "{second:?}");
    let mut reader = DiskKeyFiles::open(home.path()).unwrap();
    assert!(reader.list().unwrap().is_empty());
    reader.create(&name("a"), b"one").unwrap_err();
    reader.replace(&name("a"), b"one").unwrap_err();
    drop(first);
    DiskKeyFiles::open_for_changes(home.path()).unwrap();
}

#[test]
fn a_file_is_durable_before_it_takes_its_place_and_its_place_afterwards() {
    use Step::{
        AbsenceSynced, HalfWritten, Made, PlaceSynced, Placed, ReadBack, Removed, Synced, Written,
    };
    let home = home();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = steps.clone();
    let files = DiskKeyFiles::open_for_changes(home.path()).unwrap();
    let mut files = files.watched(move |step| seen.lock().unwrap().push(step));
    let expect =
        |expected: &[Step]| assert_eq!(std::mem::take(&mut *steps.lock().unwrap()), expected);
    let written = [Made, HalfWritten, Written, Synced, ReadBack, Placed, PlaceSynced];
    files.create(&name("a"), b"one").unwrap();
    expect(&written);
    files.replace(&name("a"), b"two").unwrap();
    expect(&written);
    files.remove(&name("a")).unwrap();
    expect(&[Removed, AbsenceSynced]);
    files.remove(&name("a")).unwrap();
    expect(&[]);
}

#[test]
fn a_secret_is_exported_into_a_new_private_file_or_not_at_all() {
    let home = home();
    let path = home.path().join("key.pem");
    write_private(&path, b"secret").unwrap();
    assert_eq!(mode_of(&path), 0o600);
    let again = write_private(&path, b"other");
    assert!(matches!(again, Err(KeyFilesError::Exists { .. })), "{again:?}");
    symlink(home.path().join("elsewhere"), home.path().join("link.pem")).unwrap();
    assert!(write_private(&home.path().join("link.pem"), b"secret").is_err());
    assert!(!home.path().join("elsewhere").exists());
}
