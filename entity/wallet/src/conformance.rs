//! What every [`KeyFiles`] has to do, as checks that panic where it does not. For tests.

use crate::files::{FILE_LEN_MAX, KeyFiles, KeyFilesError};
use crate::name::{FileName, KeyName};

/// Checks an implementation that holds nothing yet. `reopen` gives the same files as another process would see them.
///
/// # Panics
///
/// Where a rule of the seam does not hold.
#[expect(clippy::unwrap_used, reason = "a check of tests")]
pub fn check<F: KeyFiles>(mut files: F, mut reopen: impl FnMut(F) -> F) {
    let first = name("a");
    let second = name("B/ü");
    assert!(files.list().unwrap().is_empty(), "a new wallet is empty");
    assert!(files.read(&first).unwrap().is_none(), "what is not there reads as nothing");
    files.remove(&first).unwrap();

    files.create(&first, b"one").unwrap();
    let again = files.create(&first, b"two");
    assert!(matches!(again, Err(KeyFilesError::Exists { .. })), "{again:?}");
    assert_eq!(read(&files, &first), b"one", "an existing file is never overwritten by create");
    files.replace(&first, b"two").unwrap();
    files.replace(&second, b"").unwrap();
    let marker = FileName::default_marker();
    files.replace(&marker, b"a\n").unwrap();

    files = reopen(files);
    assert_eq!(read(&files, &first), b"two", "replace takes the place of what was there");
    assert_eq!(read(&files, &second), b"", "an empty file is a file");
    let mut expected = vec![first.clone(), second.clone(), marker.clone()];
    expected.sort();
    assert_eq!(files.list().unwrap(), expected, "all files are listed, in order, and nothing else");

    let longest = vec![7; FILE_LEN_MAX];
    files.replace(&second, &longest).unwrap();
    assert_eq!(read(&files, &second), longest);
    let too_long = files.replace(&second, &vec![8; FILE_LEN_MAX + 1]);
    assert!(matches!(too_long, Err(KeyFilesError::TooLong { .. })), "{too_long:?}");
    let too_long = files.create(&name("c"), &vec![8; FILE_LEN_MAX + 1]);
    assert!(matches!(too_long, Err(KeyFilesError::TooLong { .. })), "{too_long:?}");
    assert_eq!(read(&files, &second), longest, "a refused file changes nothing");

    files.remove(&first).unwrap();
    files = reopen(files);
    assert!(files.read(&first).unwrap().is_none(), "what was removed stays removed");
    files.create(&first, b"three").unwrap();
    assert_eq!(read(&files, &first), b"three", "a removed name is free again");
}

#[expect(clippy::unwrap_used, reason = "a check of tests")]
fn name(text: &str) -> FileName {
    text.parse::<KeyName>().unwrap().file_name()
}

#[expect(clippy::unwrap_used, reason = "a check of tests")]
fn read(files: &impl KeyFiles, name: &FileName) -> Vec<u8> {
    files.read(name).unwrap().unwrap().to_vec()
}
