//! Run folders, and what an earlier run left behind.
//!
//! A run's folder holds a lock file that handfast keeps locked while it lives; the system unlocks it
//! when the process dies, however it dies. So a folder whose lock is free belongs to a dead run:
//! whatever carries the run's marker is killed, and the folder removed. Reapers do the same for
//! their units at once; the sweep is for the case that they were killed too, and for the folder of
//! the run itself, which no reaper owns.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::reaper::LeftProcess;
use crate::reaper::tree::{self, Marker};
use crate::resource::groups::inventory;

/// The lock file in a run's folder, and in the root while folders are made or swept.
const LOCK: &str = "lock";

/// The folder of one run, locked and removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
    _lock: File,
}

/// What was found of earlier runs that were killed, and removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Folders of dead runs.
    pub folders: Vec<PathBuf>,
    /// Processes of dead runs that still lived; they are dead.
    pub processes: Vec<LeftProcess>,
    /// Control groups of dead runs.
    pub groups: Vec<PathBuf>,
}

impl Swept {
    /// Whether nothing was left behind.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.processes.is_empty() && self.groups.is_empty()
    }
}

impl Scratch {
    /// Removes what dead runs left under `root`, then makes and locks the folder of `run`.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made or exists, or a dead run's processes will not end.
    pub fn open(root: &Path, run: &str) -> io::Result<(Self, Swept)> {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if run.is_empty() || !run.bytes().all(valid) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a run's id consists of letters, digits, `-` and `_`",
            ));
        }
        fs::create_dir_all(root)?;
        // Held while folders are made and swept: otherwise a sweep could take a folder between its
        // making and its locking for a dead one.
        let root_lock = lock_file(root)?;
        flock(&root_lock, FlockOperation::LockExclusive)?;
        let swept = sweep(root)?;
        let dir = root.join(run);
        fs::create_dir(&dir)?;
        let mut lock = lock_file(&dir)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        write!(lock, "{}", std::process::id())?;
        Ok((Self { dir, _lock: lock }, swept))
    }

    /// The run's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A unit that was dropped may still be on its way out, and without its inventory nobody would know of its control groups.
        // What cannot be removed here is found by the next start.
        if remove_groups(&self.dir).is_ok() {
            drop(fs::remove_dir_all(&self.dir));
        }
    }
}

fn lock_file(dir: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(dir.join(LOCK))
}

fn sweep(root: &Path) -> io::Result<Swept> {
    let mut swept = Swept::default();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        let (Some(run), true) = (name.to_str(), entry.file_type()?.is_dir()) else { continue };
        let dir = entry.path();
        let lock = lock_file(&dir)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) if is_alive(&dir) => continue,
            // A process that it was about to start when it died still shares its lock, until it becomes another program.
            Err(rustix::io::Errno::WOULDBLOCK) => flock(&lock, FlockOperation::LockExclusive)?,
            Err(error) => return Err(error.into()),
        }
        let ended = tree::end_marked(&Marker::of_run(run))?;
        swept.processes.extend(ended);
        swept.groups.extend(remove_groups(&dir)?);
        remove(&dir)?;
        swept.folders.push(dir);
    }
    Ok(swept)
}

/// Whether the run of a locked folder lives, as far as its lock says whose it is.
fn is_alive(dir: &Path) -> bool {
    let owner = fs::read_to_string(dir.join(LOCK)).unwrap_or_default();
    owner.parse().map_or(true, tree::is_alive)
}

/// Removes the control groups of a run's units, with what still runs in them.
fn remove_groups(run: &Path) -> io::Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for unit in fs::read_dir(run)? {
        removed.extend(inventory::remove_all(&unit?.path())?);
    }
    Ok(removed)
}

/// Removes a folder that may be gone already.
pub(crate) fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
