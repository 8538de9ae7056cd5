//! One control group: its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::hierarchy::{Parent, Version};
use super::inventory;

/// The file through which a process joins a group.
pub(crate) const PROCESSES: &str = "cgroup.procs";

/// A group of ours.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    folder: PathBuf,
    version: Version,
    inherited: BTreeMap<&'static str, u64>,
}

impl Group {
    /// Makes the group `name` below `parent`, with the limits it inherits. One that is there is taken, since groups of different
    /// controllers may be one.
    ///
    /// The error says what the host lacks.
    pub(crate) fn make(parent: &Parent, name: &str, unit: &Path) -> Result<Self, String> {
        let folder = parent.folder.join(inventory::name_of(name));
        let failed = |error: io::Error| {
            format!("no control group can be made in {}: {error}", parent.folder.display())
        };
        // Before it is there: a group that nobody knows of would stay.
        inventory::add(unit, &folder).map_err(failed)?;
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            Ok(()) | Err(_) => {}
        }
        let (version, inherited) = (parent.version, parent.inherited.clone());
        let group = Self { folder, version, inherited };
        for (file, limit) in &group.inherited {
            group.write(file, &limit.to_string()).map_err(failed)?;
        }
        Ok(group)
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The kind of its hierarchy.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// What a file of version 2 holds where no limit of ours is in force.
    pub(crate) fn unlimited(&self, file: &str) -> String {
        self.inherited.get(file).map_or_else(|| "max".to_owned(), u64::to_string)
    }

    /// Writes one of its files; a limit that is not kept is an error of the system.
    pub(crate) fn write(&self, file: &str, text: &str) -> io::Result<()> {
        // Without the permission to create: the files of a group are the kernel's.
        let mut options = fs::OpenOptions::new();
        let mut opened = options.write(true).truncate(true).open(self.folder.join(file))?;
        io::Write::write_all(&mut opened, text.as_bytes())
    }

    /// Whether it has a file; not every kernel has all.
    pub(crate) fn has(&self, file: &str) -> bool {
        self.folder.join(file).exists()
    }

    /// One of its files, without the blanks around it.
    pub(crate) fn read(&self, file: &str) -> io::Result<String> {
        Ok(fs::read_to_string(self.folder.join(file))?.trim().to_owned())
    }

    /// The number that a file holds.
    pub(crate) fn number(&self, file: &str) -> io::Result<u64> {
        let bad = |_| io::Error::new(io::ErrorKind::InvalidData, format!("{file} is no number"));
        self.read(file)?.parse().map_err(bad)
    }

    /// The number behind a key in a file of the form `key number`; 0 where it has none, as of a kernel that does not count it.
    pub(crate) fn count(&self, file: &str, key: &str) -> io::Result<u64> {
        Ok(count_of(&self.read(file)?, key))
    }
}

/// As of [`Group::count`], of the text of a file.
pub(super) fn count_of(text: &str, key: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let found = lines.find(|(name, _)| *name == key);
    found.and_then(|(_, number)| number.trim().parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_found_by_its_whole_name() {
        let text = "oom 3\noom_kill 2\noom_group_kill 0";
        assert_eq!(count_of(text, "oom_kill"), 2);
        assert_eq!(count_of(text, "oom"), 3);
        assert_eq!(count_of(text, "max"), 0);
        assert_eq!(count_of("nr_throttled x", "nr_throttled"), 0);
    }

    #[test]
    fn a_group_keeps_the_limits_that_were_climbed_past() {
        let unit = tempfile::tempdir().unwrap();
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join(inventory::name_of("x"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("pids.max"), "max").unwrap();
        let inherited = BTreeMap::from([("pids.max", 50)]);
        let parent = Parent { folder: parent.path().to_owned(), version: Version::Two, inherited };
        let group = Group::make(&parent, "x", unit.path()).unwrap();
        assert_eq!(group.read("pids.max").unwrap(), "50");
        assert_eq!(group.unlimited("pids.max"), "50");
        assert_eq!(group.unlimited("memory.max"), "max");
    }

    #[test]
    fn where_no_group_can_be_made_the_reason_is_told() {
        let unit = tempfile::tempdir().unwrap();
        let folder = unit.path().join("absent");
        let parent = Parent { folder, version: Version::One, inherited: BTreeMap::new() };
        let why = Group::make(&parent, "x", unit.path()).unwrap_err();
        assert!(why.starts_with("no control group can be made in "), "{why}");
    }
}
