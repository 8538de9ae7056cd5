//! The files of a wallet on disk.
//!
//! ```text
//! DATA/             0700
//!   keys/           0700
//!     NAME.key      0600  one a key, named so that no two names share a file
//!     default       0600  the name of the default key
//!     .lock         0600  held by whoever changes something
//!     .NAME.key.new 0600  a file that is being written; what a crash leaves is removed by the next change
//! ```
//!
//! A file is written beside its place, made durable, read back, and only then put in its place by one atomic step; then the
//! directory is made durable. Nothing is ever written over. All names are resolved below the opened directory, and links
//! are not followed, so nobody can make this read or write another file.

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use entity_wallet::files::FILE_LEN_MAX;
use entity_wallet::{FileName, KeyFiles, KeyFilesError};
use rustix::fs::{
    AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, fchmod, flock, linkat, openat, renameat,
    unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;
use zeroize::Zeroizing;

/// The directory of the keys inside a data directory.
pub const DIRECTORY: &str = "keys";

/// What one change of a file consists of, in order. For tests, which stop a process after each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The new file was made, empty.
    Made,
    /// Half of its bytes are written.
    HalfWritten,
    /// All bytes are written.
    Written,
    /// The file is durable.
    Synced,
    /// It was read back and is what was written.
    ReadBack,
    /// It is in its place.
    Placed,
    /// Its place is durable.
    PlaceSynced,
    /// A file was removed.
    Removed,
    /// Its absence is durable.
    AbsenceSynced,
}

/// The files of a wallet in a directory.
pub struct DiskKeyFiles {
    path: PathBuf,
    directory: File,
    /// Held while something may be changed.
    lock: Option<File>,
    after: Box<dyn FnMut(Step) + Send>,
}

impl DiskKeyFiles {
    /// Opens the keys of a data directory for reading. Where there are none yet, there is an empty directory afterwards.
    ///
    /// # Errors
    ///
    /// [`KeyFilesError::OpenToOthers`], [`KeyFilesError::NotAFile`] where a link stands in the directory's place,
    /// [`KeyFilesError::System`].
    pub fn open(data_dir: &Path) -> Result<Self, KeyFilesError> {
        let path = data_dir.join(DIRECTORY);
        create_private_dir(data_dir)?;
        if make_private_dir(&path)? {
            sync_directory(data_dir)?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = match openat(CWD, &path, flags, Mode::empty()) {
            Ok(directory) => File::from(directory),
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(not_a_file(&path)),
            Err(error) => return Err(system("open", &path, error)),
        };
        check_private(&directory, &path)?;
        Ok(Self { path, directory, lock: None, after: Box::new(drop) })
    }

    /// Opens the keys of a data directory for changes. Only one process at a time may; what an interrupted change left
    /// behind is removed.
    ///
    /// # Errors
    ///
    /// As [`DiskKeyFiles::open`]; [`KeyFilesError::System`] with the action `lock` where another process changes them.
    pub fn open_for_changes(data_dir: &Path) -> Result<Self, KeyFilesError> {
        let mut files = Self::open(data_dir)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let path = files.path.join(LOCK);
        let lock = openat(&files.directory, LOCK, flags, PRIVATE_FILE)
            .map_err(|error| system("open", &path, error))?;
        fchmod(&lock, PRIVATE_FILE).map_err(|error| system("open", &path, error))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| system("lock", &path, error))?;
        files.lock = Some(lock.into());
        files.remove_unfinished()?;
        Ok(files)
    }

    /// Calls `after` after each step of each change. For tests.
    #[must_use]
    pub fn watched(mut self, after: impl FnMut(Step) + Send + 'static) -> Self {
        self.after = Box::new(after);
        self
    }

    /// Where a file is, for messages.
    pub fn path_of(&self, name: &FileName) -> PathBuf {
        self.path.join(name.as_str())
    }

    fn remove_unfinished(&self) -> Result<(), KeyFilesError> {
        for entry in self.entries()? {
            if entry.starts_with('.') && entry.ends_with(UNFINISHED) {
                self.unlink(&entry)?;
            }
        }
        Ok(())
    }

    /// All names in the directory that are text.
    fn entries(&self) -> Result<Vec<String>, KeyFilesError> {
        let failed = |error: Errno| system("list", &self.path, error);
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_str().ok();
            names.extend(name.filter(|name| !matches!(*name, "." | "..")).map(str::to_owned));
        }
        Ok(names)
    }

    /// Writes a file beside its place and makes it durable; returns its name. What cannot be finished, on a full disk for
    /// example, is not left there.
    fn write_beside(&mut self, name: &FileName, bytes: &[u8]) -> Result<String, KeyFilesError> {
        if bytes.len() > FILE_LEN_MAX {
            return Err(KeyFilesError::TooLong { path: self.shown(name.as_str()) });
        }
        if self.lock.is_none() {
            let error = io::Error::other("the wallet was opened for reading only");
            return Err(system("change", &self.path, error));
        }
        let unfinished = format!(".{name}{UNFINISHED}");
        let path = self.path.join(&unfinished);
        let failed = |error: io::Error| system("write", &path, error);
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.directory, &unfinished, flags, PRIVATE_FILE)
            .map(File::from)
            .map_err(|error| failed(error.into()))?;
        let written = self.fill(file, &path, bytes).and_then(|()| {
            let kept = self.read_plain(&unfinished)?;
            if kept.as_deref().map(Vec::as_slice) == Some(bytes) {
                Ok(())
            } else {
                Err(failed(io::Error::other("what was written does not read back")))
            }
        });
        if let Err(error) = written {
            // What made it fail is what has to be heard of; the next change removes it, too.
            drop(self.unlink(&unfinished));
            return Err(error);
        }
        (self.after)(Step::ReadBack);
        Ok(unfinished)
    }

    /// Writes all of a new file and makes it durable.
    fn fill(&mut self, mut file: File, path: &Path, bytes: &[u8]) -> Result<(), KeyFilesError> {
        let failed = |error: io::Error| system("write", path, error);
        // Whatever the umask has taken away.
        fchmod(&file, PRIVATE_FILE).map_err(|error| failed(error.into()))?;
        (self.after)(Step::Made);
        let (first, second) = bytes.split_at(bytes.len() / 2);
        file.write_all(first).map_err(failed)?;
        (self.after)(Step::HalfWritten);
        file.write_all(second).map_err(failed)?;
        (self.after)(Step::Written);
        file.sync_all().map_err(failed)?;
        (self.after)(Step::Synced);
        Ok(())
    }

    fn placed(&mut self) -> Result<(), KeyFilesError> {
        (self.after)(Step::Placed);
        self.sync()?;
        (self.after)(Step::PlaceSynced);
        Ok(())
    }

    fn read_plain(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyFilesError> {
        let path = self.path.join(name);
        // Not blocking, so that a named pipe in the place of a file does not hold us up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.directory, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => return Err(not_a_file(&path)),
            Err(error) => return Err(system("open", &path, error)),
        };
        read_private(file, &path).map(Some)
    }

    fn unlink(&self, name: &str) -> Result<bool, KeyFilesError> {
        match unlinkat(&self.directory, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(system("remove", &self.path.join(name), error)),
        }
    }

    fn sync(&self) -> Result<(), KeyFilesError> {
        self.directory.sync_all().map_err(|error| system("make durable", &self.path, error))
    }

    fn shown(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }
}

impl KeyFiles for DiskKeyFiles {
    fn list(&self) -> Result<Vec<FileName>, KeyFilesError> {
        let mut names: Vec<_> =
            self.entries()?.iter().filter_map(|name| FileName::parse(name)).collect();
        names.sort();
        Ok(names)
    }

    fn read(&self, name: &FileName) -> Result<Option<Zeroizing<Vec<u8>>>, KeyFilesError> {
        self.read_plain(name.as_str())
    }

    fn create(&mut self, name: &FileName, bytes: &[u8]) -> Result<(), KeyFilesError> {
        let unfinished = self.write_beside(name, bytes)?;
        let path = self.path_of(name);
        // Unlike a rename, a link fails where a file stands already.
        let directory = &self.directory;
        let linked = linkat(directory, &unfinished, directory, name.as_str(), AtFlags::empty());
        self.unlink(&unfinished)?;
        match linked {
            Ok(()) => self.placed(),
            Err(Errno::EXIST) => Err(KeyFilesError::Exists { path: path.display().to_string() }),
            Err(error) => Err(system("make", &path, error)),
        }
    }

    fn replace(&mut self, name: &FileName, bytes: &[u8]) -> Result<(), KeyFilesError> {
        let unfinished = self.write_beside(name, bytes)?;
        let renamed = renameat(&self.directory, &unfinished, &self.directory, name.as_str());
        renamed.map_err(|error| system("replace", &self.path_of(name), error))?;
        self.placed()
    }

    fn remove(&mut self, name: &FileName) -> Result<(), KeyFilesError> {
        if self.unlink(name.as_str())? {
            (self.after)(Step::Removed);
            self.sync()?;
            (self.after)(Step::AbsenceSynced);
        }
        Ok(())
    }
}

impl fmt::Debug for DiskKeyFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DiskKeyFiles({})", self.path.display())
    }
}

/// Makes a directory that only its owner can enter, with its parents, unless it exists.
///
/// # Errors
///
/// What the system says; [`KeyFilesError::OpenToOthers`] if it exists and others can write into it.
pub fn create_private_dir(directory: &Path) -> Result<(), KeyFilesError> {
    let missing: Vec<_> = directory
        .ancestors()
        .take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.exists())
        .collect();
    for ancestor in missing.into_iter().rev() {
        make_private_dir(ancestor)?;
    }
    let metadata = fs::metadata(directory).map_err(|error| system("open", directory, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(KeyFilesError::OpenToOthers { path: directory.display().to_string(), mode });
    }
    Ok(())
}

/// Makes one directory that only its owner can enter, whatever the umask; returns whether it was missing.
fn make_private_dir(path: &Path) -> Result<bool, KeyFilesError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {
            let rights = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
            rights.map_err(|error| system("make", path, error))?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(system("make", path, error)),
    }
}

/// Reads a secret from an opened file that only its owner may reach.
///
/// # Errors
///
/// [`KeyFilesError::NotAFile`], [`KeyFilesError::OpenToOthers`], [`KeyFilesError::TooLong`], [`KeyFilesError::System`].
pub fn read_private(file: File, path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFilesError> {
    let metadata = file.metadata().map_err(|error| system("read", path, error))?;
    if !metadata.is_file() {
        return Err(not_a_file(path));
    }
    check_private(&file, path)?;
    let bytes = read_bounded(file, path)?;
    Ok(bytes)
}

/// Reads a file of at most [`FILE_LEN_MAX`] bytes, leaving no copy of a part of it behind.
///
/// # Errors
///
/// [`KeyFilesError::TooLong`], [`KeyFilesError::System`].
pub fn read_bounded(file: File, path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFilesError> {
    // Reserved at once: a buffer that grows leaves copies of a seed behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_LEN_MAX + 64));
    let most = u64::try_from(FILE_LEN_MAX + 1).unwrap_or(u64::MAX);
    file.take(most).read_to_end(&mut bytes).map_err(|error| system("read", path, error))?;
    if bytes.len() > FILE_LEN_MAX {
        return Err(KeyFilesError::TooLong { path: path.display().to_string() });
    }
    Ok(bytes)
}

/// Writes a secret into a new file of the rights 0600; an existing one is never overwritten, and a part of one is not left.
///
/// # Errors
///
/// [`KeyFilesError::Exists`], [`KeyFilesError::System`].
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyFilesError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = match openat(CWD, path, flags, PRIVATE_FILE) {
        Ok(file) => File::from(file),
        Err(Errno::EXIST) => {
            return Err(KeyFilesError::Exists { path: path.display().to_string() });
        }
        Err(error) => return Err(system("make", path, error)),
    };
    let private = fchmod(&file, PRIVATE_FILE).map_err(io::Error::from);
    let written = private.and_then(|()| file.write_all(bytes)).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // What made it fail is what has to be heard of.
        drop(fs::remove_file(path));
        system("write", path, error)
    })
}

fn check_private(file: &File, path: &Path) -> Result<(), KeyFilesError> {
    let metadata = file.metadata().map_err(|error| system("read", path, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    // What belongs to somebody else can be changed by them, whatever its rights.
    let foreign = metadata.uid() != geteuid().as_raw();
    if mode & 0o077 != 0 || foreign {
        return Err(KeyFilesError::OpenToOthers { path: path.display().to_string(), mode });
    }
    Ok(())
}

fn sync_directory(path: &Path) -> Result<(), KeyFilesError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|error| system("make durable", path, error))
}

fn not_a_file(path: &Path) -> KeyFilesError {
    KeyFilesError::NotAFile { path: path.display().to_string() }
}

fn system(action: &'static str, path: &Path, error: impl Into<io::Error>) -> KeyFilesError {
    KeyFilesError::System { action, path: path.display().to_string(), source: error.into().into() }
}

const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);
const LOCK: &str = ".lock";
const UNFINISHED: &str = ".new";

#[cfg(test)]
mod tests;
