//! What survives of a schedule in the project's `.handfast`, and who has it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use handfast_schedule::mark::MARK_LEN_MAX;
use handfast_schedule::state::FILE_LEN_MAX;
use handfast_schedule::{Mark, State, StateError};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Flock, FlockType, Pid, fcntl_getlk};

use crate::error::CommandError;

/// The state of the machine.
const STATE: &str = "schedule.json";

/// How far the last run has come, written by the run.
const MARK: &str = "schedule.run";

/// Held by the one scheduler of a project.
const LOCK: &str = "schedule.lock";

/// The folder of a schedule's files.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

/// The right to carry out the schedule of a project; it ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct Held {
    folder: Folder,
    _lock: File,
}

impl Folder {
    /// That of a project.
    pub(super) fn of(root: &Path) -> Self {
        Self(root.join(".handfast"))
    }

    /// The state, or `None` where nothing was ever scheduled.
    pub(super) fn state(&self) -> Result<Option<State>, CommandError> {
        let path = self.0.join(STATE);
        let bytes = match read(&path, FILE_LEN_MAX + 1) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error, "read", &path)),
        };
        State::parse(&bytes).map(Some).map_err(|error| {
            let help = match error {
                StateError::Damaged { .. } => {
                    "move it away: the jobs begin anew from now, nothing is made up for"
                }
                StateError::Newer { .. } => "use the newer handfast, or move the file away",
            };
            CommandError::usage_text(format!("{}: {error}", path.display()), help)
        })
    }

    /// How far the last run has come.
    pub(super) fn mark(&self) -> Option<Mark> {
        Mark::parse(&read(&self.mark_file(), MARK_LEN_MAX).ok()?)
    }

    /// The file of the mark.
    pub(super) fn mark_file(&self) -> PathBuf {
        self.0.join(MARK)
    }

    /// The process that carries the schedule out. Asking takes nothing away from one that is just beginning.
    pub(super) fn holder(&self) -> Option<Pid> {
        let lock = File::open(self.0.join(LOCK)).ok()?;
        holder(&lock)
    }
}

impl Held {
    /// Takes the schedule.
    pub(super) fn take(folder: Folder) -> Result<Self, CommandError> {
        let path = folder.0.join(LOCK);
        fs::create_dir_all(&folder.0).map_err(|error| failed(&error, "make", &folder.0))?;
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let lock = opened.map_err(|error| failed(&error, "open", &path))?;
        if fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let who = holder(&lock).map_or_else(
                || "another process".to_owned(),
                |pid| format!("process {}", pid.as_raw_nonzero()),
            );
            let error = format!("the schedule of this project is carried out by {who}");
            return Err(CommandError::usage_text(error, "end that one first, or leave it to it"));
        }
        Ok(Self { folder, _lock: lock })
    }

    /// Where the files are.
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Makes a state durable: after this neither a kill nor a loss of power takes it back.
    pub(super) fn keep(&self, state: &State) -> Result<(), CommandError> {
        let path = self.folder.0.join(STATE);
        replace(&path, &state.to_bytes()).map_err(|error| failed(&error, "write", &path))
    }
}

fn holder(lock: &File) -> Option<Pid> {
    let found = fcntl_getlk(lock, &Flock::from(FlockType::WriteLock)).ok()??;
    found.pid
}

/// Puts a file in the place of another, all of it or nothing.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The name is durable once its folder is.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn read(path: &Path, len_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(len_max as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn failed(error: &io::Error, what: &str, path: &Path) -> CommandError {
    CommandError::infra(error, &format!("failed to {what} {}", path.display()))
}
