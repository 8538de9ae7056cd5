//! A full disk: the folder of a role lies on a small file system of its own, and what is free of it is taken.
//!
//! The file system is in memory (`tmpfs(5)`) and only seen by the unit: it is mounted in a namespace of the reaper, so that it is gone with
//! the unit's last process, whatever happens. From outside it is reached through `/proc/PID/root`. What takes the space, the *ballast*, lies
//! beside the peer's folder and not in it. Not by `RLIMIT_FSIZE`: that ends a process with a signal, and says `EFBIG`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use handfast_faults::account::{Line, LineVerdict};
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::line::{bytes, line};
use super::{InForce, LimitError};

/// Size of the file system of a role whose disk is to be filled, in bytes: far above what a peer of any scenario keeps, and little enough
/// to be had on every machine (guessed).
pub const DISK_BYTES: u64 = 64 * 1024 * 1024;

const WHAT: &str = "the space on disk";

/// The file that takes the space.
const BALLAST: &str = "ballast";

/// Rounds of taking what is free, each at least halving it; a peer writes meanwhile.
const ROUNDS_MAX: usize = 64;

/// The folder in that of a unit at which the disk of a role is mounted; no role can have this name.
pub(crate) fn disk_of(unit: &Path, role: &str) -> PathBuf {
    unit.join(format!(".disk-{role}"))
}

/// The peer's folder on its disk.
pub(crate) fn folder_on(disk: &Path) -> PathBuf {
    disk.join("data")
}

/// A disk that is full.
#[derive(Debug)]
pub(super) struct FullDisk {
    disk: PathBuf,
    size: u64,
    refused: bool,
    undone: bool,
}

impl FullDisk {
    /// Takes what is free on the file system at `disk`.
    pub(super) fn apply(disk: PathBuf) -> io::Result<Self> {
        let (size, _) = space(&disk)?;
        let mut full = Self { disk, size, refused: false, undone: false };
        full.fill()?;
        full.refused = full.is_full();
        Ok(full)
    }

    fn fill(&self) -> io::Result<()> {
        let ballast = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.disk.join(BALLAST))?;
        for _ in 0..ROUNDS_MAX {
            let (_, free) = space(&self.disk)?;
            if free == 0 {
                return Ok(());
            }
            let end = ballast.metadata()?.len();
            match fallocate(&ballast, FallocateFlags::empty(), end, free) {
                Ok(()) => {}
                // The peer was faster; what is free now is less.
                Err(rustix::io::Errno::NOSPC) => take(&ballast, free / 2)?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::other("the disk does not get full"))
    }

    /// Whether a write finds no space, which is what a peer finds.
    fn is_full(&self) -> bool {
        let probe = self.disk.join("probe");
        let written = File::create(&probe).and_then(|mut file| file.write_all(b"x"));
        // If it stays, it lies where no peer looks.
        drop(fs::remove_file(&probe));
        written.is_err_and(|error| error.kind() == io::ErrorKind::StorageFull)
    }
}

/// Takes so many bytes at the end of a file, as far as they are to be had.
fn take(ballast: &File, amount: u64) -> io::Result<()> {
    let end = ballast.metadata()?.len();
    match fallocate(ballast, FallocateFlags::empty(), end, amount.max(1)) {
        Ok(()) | Err(rustix::io::Errno::NOSPC) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl InForce for FullDisk {
    fn measured(&mut self) -> Vec<Line> {
        let free =
            space(&self.disk).map_or_else(|error| error.to_string(), |(_, free)| bytes(free));
        let found = if self.refused { "a write found no space" } else { "a write found space" };
        let measured = format!("{found}; now {free} of {} free", bytes(self.size));
        let verdict = if self.refused { LineVerdict::Held } else { LineVerdict::Missed };
        vec![line("disk", "no space left".to_owned(), measured, verdict)]
    }

    fn undo(mut self: Box<Self>) -> Result<Vec<Line>, LimitError> {
        let lines = self.measured();
        self.undone = true;
        fs::remove_file(self.disk.join(BALLAST))
            .map_err(|source| LimitError::Refused { what: WHAT, source })?;
        Ok(lines)
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        if !self.undone {
            // Nobody is left to hear of it; the file system goes with the unit.
            drop(fs::remove_file(self.disk.join(BALLAST)));
        }
    }
}

/// Size and free space of the file system at a folder, in bytes.
pub(crate) fn space(folder: &Path) -> io::Result<(u64, u64)> {
    let found = statvfs(folder)?;
    Ok((
        found.f_blocks.saturating_mul(found.f_frsize),
        found.f_bavail.saturating_mul(found.f_frsize),
    ))
}
