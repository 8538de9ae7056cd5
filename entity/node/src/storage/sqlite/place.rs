//! Where a store lies: made for its owner alone, with names that are durable.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::StorageError;

/// Checks that others cannot reach a file, where there is one.
pub(super) fn check_private(path: &Path) -> Result<(), StorageError> {
    let mode = match fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(StorageError::Io { path: path.to_owned(), source }),
    };
    if mode & 0o077 != 0 {
        return Err(StorageError::OpenToOthers { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Makes directory and file where they are missing, for their owner alone.
pub(super) fn create_private(data_dir: &Path, path: &Path) -> io::Result<()> {
    create_directories(data_dir)?;
    // An existing file must not even be opened: closing it again would give up locks that this process has on it.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => File::open(data_dir)?.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes a directory and those above it where they are missing, for their owner alone, and their names durable.
fn create_directories(path: &Path) -> io::Result<()> {
    // Of a path of one name the one above is where the process is, and its name is empty.
    let Some(above) = path.parent().filter(|_| !path.is_dir()) else { return Ok(()) };
    let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
    create_directories(above)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => File::open(above)?.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}
