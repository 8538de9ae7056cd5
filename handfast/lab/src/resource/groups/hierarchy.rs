//! Where the controllers of this host are, and where a group of ours may be made.
//!
//! A host may have each controller in a hierarchy of version 1, all of them in the one of version 2, or some here and some there
//! (`cgroups(7)`). `/proc/self/cgroup` says in which group of each this process is, `/proc/self/mountinfo` where they are mounted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// What a control group can limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// Processor time.
    Cpu,
    /// Memory.
    Memory,
    /// Processes and threads.
    Pids,
    /// Reading and writing of block devices.
    Io,
}

impl Controller {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Memory, Self::Pids, Self::Io];

    /// What `cgroups(7)` calls it in a version.
    pub fn name(self, version: Version) -> &'static str {
        match (self, version) {
            (Self::Cpu, _) => "cpu",
            (Self::Memory, _) => "memory",
            (Self::Pids, _) => "pids",
            (Self::Io, Version::One) => "blkio",
            (Self::Io, Version::Two) => "io",
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name(Version::Two))
    }
}

/// The two kinds of hierarchies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// A hierarchy a controller.
    One,
    /// One hierarchy for all.
    Two,
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::One => "v1",
            Self::Two => "v2",
        })
    }
}

/// The hierarchies that this process can see, with its own group in each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hierarchies {
    /// Its group of each hierarchy of version 1 that has one of our controllers.
    one: BTreeMap<Controller, PathBuf>,
    two: Option<Unified>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Unified {
    mounted: PathBuf,
    own: PathBuf,
}

/// A group that may have a group of ours below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) folder: PathBuf,
    pub(crate) version: Version,
    /// Limits of groups between this one and our own, which a group here has to keep: file and value.
    pub(crate) inherited: BTreeMap<&'static str, u64>,
}

/// The limits of version 2 that are one number and hold for a whole group.
const NUMBERS: [&str; 2] = ["memory.max", "pids.max"];

impl Hierarchies {
    /// Those of this process.
    ///
    /// # Errors
    ///
    /// If `/proc` cannot be read.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        Ok(Self::parse(&mounts, &fs::read_to_string("/proc/self/cgroup")?))
    }

    /// Reads `/proc/PID/mountinfo` and `/proc/PID/cgroup`; what is not understood is not there.
    pub(crate) fn parse(mounts: &str, groups: &str) -> Self {
        let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
        let mut found = Self::default();
        for line in groups.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
            if controllers.is_empty() {
                let mut own = mounts.iter().filter(|mount| mount.version == Version::Two);
                let own = own.find_map(|mount| Some((mount, mount.folder_of(path)?)));
                found.two = own.map(|(mount, own)| Unified { mounted: mount.point.clone(), own });
                continue;
            }
            for controller in Controller::ALL {
                let name = controller.name(Version::One);
                if controllers.split(',').any(|one| one == name) {
                    let mount = mounts.iter().find(|mount| mount.has(name));
                    let folder = mount.and_then(|mount| mount.folder_of(path));
                    found.one.extend(folder.map(|folder| (controller, folder)));
                }
            }
        }
        found
    }

    /// Where groups with these controllers can be made: below the group we are in, so that no limit that was put on us is left.
    /// In version 2 a group with processes of its own hands out no controllers; then it is the nearest one above that does, and the
    /// limits between are kept ([`Parent::inherited`]).
    ///
    /// A controller that is not given out anywhere comes back with the reason.
    pub(crate) fn parents(
        &self,
        wanted: &BTreeSet<Controller>,
    ) -> BTreeMap<Controller, Result<Parent, String>> {
        let mut parents = BTreeMap::new();
        let mut unified = BTreeMap::new();
        for &controller in wanted {
            if let Some(folder) = self.one.get(&controller) {
                let (folder, version) = (folder.clone(), Version::One);
                let parent = Parent { folder, version, inherited: BTreeMap::new() };
                parents.insert(controller, Ok(parent));
            } else {
                unified.insert(controller, self.levels_up(controller));
            }
        }
        // A process is in one group of version 2: the one that has them all.
        let level = unified.values().filter_map(|level| level.as_ref().ok()).copied().max();
        for (controller, found) in unified {
            let parent = found.and_then(|_| self.unified_parent(level.unwrap_or_default()));
            parents.insert(controller, parent);
        }
        parents
    }

    /// How many groups above our own the controller is given out.
    fn levels_up(&self, controller: Controller) -> Result<usize, String> {
        let name = controller.name(Version::Two);
        let Some(unified) = &self.two else {
            return Err(format!("no control group here has the controller {name}"));
        };
        let gives = |folder: &&Path| {
            let given = fs::read_to_string(folder.join("cgroup.subtree_control"));
            given.is_ok_and(|given| given.split_whitespace().any(|one| one == name))
        };
        unified.upwards().position(|folder| gives(&folder)).ok_or_else(|| {
            let own = unified.own.display();
            format!("neither {own} nor a control group above it gives out the controller {name}")
        })
    }

    fn unified_parent(&self, level: usize) -> Result<Parent, String> {
        let missing = || "there is no such control group".to_owned();
        let unified = self.two.as_ref().ok_or_else(missing)?;
        let folder = unified.upwards().nth(level).ok_or_else(missing)?.to_owned();
        let mut inherited: BTreeMap<&'static str, u64> = BTreeMap::new();
        for passed in unified.upwards().take(level) {
            let read = |file: &str| fs::read_to_string(passed.join(file)).unwrap_or_default();
            if read("cpu.max").starts_with(|digit: char| digit.is_ascii_digit()) {
                let passed = passed.display();
                return Err(format!(
                    "{passed} limits the processor, and a group outside of it would escape"
                ));
            }
            for file in NUMBERS {
                if let Ok(limit) = read(file).trim().parse::<u64>() {
                    inherited
                        .entry(file)
                        .and_modify(|least| *least = limit.min(*least))
                        .or_insert(limit);
                }
            }
        }
        Ok(Parent { folder, version: Version::Two, inherited })
    }
}

impl Unified {
    /// Our own group and those above it, up to where the hierarchy is mounted.
    fn upwards(&self) -> impl Iterator<Item = &Path> {
        self.own.ancestors().take_while(|folder| folder.starts_with(&self.mounted))
    }
}

/// A mounted hierarchy.
struct Mount {
    version: Version,
    /// The group that is seen at `point`.
    root: String,
    point: PathBuf,
    options: String,
}

impl Mount {
    /// `36 35 98:0 ROOT POINT OPTIONS [FIELD..] - TYPE SOURCE OPTIONS` (`proc_pid_mountinfo(5)`).
    fn parse(line: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let mut fields = file_system.split(' ');
        let version = match fields.next()? {
            "cgroup" => Version::One,
            "cgroup2" => Version::Two,
            _ => return None,
        };
        let options = fields.nth(1).unwrap_or_default().to_owned();
        Some(Self { version, root: plain(root), point: plain(point).into(), options })
    }

    /// Whether it is the hierarchy of a controller of version 1.
    fn has(&self, controller: &str) -> bool {
        self.version == Version::One && self.options.split(',').any(|option| option == controller)
    }

    /// The folder of a group; `None` if it is not below what is mounted.
    fn folder_of(&self, group: &str) -> Option<PathBuf> {
        let below = Path::new(group).strip_prefix(&self.root).ok()?;
        let is_plain =
            below.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        is_plain.then(|| self.point.join(below))
    }
}

/// Blanks, tabs, line ends and backslashes are written as three octal digits.
fn plain(field: &str) -> String {
    let codes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    codes.iter().fold(field.to_owned(), |text, (code, letter)| text.replace(code, letter))
}

#[cfg(test)]
mod tests;
