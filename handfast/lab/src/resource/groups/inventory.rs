//! The groups that a unit has made: written down in its folder before they are made, removed by whoever is left.
//!
//! A group is not gone when its processes are, and nothing but `rmdir` removes it. So the unit's folder names its groups, and whoever
//! removes that folder removes them first: the reaper at the end of a unit, also after `kill -9` of handfast; handfast where its reaper
//! was killed; the next start where both were.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::event::{Timespec, poll};
use rustix::fs::statfs;
use rustix::process::{Pid, Signal, kill_process};

use super::group::PROCESSES;

/// The inventory's file in the folder of a unit; no role can have this name.
const INVENTORY: &str = ".control-groups";

/// What the names of our groups begin with.
const PREFIX: &str = "handfast-";

/// Longest name of a group, in bytes; a file name has at most 255.
const NAME_MAX: usize = 200;

/// Longest inventory that is read, in bytes: four groups for each of a hundred roles, each of the longest path.
const INVENTORY_MAX: u64 = 2 * 1024 * 1024;

/// Levels of groups below one of ours that are removed with it: a peer that may make groups is a container engine at most (guessed).
const DEPTH_MAX: usize = 8;

/// How often `rmdir` is tried, a millisecond apart: the kernel takes its time with the last process of a group. Others wait from 1 s
/// (Mesos) to 5 s (Podman) for it.
const TRIES_MAX: usize = 5_000;

/// What a group of this name is called: safe as the name of a file, and known as ours.
pub(crate) fn name_of(name: &str) -> String {
    let safe = |c: char| if crate::lab::is_file_name_char(c) { c } else { '_' };
    PREFIX.chars().chain(name.chars().map(safe)).take(NAME_MAX).collect()
}

/// Writes down that a group is about to be made for a unit.
pub(crate) fn add(unit: &Path, folder: &Path) -> io::Result<()> {
    let path = folder.to_str().filter(|path| !path.contains('\n'));
    let path = path.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path of a control group is no line of text",
        )
    })?;
    let mut inventory = File::options().create(true).append(true).open(unit.join(INVENTORY))?;
    inventory.write_all(format!("{path}\n").as_bytes())
}

/// Ends what still runs in the groups of a unit and removes them; gives those that were there.
///
/// # Errors
///
/// If a group could not be removed; the others are.
pub(crate) fn remove_all(unit: &Path) -> io::Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    let mut result = Ok(());
    for folder in read(unit)? {
        match remove(&folder, 0) {
            Ok(true) => removed.push(folder),
            Ok(false) => {}
            Err(error) => result = Err(error),
        }
    }
    result.map(|()| removed)
}

/// The groups of a unit, those of folders that are none of ours left out: a peer could have written the inventory, too.
fn read(unit: &Path) -> io::Result<Vec<PathBuf>> {
    let mut text = String::new();
    match File::open(unit.join(INVENTORY)) {
        Ok(inventory) => inventory.take(INVENTORY_MAX).read_to_string(&mut text)?,
        // What is no folder is no unit.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        path.is_absolute() && name.is_some_and(|name| name.starts_with(PREFIX))
    };
    let mut folders: Vec<PathBuf> = text.lines().map(PathBuf::from).filter(is_ours).collect();
    folders.sort();
    folders.dedup();
    Ok(folders)
}

/// Removes a group and those below it; `false` if it is not there, or no group.
fn remove(folder: &Path, depth: usize) -> io::Result<bool> {
    if !is_group(folder) {
        return Ok(false);
    }
    for _ in 0..TRIES_MAX {
        // What a peer made below its group goes with it.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_dir && depth < DEPTH_MAX {
                remove(&entry.path(), depth + 1)?;
            }
        }
        match fs::remove_dir(folder) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
            Err(error) => return Err(error),
        }
        end_processes(folder);
        // There is no notice of it in version 1, so the time between two looks is waited for.
        poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 }))?;
    }
    let text = format!("the control group {} stays busy", folder.display());
    Err(io::Error::new(io::ErrorKind::TimedOut, text))
}

/// Kills what runs in a group. Only what a unit started gets into its groups, whatever it did to its environment since.
fn end_processes(folder: &Path) {
    let pids = fs::read_to_string(folder.join(PROCESSES)).unwrap_or_default();
    for pid in pids.lines().filter_map(|pid| pid.parse().ok()).filter_map(Pid::from_raw) {
        // It may be gone already.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// The file systems of `statfs(2)` in which folders are groups.
const GROUP_FILE_SYSTEMS: [rustix::fs::FsWord; 2] = [0x0027_e0eb, 0x6367_7270];

fn is_group(folder: &Path) -> bool {
    statfs(folder).is_ok_and(|found| GROUP_FILE_SYSTEMS.contains(&found.f_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_control_group_is_never_removed() {
        let unit = tempfile::tempdir().unwrap();
        let victim = unit.path().join("handfast-victim");
        fs::create_dir(&victim).unwrap();
        for path in
            [victim.as_path(), Path::new("/sys/fs/cgroup"), Path::new("relative/handfast-x")]
        {
            add(unit.path(), path).unwrap();
        }
        assert_eq!(read(unit.path()).unwrap(), [victim.as_path()]);
        assert_eq!(remove_all(unit.path()).unwrap(), Vec::<PathBuf>::new());
        assert!(victim.is_dir());
    }

    #[test]
    fn a_unit_without_groups_has_none_to_remove() {
        let unit = tempfile::tempdir().unwrap();
        assert_eq!(remove_all(unit.path()).unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn the_name_of_a_group_is_a_file_name_of_bounded_length() {
        assert_eq!(name_of("run/1 a"), "handfast-run_1_a");
        assert_eq!(name_of(&"x".repeat(1_000)).len(), NAME_MAX);
    }

    #[test]
    fn a_path_of_two_lines_is_refused() {
        let unit = tempfile::tempdir().unwrap();
        assert!(add(unit.path(), Path::new("/a\n/b")).is_err());
    }

    #[test]
    fn an_inventory_is_read_up_to_its_limit() {
        let unit = tempfile::tempdir().unwrap();
        let line = format!("/{PREFIX}x\n");
        let lines = usize::try_from(INVENTORY_MAX).unwrap() / line.len() + 10;
        fs::write(unit.path().join(INVENTORY), line.repeat(lines)).unwrap();
        assert_eq!(read(unit.path()).unwrap().len(), 1);
        let long = "x".repeat(usize::try_from(INVENTORY_MAX).unwrap());
        fs::write(unit.path().join(INVENTORY), format!("/{long}\n/{PREFIX}y\n")).unwrap();
        assert_eq!(read(unit.path()).unwrap(), Vec::<PathBuf>::new());
    }
}
