//! Who lives: a runner holds a lock as long as it does, however it ends; a courier holds one while it delivers.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// A runner that lives; its lock file's time is its last sign of life.
#[derive(Debug)]
pub struct Presence {
    file: File,
    path: PathBuf,
}

impl Presence {
    /// Says that the runner of `run` lives, until this is dropped or the process is dead.
    ///
    /// # Errors
    ///
    /// If the file cannot be made, or the run is alive elsewhere.
    pub fn announce(root: &Path, run: &str) -> io::Result<Self> {
        let path = path_of(root, run);
        let file = lock_file(&path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { file, path })
    }

    /// Gives a sign of life.
    pub fn beat(&self, now_unix_us: i64) {
        let since = Duration::from_micros(u64::try_from(now_unix_us).unwrap_or_default());
        // Without it a death that nobody saw is told as older than it is.
        drop(self.file.set_modified(UNIX_EPOCH + since));
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

/// Whether the runner of `run` lives.
///
/// # Errors
///
/// What the system said, other than that there is no such file.
pub fn is_alive(root: &Path, run: &str) -> io::Result<bool> {
    let file = match File::open(path_of(root, run)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // Shared: two that look at the same time do not take each other for the runner.
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// The last sign of life of `run`, microseconds since the Unix epoch.
pub fn last_beat(root: &Path, run: &str) -> Option<i64> {
    let modified = fs::metadata(path_of(root, run)).ok()?.modified().ok()?;
    unix_us(modified)
}

/// Forgets a runner that is dead and told.
pub fn forget(root: &Path, run: &str) {
    drop(fs::remove_file(path_of(root, run)));
}

/// The right to deliver: one courier of a project has it at a time.
#[derive(Debug)]
pub struct Desk {
    _lock: File,
}

impl Desk {
    /// Takes the right, if nobody has it.
    ///
    /// # Errors
    ///
    /// If the file cannot be made.
    pub fn take(root: &Path) -> io::Result<Option<Self>> {
        let lock = lock_file(&folder(root).join("desk.lock"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _lock: lock })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Where couriers keep locks and their last words.
pub fn folder(root: &Path) -> PathBuf {
    crate::outbox::folder(root).join("notify")
}

fn path_of(root: &Path, run: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let name: String = run.chars().map(plain).take(100).collect();
    folder(root).join(format!("run-{name}.lock"))
}

fn lock_file(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::options().create(true).truncate(false).write(true).open(path)
}

fn unix_us(at: SystemTime) -> Option<i64> {
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok()
}
