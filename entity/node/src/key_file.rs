//! The identity on disk: one file with the seed in the clear, readable by its owner alone.
//!
//! This is plain storage and says so in its first line; it gives way to the encrypted keystore. The rights of the file
//! (0600) and of its directory (0700) are all that protects it, so a file with wider rights is refused, not repaired: by then
//! others may have read it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use entity_crypto::signing::SigningKey;
use zeroize::Zeroizing;

/// The name of the file inside a data directory.
pub const FILE_NAME: &str = "identity.seed";

const HEADER: &str = "# Identity of an entity, format 1: 32-byte Ed25519 seed as hex.\n\
    # Plain storage until the encrypted keystore exists: whoever reads this file can speak as this entity.\n";

/// A longer file is no key file.
const FILE_LEN_MAX: u64 = 4096;

/// Why an identity could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is no file.
    #[error("find the key file {path}", path = .path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is one already, and it is never overwritten.
    #[error("make the key file {path}: it exists", path = .path.display())]
    Exists {
        /// The existing file.
        path: PathBuf,
    },
    /// Others than the owner may read or write it.
    #[error("trust the key file {path}: its rights are {mode:o}, others can reach it", path = .path.display())]
    OpenToOthers {
        /// The file or its directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not a key file.
    #[error("read the key file {path}: {reason}", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong; never the content.
        reason: &'static str,
    },
    /// The system refuses.
    #[error("use {path}", path = .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl KeyFileError {
    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some("make one with `entity keys generate`".to_owned()),
            Self::Exists { .. } => {
                Some("show it with `entity keys show`, or name another with --key-file".to_owned())
            }
            Self::OpenToOthers { path, .. } => Some(format!(
                "if nobody else has read it: chmod go-rwx {}; otherwise make a new one",
                path.display()
            )),
            Self::Malformed { .. } => {
                Some("the file holds one line of 64 lower-case hex digits".to_owned())
            }
            Self::Io { .. } => None,
        }
    }
}

/// Reads the identity at `path`.
///
/// # Errors
///
/// [`KeyFileError`] if there is none, if it is open to others, or if it is not a key file.
pub fn load(path: &Path) -> Result<SigningKey, KeyFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(KeyFileError::Missing { path: path.to_owned() });
        }
        Err(error) => return Err(io_error(path)(error)),
    };
    let metadata = file.metadata().map_err(io_error(path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::OpenToOthers { path: path.to_owned(), mode });
    }
    if metadata.len() > FILE_LEN_MAX {
        return Err(malformed(path, "it is too long"));
    }
    // Reserved at once: a string that grows leaves copies of the seed behind.
    let mut text =
        Zeroizing::new(String::with_capacity(usize::try_from(FILE_LEN_MAX).unwrap_or(4096)));
    file.take(FILE_LEN_MAX).read_to_string(&mut text).map_err(io_error(path))?;
    let mut lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let seed = lines.next().ok_or_else(|| malformed(path, "it has no seed"))?;
    if lines.next().is_some() {
        return Err(malformed(path, "it has more than one line that is no comment"));
    }
    SigningKey::from_seed_hex(seed)
        .map_err(|_| malformed(path, "its line is not 64 lower-case hex digits"))
}

/// Makes the identity at `path` with the rights 0600, and its directory, if it is missing, with 0700.
///
/// The file appears whole or not at all, and never replaces another.
///
/// # Errors
///
/// [`KeyFileError::Exists`], or what the system says.
pub fn create(path: &Path, key: &SigningKey) -> Result<(), KeyFileError> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        create_private_dir(directory)?;
    }
    let unfinished = path.with_extension("seed.new");
    match fs::remove_file(&unfinished) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io_error(&unfinished)(error)),
    }
    let outcome = write_and_link(&unfinished, path, key);
    // Also after a failure: a half-written seed must not stay.
    let removed = fs::remove_file(&unfinished);
    outcome?;
    removed.map_err(io_error(&unfinished))
}

/// Makes a directory that only its owner can enter, with its parents, unless it exists.
///
/// # Errors
///
/// What the system says; [`KeyFileError::OpenToOthers`] if it exists and others can write into it.
pub fn create_private_dir(directory: &Path) -> Result<(), KeyFileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io_error(directory))?;
    let mode = fs::metadata(directory).map_err(io_error(directory))?.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(KeyFileError::OpenToOthers { path: directory.to_owned(), mode });
    }
    Ok(())
}

fn write_and_link(unfinished: &Path, path: &Path, key: &SigningKey) -> Result<(), KeyFileError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(unfinished)
        .map_err(io_error(unfinished))?;
    let seed = key.seed_hex();
    let written = file.write_all(HEADER.as_bytes()).and_then(|()| file.write_all(seed.as_bytes()));
    written
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(io_error(unfinished))?;
    // Unlike a rename, a link fails where a file stands already.
    match fs::hard_link(unfinished, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(KeyFileError::Exists { path: path.to_owned() })
        }
        Err(error) => Err(io_error(path)(error)),
    }
}

fn malformed(path: &Path, reason: &'static str) -> KeyFileError {
    KeyFileError::Malformed { path: path.to_owned(), reason }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
    let path = path.to_owned();
    move |source| KeyFileError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_made_identity_reads_back_and_only_its_owner_can_reach_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data").join(FILE_NAME);
        let key = SigningKey::from_seed([7; 32]);
        create(&path, &key).unwrap();
        assert_eq!(load(&path).unwrap().public_key(), key.public_key());
        assert_eq!((mode_of(&path), mode_of(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing else is left"
        );
        assert!(
            fs::read_to_string(&path).unwrap().starts_with("# Identity of an entity, format 1")
        );
    }

    #[test]
    fn an_identity_is_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(FILE_NAME);
        create(&path, &SigningKey::from_seed([1; 32])).unwrap();
        let second = create(&path, &SigningKey::from_seed([2; 32]));
        assert!(matches!(second, Err(KeyFileError::Exists { .. })), "{second:?}");
        assert_eq!(load(&path).unwrap().public_key(), SigningKey::from_seed([1; 32]).public_key());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(FILE_NAME);
        create(&path, &SigningKey::from_seed([1; 32])).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let outcome = load(&path);
        assert!(
            matches!(outcome, Err(KeyFileError::OpenToOthers { mode: 0o640, .. })),
            "{outcome:?}"
        );
    }

    #[test]
    fn what_is_no_key_file_is_refused_without_showing_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(FILE_NAME);
        let seed = "aa".repeat(32);
        let long = "#".repeat(5000);
        for content in [
            "",
            "# only a comment\n",
            "secret",
            &format!("{seed}\n{seed}\n"),
            &seed.to_uppercase(),
            &long,
        ] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = load(&path).unwrap_err();
            assert!(matches!(error, KeyFileError::Malformed { .. }), "{error:?}");
            assert!(!format!("{error:?} {error}").contains("secret"));
        }
        assert!(matches!(load(&root.path().join("none")), Err(KeyFileError::Missing { .. })));
    }
}
