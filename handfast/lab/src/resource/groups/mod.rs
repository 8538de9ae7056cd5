//! Control groups of version 1 and 2, one set a role, and how they vanish.
//!
//! - [`hierarchy`]: where controllers are, and where a group may be made
//! - [`group`]: one group: its files
//! - [`inventory`]: which groups a unit has made, written down before they are made, so that whoever comes last can remove them

pub(crate) mod group;
pub(crate) mod hierarchy;
pub(crate) mod inventory;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) use group::{Group, PROCESSES};
pub use hierarchy::{Controller, Version};
use hierarchy::{Hierarchies, Parent};

/// The groups of one role; a controller that is not to be had is there with the reason.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoleGroups {
    groups: BTreeMap<Controller, Result<Group, String>>,
}

impl RoleGroups {
    /// Makes the groups that these controllers need. `name` is that of each; `unit` the folder whose inventory gets them.
    pub(crate) fn make(
        hierarchies: &Hierarchies,
        wanted: &BTreeSet<Controller>,
        name: &str,
        unit: &Path,
    ) -> Self {
        let make = |(controller, parent): (Controller, Result<Parent, String>)| {
            (controller, parent.and_then(|parent| Group::make(&parent, name, unit)))
        };
        Self { groups: hierarchies.parents(wanted).into_iter().map(make).collect() }
    }

    /// The group with a controller; `None` if it was not asked for.
    pub(crate) fn get(&self, controller: Controller) -> Option<Result<&Group, &str>> {
        self.groups.get(&controller).map(|group| group.as_ref().map_err(String::as_str))
    }

    /// The folders that a process of the role has to join, each once.
    pub(crate) fn folders(&self) -> BTreeSet<&Path> {
        self.groups.values().filter_map(|group| group.as_ref().ok()).map(Group::folder).collect()
    }
}

/// How many processes the kernel has killed for want of memory in these groups, since they are there.
pub(crate) fn killed_in(folders: &[PathBuf]) -> u64 {
    let files = ["memory.events", "memory.oom_control"];
    let texts = folders.iter().flat_map(|folder| files.map(|file| folder.join(file)));
    let texts = texts.filter_map(|file| fs::read_to_string(file).ok());
    texts.map(|text| group::count_of(&text, "oom_kill")).sum()
}
