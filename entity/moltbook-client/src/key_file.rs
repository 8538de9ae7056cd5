//! The key, from a file that nobody else can read.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use entity_moltbook::ApiKey;
use entity_moltbook::key::BadKey;
use zeroize::Zeroizing;

/// Longest file that is read.
const FILE_MAX: u64 = 4_096;

/// Why there is no key. Nothing of what the file holds is in it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("read the key from {}: {why}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// Others can read it.
    #[error("{} can be read by others (mode {mode:o}): chmod 600 it, and change the key if others had access", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// What it holds is no key.
    #[error("{} holds no key: {why}", path.display())]
    Bad {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: BadKey,
    },
}

/// Reads the key from `path`.
///
/// # Errors
///
/// [`KeyError`] if it cannot be read, if others can read it too, or if it holds no key.
pub fn read(path: &Path) -> Result<ApiKey, KeyError> {
    let failed = |why| KeyError::Read { path: path.to_owned(), why };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path: path.to_owned(), mode });
    }
    // As large as can be from the start, so that no growing leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(FILE_MAX).unwrap_or(0)));
    file.take(FILE_MAX).read_to_string(&mut text).map_err(failed)?;
    ApiKey::parse(&text).map_err(|why| KeyError::Bad { path: path.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KEY: &str = "moltbook_sk_0123456789abcdef";

    #[test]
    fn only_a_file_that_nobody_else_can_read_holds_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, format!("{KEY}\n")).unwrap();
        for (mode, good) in
            [(0o600, true), (0o400, true), (0o640, false), (0o644, false), (0o604, false)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = read(&path);
            assert_eq!(read.is_ok(), good, "{mode:o}");
            assert!(!format!("{read:?}").contains(KEY));
        }
    }

    #[test]
    fn an_error_says_nothing_of_the_file_but_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, format!("{KEY} {KEY}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = read(&path).unwrap_err();
        assert!(matches!(error, KeyError::Bad { .. }));
        assert!(!format!("{error} {error:?}").contains("moltbook_sk"));
        assert!(matches!(read(&folder.path().join("none")), Err(KeyError::Read { .. })));
    }
}
